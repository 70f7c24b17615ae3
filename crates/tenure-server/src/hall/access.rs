//! May a caller ask this, or append that?
//!
//! While access is enforced, reading asks for `ledger.read`: at the level or the root of the subtree that a question is about,
//! else at the ledger itself, as of now. Everybody may ask everything about himself. Whether entries may be appended is
//! the fold's to decide: an append that is forbidden is an outcome.
//!
//! Rules: `docs/semantics.md#access`.

use std::fmt;

use tenure_core::{
    EffectiveAt, KnownAt, Ledger, LedgerOperation, Level, Mention, Place, Position, Principal,
    Question, RecordedAt,
};
use tenure_wire::api::Problem;
use tenure_wire::codec::Encoded;
use tenure_wire::question::Texts;

use super::caller::{Authentication, Caller};
use crate::ask;
use crate::engine::Engine;
use crate::problem::{Code, problem};

/// What a caller wants
#[derive(Clone, Copy, Debug)]
pub enum Action<'a> {
    /// The answer to a question
    Ask(&'a Question),
    /// Every applied entry from a position on, and those that come later
    Follow,
    /// These entries in the log
    Append(&'a [Encoded]),
}

impl Action<'_> {
    fn name(self) -> &'static str {
        match self {
            Self::Ask(question) => Texts::name_of(question),
            Self::Follow => "changes",
            Self::Append(_) => "append",
        }
    }

    /// What it is about, as a query says it
    fn coordinates(self) -> String {
        match self {
            Self::Ask(question) => {
                let texts = Texts::of_question(question);
                let said = texts.parameters.iter().map(|(name, value)| format!("{name}={value}"));
                said.collect::<Vec<_>>().join("&")
            }
            Self::Follow => String::new(),
            Self::Append(entries) => format!("entries={}", entries.len()),
        }
    }
}

/// Why a caller may
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Grounds {
    /// Access is not enforced
    Open,
    /// It opened the data folder itself
    OwnFolder,
    /// It asks about itself
    Itself,
    /// It holds a role that gives `ledger.read` there
    Role,
    /// The fold decides
    Fold,
}

impl fmt::Display for Grounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::OwnFolder => "own folder",
            Self::Itself => "self",
            Self::Role => "role",
            Self::Fold => "fold",
        })
    }
}

/// What a question is about: one principal, a place, or neither
#[derive(Clone, Copy)]
struct About<'a> {
    principal: Option<&'a Principal>,
    /// `None` is the ledger itself
    level: Option<&'a Level>,
}

/// Decides whether a caller may, and says why
///
/// # Errors
/// `forbidden`, before anything of the question is looked up but the level that it is about.
pub(super) fn decide(
    engine: &Engine,
    caller: &Caller,
    action: Action<'_>,
) -> Result<Grounds, Problem> {
    let decided = grounds(engine, caller, action);
    let grounds = decided.as_ref().map_or("forbidden".to_owned(), ToString::to_string);
    tracing::debug!(
        target: "tenure::access",
        %caller,
        action = action.name(),
        coordinates = action.coordinates(),
        grounds
    );
    decided
}

fn grounds(engine: &Engine, caller: &Caller, action: Action<'_>) -> Result<Grounds, Problem> {
    let (ledger, newest) = (engine.ledger(), engine.shown());
    if !ledger.enforces_access(newest) {
        return Ok(Grounds::Open);
    }
    let about = match action {
        Action::Append(_) => return Ok(Grounds::Fold),
        _ if caller.authentication() == Authentication::OwnFolder => return Ok(Grounds::OwnFolder),
        Action::Follow => About { principal: None, level: None },
        Action::Ask(question) => about(question, caller.principal()),
    };
    if about.principal == Some(caller.principal()) {
        return Ok(Grounds::Itself);
    }
    let now = now(&ledger, newest);
    let read = LedgerOperation::Read;
    if ledger.may(caller.principal(), read, about.level, now, newest) {
        return Ok(Grounds::Role);
    }
    let place =
        about.level.map_or_else(|| "the ledger itself".to_owned(), |level| format!("`{level}`"));
    let detail = format!(
        "`{caller}` may not read this: it asks for `{}` at {place}, which `tenure/Auditor` and \
         `tenure/Administrator` give there or at a level above",
        read.as_str()
    );
    Err(problem(Code::Forbidden, detail))
}

/// Whether a caller may append anything anywhere
pub(super) fn may_append_somewhere(engine: &Engine, caller: &Caller) -> bool {
    let (ledger, newest) = (engine.ledger(), engine.shown());
    caller.authentication() == Authentication::OwnFolder
        || ledger.may_append_somewhere(caller.principal(), now(&ledger, newest), newest)
}

/// The later of this machine's clock and the newest entry, as a question without a moment is asked
pub(super) fn now(ledger: &Ledger, newest: KnownAt) -> EffectiveAt {
    let recorded_at = Position::new(newest.0).and_then(|position| ledger.recorded_at(position));
    let recorded_at = recorded_at.map_or(0, RecordedAt::micros);
    ask::now().max(EffectiveAt::saturating_from_micros(recorded_at))
}

fn about<'a>(question: &'a Question, caller: &Principal) -> About<'a> {
    let at = |level: &'a Level| About { principal: None, level: Some(level) };
    let of = |principal: &'a Principal, level: &'a Level| About {
        principal: Some(principal),
        level: Some(level),
    };
    match question {
        Question::Who { on, .. }
        | Question::WhoDuring { on, .. }
        | Question::RoleCollections { on, .. } => at(on),
        Question::WhoAnywhere { under, .. } | Question::WhoDuringAnywhere { under, .. } => {
            at(under)
        }
        Question::PowerDiff { place: Place::On(level) | Place::Under(level), .. } => at(level),
        Question::What { principal, on, .. }
        | Question::Check { principal, on, .. }
        | Question::Timeline { principal, on, .. } => of(principal, on),
        Question::Where { principal, under, .. } => of(principal, under),
        Question::Assignments { filter, .. } | Question::Holdings { filter, .. } => {
            About { principal: filter.principal.as_ref(), level: filter.on.as_ref() }
        }
        Question::Diff { under, principal, .. } => {
            About { principal: principal.as_ref(), level: under.as_ref() }
        }
        // Every entry that is answered names all of these.
        Question::History { mentions, .. } => {
            let own = mentions.iter().find_map(|mention| match mention {
                Mention::Principal(principal) => Some(principal).filter(|one| *one == caller),
                _ => None,
            });
            About { principal: own, level: None }
        }
        Question::Sources { filter, .. } => About {
            principal: None,
            level: filter.place.as_ref().map(|place| match place {
                Place::On(level) | Place::Under(level) => level,
            }),
        },
        Question::Members { .. }
        | Question::Principals { .. }
        | Question::Search { .. }
        | Question::Levels { .. }
        | Question::Catalog { .. }
        | Question::Entry { .. } => About { principal: None, level: None },
    }
}
