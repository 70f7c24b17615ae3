//! Who is a member of a set, and who is known?
//!
//! Rules: `docs/semantics.md#questions`.

use crate::ask::answer::{Member, PrincipalThen};
use crate::index::timeline::Of;
use crate::ledger::moment::Moment;
use crate::ledger::rules::User;
use crate::ledger::view::{Joined, View};
use crate::words::instant::EffectiveAt;
use crate::words::principal::{Principal, PrincipalKind};
use crate::words::symbol::PrincipalRef;

/// Which principals are asked for; an absent field leaves none out
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PrincipalFilter {
    /// Of this kind
    pub kind: Option<PrincipalKind>,
    /// Of this origin
    pub origin: Option<std::sync::Arc<str>>,
    /// Only those that hold something that counts, or only those that hold nothing that does
    pub holding: Option<bool>,
}

impl View<'_> {
    /// The members of a group or an attribute, in byte order
    ///
    /// # Cost
    /// O(members × changes of their memberships), and with a rule, × changes of the rule.
    pub fn members(&self, set: &Principal, t: EffectiveAt) -> Vec<Member> {
        let now = Moment::new(self, t);
        let ledger = self.ledger;
        let Some(set) = ledger.find_principal(set) else { return Vec::new() };
        let mut members: Vec<Member> = now
            .members(set)
            .iter()
            .filter_map(|number| {
                let member = ledger.numbered(number);
                let principal = ledger.principal_of(member);
                let timeline = ledger.index.members(set);
                let added = timeline.and_then(|timeline| self.membership_at(timeline, member, t));
                let user = User { name: principal, number: Some(member) };
                let Joined { since, by } = match added {
                    Some(added) => added.into(),
                    None => self.joined_by_rule(set, user, t)?,
                };
                Some(Member { principal: principal.clone(), since, by })
            })
            .collect();
        members.sort();
        members
    }

    /// The known principals, in byte order
    ///
    /// # Cost
    /// O(known principals + changes of all that those ever held that a filter takes).
    pub fn principals(&self, filter: &PrincipalFilter, t: EffectiveAt) -> Vec<PrincipalThen> {
        let now = Moment::new(self, t);
        let ledger = self.ledger;
        let wanted = |principal: &Principal| {
            filter.kind.is_none_or(|kind| kind == principal.kind())
                && filter.origin.as_deref().is_none_or(|origin| origin == principal.origin())
        };
        let mut found: Vec<PrincipalThen> = ledger
            .principals
            .iter()
            .zip(0..)
            .filter(|(principal, number)| wanted(principal) && self.knows(ledger.numbered(*number)))
            .map(|(principal, number)| {
                let number = PrincipalRef { number, kind: principal.kind() };
                let (holdings, last_held) = now.held_by(number);
                PrincipalThen { principal: principal.clone(), holdings, last_held }
            })
            .filter(|found| filter.holding.is_none_or(|holding| holding == (found.holdings > 0)))
            .collect();
        found.sort_by(|a, b| a.principal.cmp(&b.principal));
        found
    }
}

impl Moment<'_> {
    /// How many own holdings of a principal count, and when the last one ended if none runs
    fn held_by(&self, principal: PrincipalRef) -> (usize, Option<EffectiveAt>) {
        let index = &self.view.ledger.index;
        let mut counting = 0;
        let mut runs = false;
        let mut last_held = None;
        for timeline in index.of_principal(principal) {
            let Of::Holding { level, grantable } = index.timeline(timeline).of else { continue };
            if let Some(running) = self.view.running(timeline, principal, self.t) {
                runs = true;
                let here = self.here(level);
                let given = here.and_then(|here| self.given(&here, grantable, timeline));
                counting +=
                    usize::from(given.is_some_and(|given| given.custom == running.terms.custom));
            } else if !runs && let Some(history) = self.view.history(timeline, principal) {
                let stretches = self.view.stretches(&history, Some(self.t));
                let ends = stretches.iter().filter_map(|held| held.span.until());
                last_held = last_held.max(ends.filter(|end| *end <= self.t).max());
            }
        }
        (counting, last_held.filter(|_| !runs))
    }
}
