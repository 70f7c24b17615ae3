//! What does the ledger remember?
//!
//! It remembers names and their numbers, places, the index, voids and the landscapes. This file reads them.
//! [`applying`](crate::ledger::applying) and [`index_copy`](crate::index_copy) write them.

use crate::history::landscape::Structural;
use crate::history::order::OrderKey;
use crate::index::mentions::Mention;
use std::hash::{BuildHasher, RandomState};
use std::ops::Deref;
use std::sync::Arc;

use imbl::Vector;
use roaring::RoaringBitmap;

use crate::history::landscapes::Structure;
use crate::history::observations::Observations;
use crate::history::voids::Voids;
use crate::index::mentions::{Mentioned, Mentions};
use crate::index::owners::Owners;
use crate::index::places::Places;
use crate::index::{Index, mentions};
use crate::ledger::access::AccessChanges;
use crate::words::change::EntryId;
use crate::words::definitions::Defined;
use crate::words::instant::{EffectiveAt, RecordedAt};
use crate::words::level::{Level, LevelKind};
use crate::words::outcome::{OutcomeKind, Refusal};
use crate::words::pages::Pages;
use crate::words::position::{KnownAt, Position};
use crate::words::principal::{Principal, PrincipalKind};
use crate::words::symbol::{LevelRef, PrincipalRef, Registry, SharedMap, Symbol, Symbols};
use crate::words::tenure;

/// The fold of a log
///
/// It does not keep the contents of entries. When an id comes again, the caller is asked for the content of
/// the entry that owns it ([`Kept`](crate::Kept)). [`LedgerInMemory`](crate::LedgerInMemory) keeps the contents.
// INVARIANT (ledger): only the ledger itself and a trial take entries in, never a snapshot. The ledger's own level has
// the number 0, and the ledger's own names come first among the symbols.
#[derive(Debug)]
pub struct Ledger {
    pub(crate) symbols: Symbols,
    pub(crate) levels: Registry<Level>,
    pub(crate) principals: Registry<Principal>,
    pub(crate) places: Places,
    /// The first decodable entry with an id owns it, whatever its outcome
    pub(crate) owners: Owners,
    /// The newest forbidden entry with each id that was handed in so; it matters while nobody owns the id
    pub(crate) forbidden: SharedMap<EntryId, Position>,
    /// The refusals of owners, for the outcomes of their duplicates
    pub(crate) refusals: SharedMap<Position, Arc<Refusal>>,
    pub(crate) index: Index,
    pub(crate) voids: Voids,
    pub(crate) structure: Structure,
    pub(crate) access: AccessChanges,
    pub(crate) observations: Observations,
    /// The earliest possible moments of the applied entries that say one
    pub(crate) not_before: SharedMap<Position, EffectiveAt>,
    pub(crate) mentions: Mentions,
    /// The first applied entry that names each principal in a change, by the principal's number
    named: Vector<Option<Position>>,
    defined: SharedMap<Defined, Vector<Position>>,
    users_of_origin: SharedMap<Symbol, Vector<PrincipalRef>>,
    /// The sets of an attribute's values, by origin and attribute; those of `Groups` are the groups
    values: SharedMap<(Symbol, Symbol), Vector<PrincipalRef>>,
    /// The numbers of the principals that are sets
    pub(crate) sets: Arc<RoaringBitmap>,
    /// A hash that a stranger cannot make names for
    names: RandomState,
    /// The last principal met with each hash of kind and name
    last_named: SharedMap<u64, u32>,
    /// The one before each principal with the same hash, by the principal's number
    named_before: Pages<Option<u32>>,
    /// The sets of everybody, by origin
    everyone: SharedMap<Symbol, PrincipalRef>,
}

/// A ledger as it was when the snapshot was taken
///
/// A snapshot shares every unchanged part with the ledger. Neither waits for the other.
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

impl Ledger {
    /// The fold of no entries, of the ledger with that name
    pub fn new(name: &str) -> Self {
        let mut levels = Registry::default();
        levels.number(&Level::of_ledger(name));
        Self {
            symbols: Symbols::of(&tenure::NAMES),
            levels,
            principals: Registry::default(),
            places: Places::default(),
            owners: Owners::default(),
            refusals: SharedMap::default(),
            index: Index::default(),
            voids: Voids::default(),
            structure: Structure::default(),
            access: AccessChanges::default(),
            forbidden: SharedMap::default(),
            observations: Observations::default(),
            not_before: SharedMap::default(),
            mentions: Mentions::default(),
            named: Vector::new(),
            defined: SharedMap::default(),
            users_of_origin: SharedMap::default(),
            values: SharedMap::default(),
            sets: Arc::default(),
            names: RandomState::new(),
            last_named: SharedMap::default(),
            named_before: Pages::default(),
            everyone: SharedMap::default(),
        }
    }

    /// Makes room for so many more entries at once
    pub fn reserve(&mut self, entries: u64) {
        let places = &self.places;
        self.owners.reserve(usize::try_from(entries).unwrap_or(0), |at| places.id(at));
    }

    /// The ledger as it is now, for readers while entries are taken in
    ///
    /// # Cost
    /// O(1). While the snapshot lives, the ledger copies each small part once before it changes it.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            ledger: Self {
                symbols: self.symbols.clone(),
                levels: self.levels.clone(),
                principals: self.principals.clone(),
                places: self.places.clone(),
                owners: self.owners.clone(),
                forbidden: self.forbidden.clone(),
                refusals: self.refusals.clone(),
                index: self.index.clone(),
                voids: self.voids.clone(),
                structure: self.structure.clone(),
                access: self.access.clone(),
                observations: self.observations.clone(),
                not_before: self.not_before.clone(),
                mentions: self.mentions.clone(),
                named: self.named.clone(),
                defined: self.defined.clone(),
                users_of_origin: self.users_of_origin.clone(),
                values: self.values.clone(),
                sets: Arc::clone(&self.sets),
                names: self.names.clone(),
                last_named: self.last_named.clone(),
                named_before: self.named_before.clone(),
                everyone: self.everyone.clone(),
            },
        }
    }

    /// A ledger like this one that takes entries in for itself alone
    pub(crate) fn aside(&self) -> Self {
        let Snapshot { ledger } = self.snapshot();
        Self { owners: self.owners.aside(), structure: self.structure.aside(), ..ledger }
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

    /// The position of the entry with an id: of the one that owns it, else of the newest forbidden one
    pub fn entry_of_id(&self, id: EntryId) -> Option<Position> {
        self.owner(id).or_else(|| self.forbidden.get(&id).copied())
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
    pub fn known_at(&self, time: crate::words::instant::Instant) -> KnownAt {
        self.places.known_at(time)
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

    /// Every principal of that kind and name, of whatever origin
    ///
    /// # Cost
    /// O(answer).
    pub(crate) fn of_name(
        &self,
        kind: PrincipalKind,
        name: &str,
    ) -> impl Iterator<Item = PrincipalRef> {
        let last = self.last_named.get(&self.names.hash_one((kind, name))).copied();
        let before = |number: &u32| self.named_before.get(*number as usize).copied().flatten();
        // Names that share a hash are told apart.
        std::iter::successors(last, before)
            .map(|number| self.numbered(number))
            .filter(move |one| one.kind == kind && self.principal_of(*one).name() == Some(name))
    }

    /// Everything that an applied entry ever defined, counted or not, and the ledger's own roles
    pub(crate) fn ever_defined(&self) -> impl Iterator<Item = Defined> {
        let own = tenure::roles_at(LevelKind::Ledger).map(Defined::Role);
        self.defined.keys().copied().chain(own)
    }

    pub(crate) fn users_of_origin(&self, origin: &str) -> impl Iterator<Item = PrincipalRef> {
        let symbol = self.symbols.get(origin);
        let users = symbol.and_then(|symbol| self.users_of_origin.get(&symbol));
        users.into_iter().flatten().copied()
    }

    /// The sets of an attribute's values, met in whatever entry
    pub(crate) fn values_of(
        &self,
        origin: &str,
        attribute: &str,
    ) -> impl Iterator<Item = PrincipalRef> {
        let key = self.symbols.get(origin).zip(self.symbols.get(attribute));
        let values = key.and_then(|key| self.values.get(&key));
        values.into_iter().flatten().copied()
    }

    pub(crate) fn was_defined(&self, what: Defined, known_at: KnownAt) -> bool {
        if matches!(what, Defined::Role(role) if role.is_own_role()) {
            return true;
        }
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

    /// The name of the ledger
    pub fn name(&self) -> &str {
        self.level_of(LevelRef::LEDGER).id()
    }

    /// Whether it is the level of this ledger
    pub(crate) fn is_own_level(&self, level: &Level) -> bool {
        level == self.level_of(LevelRef::LEDGER)
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
        if let Some((attribute, _)) = principal.attribute_value() {
            let key = (self.symbols.intern(principal.origin()), self.symbols.intern(attribute));
            self.values.entry(key).or_default().push_back(met);
        }
        let before = principal.name().and_then(|name| {
            self.last_named.insert(self.names.hash_one((met.kind, name)), met.number)
        });
        self.named_before.push(before);
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

    /// The positions after one of the entries that mention something, in log order
    ///
    /// Refused entries and duplicates are among them; malformed ones are those of their submitter alone.
    ///
    /// # Cost
    /// Of a level or a principal O(changes of it after the position), else O(answer).
    pub fn mentions(
        &self,
        mention: &Mention,
        after: KnownAt,
    ) -> Box<dyn Iterator<Item = Position> + '_> {
        let after = after.0;
        match mention {
            Mention::Actor(principal) => {
                let found = self.find_principal(principal).map(Mentioned::Actor);
                Box::new(found.into_iter().flat_map(move |one| self.mentions.after(one, after)))
            }
            Mention::Submitter(principal) => {
                let found = self.find_principal(principal).map(Mentioned::Submitter);
                Box::new(found.into_iter().flat_map(move |one| self.mentions.after(one, after)))
            }
            Mention::RoleCollection(name) => {
                let found = self.symbols.get(name).map(Mentioned::RoleCollection);
                Box::new(found.into_iter().flat_map(move |one| self.mentions.after(one, after)))
            }
            Mention::Principal(principal) => match self.find_principal(principal) {
                Some(found) => Box::new(self.mentions_of_principal(found, after)),
                None => Box::new(std::iter::empty()),
            },
            Mention::Level(level) => match self.find_level(level) {
                Some(found) => {
                    let told = self.index.positions_at_level(found, after);
                    let others = self.mentions.after(Mentioned::Level(found), after);
                    Box::new(mentions::merged(told, others))
                }
                None => Box::new(std::iter::empty()),
            },
        }
    }

    /// Whether a submitter handed in the entry at a position
    pub(crate) fn submitted(&self, submitter: PrincipalRef, position: Position) -> bool {
        let mut from = self.mentions.after(Mentioned::Submitter(submitter), position.get() - 1);
        from.next() == Some(position)
    }

    pub(crate) fn mentions_of_principal(
        &self,
        principal: PrincipalRef,
        after: u64,
    ) -> impl Iterator<Item = Position> {
        let told = self.index.positions_of_principal(principal, after);
        mentions::merged(told, self.mentions.after(Mentioned::Principal(principal), after))
    }

    /// Notes what an applied change of structure says beyond the landscape
    pub(crate) fn note_structural(&mut self, change: &Structural, position: Position) {
        if let Structural::SetLevel { attributes, .. } = change {
            self.access.note(position, attributes);
        }
        for what in definitions_of(change) {
            let positions = self.defined.entry(what).or_default();
            if positions.last() != Some(&position) {
                positions.push_back(position);
            }
        }
    }

    pub(crate) fn note_named(&mut self, principal: PrincipalRef, position: Position) {
        let number = principal.number as usize;
        while self.named.len() <= number {
            self.named.push_back(None);
        }
        if self.named.get(number).is_some_and(Option::is_none) {
            self.named.set(number, Some(position));
        }
    }

    // An index checkpoint is read by these.

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
            self.note_structural(&change, key.position);
            self.structure.settle(key, change, effective > recorded);
        }
        take_voids(self, None);
    }

    /// Makes the first entry with each id its owner, but for forbidden ones, whose refusals are not kept
    pub(crate) fn own_all(&mut self) {
        let (places, refusals) = (&self.places, &self.refusals);
        self.owners.reserve(usize::try_from(places.len()).unwrap_or(0), |at| places.id(at));
        let owns = |position: &Position| {
            places.outcome(*position) == Some(OutcomeKind::Applied)
                || refusals.contains_key(position)
        };
        for (position, id) in places.owning() {
            if owns(&position) {
                self.owners.insert(id, position, |at| places.id(at));
            } else {
                // One whose id was used before is among them; its owner counts more.
                self.forbidden.insert(id, position);
            }
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
        Structural::SetPermission { level, name, .. } => {
            vec![Defined::Permission(*level, *name), Defined::Permissions(*level)]
        }
        Structural::CreateLevel { .. }
        | Structural::MoveLevel { .. }
        | Structural::SetLevel { .. }
        | Structural::DeleteLevel { .. }
        | Structural::DeleteRole { .. }
        | Structural::SetRoles { .. }
        | Structural::DeleteRoleCollection { .. }
        | Structural::SetRule { .. }
        | Structural::DeletePermission { .. } => Vec::new(),
    }
}
