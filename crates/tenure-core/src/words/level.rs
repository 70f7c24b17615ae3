//! Where can something be granted?
//!
//! A [`Level`] is an account entity of SAP BTP or something below one. Its kind decides what it may
//! lie in and which attributes it has. Source: the levels of SAP BTP's account model.
//!
//! Rules: `docs/semantics.md#level`.

use std::fmt;
use std::sync::Arc;

/// Longest id of a level, in bytes
pub const LEVEL_ID_BYTES_MAX: usize = 128;

/// The kinds of levels
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LevelKind {
    /// The ledger itself, above every global account: where it is given who may read and write it
    Ledger,
    /// The root of a landscape
    GlobalAccount,
    /// Groups subaccounts; holds role collections only while it manages authorizations
    Directory,
    /// Where applications and services run
    Subaccount,
    /// A Cloud Foundry org
    CfOrg,
    /// A Cloud Foundry space
    CfSpace,
    /// An instance of a service
    ServiceInstance,
    /// A Neo application
    Application,
}

impl LevelKind {
    /// Every kind, from the root down
    pub const ALL: [Self; 8] = [
        Self::Ledger,
        Self::GlobalAccount,
        Self::Directory,
        Self::Subaccount,
        Self::CfOrg,
        Self::CfSpace,
        Self::ServiceInstance,
        Self::Application,
    ];

    /// The kind's name in texts
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ledger => "ledger",
            Self::GlobalAccount => "global-account",
            Self::Directory => "directory",
            Self::Subaccount => "subaccount",
            Self::CfOrg => "cf-org",
            Self::CfSpace => "cf-space",
            Self::ServiceInstance => "service-instance",
            Self::Application => "application",
        }
    }

    /// The kind of that name
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether a change may put a level of this kind directly in one of that kind
    ///
    /// No change puts anything in the ledger's level: a global account is created without a parent.
    pub fn fits_in(self, parent: Option<Self>) -> bool {
        match self {
            Self::Ledger => false,
            Self::GlobalAccount => parent.is_none(),
            Self::Directory | Self::Subaccount => {
                matches!(parent, Some(Self::GlobalAccount | Self::Directory))
            }
            Self::CfOrg | Self::Application => parent == Some(Self::Subaccount),
            Self::CfSpace => parent == Some(Self::CfOrg),
            Self::ServiceInstance => matches!(parent, Some(Self::CfSpace | Self::Subaccount)),
        }
    }

    /// Whether levels of this kind have that attribute
    pub fn has(self, attribute: Attribute) -> bool {
        match attribute {
            Attribute::Name => true,
            Attribute::FeatureSet => matches!(self, Self::GlobalAccount | Self::Subaccount),
            Attribute::Authorizations => self == Self::Directory,
            Attribute::Environment | Attribute::Region => self == Self::Subaccount,
            Attribute::IdentityProvider => matches!(self, Self::Subaccount | Self::Application),
            Attribute::RoleProvider => self == Self::Application,
            Attribute::Access => self == Self::Ledger,
        }
    }
}

impl fmt::Display for LevelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of kinds
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct KindSet(u8);

impl KindSet {
    /// Whether the kind is in the set
    pub fn contains(self, kind: LevelKind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    /// The kinds in the set, from the root down
    pub fn iter(self) -> impl Iterator<Item = LevelKind> {
        LevelKind::ALL.into_iter().filter(move |kind| self.contains(*kind))
    }
}

impl FromIterator<LevelKind> for KindSet {
    fn from_iter<I: IntoIterator<Item = LevelKind>>(kinds: I) -> Self {
        Self(kinds.into_iter().fold(0, |set, kind| set | 1 << kind as u8))
    }
}

/// The attributes that a level may have
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Attribute {
    /// `name`
    Name,
    /// `feature_set`
    FeatureSet,
    /// `authorizations`
    Authorizations,
    /// `environment`
    Environment,
    /// `region`
    Region,
    /// `identity_provider`
    IdentityProvider,
    /// `role_provider`
    RoleProvider,
    /// `access`
    Access,
}

impl Attribute {
    /// Every attribute
    pub const ALL: [Self; 8] = [
        Self::Name,
        Self::FeatureSet,
        Self::Authorizations,
        Self::Environment,
        Self::Region,
        Self::IdentityProvider,
        Self::RoleProvider,
        Self::Access,
    ];

    /// The attribute's name in texts
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::FeatureSet => "feature_set",
            Self::Authorizations => "authorizations",
            Self::Environment => "environment",
            Self::Region => "region",
            Self::IdentityProvider => "identity_provider",
            Self::RoleProvider => "role_provider",
            Self::Access => "access",
        }
    }

    /// The attribute of that name
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|attribute| attribute.as_str() == text)
    }
}

/// The feature set of the cloud management tools that an account runs on
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum FeatureSet {
    /// The older one: members and security administrators
    A,
    /// The newer one: directories and role collections. In force where no level says otherwise
    #[default]
    B,
}

impl FeatureSet {
    /// Both
    pub const ALL: [Self; 2] = [Self::A, Self::B];

    /// Its letter
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
        }
    }
}

/// The environment of a subaccount
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Environment {
    /// The multi-environment (Cloud Foundry, Kyma, ABAP). In force where no subaccount says otherwise
    #[default]
    Multi,
    /// Neo
    Neo,
}

impl Environment {
    /// Both
    pub const ALL: [Self; 2] = [Self::Multi, Self::Neo];

    /// Its name in texts
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Multi => "multi",
            Self::Neo => "neo",
        }
    }
}

/// Whether the ledger asks if a submitter may
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Access {
    /// Everybody may do everything. In force where no change says otherwise
    #[default]
    Open,
    /// A change is refused unless its submitter holds what the change asks for
    Enforced,
}

impl Access {
    /// Both
    pub const ALL: [Self; 2] = [Self::Open, Self::Enforced];

    /// Its name in texts
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Enforced => "enforced",
        }
    }
}

/// The role provider whose roles the ledger knows
pub const PLATFORM: &str = "platform";

/// The attributes that a change states, or that a level explicitly has
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Attributes {
    /// Display name
    pub name: Option<Arc<str>>,
    /// Feature set
    pub feature_set: Option<FeatureSet>,
    /// Whether a directory manages authorizations
    pub authorizations: Option<bool>,
    /// Environment
    pub environment: Option<Environment>,
    /// Region
    pub region: Option<Arc<str>>,
    /// Origin of the users of a Neo subaccount's applications, or of one application's
    pub identity_provider: Option<Arc<str>>,
    /// Who decides on the roles of a Neo application: [`PLATFORM`], or something that the ledger does not see
    pub role_provider: Option<Arc<str>>,
    /// Whether the ledger asks if a submitter may
    pub access: Option<Access>,
}

impl Attributes {
    /// The attributes that are stated
    pub fn stated(&self) -> impl Iterator<Item = Attribute> {
        [
            self.name.is_some().then_some(Attribute::Name),
            self.feature_set.is_some().then_some(Attribute::FeatureSet),
            self.authorizations.is_some().then_some(Attribute::Authorizations),
            self.environment.is_some().then_some(Attribute::Environment),
            self.region.is_some().then_some(Attribute::Region),
            self.identity_provider.is_some().then_some(Attribute::IdentityProvider),
            self.role_provider.is_some().then_some(Attribute::RoleProvider),
            self.access.is_some().then_some(Attribute::Access),
        ]
        .into_iter()
        .flatten()
    }

    /// These attributes with what `other` states put over them
    #[must_use]
    pub fn overlaid(&self, other: &Self) -> Self {
        Self {
            name: other.name.clone().or_else(|| self.name.clone()),
            feature_set: other.feature_set.or(self.feature_set),
            authorizations: other.authorizations.or(self.authorizations),
            environment: other.environment.or(self.environment),
            region: other.region.clone().or_else(|| self.region.clone()),
            identity_provider: (other.identity_provider.clone())
                .or_else(|| self.identity_provider.clone()),
            role_provider: other.role_provider.clone().or_else(|| self.role_provider.clone()),
            access: other.access.or(self.access),
        }
    }
}

/// A level's name, `kind:id`
///
/// Compared and ordered by the bytes of its text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level {
    text: Arc<str>,
    kind: LevelKind,
}

/// A text that names no level
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParseLevelError {
    /// No known kind before the colon
    #[error(
        "`{0}` is not a level: a level is `kind:id`, and its kind one of ledger, global-account, directory, subaccount, cf-org, cf-space, service-instance, application"
    )]
    Kind(String),
    /// An id with other characters, or too long, or empty
    #[error("`{0}` is not a level: its id is 1 to 128 letters, digits, `.`, `_` and `-`")]
    Id(String),
}

impl Level {
    /// Reads `kind:id`
    ///
    /// # Errors
    /// An unknown kind, or an id that is not 1 to 128 characters of `[A-Za-z0-9._-]`.
    pub fn parse(text: &str) -> Result<Self, ParseLevelError> {
        let shown = || text.chars().take(160).collect::<String>();
        let (kind, id) = text.split_once(':').ok_or_else(|| ParseLevelError::Kind(shown()))?;
        let kind = LevelKind::parse(kind).ok_or_else(|| ParseLevelError::Kind(shown()))?;
        let lawful = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if id.is_empty() || id.len() > LEVEL_ID_BYTES_MAX || !id.bytes().all(lawful) {
            return Err(ParseLevelError::Id(shown()));
        }
        Ok(Self { text: text.into(), kind })
    }

    /// The level of the ledger with that name
    pub fn of_ledger(name: &str) -> Self {
        Self { text: format!("{}:{name}", LevelKind::Ledger).into(), kind: LevelKind::Ledger }
    }

    /// Its kind
    pub fn kind(&self) -> LevelKind {
        self.kind
    }

    /// Its id, without its kind
    pub fn id(&self) -> &str {
        self.text.split_once(':').map_or("", |(_, id)| id)
    }

    /// Its text, `kind:id`
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_a_known_kind_and_a_lawful_id() {
        assert_eq!(Level::parse("cf-space:a.B_9-").unwrap().kind(), LevelKind::CfSpace);
        let longest = format!("subaccount:{}", "x".repeat(LEVEL_ID_BYTES_MAX));
        assert!(Level::parse(&longest).is_ok());
        for text in ["", "dev", "planet:earth", "subaccount:", "subaccount:a b", "subaccount:é"] {
            assert!(Level::parse(text).is_err(), "{text}");
        }
        assert!(Level::parse(&format!("{longest}x")).is_err());
    }

    #[test]
    fn a_set_of_kinds_holds_what_was_put_in() {
        let set = KindSet::from_iter([LevelKind::CfOrg, LevelKind::Application]);
        assert_eq!(set.iter().collect::<Vec<_>>(), [LevelKind::CfOrg, LevelKind::Application]);
        assert!(!set.contains(LevelKind::Directory));
        assert_eq!(KindSet::from_iter(LevelKind::ALL).iter().count(), LevelKind::ALL.len());
    }

    #[test]
    fn the_level_of_a_ledger_is_one_that_can_be_read() {
        assert_eq!(Level::of_ledger("main"), Level::parse("ledger:main").unwrap());
    }
}
