//! What was so, as known at one position?
//!
//! A [`View`] pins what was known. It answers from single facts: does this holding run, is this user a
//! member, what does this name mean. The questions of [`crate::ask`] are made of these.

use std::cell::RefCell;

use crate::answer::{GrantedName, Holding};
use crate::grantable::Grantable;
use crate::holding::{Ends, HoldingHistory, HoldingKey, Piece, Run, counts};
use crate::instant::EffectiveAt;
use crate::known::KnownAt;
use crate::landscape::{Here, Landscape};
use crate::ledger::{LandscapeAt, Ledger};
use crate::level::FeatureSet;
use crate::membership::{MembershipHistory, Stretch};
use crate::order::Bound;
use crate::outcome::Position;
use crate::principal::{Principal, PrincipalKind};
use crate::symbol::{LevelRef, Map, PrincipalRef};

/// The ledger as known at one position
#[derive(Debug)]
pub struct View<'a> {
    pub(crate) ledger: &'a Ledger,
    landscape: LandscapeAt<'a>,
    known_at: KnownAt,
    /// Feature sets that were looked for, so that a deep landscape is climbed once
    feature_sets: RefCell<Map<(LevelRef, EffectiveAt), FeatureSet>>,
}

/// A holding that counts, as evidence that is not yet resolved to text
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Evidence {
    pub(crate) key: HoldingKey,
    pub(crate) run: Run,
}

impl<'a> View<'a> {
    pub(crate) fn new(ledger: &'a Ledger, landscape: LandscapeAt<'a>, known_at: KnownAt) -> Self {
        Self { ledger, landscape, known_at, feature_sets: RefCell::default() }
    }

    /// The position that it pins
    pub fn known_at(&self) -> KnownAt {
        self.known_at
    }

    pub(crate) fn landscape(&self) -> &Landscape {
        &self.landscape
    }

    /// The version of the catalogue in force, and the position of the entry that published it
    pub fn catalog(&self, at: EffectiveAt) -> Option<(&str, Position)> {
        let published = self.landscape.catalog(at)?;
        Some((&published.definitions.version, published.position))
    }

    /// What names mean at a level at a moment; `None` if it does not exist
    pub(crate) fn here(&self, level: LevelRef, t: EffectiveAt) -> Option<Here<'_>> {
        self.landscape.here_under(level, t, self.feature_set(level, t))
    }

    fn feature_set(&self, level: LevelRef, t: EffectiveAt) -> FeatureSet {
        let mut known = self.feature_sets.borrow_mut();
        let mut climbed = Vec::new();
        let mut found = None;
        for (level, state) in self.landscape.upwards(level, t) {
            found = known.get(&(level, t)).copied().or(state.attributes.feature_set);
            climbed.push(level);
            if found.is_some() {
                break;
            }
        }
        let found = found.unwrap_or_default();
        known.extend(climbed.into_iter().map(|level| ((level, t), found)));
        found
    }

    fn ends(&self, history: &HoldingHistory) -> Ends<'_, impl Fn(Position) -> bool + '_> {
        Ends {
            level: self.landscape.track(history.key.level),
            removals: self.ledger.index.removals(history.key.principal),
            counts: |position| self.ledger.counts(position, self.known_at),
        }
    }

    pub(crate) fn running(&self, key: &HoldingKey, t: EffectiveAt) -> Option<Run> {
        let history = self.ledger.index.holding(key)?;
        history.running(t, &self.ends(history))
    }

    /// The evidence that a holding gives at a level that exists
    pub(crate) fn counting(
        &self,
        history: &HoldingHistory,
        here: &Here<'_>,
        t: EffectiveAt,
    ) -> Option<Evidence> {
        let run = history.running(t, &self.ends(history))?;
        counts(&run, history.key.grantable, here).then_some(Evidence { key: history.key, run })
    }

    pub(crate) fn pieces(&self, history: &HoldingHistory) -> Vec<Piece> {
        history.pieces(&self.ends(history))
    }

    pub(crate) fn is_member(
        &self,
        set: PrincipalRef,
        member: PrincipalRef,
        t: EffectiveAt,
    ) -> bool {
        let membership = self.ledger.index.membership(set, member);
        membership.is_some_and(|membership| self.membership_holds(membership, t))
    }

    pub(crate) fn membership_holds(&self, membership: &MembershipHistory, t: EffectiveAt) -> bool {
        let index = &self.ledger.index;
        let removals = [index.removals(membership.set), index.removals(membership.member)];
        membership.holds(t, removals, &|position| self.ledger.counts(position, self.known_at))
    }

    pub(crate) fn membership_stretches(&self, membership: &MembershipHistory) -> Vec<Stretch> {
        let index = &self.ledger.index;
        let removals = [index.removals(membership.set), index.removals(membership.member)];
        let counts = |position| self.ledger.counts(position, self.known_at);
        membership.stretches(Bound::Open, removals, &counts)
    }

    /// Whether a counted entry names the principal in a change, at any time
    pub(crate) fn knows(&self, principal: PrincipalRef) -> bool {
        self.ledger.knows(principal, self.known_at)
    }

    /// The principals whose holdings a principal has, itself first: its sets, and everybody of its
    /// origin
    pub(crate) fn matching(&self, principal: &Principal, t: EffectiveAt) -> Vec<PrincipalRef> {
        let own = self.ledger.find_principal(principal);
        let mut found: Vec<PrincipalRef> = own.into_iter().collect();
        if principal.kind() == PrincipalKind::User {
            let memberships = own.into_iter().flat_map(|own| self.ledger.index.of_member(own));
            found.extend(
                memberships
                    .filter(|membership| self.membership_holds(membership, t))
                    .map(|membership| membership.set),
            );
            found.extend(self.ledger.find_principal(&Principal::everyone(principal.origin())));
        }
        found
    }

    pub(crate) fn granted_name(&self, grantable: Grantable) -> GrantedName {
        match grantable {
            Grantable::RoleCollection(name) => {
                GrantedName::RoleCollection(self.ledger.symbols.text(name).clone())
            }
            Grantable::Role(role) => GrantedName::Role(role.text(&self.ledger.symbols).into()),
        }
    }

    /// Evidence with its names, as seen from the principal asked about
    pub(crate) fn holding(&self, asked: &Principal, evidence: &Evidence) -> Holding {
        let holder = self.ledger.principal_of(evidence.key.principal);
        #[expect(clippy::expect_used, reason = "evidence without its entry's id would be none")]
        let id = self.ledger.entry_id(evidence.run.entry).expect("an applied entry was decoded");
        Holding {
            principal: asked.clone(),
            level: self.ledger.level_of(evidence.key.level).clone(),
            granted: self.granted_name(evidence.key.grantable),
            via: (holder != asked).then(|| holder.clone()),
            since: evidence.run.since,
            until: evidence.run.until,
            entry: evidence.run.entry,
            id,
        }
    }

    pub(crate) fn holdings(&self, asked: &Principal, evidence: &[Evidence]) -> Vec<Holding> {
        let mut holdings: Vec<Holding> =
            evidence.iter().map(|evidence| self.holding(asked, evidence)).collect();
        holdings.sort();
        holdings.dedup();
        holdings
    }
}
