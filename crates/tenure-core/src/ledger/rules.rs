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
use crate::words::requirement::Requirement;
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
        let of_origin =
            |number: &u32| ledger.principal_of(ledger.numbered(*number)).origin() == &*rule.origin;
        rule.rule.expression().satisfied(&|leaf: &RuleLeaf| match leaf {
            RuleLeaf::Everyone => self.everybody(&rule.origin),
            RuleLeaf::Equals { .. } | RuleLeaf::Matches { .. } => {
                let mut added = RoaringBitmap::new();
                for set in self.view.looked_at(&rule.origin, leaf) {
                    added |= self.explicit_members(set);
                }
                added.iter().filter(of_origin).collect()
            }
        })
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
    /// Whether any group ever has a rule, as known at S
    pub(crate) fn has_rules(&self) -> bool {
        !self.landscape(None).0.rules.is_empty()
    }

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
    ///
    /// # Cost
    /// O(leaves of the rules × memberships of the user), then O(leaves) for each change of a rule and each change of a
    /// membership that a leaf looks at.
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
        let mut edges: BTreeMap<EffectiveAt, BTreeSet<Position>> = BTreeMap::new();
        let mut note = |at: EffectiveAt, by: Position| {
            edges.entry(at).or_default().insert(by);
        };
        let mut added: Option<Vec<(&Principal, Vec<Membership>)>> = None;
        let mut rules: Vec<RuleOver> = Vec::new();
        let known = track.iter().take_while(|(key, _)| *key <= clamp.0 && bound.includes(key));
        for (key, rule) in known {
            note(key.effective_at, key.position);
            let removed = self.rule_removed(set, *key, bound);
            if let Some(removed) = removed {
                note(removed.effective_at, removed.position);
            }
            let makes = rule.as_deref().filter(|rule| &*rule.origin == user.name.origin());
            let expression = makes.map(|rule| {
                let added = added.get_or_insert_with(|| self.all_added(user));
                rule.rule.expression().map(&mut |leaf| {
                    let sets = added.iter().filter(|(set, _)| looks_at(leaf, &rule.origin, set));
                    let mut spans = Vec::new();
                    for one in sets.flat_map(|(_, memberships)| memberships) {
                        note(one.span.from(), one.entry);
                        if let (Some(until), Some(by)) = (one.span.until(), one.ended_by) {
                            note(until, by);
                        }
                        spans.push((one.span, None));
                    }
                    spans.sort_by_key(|(span, _)| span.from());
                    match leaf {
                        RuleLeaf::Everyone => Truth::Always,
                        RuleLeaf::Equals { .. } | RuleLeaf::Matches { .. } => {
                            Truth::During(merged(spans).into_iter().map(|(span, _)| span).collect())
                        }
                    }
                })
            });
            rules.push(RuleOver { set_by: *key, removed, expression });
        }
        let moments = edges.keys().copied().filter(|t| through.is_none_or(|end| *t <= end));
        let moments: Vec<EffectiveAt> = moments.collect();
        let ends = moments.iter().copied().skip(1).map(Some).chain([None]);
        let mut found: Vec<ByRule> = Vec::new();
        for (from, until) in moments.iter().copied().zip(ends) {
            let in_force = rules.partition_point(|rule| rule.set_by.effective_at <= from);
            let rule = in_force.checked_sub(1).and_then(|place| rules.get(place));
            let makes = rule.filter(|rule| rule.makes_member(from));
            let (Some(rule), Some(span)) = (makes, Span::new(from, until)) else { continue };
            let ended_by = until.and_then(|until| edges.get(&until)).and_then(only);
            let joined_by = JoinedBy::Rule(rule.set_by.position);
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

    /// The sets that a user was ever added to, with its memberships
    fn all_added(&self, user: User<'_>) -> Vec<(&Principal, Vec<Membership>)> {
        let index = &self.ledger.index;
        let own = user.number.into_iter();
        let sets = own.flat_map(|own| index.of_member(own).map(move |one| (own, one)));
        sets.map(|(own, (set, timeline))| {
            (self.ledger.principal_of(set), self.memberships(timeline, own))
        })
        .collect()
    }
}

/// When a leaf is true of a user
enum Truth {
    Always,
    /// In order, without overlaps
    During(Vec<Span>),
}

/// A rule over all time, as it is for one user
struct RuleOver {
    set_by: OrderKey,
    /// The removal of the group that ends it
    removed: Option<OrderKey>,
    /// `None` if there is no rule, or one that makes users of another origin members
    expression: Option<Requirement<Truth>>,
}

impl RuleOver {
    /// Whether it makes the user a member at `t`, if it is the newest rule by then
    fn makes_member(&self, t: EffectiveAt) -> bool {
        let is_true = |leaf: &Truth| match leaf {
            Truth::Always => true,
            Truth::During(spans) => {
                let begun = spans.partition_point(|span| span.from() <= t);
                let last = begun.checked_sub(1).and_then(|place| spans.get(place));
                last.is_some_and(|span| span.contains(t))
            }
        };
        self.removed.is_none_or(|removed| t < removed.effective_at)
            && self.expression.as_ref().is_some_and(|all| all.support(&is_true).is_some())
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
