//! What was found in the input so far?

use crate::record::{Place, Record};
use crate::summary::{At, Summary};
use crate::{ImportError, Options};

/// Records and what could not be read
#[derive(Debug)]
pub(crate) struct Found<'a> {
    options: &'a Options,
    pub(crate) records: Vec<Record>,
    pub(crate) summary: Summary,
}

impl<'a> Found<'a> {
    pub(crate) fn new(options: &'a Options) -> Self {
        Self { options, records: Vec::new(), summary: Summary::default() }
    }

    /// Takes what a place was read as
    ///
    /// # Errors
    /// [`ImportError::Bad`] with [`Options::strict`].
    pub(crate) fn result(
        &mut self,
        place: &Place,
        result: Result<Record, String>,
    ) -> Result<(), ImportError> {
        match result {
            Ok(record) => {
                self.record(record);
                Ok(())
            }
            Err(problem) => self.bad(place.clone(), problem),
        }
    }

    pub(crate) fn record(&mut self, record: Record) {
        self.summary.records.read += 1;
        *self.summary.kinds.entry(record.kind.clone()).or_default() += 1;
        self.records.push(record);
    }

    /// Takes a place that could not be read
    pub(crate) fn bad(&mut self, place: Place, problem: String) -> Result<(), ImportError> {
        let at = At { place, problem };
        if self.options.strict {
            return Err(ImportError::Bad(at));
        }
        self.summary.records.read += 1;
        self.summary.records.bad += 1;
        self.summary.bad.add(at);
        Ok(())
    }
}
