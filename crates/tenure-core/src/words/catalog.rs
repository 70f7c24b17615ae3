//! What is a valid catalogue?
//!
//! A [`Catalog`] is a complete document: the predefined roles and role collections of each kind of
//! level under each feature set, and what each operation requires. [`Catalog::new`] is the only way
//! to make one, and checks all that the document alone can show to be wrong.
//!
//! Rules: `docs/semantics.md#catalogue`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::words::grantable::{RoleText, role_part};
use crate::words::level::{Environment, FeatureSet, LevelKind};
use crate::words::name::{plain_name, plain_text};
use crate::words::requirement::{HeldRow, LeafRow, REQUIREMENT_DEPTH_MAX, Requirement};
use crate::words::tenure::{APPLICATION, OPERATION_PREFIX};

/// A role as a catalogue document writes it
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RoleRow {
    /// Name
    pub role: Arc<str>,
    /// Application that provides it
    pub application: Arc<str>,
    /// Role template it is made from
    pub template: Option<Arc<str>>,
    /// Kinds of levels where it exists
    pub at: Vec<LevelKind>,
    /// Feature sets under which it exists; absent means both
    pub feature_sets: Option<Vec<FeatureSet>>,
    /// Environments in which it exists; absent means `multi` alone
    pub environments: Option<Vec<Environment>>,
    /// Scopes it has
    pub scopes: Option<Vec<Arc<str>>>,
    /// Whether it may be granted as a single role; absent means no
    pub grantable: Option<bool>,
}

/// A predefined role collection as a catalogue document writes it
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RoleCollectionRow {
    /// Name
    pub role_collection: Arc<str>,
    /// Kinds of levels where it exists
    pub at: Vec<LevelKind>,
    /// Feature sets under which it exists; absent means both
    pub feature_sets: Option<Vec<FeatureSet>>,
    /// Environments in which it exists; absent means `multi` alone
    pub environments: Option<Vec<Environment>>,
    /// Roles it contains
    pub roles: Vec<Arc<str>>,
}

/// An operation as a catalogue document writes it
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OperationRow {
    /// Id
    pub operation: Arc<str>,
    /// In words
    pub title: Option<Arc<str>>,
    /// Kinds of levels where it can be done
    pub at: Vec<LevelKind>,
    /// Feature sets under which it exists; absent means both
    pub feature_sets: Option<Vec<FeatureSet>>,
    /// Environments in which it exists; absent means `multi` alone
    pub environments: Option<Vec<Environment>>,
    /// What it requires
    pub requires: Requirement<LeafRow>,
    /// What doing it gives whoever does it; absent means nothing
    pub gives: Option<Vec<GivesRow>>,
}

/// What doing an operation gives, as a catalogue document writes it
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GivesRow {
    /// What
    pub what: GivenRow,
    /// At the levels below of these kinds; absent means at the level itself
    pub below: Option<Vec<LevelKind>>,
}

/// What is given
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum GivenRow {
    /// Every role collection that exists there
    AnyRoleCollection,
    /// A role collection
    RoleCollection(Arc<str>),
    /// A role
    Role(RoleText),
}

/// A catalogue document before it is checked
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CatalogDocument {
    /// Version, any text
    pub version: Arc<str>,
    /// Kinds of levels that can hold custom role collections
    pub custom_role_collections: Option<Vec<LevelKind>>,
    /// Other names of scopes, each with the real one
    pub scope_aliases: Option<BTreeMap<Arc<str>, Arc<str>>>,
    /// Predefined roles
    pub roles: Vec<RoleRow>,
    /// Predefined role collections
    pub role_collections: Vec<RoleCollectionRow>,
    /// Operations
    pub operations: Vec<OperationRow>,
}

/// Why a document is no valid catalogue
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the catalogue is not valid: {0}")]
pub struct CatalogError(String);

/// A valid catalogue document
// INVARIANT (catalogue): every role that `role_collections` name is exactly one of `roles` at the same kind, feature
// set and environment; nothing is defined twice for one of these.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Catalog {
    document: CatalogDocument,
}

/// Where a row of a catalogue is in force
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Place {
    pub(crate) kind: LevelKind,
    pub(crate) setting: Setting,
}

/// What is in force at a level beside its kind
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) struct Setting {
    pub(crate) feature_set: FeatureSet,
    pub(crate) environment: Environment,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, setting: Setting { feature_set, environment } } = self;
        write!(f, "{kind} under feature set {}", feature_set.as_str())?;
        match environment {
            Environment::Multi => Ok(()),
            Environment::Neo => f.write_str(" in Neo"),
        }
    }
}

/// A row's kinds, feature sets and environments
#[derive(Clone, Copy)]
pub(super) struct Places<'a> {
    at: &'a [LevelKind],
    feature_sets: Option<&'a Vec<FeatureSet>>,
    environments: Option<&'a Vec<Environment>>,
}

impl Catalog {
    /// Checks a document
    ///
    /// # Errors
    /// The first thing that is wrong, with the row that it is in.
    /// # Cost
    /// O(rows × kinds × feature sets).
    pub fn new(document: CatalogDocument) -> Result<Self, CatalogError> {
        Check::default().document(&document).map_err(CatalogError)?;
        Ok(Self { document })
    }

    /// The document
    pub fn document(&self) -> &CatalogDocument {
        &self.document
    }

    /// Its version
    pub fn version(&self) -> &Arc<str> {
        &self.document.version
    }
}

impl<'a> Places<'a> {
    fn check(self) -> Result<(), String> {
        listed("at", self.at)?;
        no_own_kind(self.at)?;
        self.feature_sets.map_or(Ok(()), |sets| listed("feature_sets", sets))?;
        self.environments.map_or(Ok(()), |environments| listed("environments", environments))
    }

    pub(super) fn each(self) -> impl Iterator<Item = Place> + 'a {
        let sets = self.feature_sets.map_or(&FeatureSet::ALL[..], Vec::as_slice);
        let environments = self.environments.map_or(&[Environment::Multi][..], Vec::as_slice);
        let settings = sets.iter().flat_map(move |feature_set| {
            environments.iter().map(move |environment| Setting {
                feature_set: *feature_set,
                environment: *environment,
            })
        });
        self.at.iter().flat_map(move |kind| {
            settings.clone().map(move |setting| Place { kind: *kind, setting })
        })
    }
}

impl RoleRow {
    pub(super) fn places(&self) -> Places<'_> {
        let (feature_sets, environments) = (self.feature_sets.as_ref(), self.environments.as_ref());
        Places { at: &self.at, feature_sets, environments }
    }
}

impl RoleCollectionRow {
    pub(super) fn places(&self) -> Places<'_> {
        let (feature_sets, environments) = (self.feature_sets.as_ref(), self.environments.as_ref());
        Places { at: &self.at, feature_sets, environments }
    }
}

impl OperationRow {
    pub(super) fn places(&self) -> Places<'_> {
        let (feature_sets, environments) = (self.feature_sets.as_ref(), self.environments.as_ref());
        Places { at: &self.at, feature_sets, environments }
    }
}

#[derive(Default)]
struct Check {
    roles: HashMap<Place, HashMap<Arc<str>, Vec<Arc<str>>>>, // name -> applications
}

impl Check {
    fn document(&mut self, document: &CatalogDocument) -> Result<(), String> {
        named("version", &document.version)?;
        if let Some(kinds) = &document.custom_role_collections {
            listed("custom_role_collections", kinds)?;
            for kind in kinds {
                if !matches!(
                    kind,
                    LevelKind::GlobalAccount | LevelKind::Directory | LevelKind::Subaccount
                ) {
                    return Err(format!(
                        "`custom_role_collections` lists `{kind}`; only global-account, directory \
                         and subaccount can hold custom role collections"
                    ));
                }
            }
        }
        for (alias, real) in document.scope_aliases.iter().flatten() {
            named("alias of a scope", alias)?;
            named("scope of an alias", real)?;
        }
        for (what, empty) in [
            ("roles", document.roles.is_empty()),
            ("role_collections", document.role_collections.is_empty()),
            ("operations", document.operations.is_empty()),
        ] {
            if empty {
                return Err(format!("`{what}` is empty"));
            }
        }
        for (n, row) in document.roles.iter().enumerate() {
            self.role(row).map_err(|problem| format!("roles[{n}] (`{}`): {problem}", row.role))?;
        }
        let mut collections = HashSet::new();
        for (n, row) in document.role_collections.iter().enumerate() {
            self.role_collection(row, &mut collections).map_err(|problem| {
                format!("role_collections[{n}] (`{}`): {problem}", row.role_collection)
            })?;
        }
        let mut operations = HashSet::new();
        for (n, row) in document.operations.iter().enumerate() {
            self.operation(row, &mut operations)
                .map_err(|problem| format!("operations[{n}] (`{}`): {problem}", row.operation))?;
        }
        Ok(())
    }

    fn role(&mut self, row: &RoleRow) -> Result<(), String> {
        role_part("role", &row.role).map_err(|e| e.to_string())?;
        role_part("application", &row.application).map_err(|e| e.to_string())?;
        no_own_application(&row.application)?;
        if let Some(template) = &row.template {
            named("template", template)?;
        }
        for scope in row.scopes.iter().flatten() {
            named("scope", scope)?;
        }
        row.places().check()?;
        for place in row.places().each() {
            let applications =
                self.roles.entry(place).or_default().entry(Arc::clone(&row.role)).or_default();
            if applications.contains(&row.application) {
                return Err(twice(place));
            }
            applications.push(Arc::clone(&row.application));
        }
        Ok(())
    }

    fn role_collection<'a>(
        &self,
        row: &'a RoleCollectionRow,
        seen: &mut HashSet<(Place, &'a str)>,
    ) -> Result<(), String> {
        named("role collection", &row.role_collection)?;
        row.places().check()?;
        let texts: Vec<RoleText> = row
            .roles
            .iter()
            .map(|text| RoleText::parse(text).map_err(|e| e.to_string()))
            .collect::<Result<_, _>>()?;
        texts
            .iter()
            .filter_map(|text| text.application.as_ref())
            .try_for_each(|application| no_own_application(application))?;
        for place in row.places().each() {
            if !seen.insert((place, &row.role_collection)) {
                return Err(twice(place));
            }
            let mut listed = HashSet::new();
            for text in &texts {
                let applications = self.applications(place, text);
                match applications.as_slice() {
                    [one] => {
                        if !listed.insert((*one, &text.name)) {
                            return Err(format!("the role `{text}` is listed twice"));
                        }
                    }
                    [] => {
                        return Err(format!("the role `{text}` is not in `roles` at {place}"));
                    }
                    _ => {
                        return Err(format!(
                            "the role `{text}` is ambiguous at {place}: write `application/name`"
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    fn applications(&self, place: Place, text: &RoleText) -> Vec<&Arc<str>> {
        let known = self.roles.get(&place).and_then(|names| names.get(&text.name));
        known
            .into_iter()
            .flatten()
            .filter(|known| text.application.as_ref().is_none_or(|named| named == *known))
            .collect()
    }

    fn operation<'a>(
        &self,
        row: &'a OperationRow,
        seen: &mut HashSet<(Place, &'a str)>,
    ) -> Result<(), String> {
        named("operation", &row.operation)?;
        if row.operation.starts_with(OPERATION_PREFIX) {
            return Err(format!(
                "operations whose ids begin with `{OPERATION_PREFIX}` are the ledger's own"
            ));
        }
        if let Some(title) = &row.title {
            plain_text("title", title).map_err(|e| e.to_string())?;
        }
        row.places().check()?;
        for place in row.places().each() {
            if !seen.insert((place, &row.operation)) {
                return Err(twice(place));
            }
        }
        if row.requires.depth() > REQUIREMENT_DEPTH_MAX {
            return Err(format!("`requires` is nested more than {REQUIREMENT_DEPTH_MAX} deep"));
        }
        self.requirement(&row.requires)?;
        row.gives.iter().flatten().try_for_each(GivesRow::check)
    }

    fn requirement(&self, requirement: &Requirement<LeafRow>) -> Result<(), String> {
        match requirement {
            Requirement::AnyOf(parts) | Requirement::AllOf(parts) => {
                if parts.is_empty() {
                    return Err("`requires` has an empty list".into());
                }
                parts.iter().try_for_each(|part| self.requirement(part))
            }
            Requirement::Leaf(leaf) => self.leaf(leaf),
        }
    }

    fn leaf(&self, leaf: &LeafRow) -> Result<(), String> {
        listed("kinds of a leaf", &leaf.kinds)?;
        no_own_kind(&leaf.kinds)?;
        match &leaf.held {
            HeldRow::Scope(scope) => named("scope of a leaf", scope),
            HeldRow::RoleCollection(name) => named("role collection of a leaf", name),
            HeldRow::Role { role, application } => {
                let text = leaf_role(role, application.as_ref())?;
                text.application.as_ref().map_or(Ok(()), |named| no_own_application(named))?;
                let environments = Environment::ALL.to_vec();
                let anywhere = Places {
                    at: &leaf.kinds,
                    feature_sets: None,
                    environments: Some(&environments),
                };
                let known =
                    anywhere.each().any(|place| !self.applications(place, &text).is_empty());
                if known {
                    Ok(())
                } else {
                    Err(format!("a leaf names the role `{text}`, which none of its kinds has"))
                }
            }
        }
    }
}

/// The role that a leaf means: its text may be `application/name` too
pub(super) fn leaf_role(role: &str, application: Option<&Arc<str>>) -> Result<RoleText, String> {
    let text = RoleText::parse(role).map_err(|e| e.to_string())?;
    match (text.application.as_ref(), application) {
        (_, None) => Ok(text),
        (None, Some(application)) => {
            let application = plain_name("application", application).map_err(|e| e.to_string())?;
            Ok(RoleText { application: Some(application), ..text })
        }
        (Some(one), Some(other)) if one == other => Ok(text),
        (Some(one), Some(other)) => {
            Err(format!("a leaf names two applications, `{one}` and `{other}`"))
        }
    }
}

fn no_own_application(application: &str) -> Result<(), String> {
    if application == APPLICATION {
        return Err(format!("roles of the application `{APPLICATION}` are the ledger's own"));
    }
    Ok(())
}

fn no_own_kind(kinds: &[LevelKind]) -> Result<(), String> {
    if kinds.contains(&LevelKind::Ledger) {
        return Err(format!("what is at the kind `{}` is the ledger's own", LevelKind::Ledger));
    }
    Ok(())
}

fn named(what: &'static str, text: &str) -> Result<(), String> {
    plain_name(what, text).map(drop).map_err(|e| e.to_string())
}

fn listed<T: PartialEq>(what: &str, items: &[T]) -> Result<(), String> {
    if items.is_empty() {
        return Err(format!("`{what}` is empty"));
    }
    let repeated =
        items.iter().enumerate().any(|(n, item)| items.iter().skip(n + 1).any(|x| x == item));
    if repeated { Err(format!("`{what}` lists something twice")) } else { Ok(()) }
}

fn twice(place: Place) -> String {
    format!("there is another row for it at {place}")
}

impl GivesRow {
    fn check(&self) -> Result<(), String> {
        if let Some(kinds) = &self.below {
            listed("kinds of what it gives", kinds)?;
            no_own_kind(kinds)?;
        }
        match &self.what {
            GivenRow::AnyRoleCollection => Ok(()),
            GivenRow::RoleCollection(name) => named("role collection that it gives", name),
            GivenRow::Role(role) => {
                role.application.as_ref().map_or(Ok(()), |named| no_own_application(named))
            }
        }
    }
}
