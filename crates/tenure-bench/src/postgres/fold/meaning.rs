//! What do names mean at a level, over valid time, as known now?

use std::sync::Arc;

use rustc_hash::FxHashMap;
use tenure_core::{FeatureSet, LevelKind, RoleText};

use super::super::tables::{
    CustomGives, Grantable, Granted, Held, LiesIn, NO_CATALOG, Names, OWN_DEFINITIONS, Role, Span,
    joined, kind_number, set_number, without,
};
use super::definitions::{Definitions, Table, meant, role_gives};
use super::structure::{Custom, Structure, at, stretches};

/// A level on the way up, as it is in a stretch of time
#[derive(Clone, Copy, Debug)]
struct Step {
    level: u32,
    set: FeatureSet,
    /// Whether a custom role there hides a predefined one
    own: bool,
}

impl Step {
    fn definitions(&self) -> u32 {
        if self.own { OWN_DEFINITIONS } else { set_number(self.set) }
    }
}

/// What a level is in a stretch of time
#[derive(Clone, Debug)]
struct Profile {
    span: Span,
    /// Whether holdings at the level count
    authorizations: bool,
    own: Step,
    above: Vec<Step>,
}

impl Profile {
    fn path(&self) -> impl Iterator<Item = &Step> {
        [&self.own].into_iter().chain(&self.above)
    }
}

/// The structure with its catalogues
#[derive(Debug, Default)]
pub(super) struct Meaning {
    pub(super) structure: Structure,
    pub(super) catalogs: Vec<Definitions>,
    nothing: Definitions,
    profiles: FxHashMap<u32, Arc<[Profile]>>,
    countable: FxHashMap<(u32, Granted), Arc<[Span]>>,
}

impl Meaning {
    /// The structure of a level may have changed
    pub(super) fn forget(&mut self, level: u32) {
        self.profiles.remove(&level);
    }

    /// The stretches in which holdings of a name count may have changed
    pub(super) fn forget_countable(&mut self, level: u32, what: Grantable) {
        for custom in [false, true] {
            self.countable.remove(&(level, Granted { what, custom }));
        }
    }

    /// The stretches of time with the number of the catalogue in force; [`NO_CATALOG`] before the first
    pub(super) fn in_force(&self) -> Vec<(u32, Span)> {
        let catalogs = &self.structure.catalogs;
        let first = catalogs.first().map_or(Span::ALWAYS.until, |(key, _)| key.0);
        let none = Span::new(Span::ALWAYS.from, first).map(|span| (NO_CATALOG, span));
        none.into_iter().chain(stretches(catalogs).map(|(span, number)| (*number, span))).collect()
    }

    fn definitions(&self, catalog: u32) -> &Definitions {
        self.catalogs.get(catalog as usize).unwrap_or(&self.nothing)
    }

    fn definitions_at(&self, t: i64) -> &Definitions {
        self.definitions(at(&self.structure.catalogs, t).copied().unwrap_or(NO_CATALOG))
    }

    fn profiles(&mut self, names: &Names, level: u32) -> Arc<[Profile]> {
        if let Some(found) = self.profiles.get(&level) {
            return Arc::clone(found);
        }
        let found: Arc<[Profile]> = self.climb(names, level, Span::ALWAYS).into();
        self.profiles.insert(level, Arc::clone(&found));
        found
    }

    fn climb(&self, names: &Names, level: u32, within: Span) -> Vec<Profile> {
        let Some(track) = self.structure.levels.get(&level) else { return Vec::new() };
        let always = names.kind(level) != LevelKind::Directory;
        let mut found = Vec::new();
        for (span, state) in stretches(&track.states) {
            let (Some(state), Some(span)) = (state, span.and(within)) else { continue };
            let authorizations = always || state.authorizations == Some(true);
            let above: Vec<(Span, Vec<Step>)> = match state.parent {
                None => vec![(span, Vec::new())],
                Some(parent) => {
                    let above = self.climb(names, parent, span).into_iter();
                    above.map(|above| (above.span, above.path().copied().collect())).collect()
                }
            };
            for (span, above) in above {
                let inherited = above.first().map_or(FeatureSet::B, |step| step.set);
                let set = state.set.unwrap_or(inherited);
                for (span, own) in self.own(names, level, set, span) {
                    let (own, above) = (Step { level, set, own }, above.clone());
                    found.push(Profile { span, authorizations, own, above });
                }
            }
        }
        found
    }

    /// Cuts a stretch by whether a custom role hides a predefined one
    fn own(&self, names: &Names, level: u32, set: FeatureSet, span: Span) -> Vec<(Span, bool)> {
        let customs = self.structure.levels.get(&level).map(|track| &track.customs);
        let mut hidden = Vec::new();
        for what in customs.into_iter().flat_map(|customs| customs.keys()) {
            let Grantable::Role(_) = what else { continue };
            for custom in self.structure.customs(level, *what) {
                for (catalog, of) in self.in_force() {
                    let table = self.definitions(catalog).table(names.kind(level), set);
                    let both = custom.and(of).filter(|_| table.has(*what));
                    hidden.extend(both.and_then(|both| both.and(span)).map(|span| ((), span)));
                }
            }
        }
        let hidden: Vec<Span> = joined(hidden).into_iter().map(|(_, span)| span).collect();
        let rest = without(span, &hidden).into_iter().map(|span| (span, false));
        rest.chain(hidden.iter().map(|span| (*span, true))).collect()
    }

    /// The rows of a level and its ancestors
    pub(super) fn lies_in(&mut self, names: &Names, level: u32) -> Vec<(LiesIn, Span)> {
        let mut rows = Vec::new();
        for profile in self.profiles(names, level).iter() {
            rows.extend(profile.path().map(|step| {
                let row = LiesIn {
                    level,
                    kind: kind_number(names.kind(level)),
                    feature_set: set_number(profile.own.set),
                    definitions: profile.own.definitions(),
                    ancestor: step.level,
                    ancestor_kind: kind_number(names.kind(step.level)),
                    ancestor_definitions: step.definitions(),
                };
                (row, profile.span)
            }));
        }
        joined(rows)
    }

    /// The stretches in which a running holding of that counts
    pub(super) fn countable(&mut self, names: &Names, level: u32, granted: Granted) -> Arc<[Span]> {
        if let Some(found) = self.countable.get(&(level, granted)) {
            return Arc::clone(found);
        }
        let profiles = self.profiles(names, level);
        let customs = self.structure.customs(level, granted.what);
        let mut spans = Vec::new();
        for profile in profiles.iter().filter(|profile| profile.authorizations) {
            if granted.custom {
                spans.extend(customs.iter().filter_map(|custom| custom.and(profile.span)));
                continue;
            }
            for (catalog, span) in self.in_force() {
                let table = self.definitions(catalog).table(names.kind(level), profile.own.set);
                if table.has(granted.what)
                    && let Some(span) = span.and(profile.span)
                {
                    spans.extend(without(span, &customs));
                }
            }
        }
        let spans = joined(spans.into_iter().map(|span| ((), span)).collect());
        let found: Arc<[Span]> = spans.into_iter().map(|(_, span)| span).collect();
        self.countable.insert((level, granted), Arc::clone(&found));
        found
    }

    /// What custom names give at a level; all names, where a custom role hides a predefined one
    pub(super) fn custom_gives(
        &mut self,
        names: &mut Names,
        level: u32,
    ) -> Vec<(CustomGives, Span)> {
        let profiles = self.profiles(names, level);
        let track = self.structure.levels.get(&level).filter(|track| !track.customs.is_empty());
        let Some(track) = track else { return Vec::new() };
        let mut edges: Vec<i64> = track.customs.values().flatten().map(|(key, _)| key.0).collect();
        edges.extend(self.structure.catalogs.iter().map(|(key, _)| key.0));
        edges.sort_unstable();
        edges.dedup();
        let mut rows = Vec::new();
        for profile in profiles.iter() {
            let Span { from, until } = profile.span;
            let inside = edges.iter().copied().filter(|t| (from + 1..until).contains(t));
            let moments: Vec<i64> = [from].into_iter().chain(inside).chain([until]).collect();
            for [from, until] in moments.array_windows() {
                let Some(span) = Span::new(*from, *until) else { continue };
                for (granted, held) in self.given(names, level, &profile.own, *from) {
                    let held = names.held.number(&held);
                    let granted = names.granted.number(&granted);
                    rows.push((CustomGives { level, held, granted }, span));
                }
            }
        }
        joined(rows)
    }

    fn given(&self, names: &Names, level: u32, own: &Step, t: i64) -> Vec<(Granted, Held)> {
        let definitions = self.definitions_at(t);
        let table = definitions.table(names.kind(level), own.set);
        let custom = |what| self.structure.custom(level, what, t);
        let gives = |role: Role| match custom(Grantable::Role(role)) {
            Some(Custom::Role { template, scopes }) => match scopes {
                Some(written) => {
                    let real: Vec<u32> = written.iter().map(|s| definitions.real(*s)).collect();
                    role_gives(role, &real)
                }
                None => role_gives(role, &table.of_template(role.0, *template)),
            },
            _ => table.role_gives(role),
        };
        let mut found = Vec::new();
        let mut collection = |name: u32, custom: bool, roles: &[Role]| {
            let granted = Granted { what: Grantable::Collection(name), custom };
            let all = roles.iter().flat_map(|role| gives(*role));
            found.extend(all.chain([Held::Collection(name)]).map(|held| (granted, held)));
        };
        let track = self.structure.levels.get(&level);
        for what in track.into_iter().flat_map(|track| track.customs.keys()) {
            if let (Grantable::Collection(name), Some(Custom::Collection(roles))) =
                (what, custom(*what))
            {
                collection(*name, true, roles);
            }
        }
        if own.own {
            for (name, roles) in &table.collections {
                if custom(Grantable::Collection(*name)).is_none() {
                    collection(*name, false, roles);
                }
            }
            for role in table.roles.keys() {
                if custom(Grantable::Role(*role)).is_none() {
                    let granted = Granted { what: Grantable::Role(*role), custom: false };
                    found.extend(table.role_gives(*role).into_iter().map(|held| (granted, held)));
                }
            }
        }
        found
    }

    /// The roles that a text may mean at a level
    pub(super) fn roles(
        &self,
        names: &mut Names,
        level: u32,
        text: &RoleText,
        t: i64,
    ) -> Vec<Role> {
        let set = self.structure.set(level, t);
        let table: &Table = self.definitions_at(t).table(names.kind(level), set);
        let customs = self.structure.levels.get(&level).into_iter();
        let customs = customs.flat_map(|track| track.customs.keys()).filter_map(|what| match what {
            Grantable::Role(role) => self.structure.custom(level, *what, t).map(|_| role),
            Grantable::Collection(_) => None,
        });
        let mut found = meant(text, customs.chain(table.roles.keys()), names);
        found.sort_unstable();
        found.dedup();
        found
    }
}
