//! Who gained or lost the power to X between two coordinates?
//!
//! The question *who* is asked at both, and the two answers are compared. This is where a move, a wider role or a new
//! catalogue shows.
//!
//! Rules: `docs/semantics.md#diff`.

use std::collections::{BTreeMap, BTreeSet};

use roaring::RoaringBitmap;

use super::{Both, Pair};
use crate::ask::answer::{AskError, PowerDiff, Subject};
use crate::ask::plan::{Asked, Plan};
use crate::ledger::moment::Moment;
use crate::ledger::view::View;
use crate::words::ability::{Abilities, Ability};
use crate::words::instant::EffectiveAt;
use crate::words::level::Level;
use crate::words::principal::Principal;
use crate::words::symbol::LevelRef;

/// Where a power is looked at
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// On a level
    On(Level),
    /// On every level of a subtree
    Under(Level),
}

impl View<'_> {
    /// Who gained or lost the power to X from this coordinate to another, with the levels
    ///
    /// Where the level or X is unknown at one of the two, nobody could there.
    ///
    /// # Errors
    /// As those of *who*, if neither of the two has an answer.
    /// # Cost
    /// That of *who* at both, as bitmaps of numbers. Only who differs is named.
    pub fn power_diff(
        &self,
        t: EffectiveAt,
        other: &View<'_>,
        other_t: EffectiveAt,
        can: &Abilities,
        place: &Place,
    ) -> Result<PowerDiff, AskError> {
        let both = Both { before: Moment::new(self, t), after: Moment::new(other, other_t) };
        let (then, now) = (both.before.levels(place), both.after.levels(place));
        let (mut asked_then, mut asked_now) = (Vec::new(), Vec::new());
        for ability in can.iter() {
            match (
                both.before.asked_on(ability, place, &then),
                both.after.asked_on(ability, place, &now),
            ) {
                (Err(elsewhere @ AskError::DecidedElsewhere(_)), _)
                | (_, Err(elsewhere @ AskError::DecidedElsewhere(_))) => return Err(elsewhere),
                (Err(one), Err(other)) => return Err(graver(one, other)),
                (then, now) => {
                    asked_then.extend(then);
                    asked_now.extend(now);
                }
            }
        }
        let elsewhere: BTreeSet<LevelRef> = match place {
            Place::On(_) => BTreeSet::new(),
            Place::Under(_) => {
                let of = |moment: &Moment<'_>, levels: &Looked| {
                    let levels = levels.iter().flatten().copied();
                    levels.filter(|one| moment.land.is_decided_elsewhere(*one)).collect()
                };
                let then: BTreeSet<LevelRef> = of(&both.before, &then);
                let now: BTreeSet<LevelRef> = of(&both.after, &now);
                &then | &now
            }
        };
        let before = both.before.plans(&asked_then, then, &elsewhere);
        let after = both.after.plans(&asked_now, now, &elsewhere);
        Ok(both.power(before, after))
    }
}

/// Of the errors of both coordinates the one that is told: a level that is there at one of the two is not unknown
fn graver(one: AskError, other: AskError) -> AskError {
    match one {
        AskError::UnknownLevel(_) => other,
        _ => one,
    }
}

/// The levels that are looked at, or that there are none
type Looked = Result<Vec<LevelRef>, AskError>;

impl Moment<'_> {
    fn levels(&self, place: &Place) -> Looked {
        match place {
            Place::On(level) => Ok(vec![self.level(level)?]),
            Place::Under(root) => Ok(self.land.subtree(self.level(root)?)),
        }
    }

    /// # Errors
    /// As those of *who*.
    fn asked_on(
        &self,
        ability: &Ability,
        place: &Place,
        levels: &Looked,
    ) -> Result<Asked, AskError> {
        let levels = levels.as_ref().map_err(AskError::clone)?;
        if let (Place::On(on), [level]) = (place, levels.as_slice())
            && self.land.is_decided_elsewhere(*level)
            && !ability.is_own()
        {
            return Err(AskError::DecidedElsewhere(on.clone()));
        }
        self.view.asked_if(ability, |asked: &Asked| {
            levels.iter().any(|level| self.is_asked(asked, *level))
        })
    }

    /// What must be held for any of these, on each level that has one; where something else decides, for those of the
    /// ledger's own alone
    fn plans(
        &self,
        asked: &[Asked],
        levels: Looked,
        elsewhere: &BTreeSet<LevelRef>,
    ) -> Vec<(LevelRef, Plan)> {
        let own: Vec<Asked> = asked.iter().filter(|one| one.is_own()).cloned().collect();
        let asked_at = |level| if elsewhere.contains(&level) { own.as_slice() } else { asked };
        let levels = levels.into_iter().flatten();
        levels.filter_map(|level| Some((level, self.plan(asked_at(level), level)?))).collect()
    }
}

/// Principals and levels, by their numbers
type Pairs = Vec<(u32, LevelRef)>;

/// Sets of everybody that no entry ever named, each with its levels
type Unnamed = BTreeMap<Principal, Vec<Level>>;

impl Both<'_> {
    fn power(&self, before: Vec<(LevelRef, Plan)>, after: Vec<(LevelRef, Plan)>) -> PowerDiff {
        let mut plans: BTreeMap<LevelRef, Pair<Plan>> = BTreeMap::new();
        for (level, plan) in before {
            plans.insert(level, Pair { before: Some(plan), after: None });
        }
        for (level, plan) in after {
            plans.entry(level).or_insert(Pair { before: None, after: None }).after = Some(plan);
        }
        let (mut gained, mut lost) = (Pairs::new(), Pairs::new());
        let (mut also_gained, mut also_lost) = (Unnamed::new(), Unnamed::new());
        for (level, plan) in plans {
            let unnamed = |plan: &Option<Plan>| -> BTreeSet<Principal> {
                let sets = plan.as_ref().map(|plan| plan.unnamed(self.after.view));
                sets.into_iter().flatten().collect()
            };
            let (then, now) = (unnamed(&plan.before), unnamed(&plan.after));
            for (sets, to) in [(&now - &then, &mut also_gained), (&then - &now, &mut also_lost)] {
                for set in sets {
                    to.entry(set).or_default().push(self.after.view.ledger.level_of(level).clone());
                }
            }
            let who = |moment: &Moment<'_>, plan: Option<Plan>| {
                plan.map_or_else(RoaringBitmap::new, |plan| moment.who_by(&plan))
            };
            let before = who(&self.before, plan.before);
            let after = who(&self.after, plan.after);
            gained.extend((&after - &before).iter().map(|number| (number, level)));
            lost.extend((before - after).iter().map(|number| (number, level)));
        }
        PowerDiff { gained: self.named(gained, also_gained), lost: self.named(lost, also_lost) }
    }

    /// Each principal with its levels, all in byte order
    fn named(&self, mut pairs: Pairs, unnamed: Unnamed) -> Vec<Subject<Vec<Level>>> {
        let ledger = self.before.view.ledger;
        pairs.sort_unstable_by(|(one, level), (other, other_level)| {
            let by_name = ledger.principals.compare(*one, *other);
            by_name.then_with(|| ledger.levels.compare(level.number, other_level.number))
        });
        let of_one = pairs.chunk_by(|(one, _), (other, _)| one == other);
        let subject = |own: &[(u32, LevelRef)]| {
            let (number, _) = own.first()?;
            let levels = own.iter().map(|(_, level)| ledger.level_of(*level).clone()).collect();
            let principal = ledger.principals.item(*number).clone();
            Some(Subject { principal, assigned: None, detail: levels })
        };
        let mut found: Vec<_> = of_one.filter_map(subject).collect();
        for (principal, mut levels) in unnamed {
            levels.sort();
            let place = found.partition_point(|subject| subject.principal < principal);
            found.insert(place, Subject { principal, assigned: None, detail: levels });
        }
        found
    }
}
