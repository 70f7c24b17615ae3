//! What does a catalogue define, as rows?

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use rustc_hash::FxHashMap;
use tenure_core::{
    Catalog, CatalogDocument, Direction, FeatureSet, HeldRow, LeafRow, LevelKind, Requirement,
    RoleText,
};

use super::super::tables::{Gives, Grantable, Granted, Held, Names, Require, Role, Tables};

/// Most clauses of one requirement
const CLAUSES_MAX: usize = 4_096;

/// What there is at one kind of level
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Each role with its scopes
    roles: BTreeMap<Role, Vec<u32>>,
    collections: BTreeMap<u32, Vec<Role>>,
}

/// A catalogue with its names numbered, as it is under feature set B
#[derive(Debug, Default)]
pub(super) struct Definitions {
    /// The real names of scopes that have others
    aliases: FxHashMap<u32, u32>,
    tables: FxHashMap<LevelKind, Table>,
    nothing: Table,
}

/// The kinds of levels that a row is for
fn kinds<'a>(at: &'a [LevelKind], sets: Option<&Vec<FeatureSet>>) -> &'a [LevelKind] {
    if sets.is_none_or(|sets| sets.contains(&FeatureSet::B)) { at } else { &[] }
}

impl Definitions {
    /// Numbers the names of a catalogue, and adds its rows
    pub(super) fn new(number: u32, catalog: &Catalog, out: &mut Tables) -> anyhow::Result<Self> {
        let document = catalog.document();
        let mut found = Self::default();
        for (alias, real) in document.scope_aliases.iter().flatten() {
            found.aliases.insert(out.names.text(alias), out.names.text(real));
        }
        for row in &document.roles {
            let role = out.names.role(&row.application, &row.role);
            let scopes = row.scopes.iter().flatten();
            let scopes: Vec<u32> = scopes.map(|scope| found.scope(scope, &mut out.names)).collect();
            for kind in kinds(&row.at, row.feature_sets.as_ref()) {
                let table = found.tables.entry(*kind).or_default();
                table.roles.insert(role, scopes.clone());
            }
        }
        for row in &document.role_collections {
            let name = out.names.text(&row.role_collection);
            for kind in kinds(&row.at, row.feature_sets.as_ref()) {
                let table = found.tables.entry(*kind).or_default();
                let roles = row
                    .roles
                    .iter()
                    .map(|text| table.role(&RoleText::parse(text)?, &mut out.names));
                let roles = roles.collect::<anyhow::Result<_>>()?;
                table.collections.insert(name, roles);
            }
        }
        found.gives(number, out);
        found.requires(number, document, out)?;
        Ok(found)
    }

    pub(super) fn table(&self, kind: LevelKind) -> &Table {
        self.tables.get(&kind).unwrap_or(&self.nothing)
    }

    fn scope(&self, scope: &str, names: &mut Names) -> u32 {
        let scope = names.text(scope);
        self.aliases.get(&scope).copied().unwrap_or(scope)
    }

    fn gives(&self, catalog: u32, out: &mut Tables) {
        for (kind, table) in &self.tables {
            let roles = table.roles.keys().map(|role| Grantable::Role(*role));
            let collections = table.collections.keys().map(|name| Grantable::Collection(*name));
            for what in roles.chain(collections) {
                let granted = out.names.granted.number(&Granted { what, custom: false });
                let mut held = match what {
                    Grantable::Role(role) => table.role_gives(role),
                    Grantable::Collection(name) => {
                        let roles = table.collections.get(&name).map(Vec::as_slice);
                        table.collection_gives(name, roles.unwrap_or_default())
                    }
                };
                held.sort_unstable();
                held.dedup();
                let kind = *kind as u32;
                let held = held.iter().map(|held| out.names.held.number(held));
                out.gives.extend(held.map(|held| Gives { catalog, kind, held, granted }));
            }
        }
    }

    fn requires(
        &self,
        catalog: u32,
        document: &CatalogDocument,
        out: &mut Tables,
    ) -> anyhow::Result<()> {
        for row in &document.operations {
            let operation = out.names.text(&row.operation);
            let clauses = clauses(&row.requires)?;
            for kind in kinds(&row.at, row.feature_sets.as_ref()) {
                for (clause, leaves) in (0..).zip(&clauses) {
                    for (leaf, asked) in (0..).zip(leaves) {
                        let held = self.held(&asked.held, &mut out.names)?;
                        let held = out.names.held.number(&held);
                        out.requires.extend(asked.kinds.iter().map(|place| Require {
                            catalog,
                            kind: *kind as u32,
                            operation,
                            clause,
                            leaf,
                            size: u32::try_from(leaves.len()).unwrap_or(u32::MAX),
                            held,
                            below: asked.direction == Direction::Below,
                            place: *place as u32,
                        }));
                    }
                }
            }
        }
        Ok(())
    }

    fn held(&self, held: &HeldRow, names: &mut Names) -> anyhow::Result<Held> {
        Ok(match held {
            HeldRow::Scope(scope) => Held::Scope(self.scope(scope, names)),
            HeldRow::RoleCollection(name) => Held::Collection(names.text(name)),
            HeldRow::Role { role, application } => {
                let text = RoleText::parse(role)?;
                match application.as_ref().or(text.application.as_ref()) {
                    Some(application) => Held::Role(names.role(application, &text.name)),
                    None => Held::RoleName(names.text(&text.name)),
                }
            }
        })
    }
}

impl Table {
    pub(super) fn has(&self, what: Grantable) -> bool {
        match what {
            Grantable::Collection(name) => self.collections.contains_key(&name),
            Grantable::Role(role) => self.roles.contains_key(&role),
        }
    }

    /// The role that a text means
    pub(super) fn role(&self, text: &RoleText, names: &mut Names) -> anyhow::Result<Role> {
        let name = names.text(&text.name);
        let application = text.application.as_ref().map(|text| names.text(text));
        let fits = |role: &&Role| {
            role.1 == name && application.is_none_or(|application| application == role.0)
        };
        let role = self.roles.keys().find(fits).copied();
        role.with_context(|| format!("no catalogue in force has the role `{text}`"))
    }

    fn role_gives(&self, role: Role) -> Vec<Held> {
        let Some(scopes) = self.roles.get(&role) else { return Vec::new() };
        let named = [Held::Role(role), Held::RoleName(role.1)];
        named.into_iter().chain(scopes.iter().map(|scope| Held::Scope(*scope))).collect()
    }

    /// What a role collection of these roles gives
    pub(super) fn collection_gives(&self, name: u32, roles: &[Role]) -> Vec<Held> {
        let roles = roles.iter().flat_map(|role| self.role_gives(*role));
        roles.chain([Held::Collection(name)]).collect()
    }
}

/// A requirement as any-of clauses of all-of leaves
fn clauses(requirement: &Requirement<LeafRow>) -> anyhow::Result<Vec<Vec<&LeafRow>>> {
    match requirement {
        Requirement::Leaf(leaf) => Ok(vec![vec![leaf]]),
        Requirement::AnyOf(parts) => {
            let all: Vec<_> = parts.iter().map(clauses).collect::<anyhow::Result<_>>()?;
            Ok(all.concat())
        }
        Requirement::AllOf(parts) => {
            let mut found = vec![Vec::new()];
            for part in parts {
                let more = clauses(part)?;
                let count = found.len().saturating_mul(more.len());
                ensure!(count <= CLAUSES_MAX, "a requirement of {count} clauses");
                let both = |one: &Vec<_>, two: &Vec<_>| [&one[..], &two[..]].concat();
                let pairs = found.iter().flat_map(|one| more.iter().map(move |two| both(one, two)));
                found = pairs.collect();
            }
            Ok(found)
        }
    }
}
