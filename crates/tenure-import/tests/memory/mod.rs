//! A ledger in memory, as a target of imports: what is appended is folded at once
//!
//! Used by the tests and by the example, so it unwraps nothing.

use tenure_core::{
    AssignmentFilter, EffectiveAt, Instant, KnownAt, LedgerInMemory, Level, Mention, OutcomeKind,
    Position, Principal, Recorded, RecordedAt, View,
};
use tenure_import::{AskFailure, Target, TargetError};
use tenure_wire::Names;
use tenure_wire::api::{self, AsOf, EntryResult, EntryRow};
use tenure_wire::codec::Encoded;
use tenure_wire::question::Question;
use tenure_wire::v1::{self, Change};

/// Rows of a page of the history, few enough that tests turn pages
const HISTORY_PAGE: usize = 50;

/// When all of it is recorded: 2030-01-01T00:00:00Z, after every recording
const RECORDED_MICROS: i64 = 1_893_456_000_000_000;

/// A fold, and the entries that it took in
#[derive(Debug, Default)]
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
        let mut memory = Self::default();
        for encoded in tenure_wire::catalogs::genesis("import").map_err(TargetError::new)? {
            memory.take(encoded);
        }
        Ok(memory)
    }

    fn take(&mut self, encoded: Encoded) -> EntryResult {
        let written = v1::Entry::from_core(encoded.entry());
        let recorded_at = RecordedAt::saturating_from_micros(RECORDED_MICROS);
        let position = self.ledger.next_position().get();
        let submission = encoded.into_submission();
        let outcome = self.ledger.apply(&Recorded { recorded_at, submission });
        let id = Some(written.id.clone());
        let result = EntryResult::new(id, position, recorded_at.to_string(), &outcome);
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

    fn as_of(&self, at: EffectiveAt) -> AsOf {
        let version = self.view().catalog(at).map(|(version, _)| version.to_owned());
        AsOf {
            at: Some(at.to_string()),
            known_at: self.newest().0,
            recorded_at: None,
            catalog: Some(version),
            revision: String::new(),
        }
    }

    /// The role collections that a principal holds at a level
    pub(crate) fn held(
        &self,
        principal: &str,
        on: &str,
        at: &str,
    ) -> Result<Vec<String>, AskFailure> {
        let filter = AssignmentFilter {
            on: Some(Level::parse(on).map_err(bad)?),
            principal: Some(Principal::parse(principal).map_err(bad)?),
            role_collection: None,
        };
        let found = self.view().assignments(&filter, time(Some(&at.to_owned()))?);
        let found = found.map_err(unknown_level)?;
        let holdings = api::holdings(&found).into_iter();
        Ok(holdings.filter_map(|holding| holding.role_collection).collect())
    }

    fn entry_row(&self, position: Position) -> Option<EntryRow> {
        let index = usize::try_from(position.get()).ok()?.checked_sub(1)?;
        let (entry, result) = self.entries.get(index)?;
        let effective_at = entry.effective_at.clone().or(Some(result.recorded_at.clone()));
        let voided_by = self.ledger.voided_by(position, self.newest()).map(Position::get);
        let (result, entry) = (result.clone(), Some(entry.clone()));
        Some(EntryRow { result, effective_at, voided_by, entry, raw: None })
    }
}

fn time(text: Option<&String>) -> Result<EffectiveAt, AskFailure> {
    let Some(text) = text else {
        return Ok(EffectiveAt::LAST);
    };
    let instant = Instant::parse(text).map_err(bad)?;
    EffectiveAt::try_from(instant).map_err(bad)
}

fn level(text: Option<&String>) -> Result<Option<Level>, AskFailure> {
    text.map(|text| Level::parse(text).map_err(bad)).transpose()
}

impl Target for Memory {
    fn append(&mut self, entries: Vec<v1::Entry>) -> Result<Vec<EntryResult>, TargetError> {
        self.calls.push(entries.len());
        let mut results = Vec::new();
        for entry in entries {
            let entry = entry.to_core(Names::Full).map_err(TargetError::new)?;
            results.push(self.take(Encoded::new(entry).map_err(TargetError::new)?));
        }
        Ok(results)
    }

    fn ask(&mut self, question: &Question) -> Result<serde_json::Value, AskFailure> {
        self.asked += 1;
        let view = View::of(&self.ledger, self.newest());
        match question {
            Question::Levels(q) => {
                let at = time(q.at.as_ref())?;
                let levels = view.levels(at).iter().map(api::LevelRow::from).collect();
                serde_json::to_value(api::Levels { as_of: self.as_of(at), levels }).map_err(failed)
            }
            Question::RoleCollections(q) => {
                let at = time(q.at.as_ref())?;
                let on = level(q.on.as_ref())?.ok_or_else(|| bad("`on` is missing"))?;
                let found = view.role_collections(&on, at).map_err(unknown_level)?;
                let role_collections = found.iter().map(api::RoleCollectionRow::from).collect();
                let answer = api::RoleCollections { as_of: self.as_of(at), role_collections };
                serde_json::to_value(answer).map_err(failed)
            }
            Question::Assignments(q) => {
                let at = time(q.at.as_ref())?;
                let principal = q.principal.as_deref().map(Principal::parse).transpose();
                let filter = AssignmentFilter {
                    on: level(q.on.as_ref())?,
                    principal: principal.map_err(bad)?,
                    role_collection: q.role_collection.as_deref().map(Into::into),
                };
                let found = view.assignments(&filter, at).map_err(unknown_level)?;
                let assignments = api::holdings(&found);
                let as_of = self.as_of(at);
                let answer = api::Assignments { as_of, assignments, next_page_token: None };
                serde_json::to_value(answer).map_err(failed)
            }
            Question::Catalog(q) => {
                let at = time(q.at.as_ref())?;
                let position = view.catalog(at).map(|(_, position)| position);
                let row = position.and_then(|position| self.entry_row(position));
                let change = row.and_then(|row| row.entry?.changes.into_iter().next());
                let catalog = match change {
                    Some(Change::PublishCatalog { catalog }) => Some(catalog),
                    _ => None,
                };
                serde_json::to_value(api::CatalogAnswer { as_of: self.as_of(at), catalog })
                    .map_err(failed)
            }
            Question::History(q) => {
                let after: u64 = q.after.as_deref().map_or(Ok(0), str::parse).map_err(bad)?;
                let level = level(q.level.as_ref())?.ok_or_else(|| bad("`level` is missing"))?;
                let mut positions: Vec<Position> = self
                    .ledger
                    .mentions(&Mention::Level(level), KnownAt(after))
                    .filter(|position| self.ledger.outcome(*position) == Some(OutcomeKind::Applied))
                    .collect();
                let limit: Option<usize> =
                    q.limit.as_deref().map(str::parse).transpose().map_err(bad)?;
                let limit = limit.map_or(HISTORY_PAGE, |limit| limit.min(HISTORY_PAGE));
                let more = positions.len() > limit;
                positions.truncate(limit);
                let next_after = positions.last().filter(|_| more).map(|last| last.get());
                let entries = positions.iter().filter_map(|p| self.entry_row(*p)).collect();
                serde_json::to_value(api::Entries { entries, next_after }).map_err(failed)
            }
            other => Err(bad(format!("`{}` is not answered here", other.name()))),
        }
    }
}
