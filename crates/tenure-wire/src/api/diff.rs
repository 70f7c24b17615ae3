//! What changed between two pairs of coordinates?

use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::AnyOfBuilder;
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::{AsOf, Elsewhere, Holding};
use crate::v1;

/// Both coordinates of a difference
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct DiffAsOf {
    /// The first
    pub from: AsOf,
    /// The second
    pub until: AsOf,
}

/// A holding under two sets of terms
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Changed {
    /// At the first coordinate
    pub before: Holding,
    /// At the second
    pub after: Holding,
}

/// What changed between two coordinates, or who gained or lost a power where `can` was asked
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum DiffAnswer {
    /// What changed
    Diff(Diff),
    /// Who gained or lost the power
    Power(PowerDiff),
}

// Not derived: the schema of the power fits a difference in which nobody gained or lost anything as well, so that it
// would not be exactly one of the two.
impl PartialSchema for DiffAnswer {
    fn schema() -> RefOr<Schema> {
        let description = "What changed between two coordinates, or who gained or lost a power where `can` was asked";
        AnyOfBuilder::new()
            .item(Ref::from_schema_name(Diff::name()))
            .item(Ref::from_schema_name(PowerDiff::name()))
            .description(Some(description))
            .into()
    }
}

impl ToSchema for DiffAnswer {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((Diff::name().into_owned(), Diff::schema()));
        schemas.push((PowerDiff::name().into_owned(), PowerDiff::schema()));
        Diff::schemas(schemas);
        PowerDiff::schemas(schemas);
    }
}

/// What changed between two coordinates
///
/// A page has rows of `gained`, `lost`, `changed`, the lists of `levels` and `definitions`, in this order.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Diff {
    /// The coordinates
    pub as_of: DiffAsOf,
    /// Counting at the second alone
    pub gained: Vec<Holding>,
    /// Counting at the first alone
    pub lost: Vec<Holding>,
    /// Counting at both, under other terms
    pub changed: Vec<Changed>,
    /// Levels that differ; absent where one principal was asked about
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub levels: Option<LevelsDiff>,
    /// Role collections whose existing roles differ; absent where one principal was asked about
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definitions: Option<Vec<DefinitionRow>>,
    /// The catalogues in force, on the first page; absent where one principal was asked about
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalogs: Option<Catalogs>,
    /// What to pass as `page_token` for the next page; absent on the last
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}

/// Levels that differ, each list in byte order
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct LevelsDiff {
    /// Existing at the second alone
    pub created: Vec<String>,
    /// Existing at the first alone
    pub deleted: Vec<String>,
    /// With another parent
    pub moved: Vec<LevelMoved>,
    /// With other attributes, or another feature set or environment in force
    pub changed: Vec<LevelChanged>,
}

/// A level that lies in another one than before
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct LevelMoved {
    /// The level
    pub level: String,
    /// Its parent at the first coordinate
    pub from: String,
    /// Its parent at the second coordinate
    pub until: String,
}

/// A level with other attributes than before
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct LevelChanged {
    /// The level
    pub level: String,
    /// Its explicit attributes at the first coordinate
    pub before: LevelAttributes,
    /// Its explicit attributes at the second coordinate
    pub after: LevelAttributes,
    /// The feature set in force there
    pub feature_set: FeatureSets,
    /// The environment in force there
    pub environment: Environments,
}

/// The explicit attributes of a level
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct LevelAttributes {
    /// Display name
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Feature set
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feature_set: Option<v1::FeatureSet>,
    /// Whether a directory manages authorizations
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorizations: Option<bool>,
    /// Environment
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<v1::Environment>,
    /// Region
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Origin of the users of a Neo subaccount's applications, or of one application's
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_provider: Option<String>,
    /// Who decides on the roles of a Neo application
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_provider: Option<String>,
    /// Of the ledger: whether it asks if a submitter may; absent means that it does not
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<v1::Access>,
}

/// The feature set in force at both coordinates
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct FeatureSets {
    /// At the first
    pub before: v1::FeatureSet,
    /// At the second
    pub after: v1::FeatureSet,
}

/// The environment in force at both coordinates
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Environments {
    /// At the first
    pub before: v1::Environment,
    /// At the second
    pub after: v1::Environment,
}

/// A role collection whose existing roles differ
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct DefinitionRow {
    /// Where
    #[serde(flatten)]
    pub at: DefinedAt,
    /// Its name
    pub role_collection: String,
    /// Roles that exist at the second coordinate alone, `application/name`
    pub gained: Vec<String>,
    /// Roles that exist at the first coordinate alone, `application/name`
    pub lost: Vec<String>,
}

/// Where a role collection has other roles than before
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum DefinedAt {
    /// At one level
    Level {
        /// The level
        level: String,
    },
    /// At every level of a kind under a feature set and in an environment, by the catalogue alone
    Catalog {
        /// The kind
        kind: String,
        /// The feature set in force there
        feature_set: v1::FeatureSet,
        /// The environment in force there
        environment: v1::Environment,
        /// How many levels it changes
        levels: usize,
    },
}

/// The versions of the catalogues in force at both coordinates
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Catalogs {
    /// At the first; null if there is none
    pub from: Option<String>,
    /// At the second; null if there is none
    pub until: Option<String>,
}

/// Who gained or lost a power between two coordinates
///
/// A page has rows of `gained`, then of `lost`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct PowerDiff {
    /// The coordinates
    pub as_of: DiffAsOf,
    /// Who could at the second alone, in byte order
    pub gained: Vec<PowerDiffRow>,
    /// Who could at the first alone, in byte order
    pub lost: Vec<PowerDiffRow>,
    /// The levels that were passed over, in byte order
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<Elsewhere>,
    /// What to pass as `page_token` for the next page; absent on the last
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}

/// Who gained or lost a power, and where
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct PowerDiffRow {
    /// A user, a client or a set
    pub principal: String,
    /// In byte order
    pub levels: Vec<String>,
}
