//! How does an entry go into the ledger, or out again where it is refused?
//!
//! Its changes are checked one after another (see [`crate::ledger::decide`]) and taken in at once, since the next one
//! is checked against them. All stand or fall together; what stays is noted when the last one stands.
//!
//! Rules: `docs/semantics.md#outcomes`, `docs/semantics.md#ids`.

use crate::history::landscape::{Structural, Touched};
use crate::history::order::OrderKey;
use crate::index::Done;
use crate::index::mentions::Mentioned;
use crate::index::timeline::{Of, TimelineId};
use crate::ledger::decide;
use crate::ledger::decide::{Beside, Fact};
use crate::ledger::kept::Kept;
use crate::ledger::notes;
use crate::ledger::state::Ledger;
use crate::words::change::{Change, Entry};
use crate::words::grantable::Grantable;
use crate::words::instant::{EffectiveAt, RecordedAt};
use crate::words::note::Note;
use crate::words::outcome::{
    Original, Outcome, OutcomeKind, Reason, Recorded, Refusal, Submission,
};
use crate::words::position::Position;
use crate::words::principal::Principal;
use crate::words::symbol::LevelRef;
use std::sync::Arc;

/// How an entry is taken in
enum Trust {
    /// Everything is looked at
    Decide {
        /// The first change that its submitter may not make, if there is one
        forbidden: Option<Refusal>,
    },
    /// It was applied before: what only decides whether it is applied is passed over
    Restore,
}

/// Whoever hears of each change before it is taken in
trait Author {
    /// The change stands
    fn allowed(&mut self, ledger: &Ledger, key: OrderKey, fact: &Fact);
    /// The change does not stand, and nothing of its entry does
    fn refused(&mut self, ledger: &mut Ledger, key: OrderKey, change: &Change, reason: &Reason);
}

/// Nobody waits for an answer: nothing is looked at
struct Nobody;

impl Author for Nobody {
    fn allowed(&mut self, _: &Ledger, _: OrderKey, _: &Fact) {}
    fn refused(&mut self, _: &mut Ledger, _: OrderKey, _: &Change, _: &Reason) {}
}

impl Author for Vec<Note> {
    fn allowed(&mut self, ledger: &Ledger, key: OrderKey, fact: &Fact) {
        let change = usize::from(key.index);
        let noted = notes::of_fact(ledger, key, fact).into_iter();
        self.extend(noted.map(|what| Note { change, what }));
    }

    fn refused(&mut self, ledger: &mut Ledger, key: OrderKey, change: &Change, reason: &Reason) {
        self.clear();
        if *reason == Reason::NotHeld
            && let Some((timeline, principal)) = decide::revoked(ledger, key, change)
        {
            let later = notes::later(ledger, key, timeline, principal);
            self.extend(later.map(|what| Note { change: usize::from(key.index), what }));
        }
    }
}

/// A change that was taken in
struct Taken {
    key: OrderKey,
    fact: Fact,
    /// Whether a timeline tells of it as an event
    told: bool,
}

/// When the changes of an entry take effect, and when it was recorded
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    pub(crate) effective_at: EffectiveAt,
    recorded_at: EffectiveAt,
    /// Whether it also deletes or removes something
    ends: bool,
}

impl Timing {
    fn late(self) -> bool {
        self.effective_at < self.recorded_at
    }

    fn scheduled(self) -> bool {
        self.effective_at > self.recorded_at
    }

    fn on_time(self) -> bool {
        self.effective_at == self.recorded_at
    }
}

fn refused(change: Option<usize>, reason: Reason) -> Outcome {
    Outcome::Refused(Refusal { change, reason })
}

impl Ledger {
    /// Takes in the next entry of the log and gives its outcome
    ///
    /// Total: whatever is wrong with the entry is its outcome. `kept` has the entries that were taken in before. It
    /// is asked where the id came before, and where a submitter that does not administer the ledger voids an entry
    /// of its own while access is enforced.
    ///
    /// # Errors
    /// Those of `kept`; nothing is taken in then.
    /// # Cost
    /// O(changes × log of what they touch) for what is recorded when it takes effect. Each
    /// late change of structure costs O(changes of structure that take effect after it) more, and a change of
    /// a holding with `expect` O(changes of that holding). While access is enforced, O(depth of its level) a change
    /// more, and O(levels below it) to delete or move a level.
    pub fn apply_with<K: Kept>(
        &mut self,
        recorded: &Recorded,
        kept: &K,
    ) -> Result<Outcome, K::Error> {
        self.take(recorded, kept, &mut Nobody)
    }

    /// The same, with what the author of the entry may not have meant
    ///
    /// The notes are those of an applied entry. Of a revoke that is refused because nothing is held, the one note says
    /// which later entries start the holding again.
    ///
    /// # Errors
    /// As [`Ledger::apply_with`].
    /// # Cost
    /// More than [`Ledger::apply_with`]: O(changes of the holdings and memberships that the entry changes).
    pub fn apply_noting<K: Kept>(
        &mut self,
        recorded: &Recorded,
        kept: &K,
    ) -> Result<(Outcome, Vec<Note>), K::Error> {
        let mut notes = Vec::new();
        let outcome = self.take(recorded, kept, &mut notes)?;
        Ok((outcome, notes))
    }

    fn take<K: Kept>(
        &mut self,
        recorded: &Recorded,
        kept: &K,
        author: &mut impl Author,
    ) -> Result<Outcome, K::Error> {
        let position = self.next_position();
        let Recorded { recorded_at, submitter, submission } = recorded;
        let (entry, fingerprint) = match submission {
            Submission::Malformed => {
                self.begin(position, *recorded_at, submitter);
                self.places.finish(None, OutcomeKind::Refused, &[]);
                return Ok(refused(None, Reason::Malformed));
            }
            Submission::Entry(entry, fingerprint) => (entry, fingerprint),
        };
        let original = match self.owner(entry.id()) {
            Some(owner) => Some((owner, kept.content(owner)?)),
            None => None,
        };
        let forbidden = match original {
            Some(_) => None,
            None => self.forbidden(*recorded_at, submitter, entry, kept)?,
        };
        self.begin(position, *recorded_at, submitter);
        let (outcome, timelines) = match original {
            Some((owner, content)) => (self.known_id(owner, content == *fingerprint), None),
            None => self.decide(position, *recorded_at, entry, Trust::Decide { forbidden }, author),
        };
        self.note(position, entry, &outcome, timelines);
        Ok(outcome)
    }

    /// Takes in the next entry of the log, whose outcome is known; `None` for what could not be decoded
    ///
    /// # Errors
    /// The outcome that the fold gives, where it cannot be the one that is known. Nothing more may be taken
    /// in then.
    /// # Cost
    /// Less than [`Ledger::apply_with`]: what only decides is passed over.
    pub fn restore(
        &mut self,
        recorded_at: RecordedAt,
        submitter: &Principal,
        entry: Option<&Entry>,
        outcome: &Outcome,
    ) -> Result<(), Outcome> {
        let position = self.next_position();
        self.begin(position, recorded_at, submitter);
        let Some(entry) = entry else {
            self.places.finish(None, OutcomeKind::Refused, &[]);
            return Ok(());
        };
        let timelines = match outcome {
            Outcome::Refused(_) | Outcome::Duplicate(_) => None,
            Outcome::Applied => {
                match self.decide(position, recorded_at, entry, Trust::Restore, &mut Nobody) {
                    (Outcome::Applied, timelines) => timelines,
                    (other, _) => return Err(other),
                }
            }
        };
        if !self.note(position, entry, outcome, timelines) && *outcome == Outcome::Applied {
            let owner = self.owner(entry.id()).unwrap_or(position);
            return Err(self.known_id(owner, true));
        }
        Ok(())
    }

    /// Begins a place, and notes who handed in what it holds
    fn begin(&mut self, position: Position, recorded_at: RecordedAt, submitter: &Principal) {
        self.places.begin(recorded_at);
        let submitter = self.principal_ref(submitter);
        self.mentions.add(Mentioned::Submitter(submitter), position);
    }

    /// Remembers a place; whether its entry owns its id
    fn note(
        &mut self,
        position: Position,
        entry: &Entry,
        outcome: &Outcome,
        timelines: Option<Vec<TimelineId>>,
    ) -> bool {
        let actor = self.principal_ref(entry.actor());
        self.mentions.add(Mentioned::Actor(actor), position);
        if timelines.is_none() {
            for change in entry.changes() {
                self.mention(position, change);
            }
        }
        let timelines = timelines.unwrap_or_default();
        self.places.finish(Some(entry.id()), outcome.kind(), &timelines);
        if let Outcome::Duplicate(_) = outcome {
            return false;
        }
        if let Outcome::Refused(refusal) = outcome {
            match refusal.reason {
                // Whoever may not append must not take an id from those who may.
                Reason::Forbidden { .. } => {
                    self.forbidden.insert(entry.id(), position);
                    return false;
                }
                Reason::IdReused { .. } => {}
                _ => drop(self.refusals.insert(position, Arc::new(refusal.clone()))),
            }
        }
        let places = &self.places;
        self.owners.insert(entry.id(), position, |at| places.id(at))
    }

    /// Notes what a change names, where no timeline tells of it
    fn mention(&mut self, position: Position, change: &Change) {
        for level in change.level().into_iter().chain(change.parent()) {
            let level = self.level_ref(level);
            self.mentions.add(Mentioned::Level(level), position);
        }
        for principal in change.principals() {
            let principal = self.principal_ref(principal);
            self.mentions.add(Mentioned::Principal(principal), position);
        }
        self.mention_role_collection(position, change);
    }

    fn mention_role_collection(&mut self, position: Position, change: &Change) {
        if let Some(name) = change.role_collection() {
            let name = self.symbols.intern(name);
            self.mentions.add(Mentioned::RoleCollection(name), position);
        }
    }

    /// The outcome of an entry whose id is owned; `same` says whether the contents are the same
    fn known_id(&self, owner: Position, same: bool) -> Outcome {
        if !same {
            return refused(None, Reason::IdReused { owner });
        }
        Outcome::Duplicate(Original {
            position: owner,
            recorded_at: self.recorded_at(owner).unwrap_or(RecordedAt::FIRST),
            refusal: self.refusals.get(&owner).map(|refusal| (**refusal).clone()),
        })
    }

    /// The outcome of an entry whose id is new; if it is applied, with the timelines that tell of it
    fn decide(
        &mut self,
        position: Position,
        recorded_at: RecordedAt,
        entry: &Entry,
        trust: Trust,
        author: &mut impl Author,
    ) -> (Outcome, Option<Vec<TimelineId>>) {
        let recorded_at = EffectiveAt::saturating_from_micros(recorded_at.micros());
        let effective_at = match entry.effective_at().map(EffectiveAt::try_from) {
            None => recorded_at,
            Some(Ok(effective_at)) => effective_at,
            Some(Err(_)) => return (refused(None, Reason::BadTime), None),
        };
        let not_before = match entry.not_before().map(EffectiveAt::try_from).transpose() {
            Err(_) => return (refused(None, Reason::BadTime), None),
            Ok(Some(not_before)) if not_before > effective_at => {
                return (refused(None, Reason::EmptyInterval), None);
            }
            Ok(not_before) => not_before,
        };
        let decides = match trust {
            Trust::Decide { forbidden: Some(refusal) } => return (Outcome::Refused(refusal), None),
            Trust::Decide { forbidden: None } => true,
            Trust::Restore => false,
        };
        let ends = entry.changes().iter().any(Change::ends_others);
        let timing = Timing { effective_at, recorded_at, ends };
        let mut taken: Vec<Taken> = Vec::with_capacity(entry.changes().len());
        let mut done: Vec<Done> = Vec::new();
        for (n, change) in entry.changes().iter().enumerate() {
            // By INVARIANT (entry) there are at most 256 changes.
            let index = u16::try_from(n).unwrap_or(u16::MAX);
            let key = OrderKey { effective_at, position, index };
            let earlier = entry.changes().get(..n).unwrap_or_default();
            let says_when = entry.effective_at().is_some();
            let beside = Beside { earlier, says_when, decides };
            match decide::check(self, key, change, beside) {
                Ok(fact) => {
                    author.allowed(self, key, &fact);
                    let told = self.take_in(key, &fact, timing, &mut done);
                    taken.push(Taken { key, fact, told });
                }
                Err(reason) => {
                    author.refused(self, key, change, &reason);
                    self.take_back(&taken, done);
                    return (refused(Some(n), reason), None);
                }
            }
        }
        let mut timelines: Vec<TimelineId> = Vec::new();
        for one in done {
            if let Done::Event(timeline, ..) = one
                && !timelines.contains(&timeline)
            {
                timelines.push(timeline);
            }
        }
        if let Some(not_before) = not_before {
            self.not_before.insert(position, not_before);
        }
        for (one, change) in taken.into_iter().zip(entry.changes()) {
            self.settle(one, change, timing);
        }
        (Outcome::Applied, Some(timelines))
    }

    /// Takes a fact in; whether a timeline tells of it as an event
    fn take_in(
        &mut self,
        key: OrderKey,
        fact: &Fact,
        timing: Timing,
        done: &mut Vec<Done>,
    ) -> bool {
        match fact {
            Fact::Structural(change) => {
                self.structure.insert(key, change, timing.late());
                if timing.on_time() {
                    self.reset_ended(key, change, done);
                }
                false
            }
            Fact::Change(change) => {
                let regular = timing.on_time() && !timing.ends;
                self.index.take_in(&self.places, *change, regular, done)
            }
            Fact::Removal(principal) => {
                let regular = timing.on_time();
                self.index.remove_principal(&self.places, *principal, key, regular, done);
                false
            }
            Fact::Observation { .. } | Fact::Void(_) => false,
        }
    }

    /// Lets the timelines know of holdings that a change of structure ends
    fn reset_ended(&mut self, key: OrderKey, change: &Structural, done: &mut Vec<Done>) {
        match change {
            Structural::DeleteLevel { .. } => {
                for touched in self.structure.newest.touched(key).iter() {
                    let Touched::Level(level) = *touched else { continue };
                    let timelines: Vec<TimelineId> =
                        self.index.at_level(level).map(|(_, timeline)| timeline).collect();
                    for timeline in timelines {
                        self.index.reset(timeline, key.position, done);
                    }
                }
            }
            Structural::DeleteRole { level, role } => {
                self.reset_custom(key, *level, Grantable::Role(*role), done);
            }
            Structural::DeleteRoleCollection { level, name } => {
                self.reset_custom(key, *level, Grantable::RoleCollection(*name), done);
            }
            _ => {}
        }
    }

    fn reset_custom(
        &mut self,
        key: OrderKey,
        level: LevelRef,
        grantable: Grantable,
        done: &mut Vec<Done>,
    ) {
        if let Some(timeline) = self.index.find_holding_timeline(level, grantable)
            && self.index.timeline(timeline).custom()
        {
            self.index.reset(timeline, key.position, done);
        }
    }

    /// Takes back what a refused entry did
    fn take_back(&mut self, taken: &[Taken], done: Vec<Done>) {
        for one in done.into_iter().rev() {
            self.index.take_back(one);
        }
        for one in taken.iter().rev() {
            if let Fact::Structural(_) = one.fact {
                self.structure.remove(one.key);
            }
        }
    }

    /// Notes what stays of a fact, now that its entry is applied
    fn settle(&mut self, taken: Taken, change: &Change, timing: Timing) {
        let Taken { key, fact, told } = taken;
        if told {
            self.mention_role_collection(key.position, change);
        } else {
            self.mention(key.position, change);
        }
        match fact {
            Fact::Structural(change) => {
                self.note_structural(&change, key.position);
                if let Structural::SetRule { set, .. } = &*change {
                    self.note_named(*set, key.position);
                }
                self.structure.settle(key, change, timing.scheduled());
            }
            Fact::Observation { level, subtree, observation } => {
                self.observations.add(level, subtree, observation);
            }
            Fact::Void(target) => {
                for (position, voided) in self.voids.add(key.position, target) {
                    self.index.flip(&self.places, position);
                    self.structure.flip(position, voided, key.position);
                }
            }
            Fact::Change(change) => {
                self.note_named(change.principal, key.position);
                if let Of::Members { set } = self.index.timeline(change.timeline).of {
                    self.note_named(set, key.position);
                }
            }
            Fact::Removal(principal) => {
                self.note_named(principal, key.position);
                self.index.note_removal(key.position, principal);
            }
        }
    }
}
