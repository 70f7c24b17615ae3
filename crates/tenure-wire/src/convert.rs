//! How do written entries become the core's, and back?
//!
//! Reading checks every rule that an entry alone can break, and makes names canonical. Writing gives the canonical
//! form. So an entry is made canonical by reading and writing it again.

mod catalog;
mod rule;

use std::collections::BTreeMap;
use std::sync::Arc;

use tenure_core::{
    Access, Attributes, Change, Entry, EntryId, Environment, FeatureSet, GrantableText, Instant,
    Level, Principal, RoleAttributes, RoleText, When, plain_name, plain_text, prose, role_part,
};
use uuid::Uuid;

use crate::api::LevelAttributes;
use crate::strict::{Plain, each_text};
use crate::v1;

/// What is wrong with an entry of the right shape: the place, and a sentence
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}{problem}", place(.path))]
pub struct EntryProblem {
    path: String,
    problem: String,
}

fn place(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("{path}: ") }
}

impl EntryProblem {
    pub(crate) fn new(path: &str, problem: impl ToString) -> Self {
        Self { path: path.to_owned(), problem: problem.to_string() }
    }

    fn within(mut self, outer: &str) -> Self {
        self.path = match self.path.as_str() {
            "" => outer.to_owned(),
            inner => format!("{outer}.{inner}"),
        };
        self
    }
}

/// How names are read
#[derive(Clone, Copy, Debug)]
pub enum Names<'a> {
    /// Full names only, as the log holds them
    Full,
    /// A user name alone is of this origin, as the doors allow
    Short {
        /// The default origin
        default_origin: &'a str,
    },
}

impl Names<'_> {
    fn principal(self, path: &str, text: &str) -> Result<Principal, EntryProblem> {
        match self {
            Self::Full => Principal::parse(text),
            Self::Short { default_origin } => Principal::parse_short(text, default_origin),
        }
        .map_err(|error| EntryProblem::new(path, error))
    }
}

/// Reads the text of a UUID: 32 hexadecimal digits with hyphens
pub(crate) fn entry_id(path: &str, text: &str) -> Result<EntryId, EntryProblem> {
    let shown: String = text.chars().take(64).collect();
    let uuid = (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten();
    let uuid = uuid.ok_or_else(|| {
        let problem = format!("`{shown}` is not a UUID like 01930f0e-7c1e-7d2a-9b1a-0d9f6f1c2b3a");
        EntryProblem::new(path, problem)
    })?;
    if uuid.is_nil() {
        let problem = "the UUID of zeros alone is no id: make one for each entry";
        return Err(EntryProblem::new(path, problem));
    }
    Ok(EntryId(uuid))
}

fn instant(path: &str, text: &str) -> Result<Instant, EntryProblem> {
    Instant::parse(text).map_err(|error| EntryProblem::new(path, error))
}

fn level(path: &str, text: &str) -> Result<Level, EntryProblem> {
    Level::parse(text).map_err(|error| EntryProblem::new(path, error))
}

fn name(path: &str, text: &str) -> Result<Arc<str>, EntryProblem> {
    plain_name("name", text).map_err(|error| EntryProblem::new(path, error))
}

fn origin(path: &str, text: &str) -> Result<Arc<str>, EntryProblem> {
    tenure_core::origin(text).map_err(|error| EntryProblem::new(path, error))
}

/// A path of an application; that it begins with `/` is a rule of the entry
fn path_text(path: &str, text: &str) -> Result<Arc<str>, EntryProblem> {
    plain_text("path", text).map_err(|error| EntryProblem::new(path, error))?;
    Ok(text.into())
}

/// The name of a role or of an application
fn part(path: &str, text: &str) -> Result<Arc<str>, EntryProblem> {
    role_part("name", text).map_err(|error| EntryProblem::new(path, error))
}

/// A text of sentences
fn sentences(path: &str, text: &str) -> Result<Arc<str>, EntryProblem> {
    prose("text", text).map_err(|error| EntryProblem::new(path, error))?;
    Ok(text.into())
}

fn role(path: &str, text: &str) -> Result<RoleText, EntryProblem> {
    RoleText::parse(text).map_err(|error| EntryProblem::new(path, error))
}

fn each<T>(
    path: &str,
    texts: &[String],
    read: impl Fn(&str, &str) -> Result<T, EntryProblem>,
) -> Result<Vec<T>, EntryProblem> {
    texts.iter().enumerate().map(|(n, text)| read(&format!("{path}[{n}]"), text)).collect()
}

fn optional<T>(
    path: &str,
    text: Option<&String>,
    read: impl Fn(&str, &str) -> Result<T, EntryProblem>,
) -> Result<Option<T>, EntryProblem> {
    text.map(|text| read(path, text)).transpose()
}

impl v1::Draft {
    /// The entry, with this id where it has none
    pub fn with_id(self, id: impl FnOnce() -> Uuid) -> v1::Entry {
        v1::Entry {
            id: self.id.unwrap_or_else(|| id().hyphenated().to_string()),
            actor: self.actor,
            reason: self.reason,
            effective_at: self.effective_at,
            not_before: self.not_before,
            changes: self.changes,
        }
    }
}

impl v1::Entry {
    /// The entry in the core's types
    ///
    /// # Errors
    /// Whatever the entry alone shows to be wrong, with the field.
    pub fn to_core(&self, names: Names<'_>) -> Result<Entry, EntryProblem> {
        let id = entry_id("id", &self.id)?;
        let actor = names.principal("actor", &self.actor)?;
        let when = When {
            effective_at: optional("effective_at", self.effective_at.as_ref(), instant)?,
            not_before: optional("not_before", self.not_before.as_ref(), instant)?,
        };
        let changes = self
            .changes
            .iter()
            .enumerate()
            .map(|(n, change)| {
                change_to_core(change, names).map_err(|e| e.within(&format!("changes[{n}]")))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let reason = optional("reason", self.reason.as_ref(), sentences)?;
        Entry::new(id, actor, reason, when, changes).map_err(|(change, error)| {
            let path = change.map_or(String::new(), |n| format!("changes[{n}]"));
            EntryProblem::new(&path, error)
        })
    }

    /// The canonical form of an entry
    pub fn from_core(entry: &Entry) -> Self {
        Self {
            id: entry.id().to_string(),
            actor: entry.actor().to_string(),
            reason: entry.reason().map(ToString::to_string),
            effective_at: entry.effective_at().map(|t| t.to_string()),
            not_before: entry.not_before().map(|t| t.to_string()),
            changes: entry.changes().iter().map(change_from_core).collect(),
        }
    }
}

fn attributes_to_core(written: &LevelAttributes) -> Result<Attributes, EntryProblem> {
    Ok(Attributes {
        name: optional("name", written.name.as_ref(), name)?,
        feature_set: written.feature_set.map(feature_set_to_core),
        authorizations: written.authorizations,
        environment: written.environment.map(environment_to_core),
        region: optional("region", written.region.as_ref(), name)?,
        identity_provider: optional(
            "identity_provider",
            written.identity_provider.as_ref(),
            origin,
        )?,
        role_provider: optional("role_provider", written.role_provider.as_ref(), name)?,
        access: written.access.map(|access| match access {
            v1::Access::Open => Access::Open,
            v1::Access::Enforced => Access::Enforced,
        }),
    })
}

fn environment_to_core(environment: v1::Environment) -> Environment {
    match environment {
        v1::Environment::Multi => Environment::Multi,
        v1::Environment::Neo => Environment::Neo,
    }
}

fn feature_set_to_core(set: v1::FeatureSet) -> FeatureSet {
    match set {
        v1::FeatureSet::A => FeatureSet::A,
        v1::FeatureSet::B => FeatureSet::B,
    }
}

/// A feature set as it is written
pub fn feature_set_from_core(set: FeatureSet) -> v1::FeatureSet {
    match set {
        FeatureSet::A => v1::FeatureSet::A,
        FeatureSet::B => v1::FeatureSet::B,
    }
}

/// An environment as it is written
pub fn environment_from_core(environment: Environment) -> v1::Environment {
    match environment {
        Environment::Multi => v1::Environment::Multi,
        Environment::Neo => v1::Environment::Neo,
    }
}

/// Access as it is written
pub(crate) fn access_from_core(access: Access) -> v1::Access {
    match access {
        Access::Open => v1::Access::Open,
        Access::Enforced => v1::Access::Enforced,
    }
}

fn grantable(
    role_collection: Option<&String>,
    single: Option<&String>,
) -> Result<GrantableText, EntryProblem> {
    match (role_collection, single) {
        (Some(text), None) => name("role_collection", text).map(GrantableText::RoleCollection),
        (None, Some(text)) => role("role", text).map(GrantableText::Role),
        _ => Err(EntryProblem::new("", "it names either a `role_collection` or a `role`")),
    }
}

fn revoke_expects(expect: v1::RevokeExpects) -> tenure_core::RevokeExpects {
    match expect {
        v1::RevokeExpects::Held => tenure_core::RevokeExpects::Held,
        v1::RevokeExpects::Any => tenure_core::RevokeExpects::Any,
    }
}

fn change_to_core(written: &v1::Change, names: Names<'_>) -> Result<Change, EntryProblem> {
    Ok(match written {
        v1::Change::CreateLevel {
            level: at,
            parent,
            name,
            feature_set,
            authorizations,
            environment,
            region,
            identity_provider,
            role_provider,
            access,
        } => Change::CreateLevel {
            level: level("level", at)?,
            parent: optional("parent", parent.as_ref(), level)?,
            attributes: attributes_to_core(&LevelAttributes {
                name: name.clone(),
                feature_set: *feature_set,
                authorizations: *authorizations,
                environment: *environment,
                region: region.clone(),
                identity_provider: identity_provider.clone(),
                role_provider: role_provider.clone(),
                access: *access,
            })?,
        },
        v1::Change::MoveLevel { level: at, parent } => {
            Change::MoveLevel { level: level("level", at)?, parent: level("parent", parent)? }
        }
        v1::Change::SetLevel {
            level: at,
            name,
            feature_set,
            authorizations,
            environment,
            region,
            identity_provider,
            role_provider,
            access,
        } => Change::SetLevel {
            level: level("level", at)?,
            attributes: attributes_to_core(&LevelAttributes {
                name: name.clone(),
                feature_set: *feature_set,
                authorizations: *authorizations,
                environment: *environment,
                region: region.clone(),
                identity_provider: identity_provider.clone(),
                role_provider: role_provider.clone(),
                access: *access,
            })?,
        },
        v1::Change::DeleteLevel { level: at } => Change::DeleteLevel { level: level("level", at)? },
        v1::Change::CreateRole { level: at, role, application, template, scopes, attributes } => {
            Change::CreateRole {
                level: level("level", at)?,
                role: part("role", role)?,
                application: part("application", application)?,
                template: name("template", template)?,
                scopes: scopes.as_ref().map(|scopes| each("scopes", scopes, name)).transpose()?,
                attributes: attributes.as_ref().map(role_attributes).transpose()?,
            }
        }
        v1::Change::DeleteRole { level: at, role: text } => {
            Change::DeleteRole { level: level("level", at)?, role: role("role", text)? }
        }
        v1::Change::CreateRoleCollection { level: at, role_collection, roles, description } => {
            Change::CreateRoleCollection {
                level: level("level", at)?,
                role_collection: name("role_collection", role_collection)?,
                roles: each("roles", roles, role)?,
                description: optional("description", description.as_ref(), sentences)?,
            }
        }
        v1::Change::SetRoles { level: at, role_collection, roles } => Change::SetRoles {
            level: level("level", at)?,
            role_collection: name("role_collection", role_collection)?,
            roles: each("roles", roles, role)?,
        },
        v1::Change::DeleteRoleCollection { level: at, role_collection } => {
            Change::DeleteRoleCollection {
                level: level("level", at)?,
                role_collection: name("role_collection", role_collection)?,
            }
        }
        v1::Change::Grant { level: at, role_collection, role, to, until, expect } => {
            Change::Grant {
                level: level("level", at)?,
                grantable: grantable(role_collection.as_ref(), role.as_ref())?,
                to: names.principal("to", to)?,
                until: optional("until", until.as_ref(), instant)?,
                expect: expect.map(|expect| match expect {
                    v1::GrantExpects::Any => tenure_core::GrantExpects::Any,
                    v1::GrantExpects::NotHeld => tenure_core::GrantExpects::NotHeld,
                }),
            }
        }
        v1::Change::Revoke { level: at, role_collection, role, from, expect } => Change::Revoke {
            level: level("level", at)?,
            grantable: grantable(role_collection.as_ref(), role.as_ref())?,
            from: names.principal("from", from)?,
            expect: expect.map(revoke_expects),
        },
        v1::Change::AddMember { set, member } => Change::AddMember {
            set: names.principal("set", set)?,
            member: names.principal("member", member)?,
        },
        v1::Change::RemoveMember { set, member, expect } => Change::RemoveMember {
            set: names.principal("set", set)?,
            member: names.principal("member", member)?,
            expect: expect.map(revoke_expects),
        },
        v1::Change::SetRule { set, origin: of, rule } => Change::SetRule {
            set: names.principal("set", set)?,
            origin: origin("origin", of)?,
            rule: rule.as_ref().map(rule::to_core).transpose()?.map(Arc::new),
        },
        v1::Change::SetPermission { level: at, permission, roles, paths } => {
            Change::SetPermission {
                level: level("level", at)?,
                permission: name("permission", permission)?,
                roles: each("roles", roles, name)?,
                paths: paths.as_ref().map(|paths| each("paths", paths, path_text)).transpose()?,
            }
        }
        v1::Change::DeletePermission { level: at, permission } => Change::DeletePermission {
            level: level("level", at)?,
            permission: name("permission", permission)?,
        },
        v1::Change::RemovePrincipal { principal } => {
            Change::RemovePrincipal { principal: names.principal("principal", principal)? }
        }
        v1::Change::PublishCatalog { catalog } => {
            Change::PublishCatalog { catalog: Arc::new(catalog.to_core()?) }
        }
        v1::Change::Observe { level: at, subtree, source, from } => Change::Observe {
            level: level("level", at)?,
            subtree: *subtree,
            source: name("source", source)?,
            from: optional("from", from.as_ref(), instant)?,
        },
        v1::Change::Void { entry, note } => Change::Void {
            entry: entry_id("entry", entry)?,
            note: optional("note", note.as_ref(), sentences)?,
        },
    })
}

/// Kept as JSON text with the keys of its maps sorted
fn role_attributes(attributes: &BTreeMap<String, Plain>) -> Result<RoleAttributes, EntryProblem> {
    let mut check = |text: &str| {
        plain_text("text", text).map_err(|error| EntryProblem::new("attributes", error))
    };
    for (key, Plain(value)) in attributes {
        check(key)?;
        each_text(value, &mut check)?;
    }
    let text = serde_json::to_string(attributes);
    text.map(|text| RoleAttributes(text.into())).map_err(|e| EntryProblem::new("attributes", e))
}

#[expect(
    clippy::expect_used,
    reason = "by construction it is the text of a map, nested less deep than JSON may be"
)]
fn written_role_attributes(attributes: &RoleAttributes) -> BTreeMap<String, Plain> {
    serde_json::from_str(&attributes.0).expect("attributes are the text of a map")
}

fn grantable_from_core(grantable: &GrantableText) -> (Option<String>, Option<String>) {
    match grantable {
        GrantableText::RoleCollection(name) => (Some(name.to_string()), None),
        GrantableText::Role(role) => (None, Some(role.to_string())),
    }
}

fn revoke_expects_from_core(expect: tenure_core::RevokeExpects) -> v1::RevokeExpects {
    match expect {
        tenure_core::RevokeExpects::Held => v1::RevokeExpects::Held,
        tenure_core::RevokeExpects::Any => v1::RevokeExpects::Any,
    }
}

fn change_from_core(change: &Change) -> v1::Change {
    let texts = |roles: &[RoleText]| roles.iter().map(ToString::to_string).collect();
    match change {
        Change::CreateLevel { level, parent, attributes } => {
            let written = LevelAttributes::from(attributes);
            v1::Change::CreateLevel {
                level: level.to_string(),
                parent: parent.as_ref().map(ToString::to_string),
                name: written.name,
                feature_set: written.feature_set,
                authorizations: written.authorizations,
                environment: written.environment,
                region: written.region,
                identity_provider: written.identity_provider,
                role_provider: written.role_provider,
                access: written.access,
            }
        }
        Change::MoveLevel { level, parent } => {
            v1::Change::MoveLevel { level: level.to_string(), parent: parent.to_string() }
        }
        Change::SetLevel { level, attributes } => {
            let written = LevelAttributes::from(attributes);
            v1::Change::SetLevel {
                level: level.to_string(),
                name: written.name,
                feature_set: written.feature_set,
                authorizations: written.authorizations,
                environment: written.environment,
                region: written.region,
                identity_provider: written.identity_provider,
                role_provider: written.role_provider,
                access: written.access,
            }
        }
        Change::DeleteLevel { level } => v1::Change::DeleteLevel { level: level.to_string() },
        Change::CreateRole { level, role, application, template, scopes, attributes } => {
            v1::Change::CreateRole {
                level: level.to_string(),
                role: role.to_string(),
                application: application.to_string(),
                template: template.to_string(),
                scopes: scopes
                    .as_ref()
                    .map(|scopes| scopes.iter().map(ToString::to_string).collect()),
                attributes: attributes.as_ref().map(written_role_attributes),
            }
        }
        Change::DeleteRole { level, role } => {
            v1::Change::DeleteRole { level: level.to_string(), role: role.to_string() }
        }
        Change::CreateRoleCollection { level, role_collection, roles, description } => {
            v1::Change::CreateRoleCollection {
                level: level.to_string(),
                role_collection: role_collection.to_string(),
                roles: texts(roles),
                description: description.as_deref().map(str::to_owned),
            }
        }
        Change::SetRoles { level, role_collection, roles } => v1::Change::SetRoles {
            level: level.to_string(),
            role_collection: role_collection.to_string(),
            roles: texts(roles),
        },
        Change::DeleteRoleCollection { level, role_collection } => {
            v1::Change::DeleteRoleCollection {
                level: level.to_string(),
                role_collection: role_collection.to_string(),
            }
        }
        Change::Grant { level, grantable, to, until, expect } => {
            let (role_collection, role) = grantable_from_core(grantable);
            v1::Change::Grant {
                level: level.to_string(),
                role_collection,
                role,
                to: to.to_string(),
                until: until.map(|t| t.to_string()),
                expect: expect.map(|expect| match expect {
                    tenure_core::GrantExpects::Any => v1::GrantExpects::Any,
                    tenure_core::GrantExpects::NotHeld => v1::GrantExpects::NotHeld,
                }),
            }
        }
        Change::Revoke { level, grantable, from, expect } => {
            let (role_collection, role) = grantable_from_core(grantable);
            v1::Change::Revoke {
                level: level.to_string(),
                role_collection,
                role,
                from: from.to_string(),
                expect: expect.map(revoke_expects_from_core),
            }
        }
        Change::AddMember { set, member } => {
            v1::Change::AddMember { set: set.to_string(), member: member.to_string() }
        }
        Change::RemoveMember { set, member, expect } => v1::Change::RemoveMember {
            set: set.to_string(),
            member: member.to_string(),
            expect: expect.map(revoke_expects_from_core),
        },
        Change::SetRule { set, origin, rule } => v1::Change::SetRule {
            set: set.to_string(),
            origin: origin.to_string(),
            rule: rule.as_ref().map(|rule| rule::from_core(rule.expression())),
        },
        Change::SetPermission { level, permission, roles, paths } => v1::Change::SetPermission {
            level: level.to_string(),
            permission: permission.to_string(),
            roles: roles.iter().map(ToString::to_string).collect(),
            paths: paths.as_ref().map(|paths| paths.iter().map(ToString::to_string).collect()),
        },
        Change::DeletePermission { level, permission } => v1::Change::DeletePermission {
            level: level.to_string(),
            permission: permission.to_string(),
        },
        Change::RemovePrincipal { principal } => {
            v1::Change::RemovePrincipal { principal: principal.to_string() }
        }
        Change::PublishCatalog { catalog } => {
            v1::Change::PublishCatalog { catalog: v1::Catalog::from_core(catalog) }
        }
        Change::Observe { level, subtree, source, from } => v1::Change::Observe {
            level: level.to_string(),
            subtree: *subtree,
            source: source.to_string(),
            from: from.map(|t| t.to_string()),
        },
        Change::Void { entry, note } => {
            v1::Change::Void { entry: entry.to_string(), note: note.as_deref().map(str::to_owned) }
        }
    }
}
