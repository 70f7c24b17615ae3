//! How does a question become an answer?
//!
//! The same for every door: the core is asked, a page is cut, and the answer is put into the words of
//! [`tenure_wire::api`]. Rows of the log are read from the journal.

mod diff;
mod giver;
mod page;

use std::borrow::Cow;

use base64::Engine as _;
use serde::Serialize;
use tenure_core::answer::{self, Anywhere, ComputedAt, Hint, Interval, LevelDuring};
use tenure_core::{
    Change, Detail, EffectiveAt, Entry, EntryName, KnownAt, Ledger, Now, Position, Question,
    Reading,
};
use tenure_journal::{Payload, Row};
use tenure_wire::api::{self, AsOf, LevelThere, Problem};
use tenure_wire::codec;
use tenure_wire::question::Asked;
use tenure_wire::sentence::Submitted;
use tenure_wire::v1;

use crate::engine::Engine;
use crate::problem::{Code, of_question, problem};
use page::{Page, PageToken};

/// Bytes of rows on one page of the log, about
const PAGE_BYTES_MAX: usize = 8 * 1_024 * 1_024;

/// An answer to a question
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "each is named after its question")]
pub enum Answer {
    Who(api::Who),
    What(api::What),
    Check(api::Check),
    Timeline(api::Timeline),
    Where(api::Where),
    Diff(api::Diff),
    PowerDiff(api::PowerDiff),
    Assignments(api::Assignments),
    Holdings(api::Holdings),
    Members(api::Members),
    Principals(api::Principals),
    Search(api::Search),
    Sources(api::Sources),
    Levels(api::Levels),
    RoleCollections(api::RoleCollections),
    Catalog(api::CatalogAnswer),
    Entries(api::Entries),
    Entry(Box<api::EntryRow>),
}

/// The moment of asking: what the clock shows, and the newest position that may be seen
pub fn moment(engine: &Engine) -> Now {
    Now { at: now(), newest: engine.shown() }
}

/// The position that an answer must know at least, 0 if any will do
///
/// # Errors
/// A revision of another ledger.
pub fn min_position(engine: &Engine, asked: &Asked) -> Result<u64, Problem> {
    let Some(min) = &asked.min_position else { return Ok(0) };
    match &min.ledger {
        Some(ledger) if ledger != engine.name() => {
            let detail = format!(
                "`min_position` is a revision of the ledger `{ledger}`, and this one is `{}`",
                engine.name()
            );
            Err(problem(Code::BadRequest, detail))
        }
        _ => Ok(min.position),
    }
}

/// The coordinates at which a question as of these is answered, also where it has no answer
///
/// # Errors
/// A position that does not exist yet.
pub(crate) fn coordinates(
    engine: &Engine,
    as_of: tenure_core::AsOf,
    now: Now,
) -> Result<AsOf, Problem> {
    let computed = as_of.computed(&engine.ledger(), now);
    let computed = computed.map_err(|error| of_question(&error, &Hint::default()))?;
    Ok(AsOf::new(&computed, engine.name()))
}

/// Whether an entry may be seen
pub(crate) fn has_arrived(engine: &Engine, entry: EntryName, newest: KnownAt) -> bool {
    match entry {
        EntryName::Position(position) => position <= newest.0,
        EntryName::Id(id) => {
            engine.ledger().entry_of_id(id).is_some_and(|position| newest.reaches(position))
        }
    }
}

/// Answers a question
///
/// # Errors
/// A page token that does not fit, or whatever the core has no answer to.
pub fn ask(engine: &Engine, asked: &Asked, now: Now) -> Result<Answer, Problem> {
    let token = PageToken::of(asked, now.newest)?;
    let question = match &token {
        None => Cow::Borrowed(&asked.question),
        Some(token) => Cow::Owned(token.pin(asked.question.clone())),
    };
    let ledger = engine.ledger();
    let start = token.as_ref().map_or(asked.skip, PageToken::offset);
    let rows = start..start.saturating_add(asked.limit);
    let answered = question
        .ask_in_detail(&ledger, now, &Detail { rows, ends: asked.full })
        .map_err(|error| of_question(&error, &question.hint(&ledger, now, &error)))?;
    let asker = Asker { engine, ledger: &ledger, newest: now.newest, asked, token };
    let mut answer = asker.told(answered)?;
    if asked.full {
        giver::tell(engine, &mut answer)?;
    }
    Ok(answer)
}

/// Answers a question where that costs less than to hand it over to another thread: nothing is read from the disk, and
/// no names are searched for similar ones
pub(crate) fn ask_at_once(engine: &Engine, asked: &Asked, now: Now) -> Option<Answer> {
    if asked.full || asked.page_token.is_some() {
        return None;
    }
    let ledger = engine.ledger();
    let answered = asked.question.ask_at_once(&ledger, now)?;
    let asker = Asker { engine, ledger: &ledger, newest: now.newest, asked, token: None };
    asker.told(answered).ok()
}

/// What an answer is told with
struct Asker<'a> {
    engine: &'a Engine,
    ledger: &'a Ledger,
    newest: KnownAt,
    asked: &'a Asked,
    token: Option<PageToken>,
}

/// What an answer to *who* says beside the names
struct Beside<'a> {
    as_of: AsOf,
    observed: Option<api::Observed>,
    elsewhere: Vec<api::Elsewhere>,
    computed: &'a ComputedAt,
}

impl Asker<'_> {
    fn told(&self, answered: answer::Answered) -> Result<Answer, Problem> {
        let answer::Answered { answer, as_of: computed, known, observed, elsewhere } = answered;
        let elsewhere: Vec<api::Elsewhere> = elsewhere.iter().map(api::Elsewhere::from).collect();
        let as_of = self.as_of(&computed);
        let known = known.as_ref().map(api::Known::from);
        let observed = observed.as_ref().map(api::Observed::from);
        Ok(match answer {
            answer::Answer::Who(found) => Answer::Who(self.who(
                &found,
                Beside { as_of, observed, elsewhere, computed: &computed },
                |because| Details { because: self.explained(because), ..Details::default() },
            )),
            answer::Answer::WhoAnywhere(found) => {
                let details = |anywhere: &Anywhere| Details {
                    levels: Some(
                        anywhere
                            .levels
                            .iter()
                            .map(|level| LevelThere::Now(level.to_string()))
                            .collect(),
                    ),
                    because: self.explained(&anywhere.because),
                    ..Details::default()
                };
                Answer::Who(self.who(
                    &found,
                    Beside { as_of, observed, elsewhere, computed: &computed },
                    details,
                ))
            }
            answer::Answer::WhoDuring(found) => {
                let details = |intervals: &Vec<Interval>| Details {
                    intervals: Some(self.intervals(intervals)),
                    ..Details::default()
                };
                Answer::Who(self.who(
                    &found,
                    Beside { as_of, observed, elsewhere, computed: &computed },
                    details,
                ))
            }
            answer::Answer::WhoDuringAnywhere(found) => {
                let there = |there: &LevelDuring| LevelThere::During {
                    level: there.level.to_string(),
                    intervals: self.intervals(&there.intervals),
                };
                let details = |levels: &Vec<LevelDuring>| Details {
                    levels: Some(levels.iter().map(there).collect()),
                    ..Details::default()
                };
                Answer::Who(self.who(
                    &found,
                    Beside { as_of, observed, elsewhere, computed: &computed },
                    details,
                ))
            }
            answer::Answer::What(found) => Answer::What(api::What {
                as_of,
                observed,
                role_collections: found.role_collections.iter().map(ToString::to_string).collect(),
                roles: found.roles,
                scopes: found.scopes.iter().map(ToString::to_string).collect(),
                operations: found.operations.iter().map(ToString::to_string).collect(),
                permissions: found.permissions.iter().map(ToString::to_string).collect(),
                elsewhere,
                known,
            }),
            answer::Answer::Check(found) => Answer::Check(api::Check {
                as_of,
                observed,
                allowed: found.allowed,
                because: api::holdings(&found.because),
                missing: found.missing.as_ref().map(v1::Expr::from_core),
                steps: (computed.reading == Reading::Latent)
                    .then(|| found.steps.iter().map(api::Step::from).collect()),
                last_at: found.last_at.map(|at| at.to_string()),
                known,
            }),
            answer::Answer::Timeline(found) => Answer::Timeline(api::Timeline {
                as_of,
                observed,
                intervals: found.iter().map(|one| api::Interval::new(one, true)).collect(),
                elsewhere,
                known,
            }),
            answer::Answer::Where(found) => {
                let page = self.page(&found);
                Answer::Where(api::Where {
                    as_of,
                    observed,
                    levels: page.items.iter().map(ToString::to_string).collect(),
                    elsewhere,
                    next_page_token: page.next_token(self.asked, &computed),
                    known,
                })
            }
            answer::Answer::Assignments(found) => {
                let page = self.page(&found);
                Answer::Assignments(api::Assignments {
                    as_of,
                    observed,
                    assignments: api::holdings(page.items),
                    next_page_token: page.next_token(self.asked, &computed),
                    known,
                })
            }
            answer::Answer::Holdings(found) => {
                let page = self.page(&found);
                Answer::Holdings(api::Holdings {
                    as_of,
                    observed,
                    holdings: page.items.iter().map(api::HoldingRow::from).collect(),
                    known,
                    next_page_token: page.next_token(self.asked, &computed),
                })
            }
            answer::Answer::Members(found) => {
                let page = self.page(&found);
                Answer::Members(api::Members {
                    as_of,
                    members: page.items.iter().map(api::Member::from).collect(),
                    known,
                    next_page_token: page.next_token(self.asked, &computed),
                })
            }
            answer::Answer::Principals(found) => {
                let page = self.page(&found);
                Answer::Principals(api::Principals {
                    as_of,
                    total: found.len(),
                    principals: page.items.iter().map(api::PrincipalRow::from).collect(),
                    next_page_token: page.next_token(self.asked, &computed),
                })
            }
            answer::Answer::Search(search) => Answer::Search(api::Search {
                as_of,
                found: search.found.iter().map(api::Found::from).collect(),
                more: search.more,
            }),
            answer::Answer::Diff { diff, until } => {
                Answer::Diff(self.diff(&diff, &computed, &until))
            }
            answer::Answer::PowerDiff { diff, until } => {
                Answer::PowerDiff(self.power_diff(&diff, &computed, &until, elsewhere))
            }
            answer::Answer::Sources(found) => {
                let page = self.page(&found);
                Answer::Sources(api::Sources {
                    as_of,
                    sources: page.items.iter().filter_map(api::SourceRow::new).collect(),
                    next_page_token: page.next_token(self.asked, &computed),
                })
            }
            answer::Answer::Levels(found) => Answer::Levels(api::Levels {
                as_of,
                levels: found.iter().map(api::LevelRow::from).collect(),
            }),
            answer::Answer::RoleCollections(found) => {
                Answer::RoleCollections(api::RoleCollections {
                    as_of,
                    observed,
                    role_collections: found.iter().map(api::RoleCollectionRow::from).collect(),
                })
            }
            answer::Answer::Catalog(position) => Answer::Catalog(api::CatalogAnswer {
                as_of,
                catalog: position.map(|position| self.catalog(position)).transpose()?,
            }),
            answer::Answer::History { positions, more } => {
                Answer::Entries(api::Entries { known, ..self.entries(&positions, more)? })
            }
            answer::Answer::Entry(position) => {
                let row = row(self.engine, position)?;
                Answer::Entry(Box::new(entry_row(self.ledger, self.newest, position, &row)?))
            }
        })
    }

    fn as_of(&self, computed: &ComputedAt) -> AsOf {
        AsOf::new(computed, self.engine.name())
    }

    fn page<'p, T>(&self, all: &'p [T]) -> Page<'p, T> {
        let start = self.token.as_ref().map_or(self.asked.skip, PageToken::offset);
        Page::cut(all, start, self.asked.limit)
    }

    /// Whether the holdings behind *who* were asked for
    fn explains(&self) -> bool {
        match self.asked.question {
            Question::Who { explain, .. }
            | Question::WhoAnywhere { explain, .. }
            | Question::WhoDuring { explain, .. }
            | Question::WhoDuringAnywhere { explain, .. } => explain,
            _ => false,
        }
    }

    /// The holdings of a subject, where they were asked for
    fn explained(&self, because: &[answer::Holding]) -> Option<Vec<api::Holding>> {
        self.explains().then(|| api::holdings(because))
    }

    fn intervals(&self, intervals: &[Interval]) -> Vec<api::Interval> {
        let explained = self.explains();
        intervals.iter().map(|one| api::Interval::new(one, explained)).collect()
    }

    fn who<T>(
        &self,
        found: &answer::Who<T>,
        beside: Beside<'_>,
        details: impl Fn(&T) -> Details,
    ) -> api::Who {
        let Beside { as_of, observed, elsewhere, computed } = beside;
        let subject = |subject: &answer::Subject<T>| {
            let Details { because, levels, intervals } = details(&subject.detail);
            let (principal, assigned) = (subject.principal.to_string(), subject.assigned);
            api::Subject { principal, because, levels, intervals, assigned }
        };
        let only = self.asked.only;
        let every = found.subjects.iter().chain(found.sets.iter().filter(|_| only.is_some()));
        let wanted = |kind| only.is_none_or(|only| only == kind);
        let chosen: Vec<_> = every.filter(|one| wanted(one.principal.kind())).collect();
        let page = self.page(&chosen);
        let with_sets = self.token.is_none() && only.is_none();
        let sets = found.sets.iter().filter(|_| with_sets);
        api::Who {
            total: chosen.len(),
            subjects: page.items.iter().copied().map(subject).collect(),
            sets: sets.map(subject).collect(),
            next_page_token: page.next_token(self.asked, computed),
            as_of,
            observed,
            elsewhere,
        }
    }

    /// The catalogue that an entry published
    fn catalog(&self, position: Position) -> Result<v1::Catalog, Problem> {
        if let Payload::Entry(bytes) = &row(self.engine, position)?.payload
            && let [Change::PublishCatalog { catalog }] = decoded(bytes)?.changes()
        {
            return Ok(v1::Catalog::from_core(catalog));
        }
        let detail = "the entry of the catalogue in force publishes none";
        Err(problem(Code::Internal, detail))
    }

    /// The rows at these positions, as many as a page holds
    fn entries(&self, positions: &[Position], more: bool) -> Result<api::Entries, Problem> {
        let mut entries = Vec::new();
        let mut bytes = 0;
        let mut next_after = positions.last().filter(|_| more).map(|position| position.get());
        for position in positions {
            let row = row(self.engine, *position)?;
            bytes += payload_bytes(&row);
            if bytes > PAGE_BYTES_MAX && !entries.is_empty() {
                next_after = entries.last().map(|row: &api::EntryRow| row.result.position);
                break;
            }
            entries.push(entry_row(self.ledger, self.newest, *position, &row)?);
        }
        Ok(api::Entries { entries, next_after, known: None })
    }
}

/// What is told of a subject
#[derive(Default)]
struct Details {
    because: Option<Vec<api::Holding>>,
    levels: Option<Vec<LevelThere>>,
    intervals: Option<Vec<api::Interval>>,
}

/// The row at a position that may be seen
///
/// # Errors
/// A row that cannot be read. After a write that failed sled does not read reliably either: then a new
/// start is what helps, and nothing is called damaged. A disk that stands still is not waited for.
pub(crate) fn row(engine: &Engine, position: Position) -> Result<Row, Problem> {
    if let Some(why) = engine.stalled() {
        return Err(problem(Code::NotReady, why));
    }
    engine.reader().row(position).map_err(|error| {
        let chain = crate::engine::chain(&error);
        tracing::error!(error = chain, "a row cannot be read");
        match engine.failure() {
            Some(why) => problem(Code::NotReady, why),
            None => problem(Code::Internal, chain),
        }
    })
}

/// A row of the log as it is answered
///
/// # Errors
/// A row that cannot be read.
pub(crate) fn entry_row(
    ledger: &Ledger,
    newest: KnownAt,
    position: Position,
    row: &Row,
) -> Result<api::EntryRow, Problem> {
    let read;
    let submitted = match &row.payload {
        Payload::Malformed { raw, reading } => Submitted::Malformed { raw, reading: *reading },
        Payload::Entry(bytes) => {
            read = decoded(bytes)?;
            Submitted::Entry(&read)
        }
    };
    let (entry, raw) = match submitted {
        Submitted::Entry(entry) => (Some(entry), None),
        Submitted::Malformed { raw, .. } => {
            (None, Some(base64::engine::general_purpose::STANDARD.encode(raw)))
        }
    };
    let effective_at = |entry: &Entry| entry.effective_at().unwrap_or(row.recorded_at.instant());
    Ok(api::EntryRow {
        result: api::EntryResult::new(position, row.recorded_at, &row.outcome, submitted),
        submitter: row.submitter.to_string(),
        door: row.door.as_ref().map(ToString::to_string),
        effective_at: entry.map(|entry| effective_at(entry).to_string()),
        not_before: entry.and_then(Entry::not_before).map(|at| at.to_string()),
        voided_by: ledger.voided_by(position, newest).map(Position::get),
        entry: entry.map(v1::Entry::from_core),
        raw,
    })
}

fn decoded(bytes: &[u8]) -> Result<Entry, Problem> {
    codec::entry_from_canonical(bytes).map_err(|error| problem(Code::Internal, error.to_string()))
}

fn payload_bytes(row: &Row) -> usize {
    match &row.payload {
        Payload::Entry(bytes) | Payload::Malformed { raw: bytes, .. } => bytes.len(),
    }
}

/// What the wall clock shows, as valid time
pub fn now() -> EffectiveAt {
    EffectiveAt::saturating_from_micros(tenure_log::embedded::now().micros())
}
