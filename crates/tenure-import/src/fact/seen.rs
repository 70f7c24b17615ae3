//! How is a level, a role collection, a role or a holder described, whichever source describes it?
//!
//! Each type has only what the ledger can use. A field that is `None` was not said.

use std::collections::BTreeMap;

use tenure_core::{Instant, LevelKind, PrincipalKind, plain_name, role_text};
use tenure_wire::Plain;

/// A level
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct LevelSeen {
    pub(crate) level: String,
    pub(crate) kind: LevelKind,
    /// Of a directory or subaccount
    pub(crate) parent: Option<String>,
    /// The global account that the level lies in, or that it is
    pub(crate) global_account: Option<String>,
    pub(crate) name: Option<String>,
    /// Of a directory
    pub(crate) authorizations: Option<bool>,
    /// Of a subaccount
    pub(crate) region: Option<String>,
    pub(crate) created: Option<Instant>,
    pub(crate) created_by: Option<String>,
    /// Who changed the level, if the record is that change
    pub(crate) changed_by: Option<String>,
    /// Whether its deletion is under way. The level is still there then
    pub(crate) dying: bool,
}

/// A role, by its names
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct RoleSeen {
    /// With its suffix, as recorded (`orders!t12`)
    pub(crate) application: String,
    pub(crate) template: String,
    pub(crate) name: String,
}

impl RoleSeen {
    /// As the ledger names it
    pub(crate) fn text(&self) -> String {
        role_text(&self.application, &self.name)
    }

    /// Whether the ledger can name the role
    pub(crate) fn can_be_named(&self) -> bool {
        [&self.application, &self.name].iter().all(|part| plain_name("role", part).is_ok())
    }
}

/// A role with what it gives
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct RoleDefinition {
    pub(crate) role: RoleSeen,
    /// Without the application's id before them
    pub(crate) scopes: Vec<String>,
    /// By the attribute's name, as recorded
    pub(crate) attributes: BTreeMap<String, Plain>,
}

/// A role collection
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct CollectionSeen {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    /// Whether SAP or an application delivers it
    pub(crate) read_only: bool,
    pub(crate) roles: Vec<RoleSeen>,
}

/// What somebody holds
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Held {
    Collection(String),
    /// A single role, `application/name`
    Role(String),
}

impl Held {
    /// Its name
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Collection(name) | Self::Role(name) => name,
        }
    }
}

/// Who holds something
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Holder {
    pub(crate) kind: PrincipalKind,
    pub(crate) origin: Option<String>,
    /// What follows the origin in the text of a principal; `None` where only the id is known
    pub(crate) name: Option<String>,
    /// The id that stays when the name changes
    pub(crate) id: Option<UserId>,
}

impl Holder {
    /// A user by its name alone
    pub(crate) fn user(origin: Option<String>, name: String) -> Self {
        Self { kind: PrincipalKind::User, origin, name: Some(name), id: None }
    }
}

/// An id of a user
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct UserId {
    /// Whose id it is: of an identity zone, by its GUID; of Cloud Foundry, `cf`; of an identity provider, its
    /// origin. The same text can be two users in two of them
    pub(crate) space: String,
    pub(crate) id: String,
}

/// A holding that was seen
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct HoldingSeen {
    pub(crate) holder: Holder,
    pub(crate) held: Held,
    /// Since when, where the source says it
    pub(crate) since: Option<Instant>,
}

/// Which page of how many; all pages together are a whole listing
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Page {
    /// From 1
    pub(crate) number: u64,
    pub(crate) of: u64,
}

impl Page {
    /// The only page
    pub(crate) const WHOLE: Self = Self { number: 1, of: 1 };
}

/// A user with all role collections that it holds directly in one zone
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct UserSeen {
    pub(crate) user: Holder,
    pub(crate) collections: Vec<String>,
    /// Grows by one with every write to the user, whoever writes
    pub(crate) version: Option<u64>,
}

/// A group or an attribute value that a role collection is mapped to
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct MappingSeen {
    pub(crate) kind: PrincipalKind,
    /// What follows the origin in the text of a principal
    pub(crate) name: String,
    /// What the mapping calls the identity provider: its display name, or its origin
    pub(crate) idp_name: Option<String>,
    /// The host of the identity provider
    pub(crate) idp_host: Option<String>,
}

/// An identity provider that a zone trusts
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct IdpSeen {
    pub(crate) origin: String,
    pub(crate) name: Option<String>,
    pub(crate) host: Option<String>,
}

impl IdpSeen {
    /// Whether a mapping names this identity provider, by its name, its origin or its host
    pub(crate) fn is_of(&self, mapping: &MappingSeen) -> bool {
        let named = mapping.idp_name.as_ref();
        // Mappings of a custom tenant of Identity Authentication have its host as the display name.
        let host = |host: &Option<String>| host.is_some() && *host == self.host;
        named.is_some_and(|named| *named == self.origin || Some(named) == self.name.as_ref())
            || host(&mapping.idp_host)
            || host(&mapping.idp_name.as_ref().map(|name| name.to_ascii_lowercase()))
    }
}
