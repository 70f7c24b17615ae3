//! What is the description of all paths?
//!
//! Generated from the types that are read and written; checked in as `schemas/openapi.json`.

use serde_json::{Map, Value, json};
use tenure_core::ABILITIES_MAX;
use tenure_wire::question::{KINDS, Kind, Parameter};
use tenure_wire::schema::forbid_null;
use tenure_wire::{api, authzen, v1};
use utoipa::OpenApi;

/// Components that are written by clients, whose optional fields may be absent and not null
const WRITTEN: [&str; 11] = [
    "Draft",
    "Entry",
    "Change",
    "Catalog",
    "CatalogRole",
    "CatalogRoleCollection",
    "CatalogOperation",
    "Expr",
    "CheckParameters",
    "Many",
    "ManyChecks",
];

/// The OpenAPI document
pub fn document() -> Value {
    // What is derived here can be written as JSON.
    let mut document = serde_json::to_value(Paths::openapi()).unwrap_or_default();
    for kind in KINDS {
        describe(&mut document, kind);
    }
    for name in WRITTEN {
        let component = document.pointer_mut(&format!("/components/schemas/{name}"));
        if let Some(component) = component {
            forbid_null(component);
        }
    }
    document
}

/// Adds the parameters of a question to its path, or as a schema where a body has them
fn describe(document: &mut Value, kind: &Kind) {
    let path = match kind.name {
        "history" => "/v1/entries".to_owned(),
        "entry" => "/v1/entries/{entry}".to_owned(),
        name => format!("/v1/{name}"),
    };
    let path = path.replace('/', "~1");
    let Some(get) = document.pointer_mut(&format!("/paths/{path}/get")) else { return };
    let mut parameters = Vec::new();
    if let Some(Value::Array(of_path)) = get.get_mut("parameters") {
        parameters.append(of_path);
    }
    let named_by_path: Vec<Value> =
        parameters.iter().filter_map(|one| one.get("name").cloned()).collect();
    let in_query = kind.parameters.iter().filter(|one| !named_by_path.contains(&one.name.into()));
    parameters.extend(in_query.map(|one| {
        json!({
            "name": one.name, "in": "query", "description": one.title, "required": false,
            "schema": if one.repeats() { several() } else { json!({ "type": "string" }) },
        })
    }));
    if let Value::Object(get) = get {
        get.insert("parameters".to_owned(), parameters.into());
    }
    if kind.name == "check" {
        if let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas") {
            schemas.insert("CheckParameters".to_owned(), parameters_schema(kind));
        }
        let checks = "/components/schemas/ManyChecks/properties/checks/items";
        if let Some(items) = document.pointer_mut(checks) {
            *items = json!({ "$ref": "#/components/schemas/CheckParameters" });
        }
    }
}

/// The schema of several values of a parameter
fn several() -> Value {
    let text = json!({ "type": "string" });
    json!({ "type": "array", "items": text, "minItems": 1, "maxItems": ABILITIES_MAX })
}

/// The schema of a map of a question's parameters
pub(crate) fn parameters_schema(kind: &Kind) -> Value {
    let property = |one: &Parameter| {
        let mut schema = json!({ "type": "string", "description": one.title });
        if one.repeats() {
            schema =
                json!({ "oneOf": [{ "type": "string" }, several()], "description": one.title });
        }
        (one.name.to_owned(), schema)
    };
    let properties: Map<String, Value> = kind.parameters.iter().map(property).collect();
    json!({ "type": "object", "description": kind.title, "properties": properties })
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tenure",
        description = "Who could do what, at any time, as known at any time. Times are RFC 3339; valid \
            time may also be a date. `known_at` is a position (digits alone) or a recorded time.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        append, history, entry, who, what, check, check_many, timeline, where_could, diff,
        assignments, holdings, members, principals, search, sources, levels, role_collections, catalog, changes, openapi, healthz, readyz, metrics,
        evaluation, evaluations, search_subject, search_resource, search_action, configuration,
    ),
    components(schemas(v1::Entry)),
    tags(
        (name = "log", description = "Appending entries and reading them back"),
        (name = "questions", description = "As of a moment, as known at a position"),
        (name = "authzen", description = "The OpenID AuthZEN Authorization API 1.0; fields that are not here are ignored"),
        (name = "operations", description = "For who runs the server"),
    ),
)]
struct Paths;

/// One entry, or up to 1,000
#[derive(serde::Deserialize, utoipa::ToSchema)]
#[expect(dead_code, reason = "it describes what is read by hand")]
#[serde(untagged)]
enum AppendBody {
    One(v1::Draft),
    Many(Many),
}

/// Up to 1,000 entries, each on its own
#[derive(serde::Deserialize, utoipa::ToSchema)]
#[expect(dead_code, reason = "it describes what is read by hand")]
struct Many {
    #[schema(min_items = 1, max_items = 1000)]
    entries: Vec<v1::Draft>,
}

/// Up to 1,000 checks
#[derive(serde::Deserialize, utoipa::ToSchema)]
#[expect(dead_code, reason = "it describes what is read by hand")]
struct ManyChecks {
    #[schema(min_items = 1, max_items = 1000)]
    #[schema(value_type = Vec<Object>)]
    checks: Vec<Value>,
}

macro_rules! path {
    ($name:ident, $method:ident, $path:literal, $tag:literal, $summary:literal,
     [$($extra:tt)*], $body:ty) => {
        #[utoipa::path(
            $method, path = $path, tag = $tag, summary = $summary, $($extra)*
            responses(
                (status = 200, body = $body),
                (status = "4XX", body = api::Problem, content_type = "application/problem+json"),
                (status = "5XX", body = api::Problem, content_type = "application/problem+json"),
            ),
        )]
        #[expect(dead_code, reason = "it is there for its description")]
        fn $name() {}
    };
}

path!(
    append,
    post,
    "/v1/entries",
    "log",
    "Append: durable in the log and applied here, each entry on its own; or a dry run",
    [params(("dry_run" = Option<bool>, Query, description = "`true`: nothing is appended; the answer says what would become of each entry, one after another")),
    request_body(content(
        (AppendBody = "application/json"),
        (AppendBody = "application/msgpack")
    )),],
    api::Appended
);
path!(
    history,
    get,
    "/v1/entries",
    "log",
    "Entries in log order, refused ones too",
    [],
    api::Entries
);
path!(
    entry,
    get,
    "/v1/entries/{entry}",
    "log",
    "One entry, by id or position",
    [params(("entry" = String, Path, description = "A UUID or a position")),],
    api::EntryRow
);
path!(
    who,
    get,
    "/v1/who",
    "questions",
    "Who could X on a level, under one, or during a time",
    [],
    api::Who
);
path!(what, get, "/v1/what", "questions", "What a principal could do on a level", [], api::What);
path!(check, get, "/v1/check", "questions", "Whether a principal could, and why", [], api::Check);
path!(
    check_many,
    post,
    "/v1/check",
    "questions",
    "Many checks at one moment",
    [request_body(content(
        (ManyChecks = "application/json"),
        (ManyChecks = "application/msgpack")
    )),],
    api::Checks
);
path!(timeline, get, "/v1/timeline", "questions", "When a principal could", [], api::Timeline);
path!(
    where_could,
    get,
    "/v1/where",
    "questions",
    "On which levels a principal could",
    [],
    api::Where
);
path!(
    diff,
    get,
    "/v1/diff",
    "questions",
    "What changed between two coordinates, or who gained or lost a power",
    [],
    api::DiffAnswer
);
path!(assignments, get, "/v1/assignments", "questions", "Counting holdings", [], api::Assignments);
path!(
    holdings,
    get,
    "/v1/holdings",
    "questions",
    "What was held during a stretch of time, and how it ended",
    [],
    api::Holdings
);
path!(
    members,
    get,
    "/v1/members",
    "questions",
    "Members of a group or an attribute",
    [],
    api::Members
);
path!(
    principals,
    get,
    "/v1/principals",
    "questions",
    "Known principals, and how much each holds",
    [],
    api::Principals
);
path!(
    search,
    get,
    "/v1/search",
    "questions",
    "Names that contain every word of a text, the best first",
    [],
    api::Search
);
path!(
    sources,
    get,
    "/v1/sources",
    "questions",
    "Which sources observed which levels, since when, and with which gaps",
    [],
    api::Sources
);
path!(levels, get, "/v1/levels", "questions", "Levels that exist", [], api::Levels);
path!(
    role_collections,
    get,
    "/v1/role-collections",
    "questions",
    "Role collections of a level",
    [],
    api::RoleCollections
);
path!(catalog, get, "/v1/catalog", "questions", "The catalogue in force", [], api::CatalogAnswer);

path!(
    evaluation,
    post,
    "/access/v1/evaluation",
    "authzen",
    "Whether a subject could do something on a resource",
    [request_body = authzen::Evaluation,],
    authzen::Decision
);
path!(
    evaluations,
    post,
    "/access/v1/evaluations",
    "authzen",
    "Many evaluations at one moment; without a list of them, one",
    [request_body = authzen::Evaluations,],
    authzen::DecisionOrDecisions
);
path!(
    search_subject,
    post,
    "/access/v1/search/subject",
    "authzen",
    "Which subjects of a type could do something on a resource",
    [request_body = authzen::Search,],
    authzen::Found
);
path!(
    search_resource,
    post,
    "/access/v1/search/resource",
    "authzen",
    "On which resources of a type a subject could do something",
    [request_body = authzen::Search,],
    authzen::Found
);
path!(
    search_action,
    post,
    "/access/v1/search/action",
    "authzen",
    "What a subject could do on a resource",
    [request_body = authzen::Search,],
    authzen::Found
);
path!(
    configuration,
    get,
    "/.well-known/authzen-configuration",
    "authzen",
    "Where the endpoints are; also with the path of the base URL behind it",
    [],
    authzen::Configuration
);

#[utoipa::path(
    get, path = "/v1/changes", tag = "log",
    summary = "Applied entries from any position on, then live, as server-sent events",
    params(
        ("after" = Option<u64>, Query, description = "Go on after this position; 0 if absent"),
        ("Last-Event-ID" = Option<u64>, Header, description = "Go on after this position"),
    ),
    responses((status = 200, body = api::EntryRow, content_type = "text/event-stream")),
)]
#[expect(dead_code, reason = "it is there for its description")]
fn changes() {}

#[utoipa::path(get, path = "/openapi.json", tag = "operations", summary = "This document",
    responses((status = 200)))]
#[expect(dead_code, reason = "it is there for its description")]
fn openapi() {}

#[utoipa::path(get, path = "/healthz", tag = "operations", summary = "Whether the process lives",
    responses((status = 200)))]
#[expect(dead_code, reason = "it is there for its description")]
fn healthz() {}

#[utoipa::path(get, path = "/readyz", tag = "operations", summary = "Whether it is caught up",
    responses((status = 200), (status = 503, body = api::Problem,
        content_type = "application/problem+json")))]
#[expect(dead_code, reason = "it is there for its description")]
fn readyz() {}

#[utoipa::path(get, path = "/metrics", tag = "operations", summary = "Counters, as OpenMetrics text",
    responses((status = 200, content_type = "application/openmetrics-text")))]
#[expect(dead_code, reason = "it is there for its description")]
fn metrics() {}
