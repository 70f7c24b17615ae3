//! Can this stream be the log?
//!
//! If there is no stream, a ledger makes one only when it knows no entries. An existing stream must belong to this
//! ledger, and its settings must rule out that messages are lost or changed. Otherwise the error names the setting
//! that is wrong.

use std::time::Duration;

use async_nats::jetstream::context::{ContextBuilder, GetStreamErrorKind};
use async_nats::jetstream::response::Response;
use async_nats::jetstream::stream::{
    Config, DiscardPolicy, Info, PersistenceMode, RawMessage, RetentionPolicy, StorageType, Stream,
};
use async_nats::jetstream::{Context, ErrorCode};
use async_nats::{Client, HeaderMap};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};

use super::headers;
use super::standing::ServerFacts;
use super::subject;
use crate::chain;

/// How long JetStream may take to answer
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);

/// Single messages that are asked for at once
const SINGLE_MAX: usize = 4;

/// Why a stream cannot be the log of this ledger
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "the stream `{stream}` is no log of this ledger: its setting `{setting}` is {found}, and must be \
     {wanted}"
)]
pub struct Unfit {
    /// The name of the stream
    pub stream: String,
    /// The setting, by its name in NATS
    pub setting: &'static str,
    /// Its value
    pub found: String,
    /// The value that it must have
    pub wanted: String,
}

/// Why there is no stream to follow
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StreamError {
    /// The stream cannot be the log
    #[error(transparent)]
    Unfit(Unfit),
    /// The stream cannot be reached now
    #[error("{0}")]
    Away(String),
}

/// The stream of a ledger, and the way to ask for single messages of it
#[derive(Clone, Debug)]
pub(crate) struct LogStream {
    stream: Stream,
    context: Context,
}

impl std::ops::Deref for LogStream {
    type Target = Stream;

    fn deref(&self) -> &Stream {
        &self.stream
    }
}

/// A message as the stream has it
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) sequence: u64,
    pub(crate) subject: String,
    /// `None` if they cannot be read
    pub(crate) headers: Option<HeaderMap>,
    pub(crate) data: Bytes,
    /// Nanoseconds since 1970
    pub(crate) nanos: i128,
}

/// The JetStream context of a client
pub(crate) fn context(client: &Client) -> Context {
    ContextBuilder::new()
        .timeout(ANSWER_PATIENCE)
        .ack_timeout(ANSWER_PATIENCE)
        .build(client.clone())
}

/// The settings of a ledger's stream
pub fn settings(ledger: &str, replicas: usize) -> Config {
    Config {
        name: subject::stream(ledger),
        description: Some(format!("Log of the Tenure ledger {ledger}")),
        subjects: vec![subject::log(ledger)],
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        num_replicas: replicas,
        // If a limit is ever set, new messages are refused and old ones are kept.
        discard: DiscardPolicy::New,
        max_messages: -1,
        max_messages_per_subject: -1,
        max_bytes: -1,
        max_consumers: -1,
        max_age: Duration::ZERO,
        deny_delete: true,
        deny_purge: true,
        allow_rollup: false,
        ..Config::default()
    }
}

/// The stream of a ledger and its state now, if there is one
///
/// # Errors
/// The stream cannot be the log, or it cannot be reached now.
pub(crate) async fn find(
    context: &Context,
    ledger: &str,
) -> Result<Option<(LogStream, Info)>, StreamError> {
    match context.get_stream(subject::stream(ledger)).await {
        Ok(stream) => verified(context, stream, ledger).map(Some),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(source)
                if source.error_code() == ErrorCode::STREAM_NOT_FOUND =>
            {
                Ok(None)
            }
            _ => Err(StreamError::Away(chain(&error))),
        },
    }
}

/// Makes the stream of a ledger; if another program has just made the same stream, that one is taken
///
/// # Errors
/// As [`find`].
pub(crate) async fn make(
    context: &Context,
    ledger: &str,
    replicas: usize,
) -> Result<(LogStream, Info), StreamError> {
    let made = context.create_stream(settings(ledger, replicas)).await;
    let stream = made.map_err(|error| StreamError::Away(chain(&error)))?;
    tracing::info!(stream = subject::stream(ledger), replicas, "made the stream");
    verified(context, stream, ledger)
}

fn verified(
    context: &Context,
    stream: Stream,
    ledger: &str,
) -> Result<(LogStream, Info), StreamError> {
    let info = stream.cached_info().clone();
    verify(&info, ledger).map_err(StreamError::Unfit)?;
    Ok((LogStream { stream, context: context.clone() }, info))
}

/// Whether a stream has as many messages as sequences from its first to its last
pub(crate) fn is_whole(info: &Info) -> bool {
    let state = &info.state;
    state.messages >= (state.last_sequence + 1).saturating_sub(state.first_sequence.max(1))
}

/// The first message up to a sequence that is missing, in a stream that is not whole
///
/// # Errors
/// The stream cannot be reached now.
/// # Cost
/// One request. If the server does not say which messages are missing (2.9, when a whole file is missing), one for each
/// message before it.
pub(crate) async fn hole(stream: &LogStream, up_to: u64) -> Result<Option<u64>, StreamError> {
    let away = |error: &dyn std::error::Error| StreamError::Away(chain(error));
    let detailed = stream.info_builder().with_deleted(true).fetch().await;
    let state = detailed.map_err(|error| away(&error))?.info.state;
    if let Some(sequence) = state.deleted.into_iter().flatten().min() {
        return Ok(Some(sequence).filter(|sequence| *sequence <= up_to));
    }
    let until = up_to.min(state.last_sequence);
    let mut messages = std::pin::pin!(singly(stream, state.first_sequence.max(1), until));
    while let Some((sequence, message)) = messages.try_next().await? {
        if message.is_none() {
            return Ok(Some(sequence));
        }
    }
    Ok(None)
}

/// Checks that a stream belongs to this ledger and cannot lose or change messages
///
/// # Errors
/// The first setting that is wrong.
pub fn verify(info: &Info, ledger: &str) -> Result<(), Unfit> {
    let config = &info.config;
    let unfit = |setting, found: String, wanted: &str| Unfit {
        stream: config.name.clone(),
        setting,
        found,
        wanted: wanted.to_owned(),
    };
    let subjects = [subject::log(ledger)];
    // A mirror has no subjects of its own.
    if config.mirror.is_none() && config.subjects != subjects {
        let found = format!("`{}` (another ledger's, or more)", config.subjects.join("`, `"));
        return Err(unfit("subjects", found, &format!("`{}` alone", subjects.concat())));
    }
    let text = |value: &dyn std::fmt::Debug| format!("{value:?}").to_ascii_lowercase();
    let no_limit = "without limit: old messages would be removed";
    let checks = [
        ("mirror", config.mirror.is_none(), "set".to_owned(), "absent"),
        ("sources", config.sources.as_ref().is_none_or(Vec::is_empty), "set".to_owned(), "absent"),
        (
            "retention",
            config.retention == RetentionPolicy::Limits,
            text(&config.retention),
            "limits",
        ),
        ("storage", config.storage == StorageType::File, text(&config.storage), "file"),
        ("max_age", config.max_age.is_zero(), text(&config.max_age), no_limit),
        ("max_bytes", config.max_bytes <= 0, config.max_bytes.to_string(), no_limit),
        ("max_msgs", config.max_messages <= 0, config.max_messages.to_string(), no_limit),
        (
            "max_msgs_per_subject",
            config.max_messages_per_subject <= 0,
            config.max_messages_per_subject.to_string(),
            no_limit,
        ),
        ("discard", config.discard == DiscardPolicy::New, text(&config.discard), "new"),
        ("allow_rollup_hdrs", !config.allow_rollup, "true".to_owned(), "false"),
        ("deny_delete", config.deny_delete, "false".to_owned(), "true"),
        ("deny_purge", config.deny_purge, "false".to_owned(), "true"),
        ("sealed", !config.sealed, "true".to_owned(), "false"),
        ("subject_transform", config.subject_transform.is_none(), "set".to_owned(), "absent"),
        ("no_ack", !config.no_ack, "true".to_owned(), "false"),
        ("allow_msg_ttl", !config.allow_message_ttl, "true".to_owned(), "false"),
        ("allow_msg_schedules", !config.allow_message_schedules, "true".to_owned(), "false"),
        ("allow_msg_counter", !config.allow_message_counter, "true".to_owned(), "false"),
        (
            "persist_mode",
            config.persist_mode != Some(PersistenceMode::Async),
            "async".to_owned(),
            "default: an acknowledged entry might not be on the disk yet",
        ),
        (
            "first_seq",
            info.state.first_sequence <= 1,
            info.state.first_sequence.to_string(),
            "1: the messages before it are gone",
        ),
    ];
    match checks.into_iter().find(|(_, fit, _, _)| !fit) {
        Some((setting, _, found, wanted)) => Err(unfit(setting, found, wanted)),
        None => Ok(()),
    }
}

/// Facts about the server and the stream, with warnings for the operator
pub(crate) fn facts(client: &Client, info: &Info, replicas: usize) -> ServerFacts {
    let version = client.server_info().version;
    let mut warnings = Vec::new();
    let syncs_late = !client.is_server_compatible(2, 10, 0);
    if syncs_late {
        warnings.push(format!(
            "the NATS server has version {version}: before 2.10 an acknowledged entry may not be on the \
             broker's disk for two minutes"
        ));
    }
    if info.config.num_replicas < replicas {
        warnings.push(format!(
            "the stream has {} replicas, and the settings ask for {replicas}: an operator can change the stream",
            info.config.num_replicas
        ));
    }
    ServerFacts { version, stream_replicas: info.config.num_replicas, syncs_late, warnings }
}

/// The request for a single message
#[derive(serde::Serialize)]
struct Ask {
    seq: u64,
}

/// The answer to [`Ask`]
#[derive(serde::Deserialize)]
struct Answer {
    message: RawMessage,
}

/// The message with a sequence, if the stream has it
///
/// The answer is JSON with the headers in base64: whatever they are, the connection outlives them.
///
/// # Errors
/// The stream cannot be reached now.
pub(crate) async fn message(
    stream: &LogStream,
    sequence: u64,
) -> Result<Option<Stored>, StreamError> {
    let away = |error: &dyn std::error::Error| StreamError::Away(chain(error));
    let subject = format!("STREAM.MSG.GET.{}", stream.cached_info().config.name);
    let answer = stream.context.request(subject, &Ask { seq: sequence }).await;
    let found = match answer.map_err(|error| away(&error))? {
        Response::Ok(Answer { message }) => message,
        Response::Err { error } if error.code() == 404 => return Ok(None),
        Response::Err { error } => return Err(away(&error)),
    };
    let decode = |text: &str| STANDARD.decode(text).map_err(|error| away(&error));
    let block = found.headers.as_deref().map(decode).transpose()?;
    Ok(Some(Stored {
        sequence: found.sequence,
        headers: block.map_or_else(|| Some(HeaderMap::new()), |block| headers::parse(&block)),
        data: decode(&found.payload)?.into(),
        subject: found.subject,
        nanos: found.time.unix_timestamp_nanos(),
    }))
}

/// The messages from one sequence to another in their order, each asked for by itself; `None` for one that is missing
pub(crate) fn singly(
    stream: &LogStream,
    from: u64,
    until: u64,
) -> impl futures::Stream<Item = Result<(u64, Option<Stored>), StreamError>> {
    let ask = move |sequence| async move { Ok((sequence, message(stream, sequence).await?)) };
    futures::stream::iter(from..=until).map(ask).buffered(SINGLE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_settings_are_those_of_a_log() {
        let config = settings("acme-eu", 3);
        assert_eq!(config.name, "TENURE_ACME_EU");
        assert_eq!(config.subjects, ["tenure.acme-eu.log.*"]);
        assert!(config.deny_delete && config.deny_purge && !config.allow_rollup);
    }
}
