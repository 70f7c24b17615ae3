//! Who gained or lost the power to X between two coordinates?
//!
//! The question *who* is asked at both, and the two answers are compared. This is where a move, a wider role or a new
//! catalogue shows.
//!
//! Rules: `docs/semantics.md#diff`.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;

use super::{Both, Pair};
use crate::ask::answer::{AskError, PowerDiff, Subject};
use crate::ask::plan::{Asked, Plan};
use crate::ledger::moment::Moment;
use crate::ledger::view::View;
use crate::words::ability::{Abilities, Ability};
use crate::words::instant::EffectiveAt;
use crate::words::level::Level;
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
            match (both.before.asked_on(ability, &then), both.after.asked_on(ability, &now)) {
                (Err(one), Err(other)) => return Err(graver(one, other)),
                (then, now) => {
                    asked_then.extend(then);
                    asked_now.extend(now);
                }
            }
        }
        let before = both.before.plans(&asked_then, then);
        Ok(both.power(before, both.after.plans(&asked_now, now)))
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
    fn asked_on(&self, ability: &Ability, levels: &Looked) -> Result<Asked, AskError> {
        let levels = levels.as_ref().map_err(AskError::clone)?;
        let somewhere = |asked| levels.iter().any(|level| self.defines(asked, *level));
        self.view.asked_if(ability, somewhere)
    }

    /// What must be held for any of these, on each level that has one
    fn plans(&self, asked: &[Asked], levels: Looked) -> Vec<(LevelRef, Plan)> {
        let levels = levels.into_iter().flatten();
        levels.filter_map(|level| Some((level, self.plan(asked, level)?))).collect()
    }
}

/// Principals and levels, by their numbers
type Pairs = Vec<(u32, LevelRef)>;

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
        for (level, plan) in plans {
            let who = |moment: &Moment<'_>, plan: Option<Plan>| {
                plan.map_or_else(RoaringBitmap::new, |plan| moment.who_by(&plan))
            };
            let before = who(&self.before, plan.before);
            let after = who(&self.after, plan.after);
            gained.extend((&after - &before).iter().map(|number| (number, level)));
            lost.extend((before - after).iter().map(|number| (number, level)));
        }
        PowerDiff { gained: self.named(gained), lost: self.named(lost) }
    }

    /// Each principal with its levels, all in byte order
    fn named(&self, mut pairs: Pairs) -> Vec<Subject<Vec<Level>>> {
        let ledger = self.before.view.ledger;
        pairs.sort_unstable_by(|(one, level), (other, other_level)| {
            let by_name = ledger.principals.compare(*one, *other);
            by_name.then_with(|| ledger.levels.compare(level.number, other_level.number))
        });
        let of_one = pairs.chunk_by(|(one, _), (other, _)| one == other);
        let subject = |own: &[(u32, LevelRef)]| {
            let (number, _) = own.first()?;
            let levels = own.iter().map(|(_, level)| ledger.level_of(*level).clone()).collect();
            Some(Subject { principal: ledger.principals.item(*number).clone(), detail: levels })
        };
        of_one.filter_map(subject).collect()
    }
}
