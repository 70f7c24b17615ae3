//! What became of each entry, and what does the ledger remember?
//!
//! A [`Ledger`] is the fold of a log: [`Ledger::apply_with`] takes the next entry in and gives its outcome,
//! which depends on nothing but the entries up to it. Questions are asked of a [`View`], which pins
//! what was known at one position, so entries taken in later do not show in it. Who asks while entries
//! are taken in asks a [`Snapshot`].

mod applying;
mod loading;

use std::convert::Infallible;
use std::ops::Deref;
use std::sync::Arc;

use imbl::Vector;
use roaring::RoaringBitmap;

use crate::catalog::Defined;
use crate::change::{Entry, EntryId};
use crate::index::Index;
use crate::instant::RecordedAt;
use crate::known::{KnownAt, Voids};
use crate::level::Level;
use crate::mentions::{Mentioned, Mentions};
use crate::outcome::{
    Fingerprint, Original, Outcome, OutcomeKind, Position, Recorded, Refusal, RefusalCode,
    Submission,
};
use crate::owners::Owners;
use crate::places::Places;
use crate::principal::{Principal, PrincipalKind};
use crate::structure::Structure;
use crate::symbol::{LevelRef, PrincipalRef, Registry, SharedMap, Symbol, Symbols};
use crate::timeline::TimelineId;
use crate::view::View;

pub(crate) use applying::{Trust, named_in};

/// The fold of a log
///
/// It does not keep the contents of entries: who applies an entry whose id came before is asked for the
/// content of the one that owns the id. [`LedgerInMemory`] keeps them.
// INVARIANT (ledger): of a ledger and its snapshots the ledger alone takes entries in.
#[derive(Debug, Default)]
pub struct Ledger {
    pub(crate) symbols: Symbols,
    pub(crate) levels: Registry<Level>,
    pub(crate) principals: Registry<Principal>,
    pub(crate) places: Places,
    /// The first decodable entry with an id owns it, whatever its outcome
    owners: Owners,
    /// Of the owners that were refused, for their duplicates
    refusals: SharedMap<Position, Arc<Refusal>>,
    pub(crate) index: Index,
    pub(crate) voids: Voids,
    pub(crate) structure: Structure,
    pub(crate) mentions: Mentions,
    /// The first applied entry that names a principal in a change, by its number
    named: Vector<Option<Position>>,
    defined: SharedMap<Defined, Vector<Position>>,
    users_of_origin: SharedMap<Symbol, Vector<PrincipalRef>>,
    /// The numbers of the principals that are sets
    pub(crate) sets: Arc<RoaringBitmap>,
    /// The sets of everybody, by origin
    everyone: SharedMap<Symbol, PrincipalRef>,
}

/// A ledger as it was when the snapshot was taken
///
/// It shares with the ledger all that has not changed since, and neither waits for the other.
#[derive(Debug)]
pub struct Snapshot {
    ledger: Ledger,
}

impl Deref for Snapshot {
    type Target = Ledger;

    fn deref(&self) -> &Ledger {
        &self.ledger
    }
}

/// A ledger that keeps the contents of its entries in memory, 32 bytes each
#[derive(Debug, Default)]
pub struct LedgerInMemory {
    ledger: Ledger,
    contents: Vector<Option<Fingerprint>>,
}

impl Deref for LedgerInMemory {
    type Target = Ledger;

    fn deref(&self) -> &Ledger {
        &self.ledger
    }
}

impl LedgerInMemory {
    /// The fold of no entries
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in the next entry of the log and gives its outcome
    ///
    /// # Cost
    /// As [`Ledger::apply_with`].
    pub fn apply(&mut self, recorded: &Recorded) -> Outcome {
        let contents = &self.contents;
        let content_of = |position: Position| {
            let place = usize::try_from(position.get() - 1).ok();
            let content = place.and_then(|place| contents.get(place).copied().flatten());
            Ok::<_, Infallible>(content.unwrap_or(Fingerprint::NONE))
        };
        let Ok(outcome) = self.ledger.apply_with(recorded, content_of);
        self.contents.push_back(match &recorded.submission {
            Submission::Entry(_, fingerprint) => Some(*fingerprint),
            Submission::Malformed { .. } => None,
        });
        outcome
    }
}

impl Ledger {
    /// The fold of no entries
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes room for so many more entries at once
    pub fn reserve(&mut self, entries: u64) {
        let places = &self.places;
        self.owners.reserve(usize::try_from(entries).unwrap_or(0), |at| places.id(at));
    }

    /// The ledger as it is now, for who asks while entries are taken in
    ///
    /// # Cost
    /// O(1). What is changed afterwards is copied once, in small parts, as long as the snapshot is there.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            ledger: Self {
                symbols: self.symbols.clone(),
                levels: self.levels.clone(),
                principals: self.principals.clone(),
                places: self.places.clone(),
                owners: self.owners.clone(),
                refusals: self.refusals.clone(),
                index: self.index.clone(),
                voids: self.voids.clone(),
                structure: self.structure.clone(),
                mentions: self.mentions.clone(),
                named: self.named.clone(),
                defined: self.defined.clone(),
                users_of_origin: self.users_of_origin.clone(),
                sets: Arc::clone(&self.sets),
                everyone: self.everyone.clone(),
            },
        }
    }

    /// Takes in the next entry of the log and gives its outcome
    ///
    /// Total: whatever is wrong with the entry is its outcome. `content_of` gives the fingerprint of an
    /// entry that was taken in before; it is asked where the id came before.
    ///
    /// # Errors
    /// Those of `content_of`; nothing is taken in then.
    /// # Cost
    /// O(changes × log of what they touch) for what is recorded when it takes effect. Each
    /// late change of structure costs O(changes of structure that take effect after it) more, and a change of
    /// a holding with `expect` O(changes of that holding).
    pub fn apply_with<E>(
        &mut self,
        recorded: &Recorded,
        content_of: impl FnOnce(Position) -> Result<Fingerprint, E>,
    ) -> Result<Outcome, E> {
        let position = self.next_position();
        let (entry, fingerprint) = match &recorded.submission {
            Submission::Malformed { message } => {
                let (code, message) = (RefusalCode::Malformed, message.clone());
                self.places.begin(recorded.recorded_at);
                self.places.finish(None, OutcomeKind::Refused, &[]);
                return Ok(Outcome::Refused(Refusal { code, change: None, message }));
            }
            Submission::Entry(entry, fingerprint) => (entry, fingerprint),
        };
        let original = match self.owner(entry.id()) {
            Some(owner) => Some((owner, content_of(owner)?)),
            None => None,
        };
        self.places.begin(recorded.recorded_at);
        let (outcome, timelines) = match original {
            Some((owner, content)) => (self.known_id(owner, content == *fingerprint, entry), None),
            None => self.decide(position, recorded.recorded_at, entry, Trust::Decide),
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
        entry: Option<&Entry>,
        outcome: &Outcome,
    ) -> Result<(), Outcome> {
        let position = self.next_position();
        let Some(entry) = entry else {
            self.places.begin(recorded_at);
            self.places.finish(None, OutcomeKind::Refused, &[]);
            return Ok(());
        };
        self.places.begin(recorded_at);
        let timelines = match outcome {
            Outcome::Refused(_) | Outcome::Duplicate(_) => None,
            Outcome::Applied => match self.decide(position, recorded_at, entry, Trust::Restore) {
                (Outcome::Applied, timelines) => timelines,
                (other, _) => return Err(other),
            },
        };
        if !self.note(position, entry, outcome, timelines) && *outcome == Outcome::Applied {
            let owner = self.owner(entry.id()).unwrap_or(position);
            return Err(Outcome::Duplicate(Original { position: owner, refusal: None }));
        }
        Ok(())
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
        if let Outcome::Refused(refusal) = outcome
            && refusal.code != RefusalCode::IdReused
        {
            self.refusals.insert(position, Arc::new(refusal.clone()));
        }
        let places = &self.places;
        self.owners.insert(entry.id(), position, |at| places.id(at))
    }

    /// The position that the next entry gets
    pub fn next_position(&self) -> Position {
        self.newest_position().map_or(Position::FIRST, Position::next)
    }

    /// The position of the newest entry, if there is one
    pub fn newest_position(&self) -> Option<Position> {
        Position::new(self.places.len())
    }

    /// When the newest entry was recorded, if there is one
    pub fn newest_recorded_at(&self) -> Option<RecordedAt> {
        self.places.newest_recorded_at()
    }

    /// When the entry at a position was recorded
    pub fn recorded_at(&self, position: Position) -> Option<RecordedAt> {
        self.places.recorded_at(position)
    }

    /// The id of the entry at a position; `None` too if it could not be decoded
    pub fn entry_id(&self, position: Position) -> Option<EntryId> {
        self.places.id(position)
    }

    /// What became of the entry at a position
    pub fn outcome(&self, position: Position) -> Option<OutcomeKind> {
        self.places.outcome(position)
    }

    /// The position of the entry that owns an id
    pub fn owner(&self, id: EntryId) -> Option<Position> {
        self.owners.get(id, |position| self.places.id(position))
    }

    /// The void that voids the entry at a position, as known then
    pub fn voided_by(&self, position: Position, known_at: KnownAt) -> Option<Position> {
        if self.voids.voided(position, known_at) {
            self.voids.voided_by(position, known_at)
        } else {
            None
        }
    }

    /// The last position recorded at or before a time; 0 if there is none
    ///
    /// # Cost
    /// O(log entries): recorded times never go back.
    pub fn known_at(&self, time: crate::instant::Instant) -> KnownAt {
        self.places.known_at(time)
    }

    /// What was known once the first so many entries had been folded
    ///
    /// # Cost
    /// O(log late changes of structure + scheduled ones).
    pub fn view(&self, known_at: KnownAt) -> View<'_> {
        View::new(self, known_at)
    }

    /// Whether an applied entry counts, as known then
    pub(crate) fn counts(&self, position: Position, known_at: KnownAt) -> bool {
        known_at.reaches(position) && !self.voids.voided(position, known_at)
    }

    fn applied_and_counts(&self, position: Position, known_at: KnownAt) -> bool {
        self.outcome(position) == Some(OutcomeKind::Applied) && self.counts(position, known_at)
    }

    /// Whether a counted entry names the principal in a change, as known then
    pub(crate) fn knows(&self, principal: PrincipalRef, known_at: KnownAt) -> bool {
        let first = self.named.get(principal.number as usize).copied().flatten();
        let Some(first) = first.filter(|first| known_at.reaches(*first)) else { return false };
        self.counts(first, known_at)
            || self
                .mentions_of_principal(principal, first.get())
                .take_while(|position| known_at.reaches(*position))
                .any(|position| self.applied_and_counts(position, known_at))
    }

    pub(crate) fn users_of_origin(&self, origin: &str) -> impl Iterator<Item = PrincipalRef> {
        let symbol = self.symbols.get(origin);
        let users = symbol.and_then(|symbol| self.users_of_origin.get(&symbol));
        users.into_iter().flatten().copied()
    }

    pub(crate) fn was_defined(&self, what: Defined, known_at: KnownAt) -> bool {
        self.defined.get(&what).is_some_and(|positions| {
            positions
                .iter()
                .take_while(|position| known_at.reaches(**position))
                .any(|position| self.counts(*position, known_at))
        })
    }

    pub(crate) fn level_ref(&mut self, level: &Level) -> LevelRef {
        LevelRef { number: self.levels.number(level), kind: level.kind() }
    }

    pub(crate) fn find_level(&self, level: &Level) -> Option<LevelRef> {
        Some(LevelRef { number: self.levels.get(level)?, kind: level.kind() })
    }

    pub(crate) fn level_of(&self, level: LevelRef) -> &Level {
        self.levels.item(level.number)
    }

    pub(crate) fn principal_ref(&mut self, principal: &Principal) -> PrincipalRef {
        let met = self.principals.len();
        let number = self.principals.number(principal);
        let found = PrincipalRef { number, kind: principal.kind() };
        if self.principals.len() > met {
            self.note_kind(found, principal);
        }
        found
    }

    fn note_kind(&mut self, met: PrincipalRef, principal: &Principal) {
        if met.kind.is_set() {
            Arc::make_mut(&mut self.sets).insert(met.number);
        }
        if matches!(met.kind, PrincipalKind::User | PrincipalKind::Everyone) {
            let origin = self.symbols.intern(principal.origin());
            if met.kind == PrincipalKind::User {
                self.users_of_origin.entry(origin).or_default().push_back(met);
            } else {
                self.everyone.insert(origin, met);
            }
        }
    }

    /// The set of everybody of an origin, if an entry ever named it
    pub(crate) fn find_everyone(&self, origin: &str) -> Option<PrincipalRef> {
        if self.everyone.is_empty() {
            return None;
        }
        self.everyone.get(&self.symbols.get(origin)?).copied()
    }

    pub(crate) fn find_principal(&self, principal: &Principal) -> Option<PrincipalRef> {
        Some(PrincipalRef { number: self.principals.get(principal)?, kind: principal.kind() })
    }

    pub(crate) fn principal_of(&self, principal: PrincipalRef) -> &Principal {
        self.principals.item(principal.number)
    }

    /// The principal with a number
    pub(crate) fn numbered(&self, number: u32) -> PrincipalRef {
        PrincipalRef { number, kind: self.principals.item(number).kind() }
    }
}
