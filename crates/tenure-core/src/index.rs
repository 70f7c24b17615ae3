//! Who holds what where, and who is a member of what?
//!
//! The one room that a faster index replaces: everything that asks goes through the methods of
//! [`Index`]. Today every holding and membership keeps its own changes, in order of effect, and is
//! folded when it is asked for. So the cost of a question grows with the changes of the holdings that
//! it touches, not with the log.

use crate::grantable::Grantable;
use crate::holding::{HoldingChange, HoldingHistory, HoldingKey};
use crate::membership::{MembershipChange, MembershipHistory};
use crate::order::{OrderKey, Track};
use crate::symbol::{LevelRef, Map, PrincipalRef, index};

/// A holding, numbered
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct HoldingRef(u32);

// INVARIANT (index): every number in a map below is that of an element of the list it is for.
#[derive(Debug, Default)]
pub(crate) struct Index {
    holdings: Vec<HoldingHistory>,
    by_key: Map<HoldingKey, HoldingRef>,
    at_level: Map<LevelRef, Map<Grantable, Vec<HoldingRef>>>,
    of_principal: Map<PrincipalRef, Vec<HoldingRef>>,
    memberships: Vec<MembershipHistory>,
    by_pair: Map<(PrincipalRef, PrincipalRef), u32>,
    of_set: Map<PrincipalRef, Vec<u32>>,
    of_member: Map<PrincipalRef, Vec<u32>>,
    removals: Map<PrincipalRef, Track<()>>,
}

impl Index {
    pub(crate) fn add_holding_change(
        &mut self,
        key: HoldingKey,
        order: OrderKey,
        change: HoldingChange,
    ) {
        let number = match self.by_key.get(&key) {
            Some(number) => *number,
            None => {
                let number = HoldingRef(index(self.holdings.len()));
                self.holdings.push(HoldingHistory { key, changes: Track::default() });
                self.by_key.insert(key, number);
                let level = self.at_level.entry(key.level).or_default();
                level.entry(key.grantable).or_default().push(number);
                self.of_principal.entry(key.principal).or_default().push(number);
                number
            }
        };
        if let Some(history) = self.holdings.get_mut(number.0 as usize) {
            history.changes.insert(order, change);
        }
    }

    pub(crate) fn remove_holding_change(&mut self, key: HoldingKey, order: OrderKey) {
        let number = self.by_key.get(&key).map(|number| number.0 as usize);
        if let Some(history) = number.and_then(|number| self.holdings.get_mut(number)) {
            history.changes.remove(order);
        }
    }

    pub(crate) fn add_membership_change(
        &mut self,
        set: PrincipalRef,
        member: PrincipalRef,
        order: OrderKey,
        change: MembershipChange,
    ) {
        let number = match self.by_pair.get(&(set, member)) {
            Some(number) => *number,
            None => {
                let number = index(self.memberships.len());
                self.memberships.push(MembershipHistory { set, member, changes: Track::default() });
                self.by_pair.insert((set, member), number);
                self.of_set.entry(set).or_default().push(number);
                self.of_member.entry(member).or_default().push(number);
                number
            }
        };
        if let Some(history) = self.memberships.get_mut(number as usize) {
            history.changes.insert(order, change);
        }
    }

    pub(crate) fn remove_membership_change(
        &mut self,
        set: PrincipalRef,
        member: PrincipalRef,
        order: OrderKey,
    ) {
        let number = self.by_pair.get(&(set, member)).map(|number| *number as usize);
        if let Some(history) = number.and_then(|number| self.memberships.get_mut(number)) {
            history.changes.remove(order);
        }
    }

    pub(crate) fn add_removal(&mut self, principal: PrincipalRef, order: OrderKey) {
        self.removals.entry(principal).or_default().insert(order, ());
    }

    pub(crate) fn remove_removal(&mut self, principal: PrincipalRef, order: OrderKey) {
        if let Some(removals) = self.removals.get_mut(&principal) {
            removals.remove(order);
        }
    }

    pub(crate) fn holding(&self, key: &HoldingKey) -> Option<&HoldingHistory> {
        self.holdings.get(self.by_key.get(key)?.0 as usize)
    }

    /// All that was ever held, in no meaningful order
    pub(crate) fn holdings(&self) -> impl Iterator<Item = &HoldingHistory> {
        self.holdings.iter()
    }

    /// What was ever held at a level, with its holdings
    pub(crate) fn at_level(
        &self,
        level: LevelRef,
    ) -> impl Iterator<Item = (Grantable, impl Iterator<Item = &HoldingHistory>)> {
        self.at_level.get(&level).into_iter().flatten().map(|(grantable, numbers)| {
            (*grantable, numbers.iter().filter_map(|n| self.holdings.get(n.0 as usize)))
        })
    }

    /// Whether anything was ever held at a level
    pub(crate) fn any_at(&self, level: LevelRef) -> bool {
        self.at_level.contains_key(&level)
    }

    /// What a principal ever held
    pub(crate) fn of_principal(
        &self,
        principal: PrincipalRef,
    ) -> impl Iterator<Item = &HoldingHistory> {
        let numbers = self.of_principal.get(&principal).into_iter().flatten();
        numbers.filter_map(|number| self.holdings.get(number.0 as usize))
    }

    pub(crate) fn membership(
        &self,
        set: PrincipalRef,
        member: PrincipalRef,
    ) -> Option<&MembershipHistory> {
        self.memberships.get(*self.by_pair.get(&(set, member))? as usize)
    }

    /// The memberships that a set ever had
    pub(crate) fn of_set(&self, set: PrincipalRef) -> impl Iterator<Item = &MembershipHistory> {
        let numbers = self.of_set.get(&set).into_iter().flatten();
        numbers.filter_map(|number| self.memberships.get(*number as usize))
    }

    /// The memberships that a user ever had
    pub(crate) fn of_member(
        &self,
        member: PrincipalRef,
    ) -> impl Iterator<Item = &MembershipHistory> {
        let numbers = self.of_member.get(&member).into_iter().flatten();
        numbers.filter_map(|number| self.memberships.get(*number as usize))
    }

    pub(crate) fn removals(&self, principal: PrincipalRef) -> Option<&Track<()>> {
        self.removals.get(&principal)
    }
}
