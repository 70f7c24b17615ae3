//! What should the ledger say?
//!
//! The slow, obvious program that computes `docs/semantics.md` literally: sort, filter, fold. It keeps
//! the log; every outcome and every answer folds it again. It shares the core's
//! input types (entries, changes, catalogue documents), its outcomes and its answer types, and none of its
//! rules.
//!
//! `state` folds facts to what holds at one moment, `names` says what names mean there, `decide`
//! gives outcomes, `need` says what must be held, `ask` answers.

mod access;
mod ask;
mod decide;
mod diff;
mod elsewhere;
mod holdings;
mod known;
mod latent;
mod listing;
mod members;
mod names;
mod need;
mod notes;
mod observed;
mod over;
pub mod pattern;
mod permissions;
mod search;
mod session;
mod sources;
mod state;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use tenure_core::{
    Change, EffectiveAt, Entry, EntryId, KnownAt, Mention, Outcome, OutcomeKind, Position,
    Principal, Reason, Recorded, RecordedAt, Refusal, RefusalCode, Submission,
};

use state::{Deed, Fact, State};

/// Most states that are kept
const STATES_MAX: usize = 300;

fn refused(change: Option<usize>, reason: Reason) -> Outcome {
    Outcome::Refused(Refusal { change, reason })
}

/// One place of the log, and what became of it
#[derive(Debug)]
struct Line {
    position: Position,
    recorded_at: RecordedAt,
    submitter: Principal,
    /// `None`: it could not be decoded
    entry: Option<Entry>,
    outcome: Outcome,
    /// Empty unless it was applied
    facts: Vec<Fact>,
}

/// The log, and the states that were asked for: the past does not move, so each is folded once
#[derive(Debug, Default)]
pub struct Oracle {
    lines: Vec<Line>,
    states: RefCell<BTreeMap<(EffectiveAt, KnownAt), Rc<State>>>,
}

impl Oracle {
    /// The log without entries
    pub fn new() -> Self {
        Self::default()
    }

    /// How many entries were taken in
    pub fn newest(&self) -> KnownAt {
        KnownAt(self.lines.len() as u64)
    }

    /// When the entry at a position was recorded
    pub fn recorded_at(&self, s: KnownAt) -> Option<RecordedAt> {
        Some(self.lines.get(s.0.checked_sub(1)? as usize)?.recorded_at)
    }

    /// What became of the entry at a position
    pub fn outcome(&self, position: Position) -> OutcomeKind {
        self.lines[position.get() as usize - 1].outcome.kind()
    }

    /// The place of the entry that owns an id, else of the newest forbidden one
    pub fn position_of(&self, id: EntryId) -> Option<Position> {
        let has = |line: &&Line| line.entry.as_ref().is_some_and(|entry| entry.id() == id);
        self.owner(id).or_else(|| self.lines.iter().rev().find(has)).map(|line| line.position)
    }

    /// Takes the next entry in and decides it
    pub fn apply(&mut self, recorded: &Recorded) -> Outcome {
        let position = Position::new(self.lines.len() as u64 + 1).unwrap();
        let recorded_at = recorded.recorded_at;
        let (entry, (outcome, facts)) = match &recorded.submission {
            Submission::Malformed => (None, (refused(None, Reason::Malformed), Vec::new())),
            Submission::Entry(entry, _) => {
                let decided = self.decide(position, recorded_at, &recorded.submitter, entry);
                (Some(entry.clone()), decided)
            }
        };
        let (submitter, kept) = (recorded.submitter.clone(), outcome.clone());
        self.lines.push(Line { position, recorded_at, submitter, entry, outcome: kept, facts });
        outcome
    }

    /// The last position recorded at or before a time; 0 if there is none
    pub fn known_at(&self, time: RecordedAt) -> KnownAt {
        let before = self.lines.iter().filter(|line| line.recorded_at <= time);
        KnownAt(before.map(|line| line.position.get()).max().unwrap_or(0))
    }

    /// The un-voided voids of the entry at a position, as known then, in log order
    pub fn voids_of(&self, position: Position, s: KnownAt) -> Vec<Position> {
        self.active_voids(s)
            .into_iter()
            .filter(|(_, target)| *target == position)
            .map(|(void, _)| void)
            .collect()
    }

    /// The positions of the entries that name something, or that a submitter handed in, in log order
    pub fn mentions(&self, mention: &Mention) -> Vec<Position> {
        let named = |line: &&Line| match mention {
            Mention::Submitter(submitter) => line.submitter == *submitter,
            _ => line.entry.as_ref().is_some_and(|entry| mentions(entry, mention)),
        };
        self.lines.iter().filter(named).map(|line| line.position).collect()
    }

    fn lines_until(&self, s: KnownAt) -> impl DoubleEndedIterator<Item = &Line> {
        self.lines.iter().filter(move |line| line.position.get() <= s.0)
    }

    /// The applied, un-voided voids with position <= S, and what each is of. A void comes after what
    /// it voids, so they are decided from the newest to the oldest.
    fn active_voids(&self, s: KnownAt) -> BTreeMap<Position, Position> {
        let mut active = BTreeMap::new();
        for line in self.lines_until(s).rev() {
            for fact in &line.facts {
                if let Deed::Void(target) = fact.deed
                    && !active.values().any(|voided| *voided == line.position)
                {
                    active.insert(line.position, target);
                }
            }
        }
        active
    }

    /// The applied entries with position <= S, less those voided
    fn counted(&self, s: KnownAt) -> Vec<&Line> {
        let voids = self.active_voids(s);
        self.lines_until(s)
            .filter(|line| line.outcome == Outcome::Applied)
            .filter(|line| !voids.values().any(|voided| *voided == line.position))
            .collect()
    }

    /// The state as of (T, S)
    fn state(&self, t: EffectiveAt, s: KnownAt) -> Rc<State> {
        let fold = || State::fold(self.counted(s).into_iter().flat_map(|line| &line.facts), t);
        let mut states = self.states.borrow_mut();
        if states.len() >= STATES_MAX {
            states.clear();
        }
        Rc::clone(states.entry((t, s)).or_insert_with(|| Rc::new(fold())))
    }

    /// All principals that counted entries name in a change, at any T
    fn known(&self, s: KnownAt) -> BTreeSet<Principal> {
        let entries = self.counted(s).into_iter().filter_map(|line| line.entry.as_ref());
        entries.flat_map(Entry::changes).flat_map(principals_of).collect()
    }

    /// The first decodable entry with an id that was not forbidden
    fn owner(&self, id: EntryId) -> Option<&Line> {
        let forbidden = |line: &Line| match &line.outcome {
            Outcome::Refused(refusal) => refusal.code() == RefusalCode::Forbidden,
            Outcome::Applied | Outcome::Duplicate(_) => false,
        };
        let has_id = |line: &Line| line.entry.as_ref().is_some_and(|entry| entry.id() == id);
        self.lines.iter().find(|line| has_id(line) && !forbidden(line))
    }
}

/// `to`, `from`, `principal`, `set` and `member` of a change
fn principals_of(change: &Change) -> Vec<Principal> {
    match change {
        Change::Grant { to: one, .. }
        | Change::Revoke { from: one, .. }
        | Change::RemovePrincipal { principal: one } => vec![one.clone()],
        Change::AddMember { set, member } | Change::RemoveMember { set, member, .. } => {
            vec![set.clone(), member.clone()]
        }
        Change::SetRule { set, .. } => vec![set.clone()],
        _ => Vec::new(),
    }
}

fn mentions(entry: &Entry, mention: &Mention) -> bool {
    use tenure_core::GrantableText;
    entry.changes().iter().any(|change| match mention {
        Mention::Actor(_) | Mention::Submitter(_) => false,
        Mention::Principal(principal) => principals_of(change).contains(principal),
        Mention::Level(wanted) => match change {
            Change::CreateLevel { level, parent, .. } => {
                level == wanted || parent.as_ref() == Some(wanted)
            }
            Change::MoveLevel { level, parent } => level == wanted || parent == wanted,
            Change::SetLevel { level, .. }
            | Change::DeleteLevel { level }
            | Change::CreateRole { level, .. }
            | Change::DeleteRole { level, .. }
            | Change::CreateRoleCollection { level, .. }
            | Change::SetRoles { level, .. }
            | Change::DeleteRoleCollection { level, .. }
            | Change::Grant { level, .. }
            | Change::Revoke { level, .. }
            | Change::SetPermission { level, .. }
            | Change::DeletePermission { level, .. }
            | Change::Observe { level, .. } => level == wanted,
            Change::AddMember { .. }
            | Change::RemoveMember { .. }
            | Change::SetRule { .. }
            | Change::RemovePrincipal { .. }
            | Change::PublishCatalog { .. }
            | Change::Void { .. } => false,
        },
        Mention::RoleCollection(wanted) => match change {
            Change::CreateRoleCollection { role_collection, .. }
            | Change::SetRoles { role_collection, .. }
            | Change::DeleteRoleCollection { role_collection, .. } => role_collection == wanted,
            Change::Grant { grantable, .. } | Change::Revoke { grantable, .. } => {
                *grantable == GrantableText::RoleCollection(wanted.clone())
            }
            _ => false,
        },
    }) || matches!(mention, Mention::Actor(actor) if entry.actor() == actor)
}
