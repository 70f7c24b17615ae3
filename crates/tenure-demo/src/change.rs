//! How is a change written in few words?

use std::fmt;

use tenure_wire::v1::{Access, Change, Environment, FeatureSet, GrantExpects, Rule};

/// A role collection or a role that is granted
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Granted {
    Collection(String),
    Role(String),
}

impl Granted {
    fn fields(&self) -> (Option<String>, Option<String>) {
        match self {
            Self::Collection(name) => (Some(name.clone()), None),
            Self::Role(name) => (None, Some(name.clone())),
        }
    }
}

impl fmt::Display for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Collection(name) | Self::Role(name) => f.write_str(name),
        }
    }
}

pub(crate) fn collection(name: &str) -> Granted {
    Granted::Collection(name.to_owned())
}

pub(crate) fn role(name: &str) -> Granted {
    Granted::Role(name.to_owned())
}

pub(crate) fn grant(granted: &Granted, level: &str, to: &str) -> Change {
    grant_until(granted, level, to, None)
}

pub(crate) fn grant_until(
    granted: &Granted,
    level: &str,
    to: &str,
    until: Option<String>,
) -> Change {
    let (role_collection, role) = granted.fields();
    let (level, to) = (level.to_owned(), to.to_owned());
    Change::Grant { level, role_collection, role, to, until, expect: None }
}

/// A grant that expects that the principal does not hold it yet
pub(crate) fn grant_first(granted: &Granted, level: &str, to: &str) -> Change {
    let (role_collection, role) = granted.fields();
    let (level, to) = (level.to_owned(), to.to_owned());
    let expect = Some(GrantExpects::NotHeld);
    Change::Grant { level, role_collection, role, to, until: None, expect }
}

pub(crate) fn revoke(granted: &Granted, level: &str, from: &str) -> Change {
    let (role_collection, role) = granted.fields();
    let (level, from) = (level.to_owned(), from.to_owned());
    Change::Revoke { level, role_collection, role, from, expect: None }
}

pub(crate) fn add_member(set: &str, member: &str) -> Change {
    Change::AddMember { set: set.to_owned(), member: member.to_owned() }
}

pub(crate) fn remove_member(set: &str, member: &str) -> Change {
    Change::RemoveMember { set: set.to_owned(), member: member.to_owned(), expect: None }
}

pub(crate) fn remove_principal(principal: &str) -> Change {
    Change::RemovePrincipal { principal: principal.to_owned() }
}

fn created(
    level: &str,
    parent: Option<&str>,
    name: &str,
    feature_set: Option<FeatureSet>,
    region: Option<&str>,
    neo: Option<&str>,
) -> Change {
    Change::CreateLevel {
        level: level.to_owned(),
        parent: parent.map(str::to_owned),
        name: Some(name.to_owned()),
        feature_set,
        authorizations: None,
        environment: neo.map(|_| Environment::Neo),
        region: region.map(str::to_owned),
        identity_provider: neo.map(str::to_owned),
        role_provider: None,
        access: None,
    }
}

pub(crate) fn create(level: &str, parent: &str, name: &str) -> Change {
    created(level, Some(parent), name, None, None, None)
}

pub(crate) fn create_global_account(level: &str, name: &str, set: FeatureSet) -> Change {
    created(level, None, name, Some(set), None, None)
}

pub(crate) fn create_subaccount(level: &str, parent: &str, name: &str) -> Change {
    created(level, Some(parent), name, None, Some("eu10"), None)
}

/// A subaccount in Neo, whose applications have the users of an identity provider
pub(crate) fn create_in_neo(level: &str, parent: &str, name: &str, origin: &str) -> Change {
    created(level, Some(parent), name, None, Some("eu1"), Some(origin))
}

pub(crate) fn move_level(level: &str, parent: &str) -> Change {
    Change::MoveLevel { level: level.to_owned(), parent: parent.to_owned() }
}

pub(crate) fn delete_level(level: &str) -> Change {
    Change::DeleteLevel { level: level.to_owned() }
}

/// What is set of a level
#[derive(Default)]
struct Set {
    feature_set: Option<FeatureSet>,
    authorizations: Option<bool>,
    environment: Option<Environment>,
    role_provider: Option<String>,
    access: Option<Access>,
}

fn set_level(level: &str, set: Set) -> Change {
    Change::SetLevel {
        level: level.to_owned(),
        name: None,
        feature_set: set.feature_set,
        authorizations: set.authorizations,
        environment: set.environment,
        region: None,
        identity_provider: None,
        role_provider: set.role_provider,
        access: set.access,
    }
}

pub(crate) fn set_feature_set(level: &str, set: FeatureSet) -> Change {
    set_level(level, Set { feature_set: Some(set), ..Set::default() })
}

pub(crate) fn set_environment(level: &str, environment: Environment) -> Change {
    set_level(level, Set { environment: Some(environment), ..Set::default() })
}

pub(crate) fn set_role_provider(level: &str, provider: &str) -> Change {
    set_level(level, Set { role_provider: Some(provider.to_owned()), ..Set::default() })
}

/// Says who may read and write a ledger: everybody, or who holds a role of `tenure`
pub(crate) fn set_access(level: &str, access: Access) -> Change {
    set_level(level, Set { access: Some(access), ..Set::default() })
}

pub(crate) fn manage_authorizations(level: &str) -> Change {
    set_level(level, Set { authorizations: Some(true), ..Set::default() })
}

/// A listing of who holds what on a level was taken, or its audit log was read since a moment
pub(crate) fn observe(level: &str, from: Option<String>) -> Change {
    let source = if from.is_some() { "audit log" } else { "listing" };
    Change::Observe { level: level.to_owned(), subtree: None, source: source.to_owned(), from }
}

pub(crate) fn create_role(level: &str, name: &str, application: &str, scopes: &[&str]) -> Change {
    Change::CreateRole {
        level: level.to_owned(),
        role: name.to_owned(),
        application: application.to_owned(),
        template: name.replace(' ', "_"),
        scopes: Some(scopes.iter().map(|scope| (*scope).to_owned()).collect()),
        attributes: None,
    }
}

pub(crate) fn create_collection(level: &str, name: &str, roles: &[&str]) -> Change {
    Change::CreateRoleCollection {
        level: level.to_owned(),
        role_collection: name.to_owned(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        description: None,
    }
}

pub(crate) fn set_roles(level: &str, name: &str, roles: &[&str]) -> Change {
    Change::SetRoles {
        level: level.to_owned(),
        role_collection: name.to_owned(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
    }
}

/// A group of an identity provider's users, by a rule
pub(crate) fn set_rule(group: &str, origin: &str, rule: Rule) -> Change {
    Change::SetRule { set: group.to_owned(), origin: origin.to_owned(), rule: Some(rule) }
}

/// The rule of the users for which an attribute has a value
pub(crate) fn equals(attribute: &str, value: &str) -> Rule {
    Rule {
        attribute: Some(attribute.to_owned()),
        equals: Some(value.to_owned()),
        ..Rule::default()
    }
}

/// The rule of all users
pub(crate) fn everyone() -> Rule {
    Rule { everyone: Some(true), ..Rule::default() }
}

pub(crate) fn set_permission(level: &str, name: &str, roles: &[&str], path: &str) -> Change {
    Change::SetPermission {
        level: level.to_owned(),
        permission: name.to_owned(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        paths: Some(vec![path.to_owned()]),
    }
}

pub(crate) fn delete_permission(level: &str, name: &str) -> Change {
    Change::DeletePermission { level: level.to_owned(), permission: name.to_owned() }
}

pub(crate) fn void(entry: &str, note: &str) -> Change {
    Change::Void { entry: entry.to_owned(), note: Some(note.to_owned()) }
}
