//! What became of each entry, and what does the ledger remember?
//!
//! A [`Ledger`] is the fold of a log: [`Ledger::apply`] takes the next entry in and gives its outcome,
//! which depends on nothing but the entries up to it. Questions are asked of a [`View`], which pins
//! what was known at one position, so entries taken in later do not show in it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::catalog::Defined;
use crate::change::{Change, Entry, EntryId};
use crate::fold::Fact;
use crate::index::Index;
use crate::instant::{EffectiveAt, RecordedAt};
use crate::known::{KnownAt, Voids};
use crate::landscape::{Landscape, Structural};
use crate::level::Level;
use crate::mentions::{Mention, Mentions};
use crate::order::OrderKey;
use crate::outcome::{
    Fingerprint, Original, Outcome, OutcomeKind, Place, Position, Recorded, Refusal, RefusalCode,
    Submission,
};
use crate::principal::{Principal, PrincipalKind};
use crate::symbol::{LevelRef, Map, PrincipalRef, Registry, Symbol, Symbols};
use crate::view::View;

/// Landscapes of earlier positions that are kept ready
const PAST_LANDSCAPES_MAX: usize = 32;

/// The fold of a log
#[derive(Debug, Default)]
pub struct Ledger {
    pub(crate) symbols: Symbols,
    pub(crate) levels: Registry<Level>,
    pub(crate) principals: Registry<Principal>,
    /// By position
    places: Vec<Place>,
    /// The first decodable entry with an id owns it, whatever its outcome
    owners: HashMap<EntryId, (Position, Fingerprint)>,
    /// Of the owners that were refused, for their duplicates
    refusals: Map<Position, Refusal>,
    pub(crate) index: Index,
    pub(crate) voids: Voids,
    /// Every applied change of structure or definitions, in log order
    structural: Vec<(OrderKey, Arc<Structural>)>,
    /// The positions at which the counted ones among them changed
    structural_positions: Vec<Position>,
    pub(crate) newest: Landscape,
    past: Mutex<Vec<(usize, Arc<Landscape>)>>,
    pub(crate) mentions: Mentions,
    defined: Map<Defined, Vec<Position>>,
    users_of_origin: Map<Symbol, Vec<PrincipalRef>>,
}

/// The landscape as known at some position
#[derive(Debug)]
pub(crate) enum LandscapeAt<'a> {
    Newest(&'a Landscape),
    Past(Arc<Landscape>),
}

impl std::ops::Deref for LandscapeAt<'_> {
    type Target = Landscape;

    fn deref(&self) -> &Landscape {
        match self {
            Self::Newest(landscape) => landscape,
            Self::Past(landscape) => landscape,
        }
    }
}

impl Ledger {
    /// The fold of no entries
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in the next entry of the log and gives its outcome
    ///
    /// Total: whatever is wrong with the entry is its outcome.
    ///
    /// # Cost
    /// O(changes × log of what they touch) for what is recorded when it takes effect. Each
    /// late change of structure costs O(changes of structure that take effect after it) more, and a change of
    /// a holding with `expect` O(changes of that holding).
    pub fn apply(&mut self, recorded: &Recorded) -> Outcome {
        let position = self.next_position();
        let id = match &recorded.submission {
            Submission::Entry(entry, _) => Some(entry.id()),
            Submission::Malformed { .. } => None,
        };
        let outcome = self.decide(position, recorded);
        if let Submission::Entry(entry, fingerprint) = &recorded.submission {
            self.own(position, entry.id(), *fingerprint, &outcome);
            self.mention(position, entry);
        }
        self.places.push(Place { id, recorded_at: recorded.recorded_at, outcome: outcome.kind() });
        outcome
    }

    /// Forgets nothing and asks nothing: the position that the next entry gets
    pub fn next_position(&self) -> Position {
        self.newest_position().map_or(Position::FIRST, Position::next)
    }

    /// The position of the newest entry, if there is one
    pub fn newest_position(&self) -> Option<Position> {
        Position::new(self.places.len() as u64)
    }

    /// When the newest entry was recorded, if there is one
    pub fn newest_recorded_at(&self) -> Option<RecordedAt> {
        self.places.last().map(|place| place.recorded_at)
    }

    /// When the entry at a position was recorded
    pub fn recorded_at(&self, position: Position) -> Option<RecordedAt> {
        self.place(position).map(|place| place.recorded_at)
    }

    /// The id of the entry at a position; `None` too if it could not be decoded
    pub fn entry_id(&self, position: Position) -> Option<EntryId> {
        self.place(position).and_then(|place| place.id)
    }

    /// What became of the entry at a position
    pub fn outcome(&self, position: Position) -> Option<OutcomeKind> {
        self.place(position).map(|place| place.outcome)
    }

    /// The position of the entry that owns an id
    pub fn owner(&self, id: EntryId) -> Option<Position> {
        self.owners.get(&id).map(|(position, _)| *position)
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
        KnownAt(self.places.partition_point(|place| place.recorded_at.instant() <= time) as u64)
    }

    /// What was known once the first so many entries had been folded
    pub fn view(&self, known_at: KnownAt) -> View<'_> {
        View::new(self, self.landscape(known_at), known_at)
    }

    /// The positions of the entries that mention something, in log order
    ///
    /// Refused entries and duplicates are among them, malformed ones are not.
    pub fn mentions(&self, mention: &Mention) -> &[Position] {
        self.mentions.positions(self, mention)
    }

    fn place(&self, position: Position) -> Option<&Place> {
        self.places.get(usize::try_from(position.get()).ok()?.checked_sub(1)?)
    }

    /// Whether an applied entry counts, as known then
    pub(crate) fn counts(&self, position: Position, known_at: KnownAt) -> bool {
        known_at.reaches(position) && !self.voids.voided(position, known_at)
    }

    /// Whether a counted entry, as known then, is among these
    fn any_counted(&self, positions: &[Position], known_at: KnownAt) -> bool {
        positions.iter().take_while(|position| known_at.reaches(**position)).any(|position| {
            self.outcome(*position) == Some(OutcomeKind::Applied)
                && self.counts(*position, known_at)
        })
    }

    /// Whether a counted entry names the principal in a change, as known then
    pub(crate) fn knows(&self, principal: PrincipalRef, known_at: KnownAt) -> bool {
        self.any_counted(self.mentions.of_principal(principal), known_at)
    }

    pub(crate) fn users_of_origin(&self, origin: &str) -> &[PrincipalRef] {
        let symbol = self.symbols.get(origin);
        symbol.and_then(|symbol| self.users_of_origin.get(&symbol)).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn was_defined(&self, what: Defined, known_at: KnownAt) -> bool {
        self.defined.get(&what).is_some_and(|positions| self.any_counted(positions, known_at))
    }

    fn landscape(&self, known_at: KnownAt) -> LandscapeAt<'_> {
        let version = self.structural_positions.partition_point(|p| known_at.reaches(*p));
        if version == self.structural_positions.len() {
            return LandscapeAt::Newest(&self.newest);
        }
        let mut past = match self.past.lock() {
            Ok(past) => past,
            Err(poisoned) => poisoned.into_inner(),
        };
        if let Some(place) = past.iter().position(|(kept, _)| *kept == version) {
            let found = past.remove(place);
            let landscape = Arc::clone(&found.1);
            past.push(found);
            return LandscapeAt::Past(landscape);
        }
        let counted = self
            .structural
            .iter()
            .take_while(|(key, _)| known_at.reaches(key.position))
            .filter(|(key, _)| self.counts(key.position, known_at));
        let landscape =
            Arc::new(Landscape::fold(counted.map(|(k, c)| (*k, Arc::clone(c))).collect()));
        if past.len() >= PAST_LANDSCAPES_MAX {
            past.remove(0);
        }
        past.push((version, Arc::clone(&landscape)));
        LandscapeAt::Past(landscape)
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
        let met = self.principals.get(principal).is_some();
        let number = self.principals.number(principal);
        let found = PrincipalRef { number, kind: principal.kind() };
        if !met && principal.kind() == PrincipalKind::User {
            let origin = self.symbols.intern(principal.origin());
            self.users_of_origin.entry(origin).or_default().push(found);
        }
        found
    }

    pub(crate) fn find_principal(&self, principal: &Principal) -> Option<PrincipalRef> {
        Some(PrincipalRef { number: self.principals.get(principal)?, kind: principal.kind() })
    }

    pub(crate) fn principal_of(&self, principal: PrincipalRef) -> &Principal {
        self.principals.item(principal.number)
    }

    pub(crate) fn owner_of(&self, id: EntryId) -> Option<(Position, Option<&Refusal>)> {
        let (position, _) = self.owners.get(&id)?;
        Some((*position, self.refusals.get(position)))
    }

    fn own(&mut self, position: Position, id: EntryId, content: Fingerprint, outcome: &Outcome) {
        if self.owners.contains_key(&id) {
            return;
        }
        self.owners.insert(id, (position, content));
        if let Outcome::Refused(refusal) = outcome {
            self.refusals.insert(position, refusal.clone());
        }
    }

    fn mention(&mut self, position: Position, entry: &Entry) {
        let mut mentioned = Vec::new();
        mentioned.push(Mentions::actor(self.principal_ref(entry.actor())));
        for change in entry.changes() {
            for level in change.level().into_iter().chain(change.parent()) {
                mentioned.push(Mentions::level(self.level_ref(level)));
            }
            for principal in change.principals() {
                mentioned.push(Mentions::principal(self.principal_ref(principal)));
            }
            if let Some(name) = change.role_collection() {
                mentioned.push(Mentions::role_collection(self.symbols.intern(name)));
            }
        }
        for one in mentioned {
            self.mentions.add(one, position);
        }
    }

    fn decide(&mut self, position: Position, recorded: &Recorded) -> Outcome {
        let whole = |code, message| Outcome::Refused(Refusal { code, change: None, message });
        let (entry, fingerprint) = match &recorded.submission {
            Submission::Malformed { message } => {
                return whole(RefusalCode::Malformed, message.clone());
            }
            Submission::Entry(entry, fingerprint) => (entry, fingerprint),
        };
        if let Some((owner, content)) = self.owners.get(&entry.id()) {
            if content == fingerprint {
                let refusal = self.refusals.get(owner).cloned();
                return Outcome::Duplicate(Original { position: *owner, refusal });
            }
            return whole(
                RefusalCode::IdReused,
                format!(
                    "the id {} came before at position {owner} with other content: a new attempt \
                     needs a new id",
                    entry.id()
                ),
            );
        }
        let effective_at = match entry.effective_at().map(EffectiveAt::try_from) {
            None => EffectiveAt::saturating_from_micros(recorded.recorded_at.micros()),
            Some(Ok(effective_at)) => effective_at,
            Some(Err(bad)) => {
                return whole(RefusalCode::BadTime, format!("`effective_at`: {bad}"));
            }
        };
        self.decide_changes(position, effective_at, entry)
    }

    /// Change by change, each against what the ones before it made; all stand or fall together
    fn decide_changes(
        &mut self,
        position: Position,
        effective_at: EffectiveAt,
        entry: &Entry,
    ) -> Outcome {
        let mut taken: Vec<(OrderKey, Fact)> = Vec::with_capacity(entry.changes().len());
        for (n, change) in entry.changes().iter().enumerate() {
            // By INVARIANT (entry) there are at most 256 changes.
            let index = u16::try_from(n).unwrap_or(u16::MAX);
            let key = OrderKey { effective_at, position, index };
            let earlier = entry.changes().get(..n).unwrap_or_default();
            match self.check(key, change, earlier) {
                Ok(fact) => {
                    self.take_in(key, &fact);
                    taken.push((key, fact));
                }
                Err((code, message)) => {
                    for (key, fact) in taken.iter().rev() {
                        self.take_back(*key, fact);
                    }
                    return Outcome::Refused(Refusal { code, change: Some(n), message });
                }
            }
        }
        for (key, fact) in taken {
            self.settle(key, fact);
        }
        Outcome::Applied
    }

    /// Notes what stays of a fact, now that its entry is applied
    fn settle(&mut self, key: OrderKey, fact: Fact) {
        match fact {
            Fact::Structural(change) => {
                for what in definitions_of(&change) {
                    let positions = self.defined.entry(what).or_default();
                    if positions.last() != Some(&key.position) {
                        positions.push(key.position);
                    }
                }
                self.structural.push((key, change));
                self.note_structural(key.position);
            }
            Fact::Void(target) => {
                let flipped = self.voids.add(key.position, target);
                let mut structural = false;
                for (position, voided) in flipped {
                    structural |= self.flip_structural(position, voided);
                }
                if structural {
                    self.note_structural(key.position);
                }
            }
            Fact::Holding(..) | Fact::Membership(..) | Fact::Removal(_) => {}
        }
    }

    fn note_structural(&mut self, position: Position) {
        if self.structural_positions.last() != Some(&position) {
            self.structural_positions.push(position);
        }
    }

    /// Takes the structural changes of an entry out of the newest landscape, or back in
    fn flip_structural(&mut self, position: Position, voided: bool) -> bool {
        let start = self.structural.partition_point(|(key, _)| key.position < position);
        let of_entry = self.structural.iter().skip(start);
        let mut any = false;
        for (key, change) in of_entry.take_while(|(key, _)| key.position == position) {
            any = true;
            if voided {
                self.newest.remove(*key);
            } else {
                self.newest.insert(*key, Arc::clone(change));
            }
        }
        any
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
