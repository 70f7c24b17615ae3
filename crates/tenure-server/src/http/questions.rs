//! How are questions asked over HTTP?

use axum::Extension;
use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use tenure_wire::api::Problem;
use tenure_wire::question::{self, Asked, Parameters};

use super::door::{App, HttpDoor};
use super::request::{Asker, body_tree, parameters};
use super::response::{Failure, json};
use crate::body::checks_of;
use crate::problem::{Code, of_texts, problem};

fn read(door: &HttpDoor, name: &str, parameters: Parameters) -> Result<Asked, Problem> {
    question::read(name, parameters, door.hall.default_origin()).map_err(|error| of_texts(&error))
}

pub(super) async fn ask(
    State(door): App,
    Extension(caller): Asker,
    name: &'static str,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let asked = read(&door, name, parameters(query.as_deref())?)?;
    json(&door.hall.ask(&caller, asked).await?)
}

pub(super) async fn check(app: App, caller: Asker, query: RawQuery) -> Result<Response, Failure> {
    ask(app, caller, "check", query).await
}

pub(super) async fn history(app: App, caller: Asker, query: RawQuery) -> Result<Response, Failure> {
    ask(app, caller, "history", query).await
}

pub(super) async fn entry(
    State(door): App,
    Extension(caller): Asker,
    entry: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let Ok(Path(entry)) = entry else {
        return Err(problem(Code::BadRequest, "the entry in the path is no UTF-8 text").into());
    };
    let mut parameters = parameters(query.as_deref())?;
    if parameters.get("entry").is_some() {
        let detail = "the entry is named by the path alone";
        return Err(problem(Code::UnknownParameter, detail).into());
    }
    parameters.set("entry", entry);
    let asked = read(&door, "entry", parameters)?;
    door.hall.arrive(&caller, &asked, &door.waiting).await?;
    json(&door.hall.ask(&caller, asked).await?)
}

pub(super) async fn check_many(
    State(door): App,
    Extension(caller): Asker,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    let checks = checks_of(body_tree(&headers, &body)?, door.hall.default_origin())?;
    json(&door.hall.check_many(&caller, checks).await?)
}
