//! How does a written catalogue become the core's, and back?

use std::sync::Arc;

use tenure_core::{
    Catalog, CatalogDocument, Direction, Environment, FeatureSet, GivenRow, GivesRow, HeldRow,
    LeafRow, LevelKind, OperationRow, Requirement, RoleCollectionRow, RoleRow,
};

use super::{
    EntryProblem, each, environment_from_core, environment_to_core, feature_set_from_core,
    feature_set_to_core,
};
use crate::v1;

fn kinds(path: &str, texts: &[String]) -> Result<Vec<LevelKind>, EntryProblem> {
    each(path, texts, |path, text| {
        LevelKind::parse(text).ok_or_else(|| {
            EntryProblem::new(
                path,
                format!(
                    "`{}` is no kind of level: global-account, directory, subaccount, cf-org, \
                     cf-space, service-instance, application",
                    text.chars().take(64).collect::<String>()
                ),
            )
        })
    })
}

fn texts(texts: &[String]) -> Vec<Arc<str>> {
    texts.iter().map(|text| text.as_str().into()).collect()
}

impl v1::Catalog {
    /// The catalogue in the core's types
    ///
    /// # Errors
    /// What makes it no valid catalogue document.
    pub fn to_core(&self) -> Result<Catalog, EntryProblem> {
        let within = |list: &str, n: usize| {
            let outer = format!("catalog.{list}[{n}]");
            move |error: EntryProblem| error.within(&outer)
        };
        let sets = |sets: &Option<Vec<v1::FeatureSet>>| {
            sets.as_ref().map(|sets| sets.iter().map(|set| feature_set_to_core(*set)).collect())
        };
        let environments = |all: &Option<Vec<v1::Environment>>| {
            all.as_ref().map(|all| all.iter().map(|one| environment_to_core(*one)).collect())
        };
        let roles = self.roles.iter().enumerate().map(|(n, row)| {
            Ok(RoleRow {
                role: row.role.as_str().into(),
                application: row.application.as_str().into(),
                template: row.template.as_deref().map(Arc::from),
                at: kinds("at", &row.at).map_err(within("roles", n))?,
                feature_sets: sets(&row.feature_sets),
                environments: environments(&row.environments),
                scopes: row.scopes.as_deref().map(texts),
                grantable: row.grantable,
            })
        });
        let role_collections = self.role_collections.iter().enumerate().map(|(n, row)| {
            Ok(RoleCollectionRow {
                role_collection: row.role_collection.as_str().into(),
                at: kinds("at", &row.at).map_err(within("role_collections", n))?,
                feature_sets: sets(&row.feature_sets),
                environments: environments(&row.environments),
                roles: texts(&row.roles),
            })
        });
        let operations = self.operations.iter().enumerate().map(|(n, row)| {
            Ok(OperationRow {
                operation: row.operation.as_str().into(),
                title: row.title.as_deref().map(Arc::from),
                at: kinds("at", &row.at).map_err(within("operations", n))?,
                feature_sets: sets(&row.feature_sets),
                environments: environments(&row.environments),
                requires: requirement("requires", &row.requires)
                    .map_err(within("operations", n))?,
                gives: row
                    .gives
                    .as_deref()
                    .map(gives)
                    .transpose()
                    .map_err(within("operations", n))?,
            })
        });
        let document = CatalogDocument {
            version: self.version.as_str().into(),
            custom_role_collections: self
                .custom_role_collections
                .as_ref()
                .map(|texts| kinds("catalog.custom_role_collections", texts))
                .transpose()?,
            scope_aliases: self.scope_aliases.as_ref().map(|aliases| {
                aliases.iter().map(|(a, b)| (a.as_str().into(), b.as_str().into())).collect()
            }),
            roles: roles.collect::<Result<_, EntryProblem>>()?,
            role_collections: role_collections.collect::<Result<_, EntryProblem>>()?,
            operations: operations.collect::<Result<_, EntryProblem>>()?,
        };
        Catalog::new(document).map_err(|error| EntryProblem::new("", error))
    }

    /// The document of a catalogue
    pub fn from_core(catalog: &Catalog) -> Self {
        let document = catalog.document();
        let kinds = |kinds: &[LevelKind]| kinds.iter().map(ToString::to_string).collect();
        let sets = |sets: &Option<Vec<FeatureSet>>| {
            sets.as_ref().map(|sets| sets.iter().map(|set| feature_set_from_core(*set)).collect())
        };
        let environments = |all: &Option<Vec<Environment>>| {
            all.as_ref().map(|all| all.iter().map(|one| environment_from_core(*one)).collect())
        };
        let owned = |texts: &[Arc<str>]| texts.iter().map(ToString::to_string).collect();
        Self {
            version: document.version.to_string(),
            custom_role_collections: document.custom_role_collections.as_deref().map(kinds),
            scope_aliases: document.scope_aliases.as_ref().map(|aliases| {
                aliases.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect()
            }),
            roles: document
                .roles
                .iter()
                .map(|row| v1::CatalogRole {
                    role: row.role.to_string(),
                    application: row.application.to_string(),
                    template: row.template.as_deref().map(str::to_owned),
                    at: kinds(&row.at),
                    feature_sets: sets(&row.feature_sets),
                    environments: environments(&row.environments),
                    scopes: row.scopes.as_deref().map(owned),
                    grantable: row.grantable,
                })
                .collect(),
            role_collections: document
                .role_collections
                .iter()
                .map(|row| v1::CatalogRoleCollection {
                    role_collection: row.role_collection.to_string(),
                    at: kinds(&row.at),
                    feature_sets: sets(&row.feature_sets),
                    environments: environments(&row.environments),
                    roles: owned(&row.roles),
                })
                .collect(),
            operations: document
                .operations
                .iter()
                .map(|row| v1::CatalogOperation {
                    operation: row.operation.to_string(),
                    title: row.title.as_deref().map(str::to_owned),
                    at: kinds(&row.at),
                    feature_sets: sets(&row.feature_sets),
                    environments: environments(&row.environments),
                    requires: v1::Expr::from_core(&row.requires),
                    gives: row.gives.as_deref().map(written_gives),
                })
                .collect(),
        }
    }
}

fn gives(rows: &[v1::Gives]) -> Result<Vec<GivesRow>, EntryProblem> {
    let row = |(n, row): (usize, &v1::Gives)| {
        let path = format!("gives[{n}]");
        let what = match (row.role_collections, &row.role_collection, &row.role) {
            (Some(v1::Any::Any), None, None) => GivenRow::AnyRoleCollection,
            (None, Some(name), None) => GivenRow::RoleCollection(name.as_str().into()),
            (None, None, Some(text)) => GivenRow::Role(super::role(&path, text)?),
            _ => {
                let problem = "it gives one of `role_collections`, `role_collection` and `role`";
                return Err(EntryProblem::new(&path, problem));
            }
        };
        let below = match &row.at {
            v1::GivenAt::Here(v1::Here::Here) => None,
            v1::GivenAt::Below(texts) => Some(kinds(&format!("{path}.at"), texts)?),
        };
        Ok(GivesRow { what, below })
    };
    rows.iter().enumerate().map(row).collect()
}

fn written_gives(rows: &[GivesRow]) -> Vec<v1::Gives> {
    let row = |row: &GivesRow| {
        let at = match &row.below {
            None => v1::GivenAt::Here(v1::Here::Here),
            Some(kinds) => v1::GivenAt::Below(kinds.iter().map(ToString::to_string).collect()),
        };
        let (mut role_collections, mut role_collection, mut role) = (None, None, None);
        match &row.what {
            GivenRow::AnyRoleCollection => role_collections = Some(v1::Any::Any),
            GivenRow::RoleCollection(name) => role_collection = Some(name.to_string()),
            GivenRow::Role(text) => role = Some(text.to_string()),
        }
        v1::Gives { role_collections, role_collection, role, at }
    };
    rows.iter().map(row).collect()
}

fn requirement(path: &str, expr: &v1::Expr) -> Result<Requirement<LeafRow>, EntryProblem> {
    let parts = |list: &str, parts: &[v1::Expr]| -> Result<Vec<_>, EntryProblem> {
        let part = |(n, part)| requirement(&format!("{path}.{list}[{n}]"), part);
        parts.iter().enumerate().map(part).collect()
    };
    match expr {
        v1::Expr {
            any_of: Some(list),
            all_of: None,
            role: None,
            application: None,
            scope: None,
            role_collection: None,
            at: None,
            below: None,
        } => Ok(Requirement::AnyOf(parts("any_of", list)?)),
        v1::Expr {
            any_of: None,
            all_of: Some(list),
            role: None,
            application: None,
            scope: None,
            role_collection: None,
            at: None,
            below: None,
        } => Ok(Requirement::AllOf(parts("all_of", list)?)),
        v1::Expr { any_of: None, all_of: None, .. } => leaf(path, expr).map(Requirement::Leaf),
        _ => Err(EntryProblem::new(path, "`any_of` and `all_of` stand alone")),
    }
}

fn leaf(path: &str, expr: &v1::Expr) -> Result<LeafRow, EntryProblem> {
    let held = match (&expr.role, &expr.scope, &expr.role_collection, &expr.application) {
        (Some(role), None, None, application) => HeldRow::Role {
            role: role.as_str().into(),
            application: application.as_deref().map(Arc::from),
        },
        (None, Some(scope), None, None) => HeldRow::Scope(scope.as_str().into()),
        (None, None, Some(name), None) => HeldRow::RoleCollection(name.as_str().into()),
        _ => {
            return Err(EntryProblem::new(
                path,
                "a leaf has one of `role` (with `application`, if need be), `scope` and \
                 `role_collection`",
            ));
        }
    };
    let (direction, list, texts) = match (&expr.at, &expr.below) {
        (Some(at), None) => (Direction::At, "at", at),
        (None, Some(below)) => (Direction::Below, "below", below),
        _ => return Err(EntryProblem::new(path, "a leaf has one of `at` and `below`")),
    };
    Ok(LeafRow { held, direction, kinds: kinds(&format!("{path}.{list}"), texts)? })
}

impl v1::Expr {
    /// A requirement as it is written
    pub fn from_core(requirement: &Requirement<LeafRow>) -> Self {
        match requirement {
            Requirement::AnyOf(parts) => Self {
                any_of: Some(parts.iter().map(Self::from_core).collect()),
                ..Self::default()
            },
            Requirement::AllOf(parts) => Self {
                all_of: Some(parts.iter().map(Self::from_core).collect()),
                ..Self::default()
            },
            Requirement::Leaf(leaf) => {
                let kinds = Some(leaf.kinds.iter().map(ToString::to_string).collect());
                let (at, below) = match leaf.direction {
                    Direction::At => (kinds, None),
                    Direction::Below => (None, kinds),
                };
                let mut expr = Self { at, below, ..Self::default() };
                match &leaf.held {
                    HeldRow::Role { role, application } => {
                        expr.role = Some(role.to_string());
                        expr.application = application.as_deref().map(str::to_owned);
                    }
                    HeldRow::Scope(scope) => expr.scope = Some(scope.to_string()),
                    HeldRow::RoleCollection(name) => expr.role_collection = Some(name.to_string()),
                }
                expr
            }
        }
    }
}
