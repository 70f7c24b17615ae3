//! What did an import read, append, refuse, skip and find to differ?

use std::collections::BTreeMap;

use serde::Serialize;
use tenure_wire::api::AppendResult;

/// Bad lines that are listed one by one
const BAD_LINES_LISTED_MAX: usize = 100;
/// Refused entries that are listed one by one
const REFUSALS_LISTED_MAX: usize = 100;

/// What an import did
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Summary {
    /// Lines read, bad and blank ones too
    pub lines: u64,
    /// Records by their kind: for the btp CLI, exchanges by `cmd verb`
    pub exchanges: BTreeMap<String, u64>,
    /// The time of the first record
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_at: Option<String>,
    /// The time of the last record
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_at: Option<String>,
    /// Entries that were sent
    pub entries: Entries,
    /// How often something was passed over, by reason
    pub skipped: BTreeMap<String, u64>,
    /// Lines that could not be used
    pub bad_lines: BadLines,
    /// Observations of holders that were compared with the ledger
    pub observations: u64,
    /// Where an observation contradicts the ledger, in order of time
    pub drift: Vec<Drift>,
    /// Predefined role collections whose recorded roles are not those of the ledger's catalogue
    pub definitions: Vec<DefinitionDrift>,
}

/// What became of the entries
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Entries {
    /// All of them
    pub sent: u64,
    /// Entries that the ledger applied
    pub applied: u64,
    /// Entries that the ledger knows from an earlier import
    pub duplicate: u64,
    /// Refused entries by code
    pub refused: BTreeMap<String, u64>,
    /// Applied changes by type
    pub changes: BTreeMap<String, u64>,
    /// The first refused ones
    pub refusals: Vec<Refused>,
}

/// An entry that was refused
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Refused {
    /// The line of its record
    pub line: u64,
    /// Its id
    pub id: String,
    /// A stable code; `malformed` if it was not even sent
    pub code: String,
    /// A sentence
    pub message: String,
}

/// Lines that could not be used
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct BadLines {
    /// All of them
    pub total: u64,
    /// The first ones
    pub listed: Vec<BadLine>,
}

/// A line that could not be used
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct BadLine {
    /// Its number, counted from 1
    pub line: u64,
    /// A sentence
    pub problem: String,
}

/// An observation that contradicts the ledger
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Drift {
    /// The line of the observation
    pub line: u64,
    /// The kind of its record
    pub source: String,
    /// When it was observed
    pub at: String,
    /// Where
    pub level: String,
    /// Who
    pub principal: String,
    /// Role collections that were observed and that the ledger does not have
    pub missing: Vec<String>,
    /// Role collections that the ledger has and that were not observed
    pub unexpected: Vec<String>,
    /// How the difference can have come about
    pub because: String,
    /// Whether the difference was appended, and the ledger applied it
    pub reconciled: bool,
}

/// A predefined role collection whose recorded roles are not those of the catalogue in force
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DefinitionDrift {
    /// The first line that shows it
    pub line: u64,
    /// When it was observed
    pub at: String,
    /// Where
    pub level: String,
    /// Its name
    pub role_collection: String,
    /// As recorded, `application/name`
    pub recorded: Vec<String>,
    /// As the ledger has them
    pub ledger: Vec<String>,
}

impl Summary {
    pub(crate) fn skip(&mut self, reason: impl Into<String>) {
        *self.skipped.entry(reason.into()).or_default() += 1;
    }

    pub(crate) fn bad_line(&mut self, bad: BadLine) {
        self.bad_lines.total += 1;
        if self.bad_lines.listed.len() < BAD_LINES_LISTED_MAX {
            self.bad_lines.listed.push(bad);
        }
    }

    /// Notes what became of an entry, and whether it holds now
    pub(crate) fn result(
        &mut self,
        line: u64,
        result: &AppendResult,
        types: impl Iterator<Item = &'static str>,
    ) -> bool {
        let entries = &mut self.entries;
        entries.sent += 1;
        match &result.refusal {
            Some(refusal) => {
                let id = result.id.clone().unwrap_or_default();
                self.refused(line, id, &refusal.code, &refusal.message);
                false
            }
            None if result.outcome == "duplicate" => {
                entries.duplicate += 1;
                result.original.as_ref().is_none_or(|original| original.refusal.is_none())
            }
            None => {
                entries.applied += 1;
                for name in types {
                    *entries.changes.entry(name.to_owned()).or_default() += 1;
                }
                true
            }
        }
    }

    pub(crate) fn refused(&mut self, line: u64, id: String, code: &str, message: &str) {
        *self.entries.refused.entry(code.to_owned()).or_default() += 1;
        if self.entries.refusals.len() < REFUSALS_LISTED_MAX {
            let (code, message) = (code.to_owned(), message.to_owned());
            self.entries.refusals.push(Refused { line, id, code, message });
        }
    }
}
