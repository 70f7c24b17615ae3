//! How are the core's questions asked in process?
//!
//! The one file that folds and asks by itself: when the core's functions change, this one does. Parameters are read before
//! the clock runs, as every door reads them before it asks; names are resolved to text within.

use tenure_core::{
    Ability, AssignmentFilter, EffectiveAt, Instant, KnownAt, Ledger, LedgerInMemory, Level,
    Mention, Outcome, Position, Principal, Recorded, RecordedAt, Span, View, answer::AskError,
};
use tenure_journal::Reader;
use tenure_wire::codec::Encoded;
use tenure_wire::question::Question as Asked;

use crate::question::{Class, Question};

/// A question that cannot be asked here, or has no answer
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskFailure {
    /// A parameter that cannot be read, or is missing
    #[error("the parameter `{0}` of a made-up question cannot be read")]
    Parameter(&'static str),
    /// A kind of question that is not measured in process
    #[error("the question `{0}` is not measured in process")]
    Kind(&'static str),
    /// The core has no answer
    #[error("a made-up question has no answer")]
    NoAnswer(#[source] AskError),
    /// The journal cannot be read
    #[error("the journal cannot be read")]
    Journal(#[source] tenure_journal::Error),
}

/// A question whose parameters are read
#[derive(Clone, Debug)]
pub struct Prepared {
    /// What it is measured with
    pub class: Class,
    /// What was known; the newest if absent
    known_at: Option<Instant>,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Who { can: Ability, on: Level, at: EffectiveAt },
    WhoUnder { can: Ability, under: Level, at: EffectiveAt },
    WhoDuring { can: Ability, on: Level, span: Span },
    What { principal: Principal, on: Level, at: EffectiveAt },
    Check { principal: Principal, can: Ability, on: Level, at: EffectiveAt },
    Timeline { principal: Principal, can: Ability, on: Level, span: Span },
    Where { principal: Principal, can: Ability, under: Level, at: EffectiveAt },
    Diff { from: EffectiveAt, known_from: Option<Instant>, until: EffectiveAt, filter: DiffFilter },
    Assignments { filter: AssignmentFilter, at: EffectiveAt },
    Levels { at: EffectiveAt },
    RoleCollections { on: Level, at: EffectiveAt },
    History { mention: Option<Mention>, after: u64, limit: usize },
}

#[derive(Clone, Debug)]
struct DiffFilter {
    under: Option<Level>,
    principal: Option<Principal>,
}

type Text<'a> = Option<&'a String>;

fn read<T, E>(
    name: &'static str,
    text: Text<'_>,
    read: impl Fn(&str) -> Result<T, E>,
) -> Result<T, AskFailure> {
    optional(name, text, read)?.ok_or(AskFailure::Parameter(name))
}

fn optional<T, E>(
    name: &'static str,
    text: Text<'_>,
    read: impl Fn(&str) -> Result<T, E>,
) -> Result<Option<T>, AskFailure> {
    text.map(|text| read(text).map_err(|_| AskFailure::Parameter(name))).transpose()
}

fn moment(text: &str) -> Result<EffectiveAt, AskFailure> {
    let instant = Instant::parse(text).map_err(|_| AskFailure::Parameter("at"))?;
    EffectiveAt::try_from(instant).map_err(|_| AskFailure::Parameter("at"))
}

fn span(from: Text<'_>, until: Text<'_>) -> Result<Span, AskFailure> {
    let from = optional("from", from, moment)?.unwrap_or(EffectiveAt::FIRST);
    Span::new(from, optional("until", until, moment)?).ok_or(AskFailure::Parameter("until"))
}

/// Takes in the next entry of a log
pub fn apply(ledger: &mut LedgerInMemory, recorded_at: RecordedAt, entry: Encoded) -> Outcome {
    ledger.apply(&Recorded { recorded_at, submission: entry.into_submission() })
}

impl Prepared {
    /// Reads the parameters of a question
    ///
    /// # Errors
    /// Parameters that cannot be read, or a kind that is not measured.
    pub fn new(question: &Question) -> Result<Self, AskFailure> {
        let mut known_at = None;
        let kind = match &question.asked {
            Asked::Who(q) => {
                known_at = optional("known_at", q.known_at.as_ref(), Instant::parse)?;
                let can = read("can", q.can.as_ref(), Ability::parse)?;
                if let Some(under) = optional("under", q.under.as_ref(), Level::parse)? {
                    Kind::WhoUnder { can, under, at: read("at", q.at.as_ref(), moment)? }
                } else {
                    let on = read("on", q.on.as_ref(), Level::parse)?;
                    if q.from.is_some() || q.until.is_some() {
                        let span = span(q.from.as_ref(), q.until.as_ref())?;
                        Kind::WhoDuring { can, on, span }
                    } else {
                        Kind::Who { can, on, at: read("at", q.at.as_ref(), moment)? }
                    }
                }
            }
            Asked::What(q) => {
                known_at = optional("known_at", q.known_at.as_ref(), Instant::parse)?;
                Kind::What {
                    principal: read("principal", q.principal.as_ref(), Principal::parse)?,
                    on: read("on", q.on.as_ref(), Level::parse)?,
                    at: read("at", q.at.as_ref(), moment)?,
                }
            }
            Asked::Check(q) => {
                known_at = optional("known_at", q.known_at.as_ref(), Instant::parse)?;
                Kind::Check {
                    principal: read("principal", q.principal.as_ref(), Principal::parse)?,
                    can: read("can", q.can.as_ref(), Ability::parse)?,
                    on: read("on", q.on.as_ref(), Level::parse)?,
                    at: read("at", q.at.as_ref(), moment)?,
                }
            }
            Asked::Timeline(q) => {
                known_at = optional("known_at", q.known_at.as_ref(), Instant::parse)?;
                Kind::Timeline {
                    principal: read("principal", q.principal.as_ref(), Principal::parse)?,
                    can: read("can", q.can.as_ref(), Ability::parse)?,
                    on: read("on", q.on.as_ref(), Level::parse)?,
                    span: span(q.from.as_ref(), q.until.as_ref())?,
                }
            }
            Asked::Where(q) => {
                known_at = optional("known_at", q.known_at.as_ref(), Instant::parse)?;
                Kind::Where {
                    principal: read("principal", q.principal.as_ref(), Principal::parse)?,
                    can: read("can", q.can.as_ref(), Ability::parse)?,
                    under: read("under", q.under.as_ref(), Level::parse)?,
                    at: read("at", q.at.as_ref(), moment)?,
                }
            }
            Asked::Diff(q) => {
                known_at = optional("known_until", q.known_until.as_ref(), Instant::parse)?;
                Kind::Diff {
                    from: read("from", q.from.as_ref(), moment)?,
                    known_from: optional("known_from", q.known_from.as_ref(), Instant::parse)?,
                    until: read("until", q.until.as_ref(), moment)?,
                    filter: DiffFilter {
                        under: optional("under", q.under.as_ref(), Level::parse)?,
                        principal: optional("principal", q.principal.as_ref(), Principal::parse)?,
                    },
                }
            }
            Asked::Assignments(q) => {
                known_at = optional("known_at", q.known_at.as_ref(), Instant::parse)?;
                let filter = AssignmentFilter {
                    on: optional("on", q.on.as_ref(), Level::parse)?,
                    principal: optional("principal", q.principal.as_ref(), Principal::parse)?,
                    role_collection: q.role_collection.as_deref().map(Into::into),
                };
                Kind::Assignments { filter, at: read("at", q.at.as_ref(), moment)? }
            }
            Asked::Levels(q) => {
                known_at = optional("known_at", q.known_at.as_ref(), Instant::parse)?;
                Kind::Levels { at: read("at", q.at.as_ref(), moment)? }
            }
            Asked::RoleCollections(q) => {
                known_at = optional("known_at", q.known_at.as_ref(), Instant::parse)?;
                let on = read("on", q.on.as_ref(), Level::parse)?;
                Kind::RoleCollections { on, at: read("at", q.at.as_ref(), moment)? }
            }
            Asked::History(q) => {
                let principal = optional("principal", q.principal.as_ref(), Principal::parse)?;
                let level = optional("level", q.level.as_ref(), Level::parse)?;
                let mention = principal.map(Mention::Principal).or(level.map(Mention::Level));
                let after = optional("after", q.after.as_ref(), str::parse)?.unwrap_or_default();
                let limit = optional("limit", q.limit.as_ref(), str::parse)?.unwrap_or(1_000);
                Kind::History { mention, after, limit }
            }
            other => return Err(AskFailure::Kind(other.name())),
        };
        Ok(Self { class: question.class, known_at, kind })
    }

    /// Asks, and gives how many rows the answer has
    ///
    /// Subjects of a who, a (subject, level) each of a who anywhere, intervals, levels, holdings, entries;
    /// 1 for a yes and 0 for a no.
    ///
    /// # Errors
    /// A question without an answer, or a journal that cannot be read.
    pub fn ask(&self, ledger: &Ledger, journal: Option<&Reader>) -> Result<usize, AskFailure> {
        let newest = KnownAt(ledger.newest_position().map_or(0, Position::get));
        let known = |time: &Instant| ledger.known_at(*time).min(newest);
        let view = View::of(ledger, self.known_at.as_ref().map_or(newest, known));
        match &self.kind {
            Kind::Who { can, on, at } => {
                view.who(can, on, *at, false).map(|who| who.subjects.len() + who.sets.len())
            }
            Kind::WhoUnder { can, under, at } => {
                view.who_anywhere(can, under, *at, false).map(|who| {
                    let subjects = who.subjects.iter().chain(&who.sets);
                    subjects.map(|subject| subject.detail.levels.len()).sum()
                })
            }
            Kind::WhoDuring { can, on, span } => {
                view.who_during(can, on, *span).map(|who| who.subjects.len() + who.sets.len())
            }
            Kind::What { principal, on, at } => {
                view.what(principal, on, *at).map(|what| what.operations.len())
            }
            Kind::Check { principal, can, on, at } => {
                view.check(principal, can, on, *at).map(|check| usize::from(check.allowed))
            }
            Kind::Timeline { principal, can, on, span } => {
                view.timeline(principal, can, on, *span).map(|intervals| intervals.len())
            }
            Kind::Where { principal, can, under, at } => {
                view.where_could(principal, can, under, *at).map(|levels| levels.len())
            }
            Kind::Diff { from, known_from, until, filter } => {
                let before = View::of(ledger, known_from.as_ref().map_or(newest, known));
                let DiffFilter { under, principal } = filter;
                let diff = before.diff(*from, &view, *until, under.as_ref(), principal.as_ref());
                diff.map(|diff| diff.gained.len() + diff.lost.len() + diff.changed.len())
            }
            Kind::Assignments { filter, at } => {
                view.assignments(filter, *at).map(|held| held.len())
            }
            Kind::Levels { at } => Ok(view.levels(*at).len()),
            Kind::RoleCollections { on, at } => {
                view.role_collections(on, *at).map(|collections| collections.len())
            }
            Kind::History { mention, after, limit } => {
                return history(ledger, journal, mention.as_ref(), *after, *limit, newest);
            }
        }
        .map_err(AskFailure::NoAnswer)
    }
}

/// The rows of the entries that name something; only their positions without a journal
fn history(
    ledger: &Ledger,
    journal: Option<&Reader>,
    mention: Option<&Mention>,
    after: u64,
    limit: usize,
    newest: KnownAt,
) -> Result<usize, AskFailure> {
    let positions: Vec<Position> = match mention {
        Some(mention) => ledger.mentions(mention, KnownAt(after)).take(limit).collect(),
        None => (after + 1..=newest.0).filter_map(Position::new).take(limit).collect(),
    };
    let Some(journal) = journal else { return Ok(positions.len()) };
    let mut rows = 0;
    for position in positions {
        rows += usize::from(
            journal.row(position).map_err(AskFailure::Journal)?.recorded_at.micros() > 0,
        );
    }
    Ok(rows)
}
