//! Whom does the rule of a group make a member, and when is a user a member of a set in whatever way?
//!
//! A rule sees explicit memberships alone, and makes users of its origin members, nobody else. Who is a member in both
//! ways is shown as the explicit one.
//!
//! Rules: `docs/semantics.md#rule`.

use std::collections::{BTreeMap, BTreeSet};

use roaring::RoaringBitmap;

use crate::history::holding::first_counted;
use crate::history::landscape::RuleOf;
use crate::history::membership::Membership;
use crate::history::order::{Bound, OrderKey};
use crate::ledger::moment::Moment;
use crate::ledger::view::{Joined, View};
use crate::words::instant::EffectiveAt;
use crate::words::joined_by::JoinedBy;
use crate::words::position::Position;
use crate::words::principal::{Principal, PrincipalKind};
use crate::words::rule::RuleLeaf;
use crate::words::span::Span;
use crate::words::symbol::PrincipalRef;

/// A user, and the number of its name if an entry ever named it
#[derive(Clone, Copy, Debug)]
pub(crate) struct User<'a> {
    pub(crate) name: &'a Principal,
    pub(crate) number: Option<PrincipalRef>,
}

/// When a user is a member of a set
#[derive(Clone, Debug, Default)]
pub(crate) struct Belonging {
    /// The longest stretches in which it is one, and the entry that ends each, if one alone does
    pub(crate) stretches: Vec<(Span, Option<Position>)>,
    /// What makes it a member: pieces that do not overlap, in order
    pub(crate) pieces: Vec<(Span, Joined)>,
}

impl<'v> Moment<'v> {
    /// The rule of a group that is in force, with the entry that set it
    pub(crate) fn rule(&self, set: PrincipalRef) -> Option<(Position, &'v RuleOf)> {
        let (key, rule) = self.land.rule(set)?;
        let removed = self.view.rule_removed(set, key, Bound::Through(self.t));
        removed.is_none().then_some((key.position, &**rule))
    }

    /// The groups that ever had a rule
    pub(crate) fn ruled(&self) -> impl Iterator<Item = PrincipalRef> + use<'v> {
        self.land.landscape.rules.keys().copied()
    }

    /// The known users that a rule makes members
    ///
    /// # Cost
    /// O(members of the sets that the rule looks at + values of the attributes that it matches); with `everyone`, O(users of
    /// the origin), once a moment.
    pub(crate) fn made_members(&self, rule: &RuleOf) -> RoaringBitmap {
        let ledger = self.view.ledger;
        let made = rule.rule.expression().satisfied(&|leaf: &RuleLeaf| {
            let mut found = RoaringBitmap::new();
            match leaf {
                RuleLeaf::Everyone => return self.everybody(&rule.origin),
                RuleLeaf::Equals { .. } | RuleLeaf::Matches { .. } => {
                    for set in self.view.looked_at(&rule.origin, leaf) {
                        found |= self.explicit_members(set);
                    }
                }
            }
            found
        });
        let of_origin =
            |number: &u32| ledger.principal_of(ledger.numbered(*number)).origin() == &*rule.origin;
        made.iter().filter(of_origin).collect()
    }

    /// Whether a rule makes a user a member
    pub(crate) fn makes_member(&self, rule: &RuleOf, user: User<'_>) -> bool {
        user.name.origin() == &*rule.origin
            && rule.rule.expression().support(&|leaf| self.is_true(rule, leaf, user)).is_some()
    }

    fn is_true(&self, rule: &RuleOf, leaf: &RuleLeaf, user: User<'_>) -> bool {
        match leaf {
            RuleLeaf::Everyone => true,
            RuleLeaf::Equals { .. } | RuleLeaf::Matches { .. } => {
                self.sets_behind(rule, leaf, user).next().is_some()
            }
        }
    }

    /// The sets that a user was added to and that make a leaf true
    fn sets_behind<'m>(
        &'m self,
        rule: &'m RuleOf,
        leaf: &'m RuleLeaf,
        user: User<'_>,
    ) -> impl Iterator<Item = Membership> + use<'m, 'v> {
        let ledger = self.view.ledger;
        let own = user.number.into_iter();
        let sets = own.flat_map(|own| ledger.index.of_member(own).map(move |one| (own, one)));
        sets.filter_map(move |(own, (set, timeline))| {
            if !looks_at(leaf, &rule.origin, ledger.principal_of(set)) {
                return None;
            }
            let may = ledger.index.may_run(timeline, own, self.prefix);
            if may { self.view.membership_at(timeline, own, self.t) } else { None }
        })
    }

    /// The entries of the explicit memberships that make a rule true of a user, in order
    pub(crate) fn entries_behind(&self, set: PrincipalRef, user: User<'_>) -> Vec<Position> {
        let Some((_, rule)) = self.rule(set) else { return Vec::new() };
        let expression = rule.rule.expression();
        let leaves = expression.support(&|leaf| self.is_true(rule, leaf, user)).unwrap_or_default();
        let entries = leaves
            .into_iter()
            .filter(|leaf| !matches!(leaf, RuleLeaf::Everyone))
            .flat_map(|leaf| self.sets_behind(rule, leaf, user).map(|one| one.entry));
        entries.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

impl View<'_> {
    /// When a group was removed after its rule was set
    fn rule_removed(&self, set: PrincipalRef, set_by: OrderKey, bound: Bound) -> Option<OrderKey> {
        let removals = self.ledger.index.removals(set)?;
        first_counted(removals, set_by, bound, &|position| self.counts(position))
    }

    /// The sets that a leaf looks at
    fn looked_at(&self, origin: &str, leaf: &RuleLeaf) -> Vec<PrincipalRef> {
        let ledger = self.ledger;
        let (RuleLeaf::Equals { attribute, .. } | RuleLeaf::Matches { attribute, .. }) = leaf
        else {
            return Vec::new();
        };
        if let RuleLeaf::Equals { value, .. } = leaf {
            let name = Principal::parse(&format!("attribute:{origin}/{attribute}={value}"));
            return name.ok().and_then(|name| ledger.find_principal(&name)).into_iter().collect();
        }
        let values = ledger.values_of(origin, attribute);
        values.filter(|set| looks_at(leaf, origin, ledger.principal_of(*set))).collect()
    }

    /// The known users that the rules of a group may make members at some time
    pub(crate) fn ever_made_members(&self, set: PrincipalRef, span: Span) -> RoaringBitmap {
        let (landscape, clamp) = self.landscape(span.until());
        let mut found = RoaringBitmap::new();
        let rules = landscape.rules.get(&set).into_iter().flat_map(|track| track.iter());
        for (_, rule) in rules.take_while(|(key, _)| *key <= clamp.0) {
            let Some(rule) = rule else { continue };
            for leaf in rule.rule.expression().leaves() {
                if let RuleLeaf::Everyone = leaf {
                    let users = self.ledger.users_of_origin(&rule.origin);
                    found.extend(users.map(|user| user.number));
                }
                for set in self.looked_at(&rule.origin, leaf) {
                    if let Some(timeline) = self.ledger.index.members(set) {
                        found |= self.within(timeline, span);
                    }
                }
            }
        }
        found
    }

    /// The sets that a user was ever added to, and the groups that ever had a rule; in no order
    pub(crate) fn sets_of(&self, user: User<'_>) -> BTreeSet<PrincipalRef> {
        let (landscape, _) = self.landscape(None);
        let added = user.number.into_iter();
        let added = added.flat_map(|own| self.ledger.index.of_member(own).map(|(set, _)| set));
        added.chain(landscape.rules.keys().copied()).collect()
    }

    /// When a user is a member of a set, in whatever way
    ///
    /// # Cost
    /// O(changes of the membership + changes of the rule × changes of the user's memberships).
    pub(crate) fn belonging(&self, set: PrincipalRef, user: User<'_>) -> Belonging {
        let explicit = self.added(set, user);
        let by_rule = self.by_rule(set, user, None);
        if by_rule.is_empty() {
            let stretches = explicit.iter().map(|one| (one.span, one.ended_by));
            let pieces = explicit.iter().map(|one| (one.span, (*one).into()));
            return Belonging { stretches: merged(stretches), pieces: pieces.collect() };
        }
        let ends = by_rule.iter().map(|one| (one.span, one.ended_by));
        let mut stretches: Vec<_> =
            explicit.iter().map(|one| (one.span, one.ended_by)).chain(ends).collect();
        stretches.sort_by_key(|(span, _)| span.from());
        let mut pieces: Vec<(Span, Joined)> =
            explicit.iter().map(|one| (one.span, (*one).into())).collect();
        for one in by_rule {
            let free = without(one.span, explicit.iter().map(|explicit| explicit.span));
            pieces.extend(free.into_iter().map(|span| (span, one.joined)));
        }
        pieces.sort_by_key(|(span, _)| span.from());
        Belonging { stretches: merged(stretches), pieces }
    }

    /// The stretches in which a user is a member because an entry added it
    fn added(&self, set: PrincipalRef, user: User<'_>) -> Vec<Membership> {
        let timeline = user.number.zip(self.ledger.index.members(set));
        timeline.map(|(own, timeline)| self.memberships(timeline, own)).unwrap_or_default()
    }

    /// What makes a user a member at a moment by the rule of a group, which is in force then and makes it one
    pub(crate) fn joined_by_rule(
        &self,
        set: PrincipalRef,
        user: User<'_>,
        t: EffectiveAt,
    ) -> Option<Joined> {
        let pieces = self.by_rule(set, user, Some(t));
        pieces.into_iter().find(|one| one.span.contains(t)).map(|one| one.joined)
    }

    /// The stretches in which a user is a member by a rule of the group, one for each entry that set one; all of them, or
    /// what was so up to a moment
    fn by_rule(
        &self,
        set: PrincipalRef,
        user: User<'_>,
        through: Option<EffectiveAt>,
    ) -> Vec<ByRule> {
        if user.name.kind() != PrincipalKind::User {
            return Vec::new();
        }
        let (landscape, clamp) = match through {
            Some(t) => self.landscape_until(t),
            None => self.landscape(None),
        };
        let bound = through.map_or(Bound::Open, Bound::Through);
        let Some(track) = landscape.rules.get(&set) else { return Vec::new() };
        let known = || track.iter().take_while(|(key, _)| *key <= clamp.0 && bound.includes(key));
        // When each rule begins and ceases to be in force
        let mut edges: BTreeMap<EffectiveAt, BTreeSet<Position>> = BTreeMap::new();
        let mut note = |key: OrderKey| {
            edges.entry(key.effective_at).or_default().insert(key.position);
        };
        for (key, _) in known() {
            note(*key);
            if let Some(removed) = self.rule_removed(set, *key, bound) {
                note(removed);
            }
        }
        let rules = known().filter_map(|(_, rule)| rule.as_deref());
        let rules = rules.filter(|rule| &*rule.origin == user.name.origin());
        let leaves: Vec<&RuleLeaf> =
            rules.flat_map(|rule| rule.rule.expression().leaves()).collect();
        if leaves.is_empty() {
            return Vec::new();
        }
        // When what it looks at may change
        let index = &self.ledger.index;
        let added = user.number.into_iter();
        for (own, (of, timeline)) in
            added.flat_map(|own| index.of_member(own).map(move |one| (own, one)))
        {
            let of = self.ledger.principal_of(of);
            if !leaves.iter().any(|leaf| looks_at(leaf, user.name.origin(), of)) {
                continue;
            }
            for one in self.memberships(timeline, own) {
                note(OrderKey { effective_at: one.span.from(), position: one.entry, index: 0 });
                if let (Some(effective_at), Some(position)) = (one.span.until(), one.ended_by) {
                    note(OrderKey { effective_at, position, index: 0 });
                }
            }
        }
        let moments = edges.keys().copied().filter(|t| through.is_none_or(|end| *t <= end));
        let moments: Vec<EffectiveAt> = moments.collect();
        let ends = moments.iter().copied().skip(1).map(Some).chain([None]);
        let mut found: Vec<ByRule> = Vec::new();
        for (from, until) in moments.iter().copied().zip(ends) {
            let now = Moment::new(self, from);
            let rule = now.rule(set).filter(|(_, rule)| now.makes_member(rule, user));
            let (Some((entry, _)), Some(span)) = (rule, Span::new(from, until)) else { continue };
            let ended_by = until.and_then(|until| edges.get(&until)).and_then(only);
            let joined_by = JoinedBy::Rule(entry);
            match found.last_mut().filter(|last| last.span.until() == Some(from)) {
                Some(last) if last.joined.by == joined_by => {
                    last.span.until = until;
                    last.ended_by = ended_by;
                }
                last => {
                    let since = last.map_or(from, |last| last.joined.since);
                    let joined = Joined { since, by: joined_by };
                    found.push(ByRule { span, joined, ended_by });
                }
            }
        }
        found
    }
}

/// A stretch in which a user is a member by the rule that one entry set
struct ByRule {
    span: Span,
    joined: Joined,
    ended_by: Option<Position>,
}

fn only(positions: &BTreeSet<Position>) -> Option<Position> {
    positions.first().copied().filter(|_| positions.len() == 1)
}

/// Whether a leaf looks at the members of a set
fn looks_at(leaf: &RuleLeaf, origin: &str, set: &Principal) -> bool {
    let Some((of, value)) = set.attribute_value().filter(|_| set.origin() == origin) else {
        return false;
    };
    match leaf {
        RuleLeaf::Everyone => false,
        RuleLeaf::Equals { attribute, value: wanted } => &**attribute == of && &**wanted == value,
        RuleLeaf::Matches { attribute, pattern } => &**attribute == of && pattern.matches(value),
    }
}

/// The longest stretches of these, which come in order of their beginning
///
/// Who leaves and comes back at one moment has not left.
fn merged(
    stretches: impl IntoIterator<Item = (Span, Option<Position>)>,
) -> Vec<(Span, Option<Position>)> {
    let mut found: Vec<(Span, Option<Position>)> = Vec::new();
    for (span, ended_by) in stretches {
        match found.last_mut() {
            Some((last, by)) if last.until().is_none_or(|until| span.from() <= until) => {
                let ends = (last.until(), span.until());
                match ends {
                    (None, _) => {}
                    (Some(one), Some(other)) if other < one => {}
                    (Some(one), Some(other)) if other == one && *by != ended_by => *by = None,
                    _ => {
                        last.until = span.until();
                        *by = ended_by;
                    }
                }
            }
            _ => found.push((span, ended_by)),
        }
    }
    found
}

/// The parts of a span outside others, which come in order and do not overlap
fn without(span: Span, others: impl Iterator<Item = Span>) -> Vec<Span> {
    let mut found = Vec::new();
    let mut from = Some(span.from());
    for other in others {
        let Some(begin) = from else { break };
        if other.until().is_some_and(|until| until <= begin) {
            continue;
        }
        if span.until().is_some_and(|until| until <= other.from()) {
            break;
        }
        found.extend(Span::new(begin, Some(other.from())));
        from = other.until();
    }
    if let Some(begin) = from {
        found.extend(Span::new(begin, span.until()));
    }
    found
}
