//! What changed of levels and definitions between two coordinates?
//!
//! Each level is compared once. What a catalogue says of a kind of level in a feature set and an environment is
//! compared once for all such levels. Only custom role collections are looked at level by level.
//!
//! Rules: `docs/semantics.md#diff`.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::{Both, Within};
use crate::ask::answer::{DefinedAt, DefinitionChanged, LandscapeDiff, LevelChanged, LevelMoved};
use crate::history::landscape_at::Here;
use crate::words::catalog::Setting;
use crate::words::definitions::Table;
use crate::words::grantable::{Grantable, RoleKey};
use crate::words::level::{Environment, Level, LevelKind};
use crate::words::symbol::{LevelRef, Map, Symbol};

impl Both<'_> {
    pub(super) fn landscape(&self, within: &Within) -> LandscapeDiff {
        let mut diff = LandscapeDiff::default();
        if self.before.land.is_still(&self.after.land) {
            return diff;
        }
        let mut definitions = Definitions::new(self);
        for level in self.levels(within) {
            match (self.before.land.level(level), self.after.land.level(level)) {
                (None, None) => {}
                (None, Some(_)) => diff.created.push(self.text(level)),
                (Some(_), None) => diff.deleted.push(self.text(level)),
                (Some(before), Some(after)) => {
                    // The ledger's own level never has a parent, and any other level always has one.
                    if let (Some(from), Some(until)) = (before.parent, after.parent)
                        && from != until
                    {
                        let (from, until) = (self.text(from), self.text(until));
                        diff.moved.push(LevelMoved { level: self.text(level), from, until });
                    }
                    let setting = self.settings(level);
                    if before.attributes != after.attributes || setting.0 != setting.1 {
                        diff.changed.push(LevelChanged {
                            level: self.text(level),
                            attributes: (before.attributes.clone(), after.attributes.clone()),
                            feature_set: (setting.0.feature_set, setting.1.feature_set),
                            environment: (setting.0.environment, setting.1.environment),
                        });
                    }
                    definitions.compare(level);
                }
            }
        }
        diff.created.sort_unstable();
        diff.deleted.sort_unstable();
        diff.moved.sort_unstable();
        diff.changed.sort_unstable_by(|a, b| a.level.cmp(&b.level));
        diff.definitions = definitions.rows();
        diff
    }

    /// The levels that lie in the subtree at either coordinate, in no order
    fn levels(&self, within: &Within) -> Vec<LevelRef> {
        if let Some(levels) = within.either() {
            return levels.into_iter().collect();
        }
        let all = self.before.land.levels().chain(self.after.land.levels());
        let mut levels: Vec<LevelRef> = all.map(|(level, _)| level).collect();
        levels.sort_unstable();
        levels.dedup();
        levels
    }

    /// What is in force at a level
    fn settings(&self, level: LevelRef) -> (Setting, Setting) {
        (self.before.setting(level), self.after.setting(level))
    }

    fn text(&self, level: LevelRef) -> Level {
        self.before.view.ledger.level_of(level).clone()
    }
}

/// The roles of a role collection that exist at one coordinate alone
struct Roles {
    gained: Vec<String>,
    lost: Vec<String>,
}

/// The predefined role collections whose roles differ
type Predefined = Rc<[(Symbol, Rc<Roles>)]>;

/// The role collections whose existing roles differ, as far as they are found
struct Definitions<'a> {
    both: &'a Both<'a>,
    /// For each kind of level, and what is in force there before and after
    by_catalog: Map<(LevelKind, Setting, Setting), Predefined>,
    of_levels: Vec<DefinitionChanged>,
    /// With how many levels each changes
    of_catalog: Map<(LevelKind, Setting, Symbol), (usize, Rc<Roles>)>,
}

impl<'a> Definitions<'a> {
    fn new(both: &'a Both<'a>) -> Self {
        Self { both, by_catalog: Map::default(), of_levels: Vec::new(), of_catalog: Map::default() }
    }

    /// Compares the role collections at a level that exists at both coordinates
    fn compare(&mut self, level: LevelRef) {
        let both = self.both;
        let (Some(before), Some(after)) = (both.before.here(level), both.after.here(level)) else {
            return;
        };
        let sets = both.settings(level);
        let standing = (level.kind, sets.0, sets.1);
        let differ = self.by_catalog.entry(standing).or_insert_with(|| both.predefined(standing));
        let differ = Rc::clone(differ);
        let custom = self.compare_custom(level, &before, &after);
        for (name, roles) in differ.iter().filter(|(name, _)| !custom.contains(name)) {
            if sets.0 == sets.1 {
                let found = self.of_catalog.entry((level.kind, sets.0, *name));
                found.or_insert_with(|| (0, Rc::clone(roles))).0 += 1;
            } else {
                let at = DefinedAt::Level(both.text(level));
                self.of_levels.push(both.row(at, *name, roles));
            }
        }
    }

    /// Compares the role collections that are custom at either coordinate, and gives their names
    fn compare_custom(
        &mut self,
        level: LevelRef,
        before: &Here<'_>,
        after: &Here<'_>,
    ) -> BTreeSet<Symbol> {
        let is_custom = |here: &Here<'_>, name| {
            here.is_custom(Grantable::RoleCollection(name)).unwrap_or(false)
        };
        let custom: BTreeSet<Symbol> = before
            .ever_custom()
            .chain(after.ever_custom())
            .filter(|name| is_custom(before, *name) || is_custom(after, *name))
            .collect();
        for name in custom.iter().copied() {
            let roles = self.both.roles(&existing(before, name), &existing(after, name));
            let at = || DefinedAt::Level(self.both.text(level));
            self.of_levels.extend(roles.map(|roles| self.both.row(at(), name, &roles)));
        }
        custom
    }

    /// Those of single levels by level and name, then those by catalogue by kind, feature set, environment and name
    fn rows(mut self) -> Vec<DefinitionChanged> {
        self.of_levels.sort_unstable();
        let mut of_catalog: Vec<_> = self.of_catalog.into_iter().collect();
        let text = |name: Symbol| self.both.before.view.ledger.symbols.text(name);
        of_catalog.sort_unstable_by_key(|((kind, set, name), _)| (*kind, *set, text(*name)));
        let rows = of_catalog.into_iter().map(|((kind, setting, name), (levels, roles))| {
            let Setting { feature_set, environment } = setting;
            let at = DefinedAt::Catalog { kind, feature_set, environment, levels };
            self.both.row(at, name, &roles)
        });
        self.of_levels.extend(rows);
        self.of_levels
    }
}

impl Both<'_> {
    /// The predefined role collections of a kind of level whose roles differ, where none is custom
    fn predefined(&self, (kind, before, after): (LevelKind, Setting, Setting)) -> Predefined {
        let (then, now) = (self.before.land.catalog(), self.after.land.catalog());
        if before == after && then.map(|one| one.position) == now.map(|one| one.position) {
            return Rc::new([]);
        }
        // In Neo there are no role collections, whatever a catalogue says.
        let then = then.filter(|_| before.environment == Environment::Multi);
        let now = now.filter(|_| after.environment == Environment::Multi);
        let then = then.map(|published| published.definitions.table(kind, before));
        let now = now.map(|published| published.definitions.table(kind, after));
        let tables = [then, now].into_iter().flatten();
        let names = tables.flat_map(|table| table.role_collections.keys().copied());
        let names: BTreeSet<Symbol> = names.collect();
        // By INVARIANT (catalogue) each role that such a collection lists exists.
        let listed = |table: Option<&Table>, name| {
            let roles = table.and_then(|table| table.role_collections.get(&name));
            roles.into_iter().flat_map(|roles| roles.iter().copied()).collect()
        };
        let differs = |name| {
            let roles = self.roles(&listed(then, name), &listed(now, name))?;
            Some((name, Rc::new(roles)))
        };
        names.into_iter().filter_map(differs).collect()
    }

    /// What differs between the roles of before and those of after, if anything does
    fn roles(&self, before: &BTreeSet<RoleKey>, after: &BTreeSet<RoleKey>) -> Option<Roles> {
        if before == after {
            return None;
        }
        let symbols = &self.before.view.ledger.symbols;
        let alone = |here: &BTreeSet<RoleKey>, there: &BTreeSet<RoleKey>| {
            let mut texts: Vec<String> =
                here.difference(there).map(|role| role.text(symbols)).collect();
            texts.sort_unstable();
            texts
        };
        Some(Roles { gained: alone(after, before), lost: alone(before, after) })
    }

    fn row(&self, at: DefinedAt, name: Symbol, roles: &Roles) -> DefinitionChanged {
        DefinitionChanged {
            at,
            role_collection: self.before.view.ledger.symbols.text(name).clone(),
            gained: roles.gained.clone(),
            lost: roles.lost.clone(),
        }
    }
}

/// The roles of a role collection that exist at a level
fn existing(here: &Here<'_>, name: Symbol) -> BTreeSet<RoleKey> {
    here.roles_given(Grantable::RoleCollection(name)).map(|(role, _)| role).collect()
}
