//! What does a catalogue define, as rows?

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, ensure};
use rustc_hash::FxHashMap;
use tenure_core::{
    Catalog, CatalogDocument, Direction, Environment, FeatureSet, HeldRow, LeafRow, LevelKind,
    Requirement, RoleText,
};

use super::super::tables::{Gives, Names, Require, Tables};

/// Most clauses of one requirement
const CLAUSES_MAX: usize = 4_096;

/// What there is at one kind of level
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Roles, by name and application
    roles: BTreeSet<(String, String)>,
    /// What each role and role collection gives
    pub(super) gives: BTreeMap<u32, BTreeSet<u32>>,
}

/// A catalogue with its names numbered, as it is under feature set B
#[derive(Debug, Default)]
pub(super) struct Definitions {
    tables: FxHashMap<LevelKind, Table>,
    nothing: Table,
}

/// The kinds of levels that a row is for
fn kinds<'a>(at: &'a [LevelKind], sets: Option<&Vec<FeatureSet>>) -> &'a [LevelKind] {
    if sets.is_none_or(|sets| sets.contains(&FeatureSet::B)) { at } else { &[] }
}

/// A scope by its real name
fn scope(document: &CatalogDocument, scope: &str, names: &mut Names) -> u32 {
    let aliases = document.scope_aliases.iter().flatten();
    let mut real = aliases.filter(|(alias, _)| ***alias == *scope).map(|(_, real)| &**real);
    names.held.number(&format!("scope:{}", real.next().unwrap_or(scope)))
}

/// Whether a row is of the environment that every level of the landscape has
fn is_multi(environments: &Option<Vec<Environment>>) -> bool {
    environments.as_ref().is_none_or(|all| all.contains(&Environment::Multi))
}

impl Definitions {
    /// Numbers the names of a catalogue, and adds its rows
    pub(super) fn new(number: u32, catalog: &Catalog, out: &mut Tables) -> anyhow::Result<Self> {
        let document = catalog.document();
        let mut tables: FxHashMap<LevelKind, Table> = FxHashMap::default();
        let names = &mut out.names;
        for row in document.roles.iter().filter(|row| is_multi(&row.environments)) {
            let text = format!("role:{}/{}", row.application, row.role);
            let granted = names.granted.number(&text);
            let named = [text, format!("role:{}", row.role)].map(|text| names.held.number(&text));
            let scopes = row.scopes.iter().flatten();
            let scopes = scopes.map(|text| scope(document, text, names));
            let held: BTreeSet<u32> = scopes.chain(named).collect();
            for kind in kinds(&row.at, row.feature_sets.as_ref()) {
                let table = tables.entry(*kind).or_default();
                table.roles.insert((row.role.to_string(), row.application.to_string()));
                table.gives.insert(granted, held.clone());
            }
        }
        for row in document.role_collections.iter().filter(|row| is_multi(&row.environments)) {
            for kind in kinds(&row.at, row.feature_sets.as_ref()) {
                let table = tables.entry(*kind).or_default();
                let roles = row.roles.iter().map(|text| table.role(&RoleText::parse(text)?, names));
                let roles = roles.collect::<anyhow::Result<Vec<u32>>>()?;
                let held = table.collection_gives(&row.role_collection, &roles, names);
                table.gives.insert(names.collection(&row.role_collection), held);
            }
        }
        for (kind, table) in &tables {
            for (granted, held) in &table.gives {
                let row = |held: &u32| Gives {
                    catalog: number,
                    kind: *kind as u32,
                    held: *held,
                    granted: *granted,
                };
                out.gives.extend(held.iter().map(row));
            }
        }
        requires(number, document, out)?;
        Ok(Self { tables, nothing: Table::default() })
    }

    pub(super) fn table(&self, kind: LevelKind) -> &Table {
        self.tables.get(&kind).unwrap_or(&self.nothing)
    }
}

/// Adds the rows of what operations require
fn requires(catalog: u32, document: &CatalogDocument, out: &mut Tables) -> anyhow::Result<()> {
    for row in document.operations.iter().filter(|row| is_multi(&row.environments)) {
        let operation = out.names.operations.number(&row.operation.to_string());
        let clauses = clauses(&row.requires)?;
        for kind in kinds(&row.at, row.feature_sets.as_ref()) {
            for (clause, leaves) in (0..).zip(&clauses) {
                for (leaf, asked) in (0..).zip(leaves) {
                    let held = match &asked.held {
                        HeldRow::Scope(text) => scope(document, text, &mut out.names),
                        HeldRow::RoleCollection(name) => {
                            out.names.held.number(&format!("role-collection:{name}"))
                        }
                        HeldRow::Role { role, application: None } => {
                            out.names.held.number(&format!("role:{role}"))
                        }
                        HeldRow::Role { role, application: Some(application) } => {
                            out.names.held.number(&format!("role:{application}/{role}"))
                        }
                    };
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

impl Table {
    /// The role that a text means, as it is granted
    pub(super) fn role(&self, text: &RoleText, names: &mut Names) -> anyhow::Result<u32> {
        let fits = |(name, application): &&(String, String)| {
            **name == *text.name && text.application.as_ref().is_none_or(|of| **of == **application)
        };
        let (name, application) = self
            .roles
            .iter()
            .find(fits)
            .with_context(|| format!("the catalogue in force has no role `{text}`"))?;
        Ok(names.granted.number(&format!("role:{application}/{name}")))
    }

    /// What a role collection of these roles gives
    pub(super) fn collection_gives(
        &self,
        name: &str,
        roles: &[u32],
        names: &mut Names,
    ) -> BTreeSet<u32> {
        let given = roles.iter().filter_map(|role| self.gives.get(role)).flatten().copied();
        given.chain([names.held.number(&format!("role-collection:{name}"))]).collect()
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
