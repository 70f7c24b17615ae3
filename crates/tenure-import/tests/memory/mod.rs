//! A ledger in memory, as a target of imports: what is appended is folded at once
//!
//! Used by the tests and by the example, so it unwraps nothing.

use tenure_core::answer::{Answer, Answered};
use tenure_core::{
    AssignmentFilter, DEFAULT_ORIGIN, EffectiveAt, Instant, KnownAt, LedgerInMemory, Level, Now,
    Position, Principal, Question, Recorded, RecordedAt, View,
};
use tenure_import::{AskFailure, Target, TargetError};
use tenure_wire::Names;
use tenure_wire::api::{self, AppendResult, AsOf, EntryResult, EntryRow};
use tenure_wire::codec::Encoded;
use tenure_wire::question::{self, Texts};
use tenure_wire::sentence::Submitted;
use tenure_wire::v1::{self, Change};

/// Rows of a page of the history, few enough that tests turn pages
const HISTORY_PAGE: usize = 50;

const LEDGER: &str = "import";

/// When all of it is recorded: 2030-01-01T00:00:00Z, after every recording
const RECORDED_MICROS: i64 = 1_893_456_000_000_000;

/// A fold, and the entries that it took in
#[derive(Debug)]
pub(crate) struct Memory {
    ledger: LedgerInMemory,
    entries: Vec<(v1::Entry, EntryResult)>,
    /// Entries of each call
    pub(crate) calls: Vec<usize>,
    /// Questions asked
    pub(crate) asked: usize,
}

fn problem(code: &str, detail: impl ToString) -> AskFailure {
    AskFailure::Problem { code: code.to_owned(), detail: detail.to_string() }
}

fn unknown_level(error: impl ToString) -> AskFailure {
    problem("unknown_level", error)
}

fn bad(error: impl ToString) -> AskFailure {
    problem("bad_request", error)
}

fn failed(error: serde_json::Error) -> AskFailure {
    AskFailure::Failed(TargetError::new(error))
}

impl Memory {
    /// With the built-in catalogues
    pub(crate) fn with_catalogs() -> Result<Self, TargetError> {
        let mut memory = Self {
            ledger: LedgerInMemory::new(LEDGER),
            entries: Vec::new(),
            calls: Vec::new(),
            asked: 0,
        };
        for encoded in tenure_wire::catalogs::genesis(LEDGER).map_err(TargetError::new)? {
            memory.take(encoded);
        }
        Ok(memory)
    }

    fn take(&mut self, encoded: Encoded) -> EntryResult {
        let written = v1::Entry::from_core(encoded.entry());
        let recorded_at = RecordedAt::saturating_from_micros(RECORDED_MICROS);
        let position = self.ledger.next_position();
        let entry = encoded.entry().clone();
        let submission = encoded.into_submission();
        let submitter = Principal::local();
        let outcome = self.ledger.apply(&Recorded { recorded_at, submitter, submission });
        let result = EntryResult::new(position, recorded_at, &outcome, Submitted::Entry(&entry));
        self.entries.push((written, result.clone()));
        result
    }

    /// What is known now
    pub(crate) fn view(&self) -> View<'_> {
        View::of(&self.ledger, self.newest())
    }

    /// What has become of every entry, catalogues left out
    pub(crate) fn log(&self) -> impl Iterator<Item = &(v1::Entry, EntryResult)> {
        let catalog = |entry: &v1::Entry| {
            matches!(entry.changes.first(), Some(Change::PublishCatalog { .. }))
        };
        self.entries.iter().filter(move |(entry, _)| !catalog(entry))
    }

    fn newest(&self) -> KnownAt {
        self.ledger.newest_position().map_or(KnownAt(0), KnownAt::from)
    }

    /// The role collections that a principal holds at a level
    pub(crate) fn held(
        &self,
        principal: &str,
        on: &str,
        at: &str,
    ) -> Result<Vec<String>, AskFailure> {
        let filter = AssignmentFilter {
            role: None,
            on: Some(Level::parse(on).map_err(bad)?),
            principal: Some(Principal::parse(principal).map_err(bad)?),
            role_collection: None,
        };
        let found = self.view().assignments(&filter, time(at)?);
        let found = found.map_err(unknown_level)?;
        let holdings = api::holdings(&found).into_iter();
        Ok(holdings.filter_map(|holding| holding.held.role_collection).collect())
    }

    fn entry_row(&self, position: Position) -> Option<EntryRow> {
        let index = usize::try_from(position.get()).ok()?.checked_sub(1)?;
        let (entry, result) = self.entries.get(index)?;
        let effective_at = entry.effective_at.clone().or(Some(result.recorded_at.clone()));
        let voided_by = self.ledger.voided_by(position, self.newest()).map(Position::get);
        let (result, entry) = (result.clone(), Some(entry.clone()));
        let submitter = Principal::local().to_string();
        Some(EntryRow {
            result,
            door: None,
            submitter,
            effective_at,
            not_before: None,
            voided_by,
            entry,
            raw: None,
        })
    }
}

fn time(text: &str) -> Result<EffectiveAt, AskFailure> {
    EffectiveAt::try_from(Instant::parse(text).map_err(bad)?).map_err(bad)
}

impl Target for Memory {
    fn append(&mut self, entries: Vec<v1::Entry>) -> Result<Vec<AppendResult>, TargetError> {
        self.calls.push(entries.len());
        let mut results = Vec::new();
        for entry in entries {
            let entry = entry.to_core(Names::Full).map_err(TargetError::new)?;
            results.push(self.take(Encoded::new(entry).map_err(TargetError::new)?).into());
        }
        Ok(results)
    }

    fn ask(&mut self, texts: &Texts) -> Result<serde_json::Value, AskFailure> {
        self.asked += 1;
        let Texts { name, parameters } = texts.clone();
        let asked = question::read(name, parameters, DEFAULT_ORIGIN).map_err(bad)?;
        let mut question = asked.question;
        if let Question::History { limit: Some(limit), .. } = &mut question {
            *limit = HISTORY_PAGE.min(*limit);
        }
        let now = Now { at: EffectiveAt::LAST, newest: self.newest() };
        let Answered { answer, as_of, .. } =
            question.ask(&self.ledger, now).map_err(unknown_level)?;
        let as_of = AsOf::new(&as_of, "import");
        let answer = match answer {
            Answer::Levels(found) => {
                let levels = found.iter().map(api::LevelRow::from).collect();
                serde_json::to_value(api::Levels { as_of, levels })
            }
            Answer::RoleCollections(found) => {
                let role_collections = found.iter().map(api::RoleCollectionRow::from).collect();
                serde_json::to_value(api::RoleCollections {
                    as_of,
                    observed: None,
                    role_collections,
                })
            }
            Answer::Assignments(found) => {
                let assignments = api::holdings(&found);
                let answer = api::Assignments {
                    as_of,
                    observed: None,
                    assignments,
                    known: None,
                    next_page_token: None,
                };
                serde_json::to_value(answer)
            }
            Answer::Holdings(found) => serde_json::to_value(api::Holdings {
                as_of,
                observed: None,
                holdings: found.iter().map(api::HoldingRow::from).collect(),
                known: None,
                next_page_token: None,
            }),
            Answer::Sources(found) => serde_json::to_value(api::Sources {
                as_of,
                sources: found.iter().filter_map(api::SourceRow::new).collect(),
                next_page_token: None,
            }),
            Answer::Members(found) => serde_json::to_value(api::Members {
                as_of,
                members: found.iter().map(api::Member::from).collect(),
                known: None,
                next_page_token: None,
            }),
            Answer::Catalog(position) => {
                let row = position.and_then(|position| self.entry_row(position));
                let catalog = match row.and_then(|row| row.entry?.changes.into_iter().next()) {
                    Some(Change::PublishCatalog { catalog }) => Some(catalog),
                    _ => None,
                };
                serde_json::to_value(api::CatalogAnswer { as_of, catalog })
            }
            Answer::History { positions, more } => {
                let next_after = positions.last().filter(|_| more).map(|last| last.get());
                let entries = positions.iter().filter_map(|p| self.entry_row(*p)).collect();
                serde_json::to_value(api::Entries { entries, next_after, known: None })
            }
            other => return Err(bad(format!("not answered here: {other:?}"))),
        };
        answer.map_err(failed)
    }
}
