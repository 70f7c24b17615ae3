//! How is the ledger asked in the words of AuthZEN 1.0?
//!
//! A request becomes a question that every other door takes too, so who may ask it is decided where it is for all doors.
//! Whatever the ledger does not know is answered no, with the reason beside it; whatever else went wrong is a problem
//! document. Only JSON is taken, and another media type is status 400 here: the standard says so.

mod page;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::Value;
use tenure_core::{Level, Question};
use tenure_wire::api::Problem;
use tenure_wire::authzen::{
    self, Configuration, Decision, DecisionOrDecisions, Decisions, Evaluation, Evaluations, Found,
    NoSuch, Put, Search, Sought, TimeRule, Translation,
};
use tenure_wire::codec::Format;

use self::page::PageToken;
use super::door::{App, HttpDoor};
use super::media_type::format;
use super::request::{Asker, body_tree};
use super::response::{Failure, json, turned_away};
use crate::ask::Answer;
use crate::hall::{Caller, OneOfMany, Told, broken_rule};
use crate::problem::{Code, of_texts, problem};

/// Where the configuration is found
pub(super) const CONFIGURATION: &str = "/.well-known/authzen-configuration";
/// Most evaluations in one request
const EVALUATIONS_MAX: usize = 1_000;

/// Turns away what is not JSON
pub(super) async fn json_alone(request: Request, next: Next) -> Response {
    match format(request.headers()) {
        Ok(Format::Json) => next.run(request).await,
        _ => {
            let why =
                "AuthZEN is JSON: send `content-type: application/json`, and the body as it is";
            turned_away(problem(Code::BadRequest, why), request.body())
        }
    }
}

pub(super) async fn evaluation(
    State(door): App,
    Extension(caller): Asker,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    let request = read(body_tree(&headers, &body)?)?;
    json(&door.evaluate(&caller, &request, &Evaluations::default()).await?)
}

pub(super) async fn evaluations(
    State(door): App,
    Extension(caller): Asker,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    let mut request: Evaluations = read(body_tree(&headers, &body)?)?;
    let list = request.evaluations.take().unwrap_or_default();
    let answer = match list.len() {
        0 => {
            let decision = door.evaluate(&caller, &Evaluation::default(), &request).await?;
            DecisionOrDecisions::One(Box::new(decision))
        }
        1..=EVALUATIONS_MAX => {
            DecisionOrDecisions::Many(door.evaluate_many(&caller, &request, list).await?)
        }
        many => {
            let most = EVALUATIONS_MAX;
            let detail = format!("`evaluations` has {many}, at most {most} are taken at once");
            return Err(problem(Code::TooMany, detail).into());
        }
    };
    json(&answer)
}

/// Searches for subjects, resources or actions
pub(super) async fn search(
    State(door): App,
    Extension(caller): Asker,
    sought: Sought,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    let request = read(body_tree(&headers, &body)?)?;
    json(&door.search(&caller, sought, &request).await?)
}

/// The addresses of the endpoints, for those who do not know them: nobody is asked who he is
///
/// They come from the settings alone. A client can say any host, and would be sent there.
pub(super) async fn configuration(State(door): App, uri: Uri) -> Result<Response, Failure> {
    let path = uri.path().strip_prefix(CONFIGURATION).unwrap_or_default();
    let base = door.authzen.base_url.as_ref();
    let base = base.filter(|base| path.is_empty() || path == base.path()).ok_or_else(|| {
        let detail =
            "this is no address of a policy decision point: its operator sets `authzen.base-url`";
        problem(Code::NotFound, detail)
    })?;
    let mut response = json(&Configuration::of(base.as_str()))?;
    let an_hour = HeaderValue::from_static("max-age=3600");
    response.headers_mut().insert(CACHE_CONTROL, an_hour);
    Ok(response)
}

fn read<T: serde::de::DeserializeOwned>(tree: Value) -> Result<T, Problem> {
    authzen::read(tree).map_err(|error| of_texts(&error))
}

fn unknown(name: NoSuch) -> Problem {
    let (code, detail) = match name {
        NoSuch::Type(why) => (Code::UnknownType, why),
        NoSuch::Principal(why) => (Code::UnknownPrincipal, why),
        NoSuch::Operation(why) => (Code::UnknownOperation, why),
        NoSuch::Level(why) => (Code::UnknownLevel, why),
    };
    problem(code, detail)
}

/// Whether there is no answer because the ledger does not know something, or does not see who decides
fn is_unknown(problem: &Problem) -> bool {
    problem.status == Code::UnknownLevel.status() || problem.code == Code::DecidedElsewhere.as_str()
}

fn one_of_many(put: Put) -> OneOfMany {
    OneOfMany { question: put.asked.map_err(unknown), as_of: Some(put.as_of) }
}

/// What is told beside a no that is no answer
fn without_answer(as_of: Option<tenure_wire::api::AsOf>, problem: Problem) -> authzen::Told {
    authzen::Told { as_of, error: Some(problem.into()), ..authzen::Told::default() }
}

fn decision(Told { as_of, answer }: Told) -> Decision {
    match answer {
        Ok(Answer::Check(check)) => check.into(),
        Ok(_) => Decision::without_answer(without_answer(as_of, broken_rule())),
        Err(problem) => Decision::without_answer(without_answer(as_of, problem)),
    }
}

impl HttpDoor {
    /// Makes questions of requests, at this moment
    fn translating<T>(&self, translate: impl FnOnce(Translation<'_>) -> T) -> T {
        // Before the ledger has been read nothing is asked of it, whatever it is called.
        let root = Level::of_ledger(self.hall.ledger().unwrap_or_default());
        let default_origin = self.hall.default_origin();
        let words = &self.authzen.words;
        translate(Translation { words, default_origin, root: &root, now: self.hall.now() })
    }

    async fn evaluate(
        &self,
        caller: &Caller,
        own: &Evaluation,
        of: &Evaluations,
    ) -> Result<Decision, Problem> {
        let put = self.translating(|translation| translation.evaluation(own, of));
        self.told(caller, put.map_err(|error| of_texts(&error))?).await.map(decision)
    }

    async fn evaluate_many(
        &self,
        caller: &Caller,
        request: &Evaluations,
        list: Vec<Value>,
    ) -> Result<Decisions, Problem> {
        let questions = self.translating(|translation| {
            let one = |own: Value| {
                let put = authzen::read(own).and_then(|own| translation.evaluation(&own, request));
                put.map_or_else(
                    |error| OneOfMany {
                        question: Err(of_texts(&error)),
                        as_of: Some(tenure_core::AsOf::default()),
                    },
                    one_of_many,
                )
            };
            list.into_iter().map(one).collect()
        });
        let options = request.options.as_ref();
        let semantic = options.and_then(|options| options.evaluations_semantic).unwrap_or_default();
        let is_last = move |answer: &Result<Answer, Problem>| {
            semantic.ends_with(matches!(answer, Ok(Answer::Check(check)) if check.allowed))
        };
        let told = self.hall.ask_many(caller, questions, is_last).await?;
        Ok(Decisions { evaluations: told.into_iter().map(decision).collect() })
    }

    async fn search(
        &self,
        caller: &Caller,
        sought: Sought,
        request: &Search,
    ) -> Result<Found, Problem> {
        let put = self.translating(|translation| translation.search(sought, request));
        let mut put = put.map_err(|error| of_texts(&error))?;
        let token = PageToken::of(sought, request)?;
        if let Some(token) = &token {
            let heeds = self.authzen.words.time == TimeRule::Heed;
            token.pin(&mut put, (!heeds).then(|| self.hall.now()))?;
        }
        let (skip, limit) = put.asked.as_ref().map_or((0, 0), |asked| (asked.skip, asked.limit));
        let Told { as_of, answer } = self.told(caller, put).await?;
        let kind = request.kind(sought);
        let (mut found, more) = match answer {
            Err(problem) => return Ok(Found::without_answer(without_answer(as_of, problem))),
            Ok(Answer::Who(who)) => {
                let more = who.next_page_token.is_some();
                (Found::subjects(who, kind, self.hall.default_origin()), more)
            }
            Ok(Answer::Where(found)) => {
                let more = found.next_page_token.is_some();
                (Found::resources(found, kind), more)
            }
            Ok(Answer::What(what)) => {
                let more = what.operations.len() > skip.saturating_add(limit);
                (Found::actions(what, skip, limit), more)
            }
            Ok(_) => return Err(broken_rule()),
        };
        if more && let Some(as_of) = &found.context.as_of {
            let read = skip.saturating_add(found.results.len());
            let token = PageToken::after(sought, request, token, as_of, read);
            found.page.next_token = token.text()?;
        }
        Ok(found)
    }

    /// The answer to one question, or what the ledger does not know and as of when
    ///
    /// # Errors
    /// Whatever else there is no answer for.
    async fn told(&self, caller: &Caller, put: Put) -> Result<Told, Problem> {
        let one = one_of_many(put);
        // Only a check is ever answered at once. What is tried in vain would be decided, and logged, twice.
        if let Ok(asked) = &one.question
            && matches!(asked.question, Question::Check { .. })
            && let Some(answer) = self.hall.ask_at_once(caller, asked).await?
        {
            return Ok(Told { as_of: None, answer: Ok(answer) });
        }
        let mut told = self.hall.ask_many(caller, vec![one], |_| false).await?;
        match told.pop() {
            Some(Told { answer: Err(problem), .. }) if !is_unknown(&problem) => Err(problem),
            told => told.ok_or_else(broken_rule),
        }
    }
}
