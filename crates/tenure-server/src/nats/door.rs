//! How is a question that comes by NATS answered?

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::client::{PublishError, PublishErrorKind};
use async_nats::connection::State;
use async_nats::service::{NATS_SERVICE_ERROR, NATS_SERVICE_ERROR_CODE};
use async_nats::{Client, ConnectOptions, HeaderMap, Message, Subject, SubscribeError, Subscriber};
use futures::{FutureExt, StreamExt};
use serde::Serialize;
use serde_json::Value;
use tenure_log::nats::connect::ConnectError;
use tenure_wire::api::Problem;
use tenure_wire::codec::{self, Format};
use tenure_wire::question::{self, QuestionError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::task::TaskTracker;

use super::service::Service;
use super::subject::{QUEUE_GROUP, ask_subject};
use crate::body::{BODY_BYTES_MAX, checks_of, format_named, question_of};
use crate::config::LogSettings;
use crate::engine::chain;
use crate::hall::{Hall, broken_rule};
use crate::problem::{Code, of_texts, problem};

/// Messages that may wait between the connection and this door, of each subscription; more are lost, so it
/// is much more than comes while another thread has the processor
const INBOX_MAX: usize = 16_384;
/// Replies that may wait for the connection
const OUTBOX_MAX: usize = 256;
/// Bytes of requests that are held at once, in KiB
const HELD_KIB_MAX: u32 = 64 * 1_024;
/// What a request costs beside its bytes, in KiB
const HELD_KIB_MIN: u32 = 4;
/// Questions that wait for an entry at once
const WAITING_MAX: usize = 1_024;
/// How often it is looked whether this replica is ready to be asked
const READINESS_INTERVAL: Duration = Duration::from_millis(200);
/// Pause before a connection is made again
const PAUSE: Duration = Duration::from_secs(1);
/// How long requests that have begun may go on when the server is told to stop
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// How subjects begin that are no inboxes
const RESERVED: [&str; 2] = ["$", "tenure."];

/// Serves questions beside the HTTP door, if the log is in NATS
///
/// # Errors
/// Settings that no connection can be made of.
pub(crate) async fn spawn(
    log: &LogSettings,
    ledger: &str,
    hall: &Arc<Hall>,
) -> Result<Option<JoinHandle<()>>, ConnectError> {
    let LogSettings::Nats(settings) = log else { return Ok(None) };
    // A connection of its own: a burst of questions does not stand before the log's messages.
    let name = format!("tenure {ledger} questions");
    let (mut client, _) = settings.connect.connect_with(&name, bounded).await?;
    let (settings, hall) = (settings.connect.clone(), Arc::clone(hall));
    Ok(Some(tokio::spawn(async move {
        // A client may end at a request whose headers it cannot read.
        while let Err(error) = serve(client, Arc::clone(&hall)).await {
            tracing::error!(
                error = chain(&error),
                "the connection that questions come by is made again"
            );
            tokio::time::sleep(PAUSE).await;
            client = match settings.connect_with(&name, bounded).await {
                Ok((client, _)) => client,
                Err(error) => {
                    tracing::error!(error = chain(&error), "questions over NATS are not answered");
                    return;
                }
            };
        }
    })))
}

/// Bounds what waits in a connection that questions come by
fn bounded(options: ConnectOptions) -> ConnectOptions {
    options.subscription_capacity(INBOX_MAX).client_capacity(OUTBOX_MAX)
}

/// What every request over NATS is served from
#[derive(Debug)]
struct NatsDoor {
    client: Client,
    hall: Arc<Hall>,
    service: Service,
    /// Bounds what requests that are not answered yet take of memory, in KiB
    held: Arc<Semaphore>,
    waiting: Semaphore,
}

/// Serves questions until the server closes, then lets what has begun come to its end
///
/// # Errors
/// A connection that takes no subscription.
async fn serve(client: Client, hall: Arc<Hall>) -> Result<(), SubscribeError> {
    let mut closed = std::pin::pin!(hall.closed());
    let mut ready = tokio::time::interval(READINESS_INTERVAL);
    ready.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let ledger = loop {
        if let Some(ledger) = hall.ledger() {
            break ledger.to_owned();
        }
        tokio::select! {
            _ = ready.tick() => {}
            () = &mut closed => return Ok(()),
        }
    };
    let service = Service::new(&ledger);
    let mut verbs = service.subscribe(&client).await?;
    let door = Arc::new(NatsDoor {
        client,
        hall,
        service,
        held: Arc::new(Semaphore::new(HELD_KIB_MAX as usize)),
        waiting: Semaphore::new(WAITING_MAX),
    });
    let mut asked = Subscription::default();
    let answering = TaskTracker::new();
    loop {
        tokio::select! {
            () = &mut closed => break,
            _ = ready.tick() => asked.follow(&door, &ledger).await?,
            Some(message) = asked.next() => {
                door.take(message, &answering);
                // All that is there, before the tasks that answer it have their turn.
                let mut more = INBOX_MAX;
                while more > 0 && let Some(message) = asked.next_now() {
                    door.take(message, &answering);
                    more -= 1;
                }
            }
            Some(message) = verbs.next() => door.tell(&message),
        }
    }
    let ending = async {
        asked.leave().await;
        while let Some(message) = asked.next().await {
            door.take(message, &answering);
        }
        answering.close();
        answering.wait().await;
        door.client.flush().await
    };
    tokio::select! {
        ended = tokio::time::timeout(STOP_PATIENCE, ending) => match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::debug!(error = chain(&error), "the last replies may be lost");
            }
            Err(_) => tracing::warn!("some questions over NATS did not end in time"),
        },
        () = door.cut_off() => tracing::debug!("nobody can be answered any more"),
    }
    Ok(())
}

/// The subscription to questions: there while this replica is ready, so that others answer when it is not
#[derive(Default)]
struct Subscription {
    subscriber: Option<Subscriber>,
    leaving: bool,
}

impl Subscription {
    /// The next request; waits for ever while none is subscribed to
    async fn next(&mut self) -> Option<Message> {
        let message = match &mut self.subscriber {
            Some(subscriber) => subscriber.next().await,
            None if self.leaving => return None,
            None => std::future::pending().await,
        };
        if message.is_none() {
            self.subscriber = None;
        }
        message
    }

    /// The next request, if it is there
    fn next_now(&mut self) -> Option<Message> {
        tokio::task::unconstrained(self.next()).now_or_never().flatten()
    }

    /// Joins or leaves; while the connection takes nothing it is tried again at the next time
    async fn follow(&mut self, door: &NatsDoor, ledger: &str) -> Result<(), SubscribeError> {
        let followed = tokio::time::timeout(READINESS_INTERVAL, self.join_or_leave(door, ledger));
        followed.await.unwrap_or(Ok(()))
    }

    async fn join_or_leave(&mut self, door: &NatsDoor, ledger: &str) -> Result<(), SubscribeError> {
        match (door.hall.is_ready(), &mut self.subscriber) {
            (Ok(()), None) => {
                let subject = ask_subject(ledger, "*");
                let subscribed = door.client.queue_subscribe(subject, QUEUE_GROUP.to_owned());
                self.subscriber = Some(subscribed.await?);
                self.leaving = false;
                tracing::info!("questions over NATS are answered");
            }
            (Err(why), Some(subscriber)) if !self.leaving => {
                tracing::warn!(why = why.detail, "questions over NATS are left to other replicas");
                self.leaving = subscriber.drain().await.is_ok();
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes no more than what has come
    async fn leave(&mut self) {
        if let Some(subscriber) = &mut self.subscriber
            && subscriber.drain().await.is_err()
        {
            self.subscriber = None;
        }
        self.leaving = true;
    }
}

/// Sends a reply if the connection has room for it: what it does not take is lost, and who asked hears
/// nothing in time
///
/// Unconstrained, for in a burst the task's budget would run out before the room does.
fn at_once(
    sent: impl Future<Output = Result<(), PublishError>>,
) -> Option<Result<(), PublishError>> {
    tokio::task::unconstrained(sent).now_or_never()
}

fn is_inbox(reply: &str) -> bool {
    !RESERVED.iter().any(|start| reply.starts_with(start))
}

/// An answer in its bytes, or why there is none
type Reply = Result<Vec<u8>, Problem>;

/// A request with what it needs to be answered
struct Request {
    subject: Subject,
    reply: Subject,
    format: Format,
    /// What says who asks: each header that was sent
    authorization: Vec<String>,
    payload: bytes::Bytes,
    began: Instant,
}

impl Request {
    /// `None` if nobody waits for a reply
    ///
    /// A subject of a ledger or of the server is no inbox: who may only ask does not make this replica
    /// publish there what he may not.
    fn of(message: Message) -> Option<Self> {
        if !is_inbox(message.reply.as_ref()?) {
            tracing::debug!(reply = ?message.reply, "a request has no inbox for its reply");
            return None;
        }
        let sent = |name| message.headers.as_ref().map(|headers| all_of(headers, name));
        let kinds = sent("content-type").unwrap_or_default();
        let kind = kinds.first().map(String::as_str).unwrap_or_default();
        let authorization = sent("authorization").unwrap_or_default();
        Some(Self {
            reply: message.reply?,
            format: format_named(kind).unwrap_or(Format::Json),
            authorization,
            subject: message.subject,
            payload: message.payload,
            began: Instant::now(),
        })
    }

    fn question(&self) -> &str {
        self.subject.rsplit('.').next().unwrap_or_default()
    }

    /// What it takes of memory while it is held
    fn kib(&self) -> u32 {
        u32::try_from(self.payload.len() / 1_024).unwrap_or(u32::MAX).saturating_add(HELD_KIB_MIN)
    }
}

/// The values of a header, however its name is written
fn all_of(headers: &HeaderMap, wanted: &str) -> Vec<String> {
    let is = |name: &str| name.eq_ignore_ascii_case(wanted);
    let named = headers.iter().filter(|(name, _)| is(name.as_ref()));
    named.flat_map(|(_, values)| values).map(|value| value.as_str().to_owned()).collect()
}

fn encode(format: Format, answer: &impl Serialize) -> Reply {
    let wrong =
        |error: String| problem(Code::Internal, format!("the answer cannot be written: {error}"));
    match format {
        Format::Json => serde_json::to_vec(answer).map_err(|error| wrong(error.to_string())),
        Format::MessagePack => {
            rmp_serde::to_vec_named(answer).map_err(|error| wrong(error.to_string()))
        }
    }
}

impl NatsDoor {
    /// Takes a request without waiting: what is too much is said at once
    fn take(self: &Arc<Self>, message: Message, answering: &TaskTracker) {
        let Some(request) = Request::of(message) else { return };
        match Arc::clone(&self.held).try_acquire_many_owned(request.kib()) {
            Ok(held) => {
                let door = Arc::clone(self);
                answering.spawn(async move {
                    tokio::select! {
                        () = door.serve(request, held) => {}
                        () = door.cut_off() => {}
                    }
                });
            }
            Err(_) => {
                let full = problem(
                    Code::Overloaded,
                    "more requests came at once than are held: ask again later",
                );
                self.service.count(request.question(), request.began, Some(&full));
                let _lost = at_once(self.reply(&request, Err(full)));
            }
        }
    }

    fn tell(&self, message: &Message) {
        let Some(reply) = message.reply.clone().filter(|reply| is_inbox(reply)) else { return };
        if let Some(body) = self.service.tell(&message.subject) {
            let _lost = at_once(self.client.publish(reply, body.into()));
        }
    }

    async fn serve(&self, request: Request, _held: OwnedSemaphorePermit) {
        let patience = self.hall.request_timeout();
        let served = tokio::time::timeout(patience, self.found(&request));
        let served = AssertUnwindSafe(served).catch_unwind().await;
        let mut found = match served {
            Ok(in_time) => in_time.unwrap_or_else(|_| Err(self.hall.late("ask again later"))),
            Err(_) => Err(broken_rule()),
        };
        let wire_bytes_max = self.client.max_payload();
        if let Ok(body) = &found
            && body.len() + HEADER_BYTES > wire_bytes_max
        {
            found = Err(problem(
                Code::AnswerTooLarge,
                format!(
                    "the answer has {} bytes, and a message here at most {wire_bytes_max}: ask with a \
                     smaller `limit`, for less, as MessagePack, or over HTTP",
                    body.len()
                ),
            ));
        }
        self.service.count(request.question(), request.began, found.as_ref().err());
        match tokio::time::timeout(patience, self.reply(&request, found)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(error = chain(&error), "a reply was not sent"),
            Err(_) => tracing::debug!("a reply was not taken by the connection in time"),
        }
    }

    /// Is there when the server closes and has no connection: what waits for one waits in vain
    async fn cut_off(&self) {
        self.hall.closed().await;
        while self.client.connection_state() == State::Connected {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn found(&self, request: &Request) -> Reply {
        if request.payload.len() > BODY_BYTES_MAX {
            let detail = format!("a request has at most {BODY_BYTES_MAX} bytes: send less at once");
            return Err(problem(Code::TooLarge, detail));
        }
        let authorization = match &request.authorization[..] {
            [] => None,
            [one] => Some(one.as_str()),
            _ => {
                let detail = "the request has more than one `Authorization`";
                return Err(problem(Code::BadRequest, detail));
            }
        };
        let caller = self.hall.caller_over_nats(authorization).await?;
        let _share = self.hall.share(&caller)?;
        let name = request.question();
        if question::kind(name).is_none() {
            let name: String = name.chars().take(160).collect();
            return Err(of_texts(&QuestionError::NoQuestion(name)));
        }
        let tree = if request.payload.is_empty() {
            Value::Object(serde_json::Map::new())
        } else {
            codec::tree(request.format, &request.payload)
                .map_err(|error| problem(Code::BadRequest, error.to_string()))?
        };
        if name == "check" && tree.get("checks").is_some() {
            let checks = checks_of(tree, self.hall.default_origin())?;
            let _place = self.hall.place().await?;
            return encode(request.format, &self.hall.check_many(&caller, checks).await?);
        }
        let Value::Object(parameters) = tree else {
            return Err(problem(
                Code::BadRequest,
                "a request is a map of the question's parameters",
            ));
        };
        let asked = question_of(name, &parameters, self.hall.default_origin())?;
        // A question that waits for an entry takes no place yet.
        self.hall.arrive(&caller, &asked, &self.waiting).await?;
        let _place = self.hall.place().await?;
        encode(request.format, &self.hall.ask(&caller, asked).await?)
    }

    async fn reply(&self, request: &Request, found: Reply) -> Result<(), PublishError> {
        let mut headers = HeaderMap::new();
        let kind = match (request.format, &found) {
            (Format::MessagePack, _) => "application/msgpack",
            (Format::Json, Ok(_)) => "application/json",
            (Format::Json, Err(_)) => "application/problem+json",
        };
        headers.insert("content-type", kind);
        let body = match found {
            Ok(body) => body,
            Err(problem) => {
                headers.insert(NATS_SERVICE_ERROR, problem.code.as_str());
                headers.insert(NATS_SERVICE_ERROR_CODE, problem.status.to_string().as_str());
                encode(request.format, &problem).unwrap_or_default()
            }
        };
        let sent = self.client.publish_with_headers(request.reply.clone(), headers, body.into());
        match sent.await {
            Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                tracing::warn!(error = chain(&error), "a reply does not fit a message");
                Err(error)
            }
            sent => sent,
        }
    }
}

/// What the headers of a reply take of a message, about
const HEADER_BYTES: usize = 256;

#[cfg(test)]
mod tests;
