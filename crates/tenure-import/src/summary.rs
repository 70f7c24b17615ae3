//! What did an import read, append, refuse, skip and find to differ?

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use tenure_wire::api::AppendResult;

use crate::record::Place;

/// Most that are listed one by one of each
const LISTED_MAX: usize = 100;

/// What an import did
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Summary {
    /// Records by what became of them; each is in one of the counts
    pub records: Records,
    /// What was expected, where not one record could be read
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<&'static str>,
    /// Records by their kind: for the btp CLI, exchanges by `cmd verb`
    pub kinds: BTreeMap<String, u64>,
    /// The time of the first record
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_at: Option<String>,
    /// The time of the last record
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_at: Option<String>,
    /// Entries that were sent
    pub entries: Entries,
    /// How often something was passed over that leaves no access out, by reason
    pub passed_over: BTreeMap<String, u64>,
    /// What a record says and the ledger did not get, by place
    pub left_out: Listed,
    /// Lines and records that could not be read
    pub bad: Listed,
    /// Records of one time about the same thing whose order the source does not say, by place
    pub ties: Listed,
    /// Users who are known by an id alone
    pub nameless: BTreeSet<String>,
    /// Holdings that the first listing of a level showed
    pub baseline: u64,
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
    /// Where its record stands
    pub place: Place,
    /// Its id
    pub id: String,
    /// A stable code; `malformed` if it was not even sent
    pub code: String,
    /// A sentence
    pub message: String,
}

/// Records by what became of them
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Records {
    /// All that were read
    pub read: u64,
    /// An entry because of it was applied
    pub applied: u64,
    /// It says nothing that the ledger did not have
    pub known: u64,
    /// It is about something else
    pub not_about_access: u64,
    /// It contradicts the ledger, and nothing was appended
    pub drift: u64,
    /// A part of what it says could not be kept: see `left_out`
    pub left_out: u64,
    /// The ledger refused an entry because of it: see `entries.refusals`
    pub refused: u64,
    /// It could not be read: see `bad`
    pub bad: u64,
}

/// Sentences, each about a place
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Listed {
    /// All of them
    pub total: u64,
    /// The first ones
    pub listed: Vec<At>,
}

/// A sentence about a place
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct At {
    /// Where
    pub place: Place,
    /// What
    pub problem: String,
}

impl Listed {
    pub(crate) fn add(&mut self, at: At) {
        self.total += 1;
        if self.listed.len() < LISTED_MAX {
            self.listed.push(at);
        }
    }
}

/// An observation that contradicts the ledger
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Drift {
    /// Where the observation stands
    pub place: Place,
    /// The kind of its record
    pub source: String,
    /// When it was observed
    pub at: String,
    /// The level, or the group whose members were observed
    pub on: String,
    /// Who
    pub principal: String,
    /// What was observed and the ledger does not have: role collections and roles; for a group, its name
    pub missing: Vec<String>,
    /// What the ledger has and was not observed
    pub unexpected: Vec<String>,
    /// How the difference can have come about
    pub because: String,
    /// Whether the difference was appended, and the ledger applied it
    pub reconciled: bool,
}

/// A predefined role collection whose recorded roles are not those of the catalogue in force
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DefinitionDrift {
    /// Where it is shown first
    pub place: Place,
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
    /// Whether access that was read may be missing in the ledger
    pub fn is_incomplete(&self) -> bool {
        self.left_out.total + self.bad.total + self.ties.total + self.records.refused > 0
    }

    pub(crate) fn pass_over(&mut self, reason: impl Into<String>) {
        *self.passed_over.entry(reason.into()).or_default() += 1;
    }

    /// Notes what became of an entry, and whether it holds now
    pub(crate) fn result(
        &mut self,
        place: &Place,
        result: &AppendResult,
        types: impl Iterator<Item = &'static str>,
    ) -> bool {
        let entries = &mut self.entries;
        entries.sent += 1;
        match &result.refusal {
            Some(refusal) => {
                let id = result.id.clone().unwrap_or_default();
                self.refused(place.clone(), id, &refusal.code, &refusal.message);
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

    pub(crate) fn refused(&mut self, place: Place, id: String, code: &str, message: &str) {
        *self.entries.refused.entry(code.to_owned()).or_default() += 1;
        if self.entries.refusals.len() < LISTED_MAX {
            let (code, message) = (code.to_owned(), message.to_owned());
            self.entries.refusals.push(Refused { place, id, code, message });
        }
    }
}
