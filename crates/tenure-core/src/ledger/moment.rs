//! What was so at one moment, as known at one position?
//!
//! Timelines say who, as bitmaps. The changes of single holdings say why. A timeline is relied on if it and
//! the landscape agree on the last deletion. If they disagree, because a deletion was late, scheduled or voided,
//! every principal of that timeline is folded alone.
//!
//! Rules: `docs/semantics.md#matches`, `docs/semantics.md#holding-counts`.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::history::holding::{HoldingHistory, HoldingKey};
use crate::history::landscape_at::{Here, Land, environment_of};
use crate::index::timeline::{Of, Timeline, TimelineId};
use crate::ledger::rules::User;
use crate::ledger::view::{Evidence, Holder, Joined, Matched, View};
use crate::words::catalog::Setting;
use crate::words::grantable::Grantable;
use crate::words::instant::EffectiveAt;
use crate::words::principal::PrincipalKind;
use crate::words::symbol::{LevelRef, Map, PrincipalRef};

/// One moment, as known at one position
#[derive(Debug)]
pub(crate) struct Moment<'v> {
    pub(crate) view: &'v View<'v>,
    pub(crate) t: EffectiveAt,
    pub(crate) land: Land<'v>,
    /// How many of the known entries were recorded by that moment
    pub(crate) prefix: u64,
    /// What was found to be in force so far, so that a deep landscape is climbed once
    settings: RefCell<Map<LevelRef, Setting>>,
    /// The known users of the origins that were needed so far
    everybody: RefCell<Map<Arc<str>, RoaringBitmap>>,
}

/// A grantable that may be held at a level, as its timeline
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Given {
    pub(crate) timeline: TimelineId,
    /// Whether the name means a custom role or role collection there
    pub(crate) custom: bool,
}

impl<'v> Moment<'v> {
    pub(crate) fn new(view: &'v View<'_>, t: EffectiveAt) -> Self {
        let (land, prefix) = (view.land(t), view.prefix(t));
        Self { view, t, land, prefix, settings: RefCell::default(), everybody: RefCell::default() }
    }

    /// What names mean at a level; `None` if it does not exist
    pub(crate) fn here(&self, level: LevelRef) -> Option<Here<'v>> {
        self.land.here_in(level, self.setting(level))
    }

    /// What is in force at a level
    pub(crate) fn setting(&self, level: LevelRef) -> Setting {
        let mut known = self.settings.borrow_mut();
        let mut climbed = Vec::new();
        let mut found = Setting::default();
        for (level, state) in self.land.upwards(level) {
            if let Some(setting) = known.get(&level) {
                found = *setting;
                break;
            }
            climbed.push((level, state));
        }
        for (level, state) in climbed.into_iter().rev() {
            found.feature_set = state.attributes.feature_set.unwrap_or(found.feature_set);
            found.environment = environment_of(level, state).unwrap_or(found.environment);
            known.insert(level, found);
        }
        found
    }

    /// A principal's own holding as evidence, if it counts
    pub(crate) fn counting(&self, given: Given, principal: PrincipalRef) -> Option<Evidence> {
        if !self.view.ledger.index.may_run(given.timeline, principal, self.prefix) {
            return None;
        }
        let evidence = self.view.running(given.timeline, principal, self.t)?;
        (evidence.terms.custom == given.custom).then_some(evidence)
    }

    /// The same through a holder that matches whoever is asked about
    pub(crate) fn counting_of(
        &self,
        given: Given,
        holder: Holder,
        asked: User<'_>,
    ) -> Option<Evidence> {
        let own = self.counting(given, holder.principal)?;
        Some(Evidence { joined: self.joined(holder, asked), ..own })
    }

    /// The membership through which a holder matches whoever is asked about
    pub(crate) fn joined(&self, holder: Holder, asked: User<'_>) -> Option<Joined> {
        match holder.matched {
            Matched::Always => None,
            Matched::Added(joined) => Some(joined),
            Matched::ByRule => self.view.joined_by_rule(holder.principal, asked, self.t),
        }
    }

    /// The grantable at a level, if holdings of it count there
    ///
    /// They count if the name means something there, and if a directory manages authorizations; roles of `tenure`
    /// count in every directory.
    pub(crate) fn given(
        &self,
        here: &Here<'_>,
        grantable: Grantable,
        timeline: TimelineId,
    ) -> Option<Given> {
        let custom = here.is_custom(grantable).filter(|_| here.counts(grantable))?;
        Some(Given { timeline, custom })
    }

    /// The principals whose own holding counts
    ///
    /// # Cost
    /// O(principals that held it + principals kept apart there × their changes).
    pub(crate) fn holders(&self, given: Given) -> RoaringBitmap {
        let index = &self.view.ledger.index;
        let timeline = index.timeline(given.timeline);
        let Of::Holding { level, grantable } = timeline.of else { return RoaringBitmap::new() };
        let counts = |number: &u32| {
            let principal = self.view.ledger.numbered(*number);
            self.counting(given, principal).is_some()
        };
        let mut held = if timeline.custom() != given.custom || timeline.begins_after(self.prefix) {
            RoaringBitmap::new()
        } else if self.agree_on_end(timeline, level, given.custom.then_some(grantable)) {
            timeline.held(self.prefix)
        } else {
            timeline.met(self.prefix).iter().filter(counts).collect()
        };
        for (number, changes) in timeline.all_apart() {
            let principal = self.view.ledger.numbered(number);
            let key = HoldingKey { principal, grantable, level };
            let history = HoldingHistory { key, changes: Cow::Borrowed(changes) };
            let terms = self.view.terms(&history, self.t);
            if terms.is_some_and(|terms| terms.custom == given.custom) {
                held.insert(number);
            } else {
                held.remove(number);
            }
        }
        held
    }

    /// Whether a timeline and the landscape agree on the last deletion, so that the events say who holds
    fn agree_on_end(
        &self,
        timeline: &Timeline,
        level: LevelRef,
        custom: Option<Grantable>,
    ) -> bool {
        timeline.last_reset(self.prefix) == self.land.last_end(level, custom)
    }

    /// Whether the events of a timeline say who holds, but for the principals kept apart
    pub(crate) fn relies_on(&self, given: Given) -> bool {
        let timeline = self.view.ledger.index.timeline(given.timeline);
        let Of::Holding { level, grantable } = timeline.of else { return false };
        timeline.custom() == given.custom
            && self.agree_on_end(timeline, level, given.custom.then_some(grantable))
    }

    /// The known users of an origin
    pub(crate) fn everybody(&self, origin: &str) -> RoaringBitmap {
        let mut found = self.everybody.borrow_mut();
        if let Some(known) = found.get(origin) {
            return known.clone();
        }
        let users = self.view.ledger.users_of_origin(origin);
        let known: RoaringBitmap =
            users.filter(|user| self.view.knows(*user)).map(|user| user.number).collect();
        found.insert(origin.into(), known.clone());
        known
    }

    /// The known members of a set
    pub(crate) fn members(&self, set: PrincipalRef) -> RoaringBitmap {
        if set.kind == PrincipalKind::Everyone {
            return self.everybody(self.view.ledger.principal_of(set).origin());
        }
        let mut members = self.explicit_members(set);
        if let Some((_, rule)) = self.rule(set) {
            members |= self.made_members(rule);
        }
        members
    }

    /// The users that were added to a set
    pub(crate) fn explicit_members(&self, set: PrincipalRef) -> RoaringBitmap {
        let ledger = self.view.ledger;
        let Some(id) = ledger.index.members(set) else { return RoaringBitmap::new() };
        let timeline = ledger.index.timeline(id);
        let mut members = timeline.held(self.prefix);
        for (number, _) in timeline.all_apart() {
            if self.view.is_member(id, ledger.numbered(number), self.t) {
                members.insert(number);
            } else {
                members.remove(number);
            }
        }
        members
    }

    /// The principals that match a principal: itself first, then its sets and `everyone:` of its origin; groups by their rules
    /// only if they matter
    ///
    /// # Cost
    /// O(sets that the principal was ever added to + groups that ever had a rule), and for those of the groups that
    /// `matter`, O(leaves of the rule × sets that the principal was ever added to).
    pub(crate) fn matching(
        &self,
        user: User<'_>,
        matters: &impl Fn(PrincipalRef) -> bool,
    ) -> Vec<Holder> {
        let ledger = self.view.ledger;
        let User { name: principal, number: own } = user;
        let alone = |principal| Holder { principal, matched: Matched::Always };
        let mut found: Vec<Holder> = own.into_iter().map(alone).collect();
        if principal.kind() == PrincipalKind::User {
            if let Some(own) = own {
                let sets = ledger.index.of_member(own);
                found.extend(sets.filter_map(|(principal, timeline)| {
                    let may = ledger.index.may_run(timeline, own, self.prefix);
                    let membership =
                        if may { self.view.membership_at(timeline, own, self.t) } else { None };
                    Some(Holder { principal, matched: Matched::Added(membership?.into()) })
                }));
            }
            let added: RoaringBitmap = found.iter().map(|holder| holder.principal.number).collect();
            let ruled = self.ruled();
            let ruled = ruled.filter(|set| !added.contains(set.number) && matters(*set));
            let made = ruled.filter(|set| {
                self.rule(*set).is_some_and(|(_, rule)| self.makes_member(rule, user))
            });
            found.extend(made.map(|principal| Holder { principal, matched: Matched::ByRule }));
            found.extend(ledger.find_everyone(principal.origin()).map(alone));
        }
        found
    }
}
