//! What can an entry ask for?
//!
//! An [`Entry`] is one transaction on the log: who acts, why, when it holds, and 1 to 256
//! [`Change`]s that stand or fall together. An entry asks; its outcome tells. The rules that an entry
//! alone can break are checked by [`Entry::new`]; all others are the fold's.
//!
//! Rules: `docs/semantics.md#changes`.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use crate::words::catalog::Catalog;
use crate::words::grantable::{GrantableText, RoleText};
use crate::words::instant::Instant;
use crate::words::level::{Attributes, Level};
use crate::words::principal::{Principal, PrincipalKind};
use crate::words::rule::Rule;

/// Most changes in one entry
pub const CHANGES_MAX: usize = 256;
/// Longest reason, in bytes
pub const REASON_BYTES_MAX: usize = 1_024;

/// The id of an entry, made by its client; the idempotency key
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EntryId(pub Uuid);

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// How an entry is named in a question
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum EntryName {
    /// By its place; 0 is the place of none
    Position(u64),
    /// By its id
    Id(EntryId),
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Position(position) => position.fmt(f),
            Self::Id(id) => id.fmt(f),
        }
    }
}

/// What a grant expects of the holding it starts or renews
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GrantExpects {
    /// Nothing
    Any,
    /// That there is none
    NotHeld,
}

/// What a revoke or the removal of a member expects to find
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RevokeExpects {
    /// What it ends
    Held,
    /// Nothing
    Any,
}

/// One change of an entry
///
/// An `expect` that is absent is told apart from one that states the default: an explicit default is
/// content.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// A level comes into being
    CreateLevel {
        /// The level
        level: Level,
        /// What it lies in; absent for a global account
        parent: Option<Level>,
        /// Its attributes
        attributes: Attributes,
    },
    /// A level is put under another parent
    MoveLevel {
        /// The level
        level: Level,
        /// What it lies in from now on
        parent: Level,
    },
    /// Attributes of a level change
    SetLevel {
        /// The level
        level: Level,
        /// The new attributes, at least one
        attributes: Attributes,
    },
    /// A level and all below it cease to be
    DeleteLevel {
        /// The level
        level: Level,
    },
    /// A custom role comes into being
    CreateRole {
        /// The level
        level: Level,
        /// Its name
        role: Arc<str>,
        /// The application of its template
        application: Arc<str>,
        /// The template it is made from
        template: Arc<str>,
        /// Its scopes; absent means those of the catalogue's role of that template
        scopes: Option<Vec<Arc<str>>>,
        /// Values of its attributes, kept as they are and not interpreted
        attributes: Option<RoleAttributes>,
    },
    /// A custom role ceases to be
    DeleteRole {
        /// The level
        level: Level,
        /// The role
        role: RoleText,
    },
    /// A custom role collection comes into being
    CreateRoleCollection {
        /// The level
        level: Level,
        /// Its name
        role_collection: Arc<str>,
        /// Its roles
        roles: Vec<RoleText>,
        /// In words
        description: Option<Arc<str>>,
    },
    /// The roles of a custom role collection are replaced
    SetRoles {
        /// The level
        level: Level,
        /// Its name
        role_collection: Arc<str>,
        /// Its roles from now on
        roles: Vec<RoleText>,
    },
    /// A custom role collection ceases to be, and every holding of it ends
    DeleteRoleCollection {
        /// The level
        level: Level,
        /// Its name
        role_collection: Arc<str>,
    },
    /// A holding starts, or gets new terms
    Grant {
        /// The level
        level: Level,
        /// What is given
        grantable: GrantableText,
        /// Who receives
        to: Principal,
        /// When it ends by itself; absent means never
        until: Option<Instant>,
        /// What is expected
        expect: Option<GrantExpects>,
    },
    /// A holding ends
    Revoke {
        /// The level
        level: Level,
        /// What is taken
        grantable: GrantableText,
        /// Who holds it
        from: Principal,
        /// What is expected
        expect: Option<RevokeExpects>,
    },
    /// A user becomes a member of a group or attribute
    AddMember {
        /// The group or attribute
        set: Principal,
        /// The user
        member: Principal,
    },
    /// A user ceases to be a member
    RemoveMember {
        /// The group or attribute
        set: Principal,
        /// The user
        member: Principal,
        /// What is expected
        expect: Option<RevokeExpects>,
    },
    /// The rule that makes users members of a group is another one from now on
    SetRule {
        /// The group
        set: Principal,
        /// The origin of the users that it makes members
        origin: Arc<str>,
        /// The rule; absent means none
        rule: Option<Arc<Rule>>,
    },
    /// A permission of an application is what this says from now on
    SetPermission {
        /// The application
        level: Level,
        /// Its name
        permission: Arc<str>,
        /// The names of the roles that give it
        roles: Vec<Arc<str>>,
        /// The paths that it protects; absent means none
        paths: Option<Vec<Arc<str>>>,
    },
    /// A permission ceases to be
    DeletePermission {
        /// The application
        level: Level,
        /// Its name
        permission: Arc<str>,
    },
    /// A principal's holdings and memberships end; of a set, its members and its rule too
    RemovePrincipal {
        /// The principal
        principal: Principal,
    },
    /// Another catalogue comes into force
    PublishCatalog {
        /// The catalogue
        catalog: Arc<Catalog>,
    },
    /// A source saw who holds what on a level
    Observe {
        /// The level
        level: Level,
        /// Whether all that lies below it was seen too; absent means no
        subtree: Option<bool>,
        /// What saw it
        source: Arc<str>,
        /// Since when it was seen all the time; absent means at the entry's moment alone
        from: Option<Instant>,
    },
    /// An entry should never have counted
    Void {
        /// The entry
        entry: EntryId,
        /// Why
        note: Option<Arc<str>>,
    },
}

/// Values of a custom role's attributes: an opaque document that the ledger keeps and does not read
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RoleAttributes(pub Arc<str>);

impl Change {
    /// Its type, as texts name it
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::CreateLevel { .. } => "create_level",
            Self::MoveLevel { .. } => "move_level",
            Self::SetLevel { .. } => "set_level",
            Self::DeleteLevel { .. } => "delete_level",
            Self::CreateRole { .. } => "create_role",
            Self::DeleteRole { .. } => "delete_role",
            Self::CreateRoleCollection { .. } => "create_role_collection",
            Self::SetRoles { .. } => "set_roles",
            Self::DeleteRoleCollection { .. } => "delete_role_collection",
            Self::Grant { .. } => "grant",
            Self::Revoke { .. } => "revoke",
            Self::AddMember { .. } => "add_member",
            Self::RemoveMember { .. } => "remove_member",
            Self::SetRule { .. } => "set_rule",
            Self::SetPermission { .. } => "set_permission",
            Self::DeletePermission { .. } => "delete_permission",
            Self::RemovePrincipal { .. } => "remove_principal",
            Self::PublishCatalog { .. } => "publish_catalog",
            Self::Observe { .. } => "observe",
            Self::Void { .. } => "void",
        }
    }

    /// Whether it may end holdings or memberships of others than it names one by one
    pub(crate) fn ends_others(&self) -> bool {
        matches!(
            self,
            Self::DeleteLevel { .. }
                | Self::DeleteRole { .. }
                | Self::DeleteRoleCollection { .. }
                | Self::RemovePrincipal { .. }
        )
    }

    /// The level it is about
    pub fn level(&self) -> Option<&Level> {
        match self {
            Self::CreateLevel { level, .. }
            | Self::MoveLevel { level, .. }
            | Self::SetLevel { level, .. }
            | Self::DeleteLevel { level }
            | Self::CreateRole { level, .. }
            | Self::DeleteRole { level, .. }
            | Self::CreateRoleCollection { level, .. }
            | Self::SetRoles { level, .. }
            | Self::DeleteRoleCollection { level, .. }
            | Self::Grant { level, .. }
            | Self::Revoke { level, .. }
            | Self::SetPermission { level, .. }
            | Self::DeletePermission { level, .. }
            | Self::Observe { level, .. } => Some(level),
            Self::AddMember { .. }
            | Self::RemoveMember { .. }
            | Self::SetRule { .. }
            | Self::RemovePrincipal { .. }
            | Self::PublishCatalog { .. }
            | Self::Void { .. } => None,
        }
    }

    /// The parent it names
    pub fn parent(&self) -> Option<&Level> {
        match self {
            Self::CreateLevel { parent, .. } => parent.as_ref(),
            Self::MoveLevel { parent, .. } => Some(parent),
            _ => None,
        }
    }

    /// The principals it names
    pub fn principals(&self) -> impl Iterator<Item = &Principal> {
        let named = match self {
            Self::Grant { to, .. } => [Some(to), None],
            Self::Revoke { from, .. } => [Some(from), None],
            Self::AddMember { set, member } | Self::RemoveMember { set, member, .. } => {
                [Some(set), Some(member)]
            }
            Self::SetRule { set, .. } => [Some(set), None],
            Self::RemovePrincipal { principal } => [Some(principal), None],
            _ => [None, None],
        };
        named.into_iter().flatten()
    }

    /// The role collection it names
    pub fn role_collection(&self) -> Option<&Arc<str>> {
        match self {
            Self::CreateRoleCollection { role_collection, .. }
            | Self::SetRoles { role_collection, .. }
            | Self::DeleteRoleCollection { role_collection, .. }
            | Self::Grant { grantable: GrantableText::RoleCollection(role_collection), .. }
            | Self::Revoke { grantable: GrantableText::RoleCollection(role_collection), .. } => {
                Some(role_collection)
            }
            _ => None,
        }
    }

    /// The roles that it names by a text
    pub fn roles(&self) -> &[RoleText] {
        match self {
            Self::CreateRoleCollection { roles, .. } | Self::SetRoles { roles, .. } => roles,
            Self::DeleteRole { role, .. }
            | Self::Grant { grantable: GrantableText::Role(role), .. }
            | Self::Revoke { grantable: GrantableText::Role(role), .. } => {
                std::slice::from_ref(role)
            }
            _ => &[],
        }
    }

    fn check(&self, count: usize, when: When) -> Result<(), EntryError> {
        match self {
            Self::SetLevel { attributes, .. } if attributes.stated().next().is_none() => {
                Err(EntryError::NoAttribute)
            }
            Self::AddMember { set, member } | Self::RemoveMember { set, member, .. } => {
                if !matches!(set.kind(), PrincipalKind::Group | PrincipalKind::Attribute) {
                    return Err(EntryError::NotASet(set.clone()));
                }
                if member.kind() != PrincipalKind::User {
                    return Err(EntryError::NotAUser(member.clone()));
                }
                Ok(())
            }
            Self::SetRule { set, .. } if set.kind() != PrincipalKind::Group => {
                Err(EntryError::NotAGroup(set.clone()))
            }
            Self::SetPermission { paths: Some(paths), .. } => paths
                .iter()
                .find(|path| !path.starts_with('/'))
                .map_or(Ok(()), |path| Err(EntryError::NotAPath(path.chars().take(160).collect()))),
            Self::PublishCatalog { .. } if count != 1 => {
                Err(EntryError::NotAlone("publish_catalog"))
            }
            Self::Void { .. } if count != 1 => Err(EntryError::NotAlone("void")),
            Self::Void { .. } if when != When::default() => Err(EntryError::VoidWithTime),
            _ => Ok(()),
        }
    }
}

/// Why an entry is malformed although each of its fields can be read
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EntryError {
    /// No change, or more than [`CHANGES_MAX`]
    #[error("an entry has 1 to {CHANGES_MAX} changes, this one has {0}")]
    Changes(usize),
    /// A reason longer than [`REASON_BYTES_MAX`]
    #[error("a reason has at most {REASON_BYTES_MAX} bytes, this one has {0}")]
    Reason(usize),
    /// `set_level` without an attribute
    #[error("`set_level` sets at least one attribute")]
    NoAttribute,
    /// Members of something that has none
    #[error("`set` is a group or an attribute, `{0}` is neither")]
    NotASet(Principal),
    /// A member that is no user
    #[error("`member` is a user, `{0}` is not: sets are not nested")]
    NotAUser(Principal),
    /// A rule of something that has none
    #[error("a rule is that of a group, `{0}` is none")]
    NotAGroup(Principal),
    /// A path that begins otherwise
    #[error("a path begins with `/`, `{0}` does not")]
    NotAPath(String),
    /// A change that must be the only one
    #[error("`{0}` is the only change of its entry")]
    NotAlone(&'static str),
    /// A void that says when it holds
    #[error(
        "a `void` has no `effective_at` and no `not_before`: it holds from its own position on"
    )]
    VoidWithTime,
}

/// What an entry says of when it holds in the world
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct When {
    /// When it holds, or the latest possible moment; absent means when it is recorded
    pub effective_at: Option<Instant>,
    /// The earliest possible moment, where it is known only that it happened in between; it decides nothing
    pub not_before: Option<Instant>,
}

impl From<Option<Instant>> for When {
    fn from(effective_at: Option<Instant>) -> Self {
        Self { effective_at, not_before: None }
    }
}

/// One transaction on the log
// INVARIANT (entry): nothing that the entry alone can show to be wrong is wrong; only `new` makes one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    id: EntryId,
    actor: Principal,
    reason: Option<Arc<str>>,
    when: When,
    changes: Vec<Change>,
}

impl Entry {
    /// Makes an entry
    ///
    /// # Errors
    /// Whatever the entry alone shows to be wrong, with the index of the change.
    pub fn new(
        id: EntryId,
        actor: Principal,
        reason: Option<Arc<str>>,
        when: impl Into<When>,
        changes: Vec<Change>,
    ) -> Result<Self, (Option<usize>, EntryError)> {
        let when = when.into();
        if changes.is_empty() || changes.len() > CHANGES_MAX {
            return Err((None, EntryError::Changes(changes.len())));
        }
        if let Some(reason) = reason.as_ref().filter(|text| text.len() > REASON_BYTES_MAX) {
            return Err((None, EntryError::Reason(reason.len())));
        }
        for (n, change) in changes.iter().enumerate() {
            change.check(changes.len(), when).map_err(|error| (Some(n), error))?;
        }
        Ok(Self { id, actor, reason, when, changes })
    }

    /// Its id
    pub fn id(&self) -> EntryId {
        self.id
    }

    /// Who acts
    pub fn actor(&self) -> &Principal {
        &self.actor
    }

    /// Why
    pub fn reason(&self) -> Option<&Arc<str>> {
        self.reason.as_ref()
    }

    /// When it says that it holds; absent means when it is recorded
    pub fn effective_at(&self) -> Option<Instant> {
        self.when.effective_at
    }

    /// The earliest moment at which it can have happened, where the entry says one
    pub fn not_before(&self) -> Option<Instant> {
        self.when.not_before
    }

    /// Its changes, 1 to [`CHANGES_MAX`]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }
}
