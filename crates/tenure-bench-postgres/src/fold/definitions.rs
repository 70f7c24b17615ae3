//! What does a catalogue define, as rows?

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, bail};
use rustc_hash::FxHashMap;
use tenure_core::{
    Catalog, CatalogDocument, Direction, FeatureSet, HeldRow, LeafRow, LevelKind, Requirement,
    RoleText,
};

use crate::names::{Grantable, Granted, Held, Names, Role, kind_number, set_number};
use crate::tables::{Alias, Gives, Require, Tables};

/// Most clauses of one requirement
const CLAUSES_MAX: usize = 4_096;

/// A role of a catalogue
#[derive(Clone, Debug)]
pub(super) struct RoleRow {
    pub(super) template: Option<u32>,
    /// Real names
    pub(super) scopes: Vec<u32>,
}

/// What there is at one kind of level under one feature set
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) roles: BTreeMap<Role, RoleRow>,
    pub(super) collections: BTreeMap<u32, Vec<Role>>,
}

/// A catalogue with its names numbered
#[derive(Debug, Default)]
pub(super) struct Definitions {
    aliases: FxHashMap<u32, u32>,
    tables: FxHashMap<(LevelKind, FeatureSet), Table>,
    nothing: Table,
}

fn places(at: &[LevelKind], sets: Option<&Vec<FeatureSet>>) -> Vec<(LevelKind, FeatureSet)> {
    let sets = sets.map_or(&FeatureSet::ALL[..], Vec::as_slice);
    at.iter().flat_map(|kind| sets.iter().map(|set| (*kind, *set))).collect()
}

impl Definitions {
    pub(super) fn table(&self, kind: LevelKind, set: FeatureSet) -> &Table {
        self.tables.get(&(kind, set)).unwrap_or(&self.nothing)
    }

    pub(super) fn real(&self, scope: u32) -> u32 {
        self.aliases.get(&scope).copied().unwrap_or(scope)
    }

    /// Numbers the names of a catalogue, and adds its rows
    pub(super) fn new(number: u32, catalog: &Catalog, out: &mut Tables) -> anyhow::Result<Self> {
        let document = catalog.document();
        let mut found = Self::default();
        for (alias, real) in document.scope_aliases.iter().flatten() {
            let (alias, real) = (out.names.text(alias), out.names.text(real));
            found.aliases.insert(alias, real);
            let (held, real) = (
                out.names.held.number(&Held::Scope(alias)),
                out.names.held.number(&Held::Scope(real)),
            );
            out.aliases.push(Alias { catalog: number, held, real });
        }
        found.roles(document, &mut out.names);
        found.collections(document, &mut out.names)?;
        found.gives(number, out);
        found.requires(number, document, out)?;
        Ok(found)
    }

    fn roles(&mut self, document: &CatalogDocument, names: &mut Names) {
        for row in &document.roles {
            let role = names.role(&row.application, &row.role);
            let template = row.template.as_ref().map(|template| names.text(template));
            let written: Vec<u32> =
                row.scopes.iter().flatten().map(|scope| names.text(scope)).collect();
            let scopes: Vec<u32> = written.into_iter().map(|scope| self.real(scope)).collect();
            for place in places(&row.at, row.feature_sets.as_ref()) {
                let row = RoleRow { template, scopes: scopes.clone() };
                self.tables.entry(place).or_default().roles.insert(role, row);
            }
        }
    }

    fn collections(&mut self, document: &CatalogDocument, names: &mut Names) -> anyhow::Result<()> {
        for row in &document.role_collections {
            let name = names.text(&row.role_collection);
            for place in places(&row.at, row.feature_sets.as_ref()) {
                let table = self.tables.entry(place).or_default();
                let mut roles = Vec::new();
                for text in &row.roles {
                    let text = RoleText::parse(text)?;
                    let wanted = names.text(&text.name);
                    let application = text.application.as_ref().map(|text| names.text(text));
                    let role = table.roles.keys().find(|(of, name)| {
                        *name == wanted && application.is_none_or(|application| application == *of)
                    });
                    roles.push(*role.context("a catalogue's collection of an unknown role")?);
                }
                table.collections.insert(name, roles);
            }
        }
        Ok(())
    }

    fn gives(&self, number: u32, out: &mut Tables) {
        let mut rows = Vec::new();
        for ((kind, set), table) in &self.tables {
            for (granted, held) in table.gives() {
                rows.push(Gives {
                    catalog: number,
                    kind: kind_number(*kind),
                    definitions: set_number(*set),
                    held: out.names.held.number(&held),
                    granted: out.names.granted.number(&granted),
                });
            }
        }
        rows.sort_unstable();
        rows.dedup();
        out.gives.extend(rows);
    }

    fn requires(
        &self,
        number: u32,
        document: &CatalogDocument,
        out: &mut Tables,
    ) -> anyhow::Result<()> {
        for row in &document.operations {
            let operation = out.names.text(&row.operation);
            let clauses = clauses(&row.requires)?;
            for (kind, set) in places(&row.at, row.feature_sets.as_ref()) {
                for (clause, leaves) in (0..).zip(&clauses) {
                    for (leaf, asked) in (0..).zip(leaves) {
                        let held = self.held(&asked.held, &mut out.names)?;
                        let held = out.names.held.number(&held);
                        out.requires.extend(asked.kinds.iter().map(|place| Require {
                            catalog: number,
                            kind: kind_number(kind),
                            set: set_number(set),
                            operation,
                            clause,
                            leaf,
                            size: u32::try_from(leaves.len()).unwrap_or(u32::MAX),
                            held,
                            below: asked.direction == Direction::Below,
                            place: kind_number(*place),
                        }));
                    }
                }
            }
        }
        Ok(())
    }

    fn held(&self, held: &HeldRow, names: &mut Names) -> anyhow::Result<Held> {
        Ok(match held {
            HeldRow::Scope(scope) => Held::Scope(self.real(names.text(scope))),
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
    /// What each predefined thing gives
    pub(super) fn gives(&self) -> Vec<(Granted, Held)> {
        let mut found = Vec::new();
        let predefined = |what| Granted { what, custom: false };
        for role in self.roles.keys() {
            let granted = predefined(Grantable::Role(*role));
            found.extend(self.role_gives(*role).into_iter().map(|held| (granted, held)));
        }
        for (name, roles) in &self.collections {
            let granted = predefined(Grantable::Collection(*name));
            found.push((granted, Held::Collection(*name)));
            let all = roles.iter().flat_map(|role| self.role_gives(*role));
            found.extend(all.map(|held| (granted, held)));
        }
        found
    }

    /// What a predefined role gives
    pub(super) fn role_gives(&self, role: Role) -> Vec<Held> {
        let Some(row) = self.roles.get(&role) else { return Vec::new() };
        let named = [Held::Role(role), Held::RoleName(role.1)];
        named.into_iter().chain(row.scopes.iter().map(|scope| Held::Scope(*scope))).collect()
    }

    /// The scopes of the roles of an application and template
    pub(super) fn of_template(&self, application: u32, template: u32) -> Vec<u32> {
        self.roles
            .iter()
            .filter(|(role, row)| role.0 == application && row.template == Some(template))
            .flat_map(|(_, row)| row.scopes.iter().copied())
            .collect()
    }
}

/// A requirement as any-of over all-of
fn clauses(requirement: &Requirement<LeafRow>) -> anyhow::Result<Vec<Vec<Arc<LeafRow>>>> {
    let found = match requirement {
        Requirement::Leaf(leaf) => vec![vec![Arc::new(leaf.clone())]],
        Requirement::AnyOf(parts) => {
            let all: Vec<_> = parts.iter().map(clauses).collect::<anyhow::Result<_>>()?;
            all.into_iter().flatten().collect()
        }
        Requirement::AllOf(parts) => {
            let mut found: Vec<Vec<Arc<LeafRow>>> = vec![Vec::new()];
            for part in parts {
                let more = clauses(part)?;
                if found.len().saturating_mul(more.len()) > CLAUSES_MAX {
                    bail!("a requirement with more than {CLAUSES_MAX} clauses");
                }
                found = found
                    .iter()
                    .flat_map(|one| more.iter().map(move |two| [&one[..], &two[..]].concat()))
                    .collect();
            }
            found
        }
    };
    Ok(found)
}
