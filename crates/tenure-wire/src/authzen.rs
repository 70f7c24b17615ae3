//! How do clients of AuthZEN ask, and how are they answered?
//!
//! The OpenID AuthZEN Authorization API 1.0 has its own words: subjects, actions and resources. This module has the
//! shapes of its requests and responses. [`Translation`] makes questions of requests, and every other door asks the same
//! questions. Unknown fields are ignored here, because the standard demands it. The other doors refuse them.

mod answering;
mod asking;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tenure_core::{LevelKind, PrincipalKind};
use utoipa::ToSchema;

use crate::api::{AsOf, Elsewhere, Holding, Known, Observed};
use crate::question::QuestionError;

pub use asking::{NoSuch, Put, Sought, Translation, limit};

/// Longest sentence about a value of another type, in bytes
const SENTENCE_BYTES_MAX: usize = 400;

/// Fields that nobody reads
///
/// They are here because serde would read an array as an object without them: a flattened field makes it refuse one.
type Ignored = BTreeMap<String, Value>;

/// What becomes of the time that a request says
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TimeRule {
    /// Any time is taken as it is
    Heed,
    /// A time that has not come yet is taken as now, so that a client with a fast clock lets nobody in too early
    #[default]
    NotLaterThanNow,
    /// Every request is about now
    Ignore,
}

/// What clients call things
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Words {
    /// Types of subjects, beside the kinds of principals
    pub subject_types: BTreeMap<String, PrincipalKind>,
    /// Types of resources, beside the kinds of levels
    pub resource_types: BTreeMap<String, LevelKind>,
    /// What becomes of `context.time`
    pub time: TimeRule,
}

/// A subject or a resource; what is searched for needs no `id`
#[derive(Clone, PartialEq, Debug, Default, Deserialize, ToSchema)]
#[serde(expecting = "an object with `type` and `id`")]
#[schema(as = AuthzenEntity)]
pub struct Entity {
    /// The kind of a principal or of a level, or a configured alias of one
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub kind: Option<String>,
    /// The name of a principal, `<origin>/<name>` or the name alone; or the id of a level
    pub id: Option<String>,
    /// Ignored, but for `under` of a resource that is searched for: the level in whose subtree it lies
    #[schema(value_type = Option<Object>)]
    pub properties: Option<Value>,
    /// Whatever else is there
    #[serde(flatten)]
    #[schema(ignore)]
    pub ignored: Ignored,
}

/// What one could do
#[derive(Clone, PartialEq, Debug, Default, Deserialize, ToSchema)]
#[serde(expecting = "an object with `name`")]
#[schema(as = AuthzenAction)]
pub struct Action {
    /// An operation, or `role:<name>`, `scope:<name>`, `role-collection:<name>`
    #[schema(value_type = String)]
    pub name: Option<String>,
    /// Whatever else is there
    #[serde(flatten)]
    #[schema(ignore)]
    pub ignored: Ignored,
}

/// As of when is asked; everything else in it is ignored
#[derive(Clone, PartialEq, Debug, Default, Deserialize, ToSchema)]
#[serde(expecting = "an object")]
#[schema(as = AuthzenContext)]
pub struct Context {
    /// Valid time: an instant, with or without seconds, or a date; now if absent
    pub time: Option<String>,
    /// A position, or a recorded time; the newest if absent
    #[schema(value_type = Option<String>)]
    pub known_at: Option<Value>,
    /// Wait until this position is known here
    #[schema(value_type = Option<String>)]
    pub min_position: Option<Value>,
    /// `full` for who gave each holding, when and why
    #[schema(value_type = Option<String>)]
    pub explain: Option<Value>,
    /// Whatever else is there
    #[serde(flatten)]
    #[schema(ignore)]
    pub ignored: Ignored,
}

/// Whether a subject could do something on a resource
#[derive(Clone, PartialEq, Debug, Default, Deserialize, ToSchema)]
#[serde(expecting = "an object")]
#[schema(as = AuthzenEvaluation)]
pub struct Evaluation {
    /// Who
    pub subject: Option<Entity>,
    /// What
    pub action: Option<Action>,
    /// Where
    pub resource: Option<Entity>,
    /// As of when
    pub context: Option<Context>,
    /// Whatever else is there
    #[serde(flatten)]
    #[schema(ignore)]
    pub ignored: Ignored,
}

/// Many evaluations; what one leaves out is taken, as a whole, from the request
#[derive(Clone, PartialEq, Debug, Default, Deserialize, ToSchema)]
#[serde(expecting = "an object")]
#[schema(as = AuthzenEvaluations)]
pub struct Evaluations {
    /// Who, where an evaluation does not say it
    pub subject: Option<Entity>,
    /// What, where an evaluation does not say it
    pub action: Option<Action>,
    /// Where, if an evaluation does not say it
    pub resource: Option<Entity>,
    /// As of when, where an evaluation does not say it
    pub context: Option<Context>,
    /// Each on its own; none at all makes the request one evaluation
    #[schema(value_type = Option<Vec<Evaluation>>, max_items = 1000)]
    pub evaluations: Option<Vec<Value>>,
    /// Where it stops
    pub options: Option<Options>,
    /// Whatever else is there
    #[serde(flatten)]
    #[schema(ignore)]
    pub ignored: Ignored,
}

/// How many evaluations are done
#[derive(Clone, PartialEq, Debug, Default, Deserialize, ToSchema)]
#[serde(expecting = "an object")]
#[schema(as = AuthzenOptions)]
pub struct Options {
    /// `execute_all`, if it is absent
    pub evaluations_semantic: Option<Semantic>,
    /// Whatever else is there
    #[serde(flatten)]
    #[schema(ignore)]
    pub ignored: Ignored,
}

/// After which evaluation the others are left out
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AuthzenSemantic)]
pub enum Semantic {
    /// After none
    #[default]
    ExecuteAll,
    /// After the first no, or the first that has no answer
    DenyOnFirstDeny,
    /// After the first yes
    PermitOnFirstPermit,
}

impl Semantic {
    /// Whether evaluations after one with this decision are left out
    pub fn ends_with(self, decision: bool) -> bool {
        match self {
            Self::ExecuteAll => false,
            Self::DenyOnFirstDeny => !decision,
            Self::PermitOnFirstPermit => decision,
        }
    }
}

/// Which subjects, resources or actions: what the path names is searched for, and everything else is said
#[derive(Clone, PartialEq, Debug, Default, Deserialize, ToSchema)]
#[serde(expecting = "an object")]
#[schema(as = AuthzenSearch)]
pub struct Search {
    /// Who; its type alone where subjects are searched for
    pub subject: Option<Entity>,
    /// What; absent where actions are searched for
    pub action: Option<Action>,
    /// Where; its type alone where resources are searched for
    pub resource: Option<Entity>,
    /// As of when
    pub context: Option<Context>,
    /// Which page
    pub page: Option<Page>,
    /// Whatever else is there
    #[serde(flatten)]
    #[schema(ignore)]
    pub ignored: Ignored,
}

/// Which page is wanted
#[derive(Clone, PartialEq, Debug, Default, Deserialize, ToSchema)]
#[serde(expecting = "an object")]
#[schema(as = AuthzenPage)]
pub struct Page {
    /// `next_token` of the page before
    pub token: Option<String>,
    /// Results a page, 1,000 if absent and at most 10,000; that of the first page holds for the others
    pub limit: Option<u64>,
    /// Whatever else is there
    #[serde(flatten)]
    #[schema(ignore)]
    pub ignored: Ignored,
}

/// Answer to an evaluation
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenDecision)]
pub struct Decision {
    /// Whether
    pub decision: bool,
    /// As of when, and why
    pub context: Told,
}

/// Answers to many evaluations, in order
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenDecisions)]
pub struct Decisions {
    /// One for each evaluation that was done
    pub evaluations: Vec<Decision>,
}

/// Answer to many evaluations, or to the only one of a request without a list of them
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = AuthzenDecisionOrDecisions)]
pub enum DecisionOrDecisions {
    /// To many
    Many(Decisions),
    /// To the only one
    One(Box<Decision>),
}

/// What is told beside a decision or results
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenTold)]
pub struct Told {
    /// The coordinates; absent where the caller may not know them
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<AsOf>,
    /// When the level or the subtree was observed, where there are observations of it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Observed>,
    /// The levels that a search passed over: there something decides on roles that the ledger does not see
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<Elsewhere>,
    /// For yes: every holding that makes it true
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<Holding>,
    /// For no: what is missing, under the key `403`
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reason_admin: BTreeMap<String, String>,
    /// Whether the subject is known
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<Known>,
    /// Why there is no answer: then the decision is no, and there are no results
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ToldError>,
}

/// Why there is no answer
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenError)]
pub struct ToldError {
    /// The status of HTTP that the same question has elsewhere
    pub status: u16,
    /// A stable code
    pub code: String,
    /// A sentence that says what was wrong and what would be right
    pub message: String,
}

/// Answer to a search
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenFound)]
pub struct Found {
    /// Where the next page begins
    pub page: PageFound,
    /// As of when
    pub context: Told,
    /// Subjects, resources or actions
    pub results: Vec<One>,
}

/// Which page was found
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenPageFound)]
pub struct PageFound {
    /// What to pass as `page.token` for the next page; empty on the last
    pub next_token: String,
    /// Results on this page
    pub count: usize,
    /// Results on all pages, where they are counted
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<usize>,
}

/// One result of a search
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = AuthzenResult)]
pub enum One {
    /// A subject or a resource
    Entity {
        /// The type that was asked for
        #[serde(rename = "type")]
        kind: String,
        /// Its id, as a request takes it
        id: String,
    },
    /// An action
    Action {
        /// Its name, as a request takes it
        name: String,
    },
}

/// Where the endpoints are
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenConfiguration)]
#[expect(missing_docs, reason = "each is the address of its endpoint")]
pub struct Configuration {
    /// The base URL of this server
    pub policy_decision_point: String,
    pub access_evaluation_endpoint: String,
    pub access_evaluations_endpoint: String,
    pub search_subject_endpoint: String,
    pub search_resource_endpoint: String,
    pub search_action_endpoint: String,
}

impl Configuration {
    /// The endpoints of a server with this base URL, which does not end in a slash
    pub fn of(base_url: &str) -> Self {
        let endpoint = |path: &str| format!("{base_url}/access/v1/{path}");
        Self {
            policy_decision_point: base_url.to_owned(),
            access_evaluation_endpoint: endpoint("evaluation"),
            access_evaluations_endpoint: endpoint("evaluations"),
            search_subject_endpoint: endpoint("search/subject"),
            search_resource_endpoint: endpoint("search/resource"),
            search_action_endpoint: endpoint("search/action"),
        }
    }
}

/// Reads a request, or one evaluation of many
///
/// # Errors
/// A field with a value of another type, named by its path.
pub fn read<T: DeserializeOwned>(tree: Value) -> Result<T, QuestionError> {
    serde_path_to_error::deserialize(tree).map_err(|error| {
        let path = error.path().to_string();
        let problem = error.into_inner().to_string();
        // It repeats a text that stands in the wrong place, however long that is.
        let problem = match problem.len() <= SENTENCE_BYTES_MAX {
            true => problem,
            false => "it is a text, and something else is expected".to_owned(),
        };
        QuestionError::Bad(match path.as_str() {
            "." => problem,
            path => format!("`{path}`: {problem}"),
        })
    })
}
