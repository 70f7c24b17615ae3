//! What do answers of the Cloud Foundry API say?

use crate::document::Document;
use crate::found::Found;
use crate::{ImportError, Options};

pub(crate) fn read(
    _documents: Vec<Document>,
    _options: &Options,
    _found: &mut Found<'_>,
) -> Result<(), ImportError> {
    Ok(())
}
