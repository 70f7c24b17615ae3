//! What does a server answer to one request?
//!
//! The request is made on a thread of its own, so that whoever waits for it can give it up at once, even while a name is
//! looked up. A thread that nobody waits for ends with its answer, or after the two minutes that an answer may take.

use std::io::{self, Read as _};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tenure_core::Instant;
use ureq::http::{HeaderMap, Response};
use ureq::{Agent, Body};

use crate::clock::now;
use crate::retry::asked_to_wait;

/// How often it is looked whether a collection was given up
pub(crate) const LOOK: Duration = Duration::from_millis(100);
/// Longest answer that is no page, in bytes
const OTHER_BYTES_MAX: u64 = 64 * 1_024;

/// A request; it has secrets, so it is never shown
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) url: String,
    /// The header `authorization`
    pub(crate) authorization: Option<String>,
    /// The form that is posted; without one it is a GET
    pub(crate) form: Option<String>,
}

/// An answer, whole
pub(crate) struct Answer {
    /// When the request was sent
    pub(crate) at: Instant,
    pub(crate) status: u16,
    /// The header `paging` of an audit log
    pub(crate) paging: Option<String>,
    /// How long the server asks to wait
    pub(crate) wait: Option<Duration>,
    /// The body, decompressed
    pub(crate) body: Vec<u8>,
    /// The body as JSON; null if it is empty or the server refused
    pub(crate) value: Value,
}

/// Why there is no whole answer
pub(crate) enum Failure {
    /// The next try may have one
    Broken(Box<dyn std::error::Error + Send + Sync>),
    /// No try will have one
    Lasting(Box<dyn std::error::Error + Send + Sync>),
    /// The answer is larger than is read
    TooLarge,
    /// The server does not speak JSON
    NoJson,
}

/// Sends a request and waits for the answer, or for somebody to give it up (`None`)
pub(crate) fn exchange(
    agent: &Agent,
    request: Request,
    bytes_max: u64,
    given_up: &dyn Fn() -> bool,
) -> Option<Result<Answer, Failure>> {
    let (sender, answers) = sync_channel(1);
    let agent = agent.clone();
    let asking = thread::Builder::new().name("tenure-collect".to_owned()).spawn(move || {
        // Nobody may wait for it any more.
        drop(sender.send(ask(&agent, &request, bytes_max)));
    });
    if let Err(error) = asking {
        return Some(Err(Failure::Lasting(error.into())));
    }
    loop {
        match answers.recv_timeout(LOOK) {
            Ok(answer) => return Some(answer),
            Err(RecvTimeoutError::Timeout) if given_up() => return None,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Some(Err(Failure::Lasting("the request ended in a panic".into())));
            }
        }
    }
}

fn ask(agent: &Agent, request: &Request, bytes_max: u64) -> Result<Answer, Failure> {
    let at = now();
    let sent = match (&request.form, &request.authorization) {
        (Some(form), Some(authorization)) => agent
            .post(&request.url)
            .header("authorization", authorization)
            .content_type("application/x-www-form-urlencoded")
            .send(form),
        (Some(form), None) => {
            agent.post(&request.url).content_type("application/x-www-form-urlencoded").send(form)
        }
        (None, Some(authorization)) => {
            agent.get(&request.url).header("authorization", authorization).call()
        }
        (None, None) => agent.get(&request.url).call(),
    };
    let mut response = sent.map_err(failure)?;
    let status = response.status().as_u16();
    let wait = wait(response.headers());
    let paging = text(response.headers(), "paging");
    if !response.status().is_success() {
        // What a refusal says beside its status is read as far as it comes.
        let body = bounded(&mut response, OTHER_BYTES_MAX).unwrap_or_default();
        return Ok(Answer { at, status, paging, wait, value: Value::Null, body });
    }
    let body = bounded(&mut response, bytes_max)?;
    if status == 204 {
        return Ok(Answer { at, status, paging, wait, value: Value::Null, body });
    }
    let value = serde_json::from_slice(&body).map_err(|error| match error.is_eof() {
        // A connection that ends where no length was said before.
        true => Failure::Broken("the answer ends in its middle".into()),
        false => Failure::NoJson,
    })?;
    Ok(Answer { at, status, paging, wait, body, value })
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

fn wait(headers: &HeaderMap) -> Option<Duration> {
    let date = text(headers, "date");
    let now = now().micros() / tenure_core::MICROS_PER_SECOND;
    asked_to_wait(&text(headers, "retry-after")?, date.as_deref(), now)
}

/// The body of an answer, if it has no more than so many bytes once it is decompressed
fn bounded(response: &mut Response<Body>, most: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = response.body_mut().as_reader().take(most + 1).read_to_end(&mut bytes);
    read.map_err(|error| failure(error.into()))?;
    match bytes.len() as u64 <= most {
        true => Ok(bytes),
        false => Err(Failure::TooLarge),
    }
}

/// Whether another try may succeed
fn failure(error: ureq::Error) -> Failure {
    match error {
        ureq::Error::Io(error) if is_tls(&error) => Failure::Lasting(error.into()),
        ureq::Error::Io(_)
        | ureq::Error::Timeout(_)
        | ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::Protocol(_) => Failure::Broken(error.into()),
        _ => Failure::Lasting(error.into()),
    }
}

/// Whether TLS failed by what a server is, not by what happened on the way
fn is_tls(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
}
