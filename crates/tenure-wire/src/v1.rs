//! How is an entry written, in version 1 of the rules?
//!
//! These types are the durable vocabulary: MessagePack with named fields in this order on the log and
//! in the journal, the same names in JSON at the doors. A field that is absent is left out; `null` is
//! not the same and is refused. These types know shapes only. The rules that an entry alone can break are
//! checked when it becomes a [`tenure_core::Entry`].
//!
//! New fields or types of changes are a new version, in a module beside this one.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::strict::Plain;

/// The version of the rules that these types write
pub const RULES_VERSION: u32 = 1;

/// Reads a field that is there: unlike an `Option`'s own reading it refuses `null`
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(d: D) -> Result<Option<T>, D::Error> {
    T::deserialize(d).map(Some)
}

/// One transaction on the log
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// A UUID made by the client (version 7 preferred): the idempotency key
    #[schemars(regex(pattern = UUID))]
    #[schema(format = Uuid)]
    pub id: String,
    /// Who acts
    pub actor: String,
    /// Why, at most 1,024 bytes
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 1024))]
    pub reason: Option<String>,
    /// When it holds in the world; absent means when it is recorded
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    #[schema(format = DateTime)]
    pub effective_at: Option<String>,
    /// The earliest moment at which it can have happened, where only that is known; it decides nothing
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    #[schema(format = DateTime)]
    pub not_before: Option<String>,
    /// 1 to 256 changes that stand or fall together
    #[schemars(length(min = 1, max = 256))]
    #[schema(min_items = 1, max_items = 256)]
    pub changes: Vec<Change>,
}

/// An entry as the doors take it: an id is made where it is absent, and `alice@acme.example` is short
/// for a user of the default origin
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// A UUID made by the client (version 7 preferred): the idempotency key
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = UUID))]
    #[schema(format = Uuid)]
    pub id: Option<String>,
    /// Who acts
    pub actor: String,
    /// Why, at most 1,024 bytes
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 1024))]
    pub reason: Option<String>,
    /// When it holds in the world; absent means when it is recorded
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    #[schema(format = DateTime)]
    pub effective_at: Option<String>,
    /// The earliest moment at which it can have happened, where only that is known; it decides nothing
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    #[schema(format = DateTime)]
    pub not_before: Option<String>,
    /// 1 to 256 changes that stand or fall together
    #[schemars(length(min = 1, max = 256))]
    #[schema(min_items = 1, max_items = 256)]
    pub changes: Vec<Change>,
}

const UUID: &str = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$";

/// A feature set
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema, ToSchema)]
pub enum FeatureSet {
    /// Members and security administrators
    A,
    /// Directories and role collections
    B,
}

/// The environment of a subaccount
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// Cloud Foundry, Kyma, ABAP
    Multi,
    /// Neo
    Neo,
}

/// Whether the ledger asks if a submitter may
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Everybody may do everything
    Open,
    /// A change is refused unless its submitter holds what the change asks for
    Enforced,
}

/// What a grant expects of the holding
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GrantExpects {
    /// Nothing (the default)
    Any,
    /// That there is none
    NotHeld,
}

/// What a revoke, or the removal of a member, expects to find
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RevokeExpects {
    /// What it ends (the default)
    Held,
    /// Nothing
    Any,
}

/// One change of an entry
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// A level comes into being
    CreateLevel {
        /// `kind:id`
        level: String,
        /// What it lies in; absent for a global account
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        parent: Option<String>,
        /// Display name
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// Of a global account or subaccount
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        feature_set: Option<FeatureSet>,
        /// Whether a directory manages authorizations
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        authorizations: Option<bool>,
        /// Of a subaccount
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        environment: Option<Environment>,
        /// Of a subaccount
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        region: Option<String>,
        /// Of a Neo subaccount or application: the origin of its applications' users
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        identity_provider: Option<String>,
        /// Of a Neo application: who decides on its roles, `platform` or something that the ledger does not see
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        role_provider: Option<String>,
        /// Of the ledger
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        access: Option<Access>,
    },
    /// A level is put under another parent
    MoveLevel {
        /// `kind:id`
        level: String,
        /// What it lies in from now on
        parent: String,
    },
    /// Attributes of a level change, at least one
    SetLevel {
        /// `kind:id`
        level: String,
        /// Display name
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// Of a global account or subaccount
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        feature_set: Option<FeatureSet>,
        /// Whether a directory manages authorizations
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        authorizations: Option<bool>,
        /// Of a subaccount
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        environment: Option<Environment>,
        /// Of a subaccount
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        region: Option<String>,
        /// Of a Neo subaccount or application: the origin of its applications' users
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        identity_provider: Option<String>,
        /// Of a Neo application: who decides on its roles, `platform` or something that the ledger does not see
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        role_provider: Option<String>,
        /// Of the ledger
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        access: Option<Access>,
    },
    /// A level and all below it cease to be, and every holding in it ends
    DeleteLevel {
        /// `kind:id`
        level: String,
    },
    /// A custom role comes into being
    CreateRole {
        /// `kind:id`
        level: String,
        /// Its name, without `/`
        role: String,
        /// The application of its template, without `/`
        application: String,
        /// The template it is made from
        template: String,
        /// Its scopes; absent means those of the catalogue's role of that template
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        scopes: Option<Vec<String>>,
        /// Values of its attributes, kept as they are
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<BTreeMap<String, serde_json::Value>>")]
        #[schema(value_type = Option<Object>)]
        attributes: Option<BTreeMap<String, Plain>>,
    },
    /// A custom role ceases to be
    DeleteRole {
        /// `kind:id`
        level: String,
        /// `name` or `application/name`
        role: String,
    },
    /// A custom role collection comes into being
    CreateRoleCollection {
        /// `kind:id`
        level: String,
        /// Its name
        role_collection: String,
        /// Each `name` or `application/name`
        roles: Vec<String>,
        /// In words
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        description: Option<String>,
    },
    /// The roles of a custom role collection are replaced
    SetRoles {
        /// `kind:id`
        level: String,
        /// Its name
        role_collection: String,
        /// Each `name` or `application/name`
        roles: Vec<String>,
    },
    /// A custom role collection ceases to be, and every holding of it ends
    DeleteRoleCollection {
        /// `kind:id`
        level: String,
        /// Its name
        role_collection: String,
    },
    /// A holding starts, or gets new terms: of either a role collection or a role
    Grant {
        /// `kind:id`
        level: String,
        /// A role collection of the level
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        role_collection: Option<String>,
        /// A single role, `name` or `application/name`
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        role: Option<String>,
        /// Who receives
        to: String,
        /// When it ends by itself; absent means never
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        #[schemars(extend("format" = "date-time"))]
        #[schema(format = DateTime)]
        until: Option<String>,
        /// What is expected of the holding
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        expect: Option<GrantExpects>,
    },
    /// A holding ends: of either a role collection or a role
    Revoke {
        /// `kind:id`
        level: String,
        /// A role collection of the level
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        role_collection: Option<String>,
        /// A single role, `name` or `application/name`
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        role: Option<String>,
        /// Who holds it
        from: String,
        /// What is expected of the holding
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        expect: Option<RevokeExpects>,
    },
    /// A user becomes a member of a group or attribute
    AddMember {
        /// The group or attribute
        set: String,
        /// The user
        member: String,
    },
    /// A user ceases to be a member
    RemoveMember {
        /// The group or attribute
        set: String,
        /// The user
        member: String,
        /// What is expected of the membership
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        expect: Option<RevokeExpects>,
    },
    /// The rule that makes users members of a group is another one from now on
    SetRule {
        /// The group
        set: String,
        /// The origin of the users that it makes members
        origin: String,
        /// The rule; absent means none
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        rule: Option<Rule>,
    },
    /// A permission of an application is what this says from now on
    SetPermission {
        /// `application:id`
        level: String,
        /// Its name
        permission: String,
        /// The names of the roles that give it
        roles: Vec<String>,
        /// The paths that it protects, each beginning with `/`
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        paths: Option<Vec<String>>,
    },
    /// A permission ceases to be
    DeletePermission {
        /// `application:id`
        level: String,
        /// Its name
        permission: String,
    },
    /// A principal's holdings and memberships end; of a set, its members and its rule too
    RemovePrincipal {
        /// The principal
        principal: String,
    },
    /// Another catalogue comes into force; the only change of its entry
    PublishCatalog {
        /// The whole document
        catalog: Catalog,
    },
    /// A source saw who holds what on a level: at the entry's moment, or all the time from `from` up to it
    Observe {
        /// `kind:id`
        level: String,
        /// Whether all that lies below it was seen too; absent means no
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        subtree: Option<bool>,
        /// What saw it
        source: String,
        /// Since when it was seen all the time
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        #[schemars(extend("format" = "date-time"))]
        #[schema(format = DateTime)]
        from: Option<String>,
    },
    /// An entry should never have counted; the only change of its entry, which says no time
    Void {
        /// The id of the entry
        #[schemars(regex(pattern = UUID))]
        #[schema(format = Uuid)]
        entry: String,
        /// Why
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
}

impl Change {
    /// Whether it holds a document of its own, which may be nested
    pub(crate) fn has_document(&self) -> bool {
        matches!(
            self,
            Self::CreateRole { attributes: Some(_), .. }
                | Self::SetRule { rule: Some(_), .. }
                | Self::PublishCatalog { .. }
        )
    }
}

/// A catalogue document: complete, never a difference to another
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Catalog {
    /// Any text
    pub version: String,
    /// Kinds of levels that can hold custom role collections
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub custom_role_collections: Option<Vec<String>>,
    /// Other names of scopes, each with the real one
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub scope_aliases: Option<BTreeMap<String, String>>,
    /// Predefined roles
    pub roles: Vec<CatalogRole>,
    /// Predefined role collections
    pub role_collections: Vec<CatalogRoleCollection>,
    /// Operations
    pub operations: Vec<CatalogOperation>,
}

/// A predefined role
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CatalogRole {
    /// Its name, without `/`
    pub role: String,
    /// The application that provides it, without `/`
    pub application: String,
    /// The template it is made from
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Kinds of levels where it exists
    pub at: Vec<String>,
    /// Feature sets under which it exists; absent means both
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub feature_sets: Option<Vec<FeatureSet>>,
    /// Environments in which it exists; absent means `multi` alone
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub environments: Option<Vec<Environment>>,
    /// Its scopes
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// Whether it may be granted as a single role; absent means no
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub grantable: Option<bool>,
}

/// A predefined role collection
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CatalogRoleCollection {
    /// Its name
    pub role_collection: String,
    /// Kinds of levels where it exists
    pub at: Vec<String>,
    /// Feature sets under which it exists; absent means both
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub feature_sets: Option<Vec<FeatureSet>>,
    /// Environments in which it exists; absent means `multi` alone
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub environments: Option<Vec<Environment>>,
    /// Its roles, each `name` or `application/name`
    pub roles: Vec<String>,
}

/// An operation
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CatalogOperation {
    /// Its id
    pub operation: String,
    /// In words
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Kinds of levels where it can be done
    pub at: Vec<String>,
    /// Feature sets under which it exists; absent means both
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub feature_sets: Option<Vec<FeatureSet>>,
    /// Environments in which it exists; absent means `multi` alone
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub environments: Option<Vec<Environment>>,
    /// What it requires
    pub requires: Expr,
    /// What doing it gives whoever does it
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub gives: Option<Vec<Gives>>,
}

/// What doing an operation gives: one of `role_collections`, `role_collection` and `role`
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Gives {
    /// Every role collection that exists there
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub role_collections: Option<Any>,
    /// A role collection
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub role_collection: Option<String>,
    /// A role, `name` or `application/name`
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Where
    pub at: GivenAt,
}

/// All of them
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Any {
    /// Whatever its name
    Any,
}

/// Where something is given
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(untagged, expecting = "`at` is `here` or a list of kinds of levels below")]
pub enum GivenAt {
    /// On the level itself
    Here(Here),
    /// On the levels below of these kinds
    Below(Vec<String>),
}

/// On the level itself
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Here {
    /// Where the operation is done
    Here,
}

/// The rule of a group: `any_of`, `all_of`, or a leaf: `attribute` with one of `equals` and `matches`, or `everyone`
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(no_recursion)]
pub struct Rule {
    /// At least one of these
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion)]
    pub any_of: Option<Vec<Rule>>,
    /// All of these
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion)]
    pub all_of: Option<Vec<Rule>>,
    /// An attribute that the identity provider asserts; `Groups` is the groups
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub attribute: Option<String>,
    /// Its value
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub equals: Option<String>,
    /// A pattern that its value matches from the first to the last character, at most 256 bytes
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub matches: Option<String>,
    /// `true`: every user of the origin
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub everyone: Option<bool>,
}

/// A requirement: `any_of`, `all_of`, or a leaf with one of `role`, `scope`, `role_collection` and one
/// of `at` (the target or an ancestor of one of these kinds) and `below` (a descendant)
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(no_recursion)]
pub struct Expr {
    /// At least one of these
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion)]
    pub any_of: Option<Vec<Expr>>,
    /// All of these
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion)]
    pub all_of: Option<Vec<Expr>>,
    /// A role, `name` or `application/name`
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The application of that role
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// A scope
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// A role collection
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub role_collection: Option<String>,
    /// The target itself or an ancestor of one of these kinds
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub at: Option<Vec<String>>,
    /// A descendant of the target of one of these kinds
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub below: Option<Vec<String>>,
}
