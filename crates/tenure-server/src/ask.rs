//! How does a question with texts become an answer?
//!
//! The same for every door: parameters are read, the two coordinates are pinned, the core is asked, and
//! the answer is put into the words of [`tenure_wire::api`].

mod page;
mod read;

use std::time::Duration;

use base64::Engine as _;
use serde::Serialize;
use tenure_core::{
    AssignmentFilter, EffectiveAt, EntryId, KnownAt, Ledger, Mention, OutcomeKind, Position, Span,
    View, answer,
};
use tenure_journal::{Payload, Row};
use tenure_wire::api::{self, AsOf, Problem};
use tenure_wire::codec::Encoded;
use tenure_wire::question::{self, Question};
use tenure_wire::v1;
use uuid::Uuid;

use crate::engine::Engine;
use crate::problem::{Code, of_question, problem};
use page::{Page, PageToken};
use read::Read;

/// Bytes of rows on one page of the log, about
const PAGE_BYTES_MAX: usize = 8 * 1_024 * 1_024;

/// Longest that a question waits for an entry, in milliseconds
pub const WAIT_MS_MAX: u64 = 20_000;

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
    Assignments(api::Assignments),
    Levels(api::Levels),
    RoleCollections(api::RoleCollections),
    Catalog(api::CatalogAnswer),
    Entries(api::Entries),
    Entry(Box<api::EntryRow>),
}

/// What a question is answered with, besides its own parameters
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// What "now" is
    pub now: EffectiveAt,
    /// The newest position that may be seen
    pub newest: KnownAt,
    /// The origin of a user name alone
    pub default_origin: &'a str,
}

/// The position that an answer must know at least, 0 if any will do
///
/// # Errors
/// A text that is neither digits nor a revision of this ledger.
pub fn min_position(engine: &Engine, question: &Question) -> Result<u64, Problem> {
    let parameters = question.parameters();
    let Some(text) = parameters.get("min_position") else { return Ok(0) };
    let digits = match text.split_once('@') {
        Some((ledger, digits)) if ledger == engine.name() => digits,
        Some(_) => "",
        None => text,
    };
    digits.parse().map_err(|_| {
        problem(
            Code::BadRequest,
            format!(
                "`min_position` is a position or a revision of this ledger, `{text}` is neither"
            ),
        )
    })
}

/// How long a question waits for the entry that it asks for, and which one that is
///
/// # Errors
/// A text that is no number of milliseconds, or more than [`WAIT_MS_MAX`].
pub fn wait(question: &Question) -> Result<Option<(&str, Duration)>, Problem> {
    let Question::Entry(question::Entry { entry: Some(entry), wait: Some(wait), .. }) = question
    else {
        return Ok(None);
    };
    let digits = !wait.is_empty() && wait.bytes().all(|b| b.is_ascii_digit());
    match wait.parse() {
        Ok(ms) if digits && ms <= WAIT_MS_MAX => Ok(Some((entry, Duration::from_millis(ms)))),
        _ => Err(problem(
            Code::BadRequest,
            format!("`wait` is a number of milliseconds, at most {WAIT_MS_MAX}"),
        )),
    }
}

/// Whether an entry, by its id or position, may be seen
///
/// What is neither is not waited for: the question says what is wrong with it.
pub(crate) fn has_arrived(engine: &Engine, entry: &str, newest: KnownAt) -> bool {
    if !entry.is_empty() && entry.bytes().all(|b| b.is_ascii_digit()) {
        return entry.parse().is_ok_and(|position: u64| position <= newest.0);
    }
    let Ok(id) = Uuid::try_parse(entry) else { return true };
    engine.ledger().owner(EntryId(id)).is_some_and(|position| newest.reaches(position))
}

/// What to pass as `min_position` to see at least this
pub fn revision(ledger: &str, known_at: KnownAt) -> String {
    format!("{ledger}@{}", known_at.0)
}

/// Answers a question
///
/// # Errors
/// A parameter that cannot be read, or whatever the core has no answer to.
pub fn ask(engine: &Engine, question: &Question, context: Context<'_>) -> Result<Answer, Problem> {
    let asker = Asker { engine, context };
    match question {
        Question::Who(q) => asker.who(q),
        Question::What(q) => asker.what(q).map(Answer::What),
        Question::Check(q) => asker.check(q).map(Answer::Check),
        Question::Timeline(q) => asker.timeline(q).map(Answer::Timeline),
        Question::Where(q) => asker.where_could(q).map(Answer::Where),
        Question::Diff(q) => asker.diff(q).map(Answer::Diff),
        Question::Assignments(q) => asker.assignments(q).map(Answer::Assignments),
        Question::Levels(q) => asker.levels(q).map(Answer::Levels),
        Question::RoleCollections(q) => asker.role_collections(q).map(Answer::RoleCollections),
        Question::Catalog(q) => asker.catalog(q).map(Answer::Catalog),
        Question::History(q) => asker.history(q).map(Answer::Entries),
        Question::Entry(q) => asker.entry(q).map(|row| Answer::Entry(Box::new(row))),
    }
}

/// Answers a check, whose answer is small
///
/// # Errors
/// As [`ask`].
pub fn check(
    engine: &Engine,
    question: &question::Check,
    context: Context<'_>,
) -> Result<api::Check, Problem> {
    Asker { engine, context }.check(question)
}

struct Asker<'a> {
    engine: &'a Engine,
    context: Context<'a>,
}

fn wrong(error: &answer::AskError) -> Problem {
    of_question(error)
}

impl Asker<'_> {
    fn read(&self) -> Read<'_> {
        Read { context: self.context }
    }

    /// The position that a text means, and that exists
    fn known_at(
        &self,
        ledger: &Ledger,
        name: &str,
        text: Option<&String>,
    ) -> Result<KnownAt, Problem> {
        let newest = self.context.newest;
        let Some(text) = text else { return Ok(newest) };
        match self.read().known(name, text)? {
            read::Known::Position(position) if position > newest.0 => Err(problem(
                Code::NotYet,
                format!("position {position} does not exist yet: the newest is {}", newest.0),
            )),
            read::Known::Position(position) => Ok(KnownAt(position)),
            // What may not be seen yet is not known yet.
            read::Known::Time(time) => Ok(ledger.known_at(time).min(newest)),
        }
    }

    fn as_of(&self, view: &View<'_>, ledger: &Ledger, at: Option<EffectiveAt>) -> AsOf {
        let known_at = view.known_at();
        let recorded_at = Position::new(known_at.0).and_then(|p| ledger.recorded_at(p));
        AsOf {
            at: at.map(|at| at.to_string()),
            known_at: known_at.0,
            recorded_at: recorded_at.map(|at| at.to_string()),
            catalog: at.map(|at| view.catalog(at).map(|(version, _)| version.to_owned())),
            revision: revision(self.engine.name(), known_at),
        }
    }

    fn who(&self, q: &question::Who) -> Result<Answer, Problem> {
        let read = self.read();
        let can = read.ability("can", q.can.as_ref())?;
        let explain = read.truth("explain", q.explain.as_ref())?;
        let limit = read.limit(q.limit.as_ref())?;
        let parameters = Question::Who(q.clone()).parameters();
        let over_time = q.from.is_some() || q.until.is_some();
        match (&q.on, &q.under) {
            (Some(_), None) => {}
            (None, Some(_)) if over_time => {
                return Err(problem(
                    Code::BadRequest,
                    "`from` and `until` go with `on`, not with `under`",
                ));
            }
            (None, Some(_)) => {}
            _ => {
                let detail = "say one of `on` (a level) and `under` (a subtree)";
                return Err(problem(Code::BadRequest, detail));
            }
        }
        if over_time && q.at.is_some() {
            return Err(problem(
                Code::BadRequest,
                "`at` is a moment, `from` and `until` are a stretch of time: say one of the two",
            ));
        }
        let token = PageToken::of("who", &parameters, q.page_token.as_ref())?;
        let ledger = self.engine.ledger();
        let known_at = match &token {
            Some(token) => token.known_at(self.context.newest)?,
            None => self.known_at(&ledger, "known_at", q.known_at.as_ref())?,
        };
        let view = View::of(&ledger, known_at);
        if over_time {
            let on = read.level("on", q.on.as_ref())?;
            let from = read.instant_or("from", q.from.as_ref(), EffectiveAt::FIRST)?;
            let until = read.optional_instant("until", q.until.as_ref())?;
            let span =
                Span::new(from, until).ok_or_else(|| wrong(&view.empty_interval(&can, &on)))?;
            let found = view.who_during(&can, &on, span).map_err(|e| wrong(&e))?;
            let as_of = self.as_of(&view, &ledger, None);
            return Ok(paged_who(found, as_of, token, limit, None, &parameters, |detail| {
                Details {
                    intervals: Some(detail.iter().map(api::Interval::from).collect()),
                    ..Details::default()
                }
            }));
        }
        let at = match &token {
            Some(token) => token.at()?,
            None => read.instant_or("at", q.at.as_ref(), self.context.now)?,
        };
        let as_of = self.as_of(&view, &ledger, Some(at));
        if let Some(under) = &q.under {
            let under = read.level("under", Some(under))?;
            let found = view.who_anywhere(&can, &under, at, explain).map_err(|e| wrong(&e))?;
            return Ok(paged_who(found, as_of, token, limit, Some(at), &parameters, |detail| {
                Details {
                    levels: Some(detail.levels.iter().map(ToString::to_string).collect()),
                    because: explain.then(|| api::holdings(&detail.because)),
                    ..Details::default()
                }
            }));
        }
        let on = read.level("on", q.on.as_ref())?;
        let found = view.who(&can, &on, at, explain).map_err(|e| wrong(&e))?;
        Ok(paged_who(found, as_of, token, limit, Some(at), &parameters, |detail| Details {
            because: explain.then(|| api::holdings(detail)),
            ..Details::default()
        }))
    }

    fn what(&self, q: &question::What) -> Result<api::What, Problem> {
        let read = self.read();
        let principal = read.principal("principal", q.principal.as_ref())?;
        let on = read.level("on", q.on.as_ref())?;
        let at = read.instant_or("at", q.at.as_ref(), self.context.now)?;
        let ledger = self.engine.ledger();
        let view = View::of(&ledger, self.known_at(&ledger, "known_at", q.known_at.as_ref())?);
        let found = view.what(&principal, &on, at).map_err(|e| wrong(&e))?;
        let texts = |texts: &[std::sync::Arc<str>]| texts.iter().map(ToString::to_string).collect();
        Ok(api::What {
            as_of: self.as_of(&view, &ledger, Some(at)),
            role_collections: texts(&found.role_collections),
            roles: found.roles,
            scopes: texts(&found.scopes),
            operations: texts(&found.operations),
        })
    }

    fn check(&self, q: &question::Check) -> Result<api::Check, Problem> {
        let read = self.read();
        let principal = read.principal("principal", q.principal.as_ref())?;
        let can = read.ability("can", q.can.as_ref())?;
        let on = read.level("on", q.on.as_ref())?;
        let at = read.instant_or("at", q.at.as_ref(), self.context.now)?;
        let ledger = self.engine.ledger();
        let view = View::of(&ledger, self.known_at(&ledger, "known_at", q.known_at.as_ref())?);
        let found = view.check(&principal, &can, &on, at).map_err(|e| wrong(&e))?;
        Ok(api::Check {
            as_of: self.as_of(&view, &ledger, Some(at)),
            allowed: found.allowed,
            because: api::holdings(&found.because),
            missing: found.missing.as_ref().map(v1::Expr::from_core),
        })
    }

    fn timeline(&self, q: &question::Timeline) -> Result<api::Timeline, Problem> {
        let read = self.read();
        let principal = read.principal("principal", q.principal.as_ref())?;
        let can = read.ability("can", q.can.as_ref())?;
        let on = read.level("on", q.on.as_ref())?;
        let from = read.instant_or("from", q.from.as_ref(), EffectiveAt::FIRST)?;
        let until = read.optional_instant("until", q.until.as_ref())?;
        let ledger = self.engine.ledger();
        let view = View::of(&ledger, self.known_at(&ledger, "known_at", q.known_at.as_ref())?);
        let span = Span::new(from, until).ok_or_else(|| wrong(&view.empty_interval(&can, &on)))?;
        let found = view.timeline(&principal, &can, &on, span).map_err(|e| wrong(&e))?;
        Ok(api::Timeline {
            as_of: self.as_of(&view, &ledger, None),
            intervals: found.iter().map(api::Interval::from).collect(),
        })
    }

    fn where_could(&self, q: &question::Where) -> Result<api::Where, Problem> {
        let read = self.read();
        let principal = read.principal("principal", q.principal.as_ref())?;
        let can = read.ability("can", q.can.as_ref())?;
        let under = read.level("under", q.under.as_ref())?;
        let limit = read.limit(q.limit.as_ref())?;
        let parameters = Question::Where(q.clone()).parameters();
        let token = PageToken::of("where", &parameters, q.page_token.as_ref())?;
        let ledger = self.engine.ledger();
        let (at, known_at) =
            self.coordinates(&ledger, token.as_ref(), q.at.as_ref(), q.known_at.as_ref())?;
        let view = View::of(&ledger, known_at);
        let found = view.where_could(&principal, &can, &under, at).map_err(|e| wrong(&e))?;
        let page = Page::cut(&found, token.as_ref(), limit);
        Ok(api::Where {
            as_of: self.as_of(&view, &ledger, Some(at)),
            levels: page.items.iter().map(ToString::to_string).collect(),
            next_page_token: page.next_token("where", &parameters, Some(at), known_at),
        })
    }

    fn coordinates(
        &self,
        ledger: &Ledger,
        token: Option<&PageToken>,
        at: Option<&String>,
        known_at: Option<&String>,
    ) -> Result<(EffectiveAt, KnownAt), Problem> {
        match token {
            Some(token) => Ok((token.at()?, token.known_at(self.context.newest)?)),
            None => Ok((
                self.read().instant_or("at", at, self.context.now)?,
                self.known_at(ledger, "known_at", known_at)?,
            )),
        }
    }

    fn diff(&self, q: &question::Diff) -> Result<api::Diff, Problem> {
        let read = self.read();
        let from = read.instant_or("from", q.from.as_ref(), self.context.now)?;
        let until = read.instant_or("until", q.until.as_ref(), self.context.now)?;
        let under = read.optional_level("under", q.under.as_ref())?;
        let principal = read.optional_principal("principal", q.principal.as_ref())?;
        let ledger = self.engine.ledger();
        let before =
            View::of(&ledger, self.known_at(&ledger, "known_from", q.known_from.as_ref())?);
        let after =
            View::of(&ledger, self.known_at(&ledger, "known_until", q.known_until.as_ref())?);
        let found = before
            .diff(from, &after, until, under.as_ref(), principal.as_ref())
            .map_err(|e| wrong(&e))?;
        Ok(api::Diff {
            as_of: api::DiffAsOf {
                from: self.as_of(&before, &ledger, Some(from)),
                until: self.as_of(&after, &ledger, Some(until)),
            },
            gained: api::holdings(&found.gained),
            lost: api::holdings(&found.lost),
            changed: found
                .changed
                .iter()
                .map(|(before, after)| api::Changed { before: before.into(), after: after.into() })
                .collect(),
        })
    }

    fn assignments(&self, q: &question::Assignments) -> Result<api::Assignments, Problem> {
        let read = self.read();
        let limit = read.limit(q.limit.as_ref())?;
        let filter = AssignmentFilter {
            on: read.optional_level("on", q.on.as_ref())?,
            principal: read.optional_principal("principal", q.principal.as_ref())?,
            role_collection: read.optional_name("role_collection", q.role_collection.as_ref())?,
        };
        if filter == AssignmentFilter::default() {
            return Err(problem(
                Code::BadRequest,
                "say at least one of `on`, `principal` and `role_collection`",
            ));
        }
        let parameters = Question::Assignments(q.clone()).parameters();
        let token = PageToken::of("assignments", &parameters, q.page_token.as_ref())?;
        let ledger = self.engine.ledger();
        let (at, known_at) =
            self.coordinates(&ledger, token.as_ref(), q.at.as_ref(), q.known_at.as_ref())?;
        let view = View::of(&ledger, known_at);
        let found = view.assignments(&filter, at).map_err(|e| wrong(&e))?;
        let page = Page::cut(&found, token.as_ref(), limit);
        Ok(api::Assignments {
            as_of: self.as_of(&view, &ledger, Some(at)),
            assignments: api::holdings(page.items),
            next_page_token: page.next_token("assignments", &parameters, Some(at), known_at),
        })
    }

    fn levels(&self, q: &question::Levels) -> Result<api::Levels, Problem> {
        let at = self.read().instant_or("at", q.at.as_ref(), self.context.now)?;
        let ledger = self.engine.ledger();
        let view = View::of(&ledger, self.known_at(&ledger, "known_at", q.known_at.as_ref())?);
        Ok(api::Levels {
            as_of: self.as_of(&view, &ledger, Some(at)),
            levels: view.levels(at).iter().map(api::LevelRow::from).collect(),
        })
    }

    fn role_collections(
        &self,
        q: &question::RoleCollections,
    ) -> Result<api::RoleCollections, Problem> {
        let read = self.read();
        let on = read.level("on", q.on.as_ref())?;
        let at = read.instant_or("at", q.at.as_ref(), self.context.now)?;
        let ledger = self.engine.ledger();
        let view = View::of(&ledger, self.known_at(&ledger, "known_at", q.known_at.as_ref())?);
        let found = view.role_collections(&on, at).map_err(|e| wrong(&e))?;
        Ok(api::RoleCollections {
            as_of: self.as_of(&view, &ledger, Some(at)),
            role_collections: found.iter().map(api::RoleCollectionRow::from).collect(),
        })
    }

    fn catalog(&self, q: &question::Catalog) -> Result<api::CatalogAnswer, Problem> {
        let at = self.read().instant_or("at", q.at.as_ref(), self.context.now)?;
        let ledger = self.engine.ledger();
        let view = View::of(&ledger, self.known_at(&ledger, "known_at", q.known_at.as_ref())?);
        let as_of = self.as_of(&view, &ledger, Some(at));
        let position = view.catalog(at).map(|(_, position)| position);
        drop(view);
        drop(ledger);
        let row = position.map(|position| self.row(position)).transpose()?;
        let entry = row.map(|row| decoded(&row)).transpose()?.flatten();
        let catalog = match entry.map(|entry| entry.changes.into_iter().next()) {
            None => None,
            Some(Some(v1::Change::PublishCatalog { catalog })) => Some(catalog),
            Some(_) => {
                let detail = "the entry of the catalogue in force publishes none";
                return Err(problem(Code::Internal, detail));
            }
        };
        Ok(api::CatalogAnswer { as_of, catalog })
    }

    fn history(&self, q: &question::History) -> Result<api::Entries, Problem> {
        let read = self.read();
        let after = read.number("after", q.after.as_ref())?.unwrap_or(0);
        let limit = read.limit(q.limit.as_ref())?;
        let mut mentions = Vec::new();
        mentions.extend(
            read.optional_principal("principal", q.principal.as_ref())?.map(Mention::Principal),
        );
        mentions.extend(read.optional_principal("actor", q.actor.as_ref())?.map(Mention::Actor));
        mentions.extend(read.optional_level("level", q.level.as_ref())?.map(Mention::Level));
        mentions.extend(
            read.optional_name("role_collection", q.role_collection.as_ref())?
                .map(Mention::RoleCollection),
        );
        let outcome = read.outcome("outcome", q.outcome.as_ref())?;
        let (positions, more) = self.mentioned(&mentions, outcome, after, limit);
        let mut entries = Vec::new();
        let mut bytes = 0;
        let mut next_after = more.then(|| positions.last().map(|p| p.get())).flatten();
        for position in positions {
            let row = self.row(position)?;
            bytes += payload_bytes(&row);
            if bytes > PAGE_BYTES_MAX && !entries.is_empty() {
                next_after = entries.last().map(|row: &api::EntryRow| row.result.position);
                break;
            }
            entries.push(self.entry_row(position, &row)?);
        }
        Ok(api::Entries { entries, next_after })
    }

    /// The positions that have all mentions, and whether there are more
    fn mentioned(
        &self,
        mentions: &[Mention],
        outcome: Option<OutcomeKind>,
        after: u64,
        limit: usize,
    ) -> (Vec<Position>, bool) {
        let ledger = self.engine.ledger();
        let newest = self.context.newest;
        let wanted = |position: &Position| {
            outcome.is_none_or(|outcome| ledger.outcome(*position) == Some(outcome))
        };
        let all = mentions
            .is_empty()
            .then(|| (after.saturating_add(1)..=newest.0).filter_map(Position::new));
        let lists = mentions.iter().map(|mention| ledger.mentions(mention, KnownAt(after)));
        let mut found: Vec<Position> = all
            .into_iter()
            .flatten()
            .chain(in_all(lists.collect()))
            .take_while(|position| newest.reaches(*position))
            .filter(wanted)
            .take(limit + 1)
            .collect();
        let more = found.len() > limit;
        found.truncate(limit);
        (found, more)
    }

    fn entry(&self, q: &question::Entry) -> Result<api::EntryRow, Problem> {
        let text = self.read().required("entry", q.entry.as_ref())?;
        let newest = self.context.newest;
        let unknown =
            || problem(Code::UnknownEntry, format!("the entry `{text}` is not in the log"));
        let position = if text.bytes().all(|b| b.is_ascii_digit()) {
            text.parse().ok().and_then(Position::new)
        } else {
            let id = self.read().uuid("entry", text)?;
            self.engine.ledger().owner(EntryId(id))
        };
        let position = position.filter(|p| newest.reaches(*p)).ok_or_else(unknown)?;
        let row = self.row(position)?;
        self.entry_row(position, &row)
    }

    fn row(&self, position: Position) -> Result<Row, Problem> {
        row(self.engine, position)
    }

    /// A row as it is answered
    fn entry_row(&self, position: Position, row: &Row) -> Result<api::EntryRow, Problem> {
        entry_row(&self.engine.ledger(), self.context.newest, position, row)
    }
}

/// What stands in each of several ascending lists, in order
fn in_all<'a>(
    lists: Vec<Box<dyn Iterator<Item = Position> + 'a>>,
) -> impl Iterator<Item = Position> + 'a {
    let mut lists: Vec<_> = lists.into_iter().map(Iterator::peekable).collect();
    std::iter::from_fn(move || {
        loop {
            let heads: Option<Vec<Position>> =
                lists.iter_mut().map(|list| list.peek().copied()).collect();
            let heads = heads?;
            let (least, most) = (heads.iter().min().copied()?, heads.iter().max().copied()?);
            if least == most {
                for list in &mut lists {
                    list.next();
                }
                return Some(least);
            }
            for list in &mut lists {
                while list.next_if(|position| *position < most).is_some() {}
            }
        }
    })
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
    let recorded_at = row.recorded_at.to_string();
    let entry = decoded(row)?;
    let raw = match &row.payload {
        Payload::Entry(_) => None,
        Payload::Malformed { raw, .. } => {
            Some(base64::engine::general_purpose::STANDARD.encode(raw))
        }
    };
    let effective_at = entry
        .as_ref()
        .map(|entry| entry.effective_at.clone().unwrap_or_else(|| recorded_at.clone()));
    let id = entry.as_ref().map(|entry| entry.id.clone());
    Ok(api::EntryRow {
        result: api::EntryResult::new(id, position.get(), recorded_at, &row.outcome),
        effective_at,
        voided_by: ledger.voided_by(position, newest).map(Position::get),
        entry,
        raw,
    })
}

fn decoded(row: &Row) -> Result<Option<v1::Entry>, Problem> {
    match &row.payload {
        Payload::Malformed { .. } => Ok(None),
        Payload::Entry(bytes) => Encoded::from_canonical(bytes)
            .map(|encoded| Some(v1::Entry::from_core(encoded.entry())))
            .map_err(|error| problem(Code::Internal, error.to_string())),
    }
}

fn payload_bytes(row: &Row) -> usize {
    match &row.payload {
        Payload::Entry(bytes) | Payload::Malformed { raw: bytes, .. } => bytes.len(),
    }
}

#[derive(Default)]
struct Details {
    because: Option<Vec<api::Holding>>,
    levels: Option<Vec<String>>,
    intervals: Option<Vec<api::Interval>>,
}

fn paged_who<T>(
    found: answer::Who<T>,
    as_of: AsOf,
    token: Option<PageToken>,
    limit: usize,
    at: Option<EffectiveAt>,
    parameters: &question::Parameters,
    details: impl Fn(&T) -> Details,
) -> Answer {
    let subject = |subject: &answer::Subject<T>| {
        let Details { because, levels, intervals } = details(&subject.detail);
        api::Subject { principal: subject.principal.to_string(), because, levels, intervals }
    };
    let page = Page::cut(&found.subjects, token.as_ref(), limit);
    let known_at = KnownAt(as_of.known_at);
    Answer::Who(api::Who {
        total: found.subjects.len(),
        subjects: page.items.iter().map(subject).collect(),
        sets: if token.is_none() { found.sets.iter().map(subject).collect() } else { Vec::new() },
        next_page_token: page.next_token("who", parameters, at, known_at),
        as_of,
    })
}

/// What the wall clock shows, as valid time
pub fn now() -> EffectiveAt {
    EffectiveAt::saturating_from_micros(tenure_log::embedded::now().micros())
}

impl<'a> Context<'a> {
    /// What is known and what time it is at this moment
    pub fn of(engine: &Engine, default_origin: &'a str) -> Self {
        Self { now: now(), newest: engine.shown(), default_origin }
    }
}
