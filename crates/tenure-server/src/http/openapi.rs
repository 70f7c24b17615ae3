//! What is the description of all paths?
//!
//! Generated from the types that are read and written; checked in as `schemas/openapi.json`.

use tenure_wire::schema::forbid_null;
use tenure_wire::{api, question, v1};
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
pub fn document() -> serde_json::Value {
    // What is derived here can be written as JSON.
    let mut document = serde_json::to_value(Paths::openapi()).unwrap_or_default();
    for name in WRITTEN {
        let component = document.pointer_mut(&format!("/components/schemas/{name}"));
        if let Some(component) = component {
            forbid_null(component);
        }
    }
    document
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
        assignments, levels, role_collections, catalog, changes, openapi, healthz, readyz, metrics,
    ),
    components(schemas(v1::Entry)),
    tags(
        (name = "log", description = "Appending entries and reading them back"),
        (name = "questions", description = "As of a moment, as known at a position"),
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
    checks: Vec<question::Check>,
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
    "Append: durable in the log and applied here, each entry on its own",
    [request_body(content(
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
    [params(question::History),],
    api::Entries
);
path!(entry, get, "/v1/entries/{entry}", "log", "One entry, by id or position",
    [params(("entry" = String, Path, description = "A UUID or a position"),
        ("wait" = Option<String>, Query, description = "Wait for it so many milliseconds, at most 20,000, if it is not there yet"),
        ("min_position" = Option<String>, Query, description = "Wait until this position is known here")),], api::EntryRow);
path!(
    who,
    get,
    "/v1/who",
    "questions",
    "Who could X on a level, under one, or during a time",
    [params(question::Who),],
    api::Who
);
path!(
    what,
    get,
    "/v1/what",
    "questions",
    "What a principal could do on a level",
    [params(question::What),],
    api::What
);
path!(
    check,
    get,
    "/v1/check",
    "questions",
    "Whether a principal could, and why",
    [params(question::Check),],
    api::Check
);
path!(
    check_many,
    post,
    "/v1/check",
    "questions",
    "Many checks at one moment",
    [request_body = ManyChecks,],
    api::Checks
);
path!(
    timeline,
    get,
    "/v1/timeline",
    "questions",
    "When a principal could",
    [params(question::Timeline),],
    api::Timeline
);
path!(
    where_could,
    get,
    "/v1/where",
    "questions",
    "On which levels a principal could",
    [params(question::Where),],
    api::Where
);
path!(
    diff,
    get,
    "/v1/diff",
    "questions",
    "What changed between two coordinates",
    [params(question::Diff),],
    api::Diff
);
path!(
    assignments,
    get,
    "/v1/assignments",
    "questions",
    "Counting holdings",
    [params(question::Assignments),],
    api::Assignments
);
path!(
    levels,
    get,
    "/v1/levels",
    "questions",
    "Levels that exist",
    [params(question::Levels),],
    api::Levels
);
path!(
    role_collections,
    get,
    "/v1/role-collections",
    "questions",
    "Role collections of a level",
    [params(question::RoleCollections),],
    api::RoleCollections
);
path!(
    catalog,
    get,
    "/v1/catalog",
    "questions",
    "The catalogue in force",
    [params(question::Catalog),],
    api::CatalogAnswer
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
