//! What do names mean at a level, over valid time, as known now?

use std::sync::Arc;

use rustc_hash::FxHashMap;
use tenure_core::{FeatureSet, LevelKind, RoleText};

use super::definitions::{Definitions, Table};
use super::landscape::{Custom, Landscape, stretches};
use crate::names::{
    Grantable, Granted, Held, Names, OWN_DEFINITIONS, Role, kind_number, set_number,
};
use crate::span::{Span, joined, without};
use crate::tables::{CustomGives, LiesIn};

/// A level on the way up, as it is in a stretch of time
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
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
pub(super) struct Profile {
    pub(super) span: Span,
    authorizations: bool,
    /// From itself up
    path: Vec<Step>,
}

impl Profile {
    fn set(&self) -> FeatureSet {
        self.path.first().map_or(FeatureSet::B, |step| step.set)
    }
}

/// The landscape with its catalogues
#[derive(Debug, Default)]
pub(super) struct Meaning {
    pub(super) landscape: Landscape,
    pub(super) catalogs: Vec<Arc<Definitions>>,
    nothing: Definitions,
    profiles: FxHashMap<u32, Arc<[Profile]>>,
    countable: FxHashMap<(u32, Granted), Arc<[Span]>>,
}

impl Meaning {
    /// What is known of a level is no longer so
    pub(super) fn forget(&mut self, level: u32) {
        self.profiles.remove(&level);
    }

    /// Which stretches count is no longer known
    pub(super) fn forget_countable(&mut self, level: u32, what: Grantable) {
        for custom in [false, true] {
            self.countable.remove(&(level, Granted { what, custom }));
        }
    }

    /// The stretches of time with the catalogue in force, and those before any
    fn catalogs(&self) -> Vec<(Span, &Definitions)> {
        let mut found = Vec::new();
        let first = self.landscape.catalogs.first().map_or(Span::ALWAYS.until(), |(key, _)| key.0);
        found.extend(Span::new(0, first).map(|span| (span, &self.nothing)));
        found
            .extend(stretches(&self.landscape.catalogs).filter_map(|(span, number)| {
                Some((span, &**self.catalogs.get(*number as usize)?))
            }));
        found
    }

    fn definitions(&self, t: i64) -> &Definitions {
        let number = super::landscape::at(&self.landscape.catalogs, t);
        number.and_then(|n| self.catalogs.get(*n as usize)).map_or(&self.nothing, |found| found)
    }

    fn table(&self, names: &Names, level: u32, t: i64) -> &Table {
        self.definitions(t).table(names.kind(level), self.landscape.set(level, t))
    }

    pub(super) fn profiles(&mut self, names: &Names, level: u32) -> Arc<[Profile]> {
        if let Some(found) = self.profiles.get(&level) {
            return Arc::clone(found);
        }
        let found: Arc<[Profile]> = self.climb(names, level, Span::ALWAYS).into();
        self.profiles.insert(level, Arc::clone(&found));
        found
    }

    fn climb(&self, names: &Names, level: u32, within: Span) -> Vec<Profile> {
        let Some(track) = self.landscape.levels.get(&level) else { return Vec::new() };
        let authorized = names.kind(level) != LevelKind::Directory;
        let mut found = Vec::new();
        for (span, state) in stretches(&track.states) {
            let (Some(state), Some(span)) = (state, span.and(within)) else { continue };
            let above: Vec<(Span, Vec<Step>)> = match state.parent {
                None => vec![(span, Vec::new())],
                Some(parent) => {
                    let above = self.climb(names, parent, span).into_iter();
                    above.map(|profile| (profile.span, profile.path)).collect()
                }
            };
            for (span, path) in above {
                let inherited = path.first().map_or(FeatureSet::B, |step| step.set);
                let set = state.set.unwrap_or(inherited);
                for (span, own) in self.own(names, level, set, span) {
                    let step = Step { level, set, own };
                    let path = [step].into_iter().chain(path.iter().copied()).collect();
                    let authorizations = authorized || state.authorizations == Some(true);
                    found.push(Profile { span, authorizations, path });
                }
            }
        }
        found
    }

    /// Cuts a stretch by whether a custom role hides a predefined one
    fn own(&self, names: &Names, level: u32, set: FeatureSet, span: Span) -> Vec<(Span, bool)> {
        let roles = self.landscape.levels.get(&level).map(|track| &track.roles);
        let mut hidden = Vec::new();
        for role in roles.into_iter().flat_map(|roles| roles.keys()) {
            for custom in self.landscape.customs(level, Grantable::Role(*role)) {
                for (of, catalog) in self.catalogs() {
                    let there = catalog.table(names.kind(level), set).roles.contains_key(role);
                    let both = custom.and(of).filter(|_| there).and_then(|both| both.and(span));
                    hidden.extend(both.map(|span| ((), span)));
                }
            }
        }
        let hidden: Vec<Span> = joined(hidden).into_iter().map(|(_, span)| span).collect();
        let rest = without(&[span], &hidden).into_iter().map(|span| (span, false));
        rest.chain(hidden.into_iter().map(|span| (span, true))).collect()
    }

    /// The rows of a level and its ancestors
    pub(super) fn lies_in(&mut self, names: &Names, level: u32) -> Vec<(LiesIn, Span)> {
        let mut rows = Vec::new();
        for profile in self.profiles(names, level).iter() {
            let definitions = profile.path.first().map_or(OWN_DEFINITIONS, Step::definitions);
            rows.extend(profile.path.iter().map(|step| {
                let row = LiesIn {
                    level,
                    kind: kind_number(names.kind(level)),
                    set: set_number(profile.set()),
                    definitions,
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
        let customs = self.landscape.customs(level, granted.what);
        let catalogs = self.catalogs();
        let mut spans = Vec::new();
        for profile in profiles.iter().filter(|profile| profile.authorizations) {
            if granted.custom {
                spans.extend(customs.iter().filter_map(|custom| custom.and(profile.span)));
                continue;
            }
            for (span, catalog) in &catalogs {
                let table = catalog.table(names.kind(level), profile.set());
                let there = match granted.what {
                    Grantable::Collection(name) => table.collections.contains_key(&name),
                    Grantable::Role(role) => table.roles.contains_key(&role),
                };
                if there && let Some(span) = span.and(profile.span) {
                    spans.extend(without(&[span], &customs));
                }
            }
        }
        let spans = joined(spans.into_iter().map(|span| ((), span)).collect());
        let found: Arc<[Span]> = spans.into_iter().map(|(_, span)| span).collect();
        self.countable.insert((level, granted), Arc::clone(&found));
        found
    }

    /// What custom things give at a level, and where a custom role hides a predefined one, all things
    pub(super) fn custom_gives(
        &mut self,
        names: &mut Names,
        level: u32,
    ) -> Vec<(CustomGives, Span)> {
        let profiles = self.profiles(names, level);
        let Some(track) = self.landscape.levels.get(&level) else { return Vec::new() };
        let collections: Vec<u32> = track.collections.keys().copied().collect();
        if collections.is_empty() && track.roles.is_empty() {
            return Vec::new();
        }
        let mut edges: Vec<i64> = Vec::new();
        let catalogs = self.landscape.catalogs.iter();
        edges.extend(catalogs.map(|(key, _)| key.0));
        edges.extend(track.roles.values().flatten().map(|(key, _)| key.0));
        edges.extend(track.collections.values().flatten().map(|(key, _)| key.0));
        edges.sort_unstable();
        edges.dedup();
        let mut rows = Vec::new();
        for profile in profiles.iter() {
            let span = profile.span;
            let mut moments = vec![span.from()];
            moments.extend(edges.iter().copied().filter(|t| *t > span.from() && *t < span.until()));
            for (n, from) in moments.iter().enumerate() {
                let until = moments.get(n + 1).copied().unwrap_or(span.until());
                let Some(span) = Span::new(*from, until) else { continue };
                for (granted, held) in self.given(names, level, profile, *from, &collections) {
                    let (held, granted) =
                        (names.held.number(&held), names.granted.number(&granted));
                    rows.push((CustomGives { level, held, granted }, span));
                }
            }
        }
        joined(rows)
    }

    fn given(
        &self,
        names: &Names,
        level: u32,
        profile: &Profile,
        t: i64,
        collections: &[u32],
    ) -> Vec<(Granted, Held)> {
        let definitions = self.definitions(t);
        let table = definitions.table(names.kind(level), profile.set());
        let track = self.landscape.levels.get(&level);
        let custom_at = |name: u32| {
            let track = track.and_then(|track| track.collections.get(&name));
            track.and_then(|track| super::landscape::at(track, t)?.as_ref())
        };
        let gives = |role: Role| match self.landscape.custom_role(level, role, t) {
            Some(custom) => custom_gives(definitions, table, role, custom),
            None => table.role_gives(role),
        };
        let mut found = Vec::new();
        let mut collection = |name: u32, custom: bool, roles: &[Role]| {
            let granted = Granted { what: Grantable::Collection(name), custom };
            found.push((granted, Held::Collection(name)));
            let all = roles.iter().flat_map(|role| gives(*role));
            found.extend(all.map(|held| (granted, held)));
        };
        for name in collections {
            if let Some(roles) = custom_at(*name) {
                collection(*name, true, roles);
            }
        }
        if profile.path.first().is_some_and(|step| step.own) {
            for (name, roles) in &table.collections {
                if custom_at(*name).is_none() {
                    collection(*name, false, roles);
                }
            }
            for role in table.roles.keys() {
                if self.landscape.custom_role(level, *role, t).is_none() {
                    let granted = Granted { what: Grantable::Role(*role), custom: false };
                    found.extend(table.role_gives(*role).into_iter().map(|held| (granted, held)));
                }
            }
        }
        found
    }

    /// Everything that gives something at a level, at a moment
    pub(super) fn all_given(&mut self, names: &Names, level: u32, t: i64) -> Vec<(Granted, Held)> {
        let profiles = self.profiles(names, level);
        let Some(profile) = profiles.iter().find(|profile| profile.span.contains(t)) else {
            return Vec::new();
        };
        let track = self.landscape.levels.get(&level);
        let collections: Vec<u32> =
            track.into_iter().flat_map(|track| track.collections.keys().copied()).collect();
        let mut found = self.given(names, level, profile, t, &collections);
        if !profile.path.first().is_some_and(|step| step.own) {
            let table = self.definitions(t).table(names.kind(level), profile.set());
            found.extend(table.gives());
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
        let name = names.text(&text.name);
        let application = text.application.as_ref().map(|text| names.text(text));
        let means = |role: &Role| {
            role.1 == name && application.is_none_or(|application| application == role.0)
        };
        let custom = self.landscape.levels.get(&level).into_iter().flat_map(|t| t.roles.keys());
        let mut found: Vec<Role> = custom
            .filter(|role| self.landscape.custom_role(level, **role, t).is_some())
            .chain(self.table(names, level, t).roles.keys())
            .filter(|role| means(role))
            .copied()
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Whether a name means the custom one at a level
    pub(super) fn is_custom(&self, level: u32, what: Grantable, t: i64) -> bool {
        self.landscape.customs(level, what).iter().any(|span| span.contains(t))
    }
}

fn custom_gives(
    definitions: &Definitions,
    table: &Table,
    role: Role,
    custom: &Custom,
) -> Vec<Held> {
    let scopes: Vec<u32> = match &custom.scopes {
        Some(written) => written.iter().map(|scope| definitions.real(*scope)).collect(),
        None => table.of_template(role.0, custom.template),
    };
    let named = [Held::Role(role), Held::RoleName(role.1)];
    named.into_iter().chain(scopes.into_iter().map(Held::Scope)).collect()
}
