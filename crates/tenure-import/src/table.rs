//! What does a table of grants and revokes say?

use std::sync::Arc;

use crate::found::Found;
use crate::input::Decoded;
use crate::{ImportError, Options};

pub(crate) fn read(
    input: Decoded<'_>,
    _name: &str,
    _file: Option<Arc<str>>,
    _options: &Options,
    _found: &mut Found<'_>,
) -> Result<u64, ImportError> {
    Ok(input.bytes())
}
