//! What does a catalogue define, as rows?

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use rustc_hash::FxHashMap;
use tenure_core::{
    Catalog, CatalogDocument, Direction, FeatureSet, HeldRow, LeafRow, LevelKind, Requirement,
    RoleText,
};

use super::super::tables::{
    Alias, Gives, Grantable, Granted, Held, Names, Require, Role, Tables, kind_number, set_number,
};

/// Most clauses of one requirement
const CLAUSES_MAX: usize = 4_096;

/// What there is at one kind of level under one feature set
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Each role's template, and the real names of its scopes
    pub(super) roles: BTreeMap<Role, (Option<u32>, Vec<u32>)>,
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
            let [held, real_held] =
                [alias, real].map(|scope| out.names.held.number(&Held::Scope(scope)));
            out.aliases.push(Alias { catalog: number, held, real_held });
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
            let written = row.scopes.iter().flatten();
            let scopes: Vec<u32> = written.map(|scope| self.real(names.text(scope))).collect();
            for place in places(&row.at, row.feature_sets.as_ref()) {
                let roles = &mut self.tables.entry(place).or_default().roles;
                roles.insert(role, (template, scopes.clone()));
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
                    let mut meant = meant(&text, table.roles.keys(), names).into_iter();
                    roles.extend([meant.next().context("a role collection of an unknown role")?]);
                }
                table.collections.insert(name, roles);
            }
        }
        Ok(())
    }

    fn gives(&self, number: u32, out: &mut Tables) {
        for ((kind, set), table) in &self.tables {
            let roles = table.roles.keys().map(|role| Grantable::Role(*role));
            let collections = table.collections.keys().map(|name| Grantable::Collection(*name));
            for what in roles.chain(collections) {
                let granted = out.names.granted.number(&Granted { what, custom: false });
                let mut held = table.gives(what);
                held.sort_unstable();
                held.dedup();
                out.gives.extend(held.into_iter().map(|held| Gives {
                    catalog: number,
                    kind: kind_number(*kind),
                    definitions: set_number(*set),
                    held: out.names.held.number(&held),
                    granted,
                }));
            }
        }
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
                            feature_set: set_number(set),
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

/// The roles of some that a text means
pub(super) fn meant<'a>(
    text: &RoleText,
    roles: impl Iterator<Item = &'a Role>,
    names: &mut Names,
) -> Vec<Role> {
    let name = names.text(&text.name);
    let application = text.application.as_ref().map(|text| names.text(text));
    let fits = |role: &Role| {
        role.1 == name && application.is_none_or(|application| application == role.0)
    };
    roles.copied().filter(fits).collect()
}

impl Table {
    pub(super) fn has(&self, what: Grantable) -> bool {
        match what {
            Grantable::Collection(name) => self.collections.contains_key(&name),
            Grantable::Role(role) => self.roles.contains_key(&role),
        }
    }

    /// What a predefined name gives
    fn gives(&self, what: Grantable) -> Vec<Held> {
        match what {
            Grantable::Role(role) => self.role_gives(role),
            Grantable::Collection(name) => {
                let roles = self.collections.get(&name).into_iter().flatten();
                let all = roles.flat_map(|role| self.role_gives(*role));
                all.chain([Held::Collection(name)]).collect()
            }
        }
    }

    /// What a predefined role gives
    pub(super) fn role_gives(&self, role: Role) -> Vec<Held> {
        let Some((_, scopes)) = self.roles.get(&role) else { return Vec::new() };
        role_gives(role, scopes)
    }

    /// The scopes of all roles of an application and template
    pub(super) fn of_template(&self, application: u32, template: u32) -> Vec<u32> {
        let roles = self.roles.iter().filter(|((of, _), _)| *of == application);
        let same = roles.filter(|(_, (other, _))| *other == Some(template));
        same.flat_map(|(_, (_, scopes))| scopes.iter().copied()).collect()
    }
}

/// What a role with these scopes gives
pub(super) fn role_gives(role: Role, scopes: &[u32]) -> Vec<Held> {
    let named = [Held::Role(role), Held::RoleName(role.1)];
    named.into_iter().chain(scopes.iter().map(|scope| Held::Scope(*scope))).collect()
}

/// A requirement as any-of clauses of all-of leaves
fn clauses(requirement: &Requirement<LeafRow>) -> anyhow::Result<Vec<Vec<Arc<LeafRow>>>> {
    match requirement {
        Requirement::Leaf(leaf) => Ok(vec![vec![Arc::new(leaf.clone())]]),
        Requirement::AnyOf(parts) => {
            let all: Vec<_> = parts.iter().map(clauses).collect::<anyhow::Result<_>>()?;
            Ok(all.concat())
        }
        Requirement::AllOf(parts) => {
            let mut found: Vec<Vec<Arc<LeafRow>>> = vec![Vec::new()];
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
