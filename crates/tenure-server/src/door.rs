//! What do the doors have in common?
//!
//! A question is the same at each of them, and so are what it waits for and the limits of a request. How
//! its texts travel is the door's own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tenure_core::{KnownAt, Question};
use tenure_wire::api::{CheckOrProblem, Checks, Problem};
use tenure_wire::codec::Format;
use tenure_wire::question::{self, Asked, Texts};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::ask;
use crate::engine::Engine;
use crate::http::Shared;
use crate::problem::{Code, of_texts, problem};

/// Most bytes of a body
pub(crate) const BODY_BYTES_MAX: usize = 1_024 * 1_024;
/// Most checks in one body
const CHECKS_MAX: usize = 1_000;
/// How long a reader waits for the position that it asks for
const PATIENCE: Duration = Duration::from_secs(2);
/// Longest pause between two looks for an entry that is waited for
const PAUSE_MAX: Duration = Duration::from_millis(32);

/// The format that a `content-type` names; JSON if none is known
pub(crate) fn format_of(content_type: &str) -> Format {
    let message_pack = ["application/msgpack", "application/x-msgpack", "application/vnd.msgpack"];
    match message_pack.iter().any(|name| content_type.starts_with(name)) {
        true => Format::MessagePack,
        false => Format::Json,
    }
}

impl Shared {
    /// The engine, if this replica should be asked
    pub(crate) fn ready(&self) -> Result<&Engine, Problem> {
        let engine = self.engine()?;
        if *self.closing.borrow() {
            return Err(problem(Code::NotReady, "the server is shutting down"));
        }
        match engine.obstacle() {
            Some(obstacle) => Err(problem(obstacle.code, obstacle.why)),
            None => Ok(engine),
        }
    }

    /// What is said of a request that was not answered in its time
    pub(crate) fn late(&self, then: &str) -> Problem {
        let (code, why) = match self.places.available_permits() {
            0 => (Code::Overloaded, "more requests came at once than are served"),
            _ => (Code::Timeout, "the request was not answered"),
        };
        let seconds = self.request_timeout.as_secs_f64();
        problem(code, format!("{why} within {seconds} s: {then}"))
    }

    pub(crate) fn engine(&self) -> Result<&Engine, Problem> {
        self.engine.get().ok_or_else(|| {
            problem(Code::NotReady, "the ledger is being read from the disk: ask again in a moment")
        })
    }
}

/// Waits until what is asked for is known here, or says how far behind this replica is
async fn reach(engine: &Engine, asked: &Asked, patience: Duration) -> Result<(), Problem> {
    let position = ask::min_position(engine, asked)?;
    if position <= engine.shown().0 || engine.reach(position, patience).await {
        return Ok(());
    }
    let newest = engine.shown().0;
    Err(problem(
        Code::Behind,
        format!(
            "position {position} is not known here: the newest is {newest}, {} behind",
            position - newest.min(position)
        ),
    ))
}

/// Waits until the entry that is asked for may be seen, if the question says so, and no longer than it says
pub(crate) async fn arrive(
    shared: &Shared,
    asked: &Asked,
    places: &Semaphore,
) -> Result<(), Problem> {
    let Question::Entry { entry } = asked.question else { return Ok(()) };
    let Some(wait) = asked.wait else { return Ok(()) };
    let engine = shared.engine()?;
    let mut shown = engine.watch();
    let mut closing = shared.closing.subscribe();
    if ask::has_arrived(engine, entry, KnownAt(*shown.borrow_and_update())) {
        return Ok(());
    }
    let _place = places.try_acquire().map_err(|_| {
        problem(Code::Overloaded, "as many wait for entries as are served: ask again later")
    })?;
    let arrived = async {
        let mut pause = Duration::from_millis(1);
        while shown.changed().await.is_ok()
            && !ask::has_arrived(engine, entry, KnownAt(*shown.borrow_and_update()))
        {
            // Many who wait do not look at every batch.
            tokio::time::sleep(pause).await;
            pause = PAUSE_MAX.min(pause * 2);
        }
    };
    tokio::select! {
        // What has not come is said by the answer.
        _ = tokio::time::timeout(wait, arrived) => {}
        _ = closing.wait_for(|closing| *closing) => {}
    }
    Ok(())
}

async fn computing_place(shared: &Arc<Shared>) -> Result<OwnedSemaphorePermit, Problem> {
    let place = Arc::clone(&shared.computing).acquire_owned().await;
    place.map_err(|_| problem(Code::NotReady, "the server is shutting down"))
}

/// What is said when a panic was caught
pub(crate) fn broken_rule() -> Problem {
    problem(Code::Internal, "a rule that should always hold did not: please report it")
}

/// Answers a question, at the newest position or the one that it waits for
pub(crate) async fn answer(shared: &Arc<Shared>, asked: Asked) -> Result<ask::Answer, Problem> {
    let engine = shared.engine()?.clone();
    reach(&engine, &asked, PATIENCE).await?;
    let name = Texts::name_of(&asked.question);
    let began = Instant::now();
    let found = if let Question::Check { .. } = asked.question {
        // It costs less than to hand it over.
        let asked = AssertUnwindSafe(|| ask::ask(&engine, &asked, ask::moment(&engine)));
        catch_unwind(asked).unwrap_or_else(|_| Err(broken_rule()))
    } else {
        let place = computing_place(shared).await?;
        // Questions compute; the threads that serve sockets do not.
        let answered = tokio::task::spawn_blocking(move || {
            let _place = place;
            ask::ask(&engine, &asked, ask::moment(&engine))
        });
        answered.await.unwrap_or_else(|_| Err(broken_rule()))
    };
    let status = found.as_ref().map_or_else(|problem| problem.status, |_| 200);
    shared.metrics.asked(name, status, began.elapsed().as_secs_f64());
    found
}

/// The question of a name, with its parameters as a map of texts, numbers and truth values
pub(crate) fn question_of(
    shared: &Shared,
    name: &str,
    parameters: &serde_json::Map<String, Value>,
) -> Result<Asked, Problem> {
    question::parameters_of_json(parameters)
        .and_then(|parameters| question::read(name, parameters, &shared.default_origin))
        .map_err(|error| of_texts(&error))
}

/// The one list of a body that has nothing else
pub(crate) fn only_list(tree: Value, name: &str, most: usize) -> Result<Vec<Value>, Problem> {
    let bad = |detail: String| problem(Code::BadRequest, detail);
    let Value::Object(mut map) = tree else {
        return Err(bad(format!("the body is a map with the list `{name}`")));
    };
    let list = map.remove(name);
    if let Some(other) = map.keys().next() {
        return Err(bad(format!("`{other}` is no field beside `{name}`")));
    }
    match list {
        Some(Value::Array(list)) if list.is_empty() => Err(bad(format!("`{name}` is empty"))),
        Some(Value::Array(list)) if list.len() > most => {
            let detail = format!("`{name}` has {}, at most {most} are taken at once", list.len());
            Err(problem(Code::TooMany, detail))
        }
        Some(Value::Array(list)) => Ok(list),
        _ => Err(bad(format!("`{name}` is not a list"))),
    }
}

/// Answers the checks of a body at one moment, each with its answer or its problem
pub(crate) async fn check_many(shared: &Arc<Shared>, tree: Value) -> Result<Checks, Problem> {
    let checks = only_list(tree, "checks", CHECKS_MAX)?;
    let engine = shared.engine()?.clone();
    let mut questions = Vec::with_capacity(checks.len());
    let began = Instant::now();
    for check in &checks {
        let mut question = check_of(shared, check);
        if let Ok(asked) = &question {
            // All of them together wait no longer than one would.
            let patience = PATIENCE.saturating_sub(began.elapsed());
            let reached = reach(&engine, asked, patience).await;
            question = reached.and(question);
        }
        questions.push(question);
    }
    let place = computing_place(shared).await?;
    let answered = tokio::task::spawn_blocking(move || {
        let _place = place;
        // One moment for all of them.
        let now = ask::moment(&engine);
        let answer = |question: Result<Asked, Problem>| match question
            .and_then(|asked| ask::ask(&engine, &asked, now))
        {
            Ok(ask::Answer::Check(check)) => CheckOrProblem::Check(Box::new(check)),
            Ok(_) => CheckOrProblem::Problem(broken_rule()),
            Err(problem) => CheckOrProblem::Problem(problem),
        };
        Checks { results: questions.into_iter().map(answer).collect() }
    });
    answered.await.map_err(|_| broken_rule())
}

fn check_of(shared: &Shared, check: &Value) -> Result<Asked, Problem> {
    let map = check
        .as_object()
        .ok_or_else(|| problem(Code::BadRequest, "a check is a map of parameters"))?;
    question_of(shared, "check", map)
}
