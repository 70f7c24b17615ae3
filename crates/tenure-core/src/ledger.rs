//! What became of each entry, and what does the ledger remember?
//!
//! A [`Ledger`] is the fold of a log: [`Ledger::apply_with`] takes the next entry in and gives its outcome,
//! which depends on nothing but the entries up to it. Questions are asked of a [`View`], which pins
//! what was known at one position, so entries taken in later do not show in it. Who asks while entries
//! are taken in asks a [`Snapshot`].

use std::convert::Infallible;
use std::ops::Deref;
use std::sync::Arc;

use imbl::Vector;
use roaring::RoaringBitmap;

use crate::catalog::Defined;
use crate::change::{Change, Entry, EntryId};
use crate::fold::Fact;
use crate::grantable::Grantable;
use crate::index::{Done, Index};
use crate::instant::{EffectiveAt, RecordedAt};
use crate::known::{KnownAt, Voids};
use crate::landscape::{Structural, Touched};
use crate::level::Level;
use crate::mentions::{Mentioned, Mentions};
use crate::order::OrderKey;
use crate::outcome::{
    Fingerprint, Original, Outcome, OutcomeKind, Position, Recorded, Refusal, RefusalCode,
    Submission,
};
use crate::owners::Owners;
use crate::places::Places;
use crate::principal::{Principal, PrincipalKind};
use crate::structure::Structure;
use crate::symbol::{LevelRef, PrincipalRef, Registry, SharedMap, Symbol, Symbols};
use crate::timeline::{Of, TimelineId};
use crate::view::View;

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

/// How an entry is taken in
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Trust {
    /// Everything is looked at
    Decide,
    /// It was applied before: what only decides whether it is applied is passed over
    Restore,
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
        self.note(position, entry, outcome, timelines);
        Ok(())
    }

    /// Remembers a place
    fn note(
        &mut self,
        position: Position,
        entry: &Entry,
        outcome: &Outcome,
        timelines: Option<Vec<TimelineId>>,
    ) {
        let actor = self.principal_ref(entry.actor());
        self.mentions.add(Mentioned::Actor(actor), position);
        if timelines.is_none() {
            for change in entry.changes() {
                self.mention(position, change);
            }
        }
        let timelines = timelines.unwrap_or_default();
        self.places.finish(Some(entry.id()), outcome.kind(), &timelines);
        if !matches!(outcome, Outcome::Duplicate(_)) {
            let places = &self.places;
            self.owners.insert(entry.id(), position, |at| places.id(at));
            if let Outcome::Refused(refusal) = outcome
                && refusal.code != RefusalCode::IdReused
            {
                self.refusals.insert(position, Arc::new(refusal.clone()));
            }
        }
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

    fn known_id(&self, owner: Position, same: bool, entry: &Entry) -> Outcome {
        if same {
            let refusal = self.refusals.get(&owner).map(|refusal| (**refusal).clone());
            return Outcome::Duplicate(Original { position: owner, refusal });
        }
        let message = format!(
            "the id {} came before at position {owner} with other content: a new attempt needs a new id",
            entry.id()
        );
        Outcome::Refused(Refusal { code: RefusalCode::IdReused, change: None, message })
    }

    /// The outcome of an entry whose id is new; if it is applied, with the timelines that tell of it
    fn decide(
        &mut self,
        position: Position,
        recorded_at: RecordedAt,
        entry: &Entry,
        trust: Trust,
    ) -> (Outcome, Option<Vec<TimelineId>>) {
        let recorded_at = EffectiveAt::saturating_from_micros(recorded_at.micros());
        let effective_at = match entry.effective_at().map(EffectiveAt::try_from) {
            None => recorded_at,
            Some(Ok(effective_at)) => effective_at,
            Some(Err(bad)) => {
                let message = format!("`effective_at`: {bad}");
                let code = RefusalCode::BadTime;
                return (Outcome::Refused(Refusal { code, change: None, message }), None);
            }
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
            match self.check(key, change, earlier, trust) {
                Ok(fact) => {
                    let told = self.take_in(key, &fact, timing, &mut done);
                    taken.push(Taken { key, fact, told });
                }
                Err((code, message)) => {
                    self.take_back(&taken, done);
                    let refusal = Refusal { code, change: Some(n), message };
                    return (Outcome::Refused(refusal), None);
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
            Fact::Void(_) => false,
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
                self.note_defined(&change, key.position);
                self.structure.settle(key, change, timing.scheduled());
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

    fn note_defined(&mut self, change: &Structural, position: Position) {
        for what in definitions_of(change) {
            let positions = self.defined.entry(what).or_default();
            if positions.last() != Some(&position) {
                positions.push_back(position);
            }
        }
    }

    fn note_named(&mut self, principal: PrincipalRef, position: Position) {
        let number = principal.number as usize;
        while self.named.len() <= number {
            self.named.push_back(None);
        }
        if self.named.get(number).is_some_and(Option::is_none) {
            self.named.set(number, Some(position));
        }
    }
}

// What an index checkpoint is made of and read into.
impl Ledger {
    pub(crate) fn refusals(&self) -> &SharedMap<Position, Arc<Refusal>> {
        &self.refusals
    }

    pub(crate) fn named(&self) -> &Vector<Option<Position>> {
        &self.named
    }

    pub(crate) fn load_principal(&mut self, principal: &Principal) {
        let number = self.principals.number_unranked(principal);
        self.note_kind(PrincipalRef { number, kind: principal.kind() }, principal);
    }

    pub(crate) fn load_refusal(&mut self, position: Position, refusal: Refusal) {
        self.refusals.insert(position, Arc::new(refusal));
    }

    pub(crate) fn load_named(&mut self, position: Option<Position>) {
        self.named.push_back(position);
    }

    /// Folds the changes of structure and the voids, in log order
    pub(crate) fn load_structure(
        &mut self,
        changes: Vec<(OrderKey, Arc<Structural>)>,
        voids: &[(Position, Position)],
    ) {
        let mut voids = voids.iter().copied().peekable();
        let mut take_voids = |ledger: &mut Self, before: Option<Position>| {
            while let Some((void, target)) =
                voids.next_if(|(void, _)| before.is_none_or(|before| *void < before))
            {
                for (position, voided) in ledger.voids.add(void, target) {
                    ledger.structure.flip(position, voided, void);
                }
            }
        };
        for (key, change) in changes {
            take_voids(self, Some(key.position));
            let recorded = self.recorded_at(key.position).map_or(0, RecordedAt::micros);
            let effective = key.effective_at.micros();
            self.structure.insert(key, &change, effective < recorded);
            self.note_defined(&change, key.position);
            self.structure.settle(key, change, effective > recorded);
        }
        take_voids(self, None);
    }

    /// Lets each id be owned by the first entry with it
    pub(crate) fn own_all(&mut self) {
        let places = &self.places;
        self.owners.reserve(usize::try_from(places.len()).unwrap_or(0), |at| places.id(at));
        for (position, id) in places.owning() {
            self.owners.insert(id, position, |at| places.id(at));
        }
    }
}

fn definitions_of(change: &Structural) -> Vec<Defined> {
    match change {
        Structural::PublishCatalog(published) => published.definitions.defined.clone(),
        Structural::CreateRole { role, custom, .. } => {
            let scopes = custom.scopes.iter().flat_map(|scopes| scopes.iter());
            [Defined::Role(*role), Defined::RoleName(role.name)]
                .into_iter()
                .chain(scopes.map(|scope| Defined::Scope(*scope)))
                .collect()
        }
        Structural::CreateRoleCollection { name, .. } => vec![Defined::RoleCollection(*name)],
        Structural::CreateLevel { .. }
        | Structural::MoveLevel { .. }
        | Structural::SetLevel { .. }
        | Structural::DeleteLevel { .. }
        | Structural::DeleteRole { .. }
        | Structural::SetRoles { .. }
        | Structural::DeleteRoleCollection { .. } => Vec::new(),
    }
}

/// Whether one of these changes names the principal
pub(crate) fn named_in(changes: &[Change], principal: &Principal) -> bool {
    changes.iter().any(|change| change.principals().any(|named| named == principal))
}
