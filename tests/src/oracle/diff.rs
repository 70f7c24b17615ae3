//! What changed between two coordinates, and who gained or lost a power?
//!
//! The state at the one is compared with the state at the other, thing by thing.
//!
//! Rules: `docs/semantics.md#diff`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tenure_core::answer::{
    AskError, DefinedAt, DefinitionChanged, Diff, Holding, LandscapeDiff, LevelChanged, LevelMoved,
    PowerDiff, Subject,
};
use tenure_core::{
    Abilities, Ability, EffectiveAt, Environment, FeatureSet, KnownAt, Level, LevelKind, Place,
    Principal, Reading,
};

use super::Oracle;
use super::ask::Moment;
use super::names::RoleCollectionThere;
use super::state::State;

/// T and S
pub(super) type Coordinates = (EffectiveAt, KnownAt);

/// The feature set and the environment in force
type Setting = (FeatureSet, Environment);

/// The kind, what is in force, the name and what the role collection gained and lost
type ByCatalog = (LevelKind, Setting, Arc<str>, Vec<String>, Vec<String>);

impl Oracle {
    /// What changed from one pair of coordinates to another
    pub fn diff(
        &self,
        from: Coordinates,
        until: Coordinates,
        under: Option<&Level>,
        principal: Option<&Principal>,
    ) -> Result<Diff, AskError> {
        let moments = [from, until].map(|(t, s)| Moment::new(self, t, s));
        if let Some(under) = under {
            moments[0].must_exist(under).or(moments[1].must_exist(under))?;
        }
        let [before, after] = moments.each_ref().map(|moment| {
            let within = within(&moment.state, under);
            moment.holdings(|level| within.contains(level), principal)
        });
        let same_key = |a: &Holding, b: &Holding| {
            (&a.principal, &a.level, &a.granted) == (&b.principal, &b.level, &b.granted)
        };
        let mut diff = Diff::default();
        for old in &before {
            match after.iter().find(|new| same_key(old, new)) {
                None => diff.lost.push(old.clone()),
                Some(new) => {
                    if (old.since, old.until, old.entry) != (new.since, new.until, new.entry) {
                        diff.changed.push((old.clone(), new.clone()));
                    }
                }
            }
        }
        let gained = after.iter().filter(|new| !before.iter().any(|old| same_key(old, new)));
        diff.gained = gained.cloned().collect();
        if principal.is_none() {
            diff.landscape = Some(landscape([&moments[0].state, &moments[1].state], under));
        }
        Ok(diff)
    }

    /// Who gained or lost a power from one pair of coordinates to another, each with the levels
    pub fn power_diff(
        &self,
        can: &Abilities,
        place: &Place,
        from: Coordinates,
        until: Coordinates,
    ) -> Result<PowerDiff, AskError> {
        let (mut before, mut after) = (BTreeSet::new(), BTreeSet::new());
        for ability in can.iter() {
            match (self.able(ability, place, from), self.able(ability, place, until)) {
                (Err(AskError::DecidedElsewhere(on)), _)
                | (_, Err(AskError::DecidedElsewhere(on))) => {
                    return Err(AskError::DecidedElsewhere(on));
                }
                (Err(AskError::UnknownLevel(_)), Err(error)) | (Err(error), Err(_)) => {
                    return Err(error);
                }
                // What is unknown at one of the two is nobody there. Where something else decides at one
                // of the two, nothing is said.
                (one, other) => {
                    let elsewhere = self.elsewhere_at_both(ability, place, [from, until]);
                    let told = |(_, level): &(_, Level)| !elsewhere.contains(level);
                    before.extend(one.into_iter().flatten().filter(told));
                    after.extend(other.into_iter().flatten().filter(told));
                }
            }
        }
        Ok(PowerDiff { gained: by_name(&after - &before), lost: by_name(&before - &after) })
    }

    /// Who could, and where
    fn able(
        &self,
        can: &Ability,
        place: &Place,
        (t, s): Coordinates,
    ) -> Result<BTreeSet<(Principal, Level)>, AskError> {
        let can = &Abilities::from(can.clone());
        Ok(match place {
            Place::On(on) => {
                let who = self.who(can, on, (t, s), Reading::Assigned, false)?;
                let all = who.subjects.into_iter().chain(who.sets);
                all.map(|subject| (subject.principal, on.clone())).collect()
            }
            Place::Under(under) => {
                let who = self.who_anywhere(can, under, (t, s), Reading::Assigned, false)?;
                let all = who.subjects.into_iter().chain(who.sets);
                all.flat_map(|subject| {
                    let levels = subject.detail.levels.into_iter();
                    levels.map(move |level| (subject.principal.clone(), level))
                })
                .collect()
            }
        })
    }
}

fn by_name(found: BTreeSet<(Principal, Level)>) -> Vec<Subject<Vec<Level>>> {
    let mut levels: BTreeMap<Principal, Vec<Level>> = BTreeMap::new();
    for (principal, level) in found {
        levels.entry(principal).or_default().push(level);
    }
    let subjects = levels.into_iter();
    subjects.map(|(principal, detail)| Subject { principal, assigned: None, detail }).collect()
}

/// The levels of the subtree, or all that exist
fn within(state: &State, under: Option<&Level>) -> BTreeSet<Level> {
    match under {
        Some(under) => state.subtree(under).into_iter().collect(),
        None => state.levels.keys().cloned().collect(),
    }
}

fn landscape([before, after]: [&State; 2], under: Option<&Level>) -> LandscapeDiff {
    let mut diff = LandscapeDiff::default();
    let mut by_catalog: BTreeMap<ByCatalog, usize> = BTreeMap::new();
    for level in &within(before, under) | &within(after, under) {
        if !before.exists(&level) {
            diff.created.push(level);
            continue;
        }
        if !after.exists(&level) {
            diff.deleted.push(level);
            continue;
        }
        let (old, new) = (&before.levels[&level], &after.levels[&level]);
        if old.parent != new.parent {
            diff.moved.push(LevelMoved {
                level: level.clone(),
                from: old.parent.clone().unwrap(),
                until: new.parent.clone().unwrap(),
            });
        }
        let feature_set = (before.feature_set(&level), after.feature_set(&level));
        let environment = (before.environment(&level), after.environment(&level));
        let setting = (feature_set.0, environment.0);
        let same_setting = setting == (feature_set.1, environment.1);
        if old.attributes != new.attributes || !same_setting {
            diff.changed.push(LevelChanged {
                level: level.clone(),
                attributes: (old.attributes.clone(), new.attributes.clone()),
                feature_set,
                environment,
            });
        }
        let there = [before, after].map(|state| state.role_collections_at(&level));
        let names: BTreeSet<Arc<str>> =
            there.iter().flat_map(|there| there.keys().cloned()).collect();
        for role_collection in names {
            let found = there.each_ref().map(|there| there.get(&role_collection));
            let (old, new) =
                (existing(before, &level, found[0]), existing(after, &level, found[1]));
            if old == new {
                continue;
            }
            let gained = new.difference(&old).cloned().collect();
            let lost = old.difference(&new).cloned().collect();
            let predefined = found.into_iter().flatten().all(|there| there.predefined);
            if predefined && same_setting {
                let row = (level.kind(), setting, role_collection, gained, lost);
                *by_catalog.entry(row).or_default() += 1;
            } else {
                let at = DefinedAt::Level(level.clone());
                diff.definitions.push(DefinitionChanged { at, role_collection, gained, lost });
            }
        }
    }
    for ((kind, (feature_set, environment), role_collection, gained, lost), levels) in by_catalog {
        let at = DefinedAt::Catalog { kind, feature_set, environment, levels };
        diff.definitions.push(DefinitionChanged { at, role_collection, gained, lost });
    }
    diff
}

/// The roles of a role collection that exist at a level
fn existing(state: &State, level: &Level, there: Option<&RoleCollectionThere>) -> BTreeSet<String> {
    let roles = state.roles_at(level);
    let listed = there.into_iter().flat_map(|there| &there.roles);
    listed.filter(|role| roles.contains_key(role)).map(|role| role.text()).collect()
}
