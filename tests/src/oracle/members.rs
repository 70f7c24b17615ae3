//! Who is a member of a set, since when, and by what?
//!
//! A member was added, or the rule of the set makes it one. Rules look at those who were added, and at nothing else.
//!
//! Rules: `docs/semantics.md#rule`.

use std::collections::BTreeSet;

use tenure_core::{
    EffectiveAt, JoinedBy, KnownAt, Position, Principal, PrincipalKind, Requirement, RuleLeaf,
};

use super::Oracle;
use super::ask::Moment;
use super::pattern;
use super::state::State;

impl State {
    /// The entries that added a user to the sets that one leaf looks at; `None` if the leaf is false
    fn leaf(&self, leaf: &RuleLeaf, origin: &str, user: &Principal) -> Option<BTreeSet<Position>> {
        let added = self.members.iter().filter(|((_, member), _)| member == user);
        let found: BTreeSet<Position> = match leaf {
            RuleLeaf::Everyone => return Some(BTreeSet::new()),
            RuleLeaf::Equals { attribute, value } => {
                let set = Principal::parse(&format!("attribute:{origin}/{attribute}={value}"));
                let set = set.unwrap();
                added.filter(|((of, _), _)| *of == set).map(|(_, (_, entry))| *entry).collect()
            }
            RuleLeaf::Matches { attribute, pattern } => {
                let start = match &**attribute {
                    "Groups" => format!("group:{origin}/"),
                    _ => format!("attribute:{origin}/{attribute}="),
                };
                let fits = |set: &Principal| {
                    let value = set.as_str().strip_prefix(&start);
                    value.is_some_and(|value| pattern::matches(pattern.as_str(), value))
                };
                added.filter(|((of, _), _)| fits(of)).map(|(_, (_, entry))| *entry).collect()
            }
        };
        (!found.is_empty()).then_some(found)
    }

    /// The entries behind the true leaves of the true branches; `None` if the expression is false
    fn expression(
        &self,
        expression: &Requirement<RuleLeaf>,
        origin: &str,
        user: &Principal,
    ) -> Option<BTreeSet<Position>> {
        match expression {
            Requirement::Leaf(leaf) => self.leaf(leaf, origin, user),
            Requirement::AnyOf(parts) => {
                let found = parts.iter().filter_map(|part| self.expression(part, origin, user));
                let found: Vec<_> = found.collect();
                (!found.is_empty()).then(|| found.into_iter().flatten().collect())
            }
            Requirement::AllOf(parts) => {
                let found = parts.iter().map(|part| self.expression(part, origin, user));
                let found: Option<Vec<_>> = found.collect();
                found.map(|found| found.into_iter().flatten().collect())
            }
        }
    }

    /// The entries behind it, where the rule of a set makes a user a member
    pub(super) fn by_rule(&self, set: &Principal, user: &Principal) -> Option<BTreeSet<Position>> {
        let then = self.rules.get(set)?;
        let of_origin = user.kind() == PrincipalKind::User && *user.origin() == *then.origin;
        if !of_origin {
            return None;
        }
        self.expression(then.rule.expression(), &then.origin, user)
    }

    pub(super) fn is_member(&self, set: &Principal, user: &Principal) -> bool {
        let added = self.members.contains_key(&(set.clone(), user.clone()));
        added || self.by_rule(set, user).is_some()
    }
}

impl Oracle {
    /// The entries that added a user to the sets behind the rule that makes it a member
    pub fn entries_behind(
        &self,
        set: &Principal,
        user: &Principal,
        t: EffectiveAt,
        s: KnownAt,
    ) -> Vec<Position> {
        self.state(t, s).by_rule(set, user).into_iter().flatten().collect()
    }
}

impl Moment<'_> {
    /// Since when a user is a member of a set, and by what
    pub(super) fn membership(
        &self,
        set: &Principal,
        user: &Principal,
    ) -> Option<(EffectiveAt, JoinedBy)> {
        if let Some((since, entry)) = self.state.members.get(&(set.clone(), user.clone())) {
            return Some((*since, JoinedBy::Entry(*entry)));
        }
        self.state.by_rule(set, user)?;
        // Back to the first moment from which on rules made it a member without a gap.
        let before = self.oracle.moments(self.s).into_iter().rev().filter(|t| *t <= self.t);
        let by_rule =
            before.take_while(|t| self.oracle.state(*t, self.s).by_rule(set, user).is_some());
        Some((by_rule.last()?, JoinedBy::Rule(self.state.rules[set].entry)))
    }
}
