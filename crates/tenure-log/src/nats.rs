//! How does a ledger order its entries by NATS JetStream?
//!
//! A stream holds the messages ([`stream`]). Any number of ledgers follow it, each with a journal of its own
//! ([`follow`], [`feed`]). Entries that come to a ledger's doors are appended to the stream, and answered when this ledger has
//! applied them ([`append`]). A [`standing::Standing`] says how the ledger stands to the stream. [`align`] finds the
//! entries that the stream has lost, and [`republish`] appends them again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use parking_lot::Mutex;
use tenure_journal::Reader;
use tokio::sync::watch;
use uuid::Uuid;

pub mod align;
pub mod append;
pub mod connect;
pub mod envelope;
pub mod feed;
pub mod follow;
mod headers;
pub mod republish;
pub mod standing;
pub mod stream;
pub mod subject;

pub use append::{Appender, WeakAppender};
pub use feed::{Fed, Feed, LogHandle, Next};
pub use standing::{Standing, Status};

/// How to reach a ledger's stream, and how to make it if there is none
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NatsSettings {
    /// The servers, and our identity there
    pub connect: connect::ConnectSettings,
    /// Number of servers that keep a copy of a newly made stream
    pub stream_replicas: usize,
}

/// What the parts of a log in NATS share
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) client: Client,
    pub(crate) ledger: String,
    pub(crate) stream_replicas: usize,
    pub(crate) connection: watch::Receiver<connect::Connection>,
    pub(crate) elsewhere: connect::Elsewhere,
    pub(crate) status: Status,
    /// Messages that this program has sent and not yet read back, by their `ce-id`
    pub(crate) under_way: Mutex<HashMap<Uuid, envelope::UnderWay>>,
    /// Set when the last appender is dropped
    pub(crate) stopped: watch::Sender<bool>,
}

/// Why a log in NATS cannot be used
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The settings cannot be used
    #[error("NATS cannot be used as the log")]
    Connect(#[from] connect::ConnectError),
    /// The stream cannot be this ledger's log
    #[error(transparent)]
    Unfit(stream::Unfit),
    /// The journal cannot be read
    #[error("the journal cannot be read")]
    Journal(#[source] tenure_journal::Error),
}

/// An open log in NATS
#[derive(Debug)]
pub struct Opened {
    /// Appends to the stream
    pub appender: Appender,
    /// Gives the messages of the stream in their order
    pub feed: Feed,
    /// The connection, which may be used for other subjects too
    pub client: Client,
}

/// Connects, and follows the stream from the end of the journal
///
/// `known_before` is the last position of a journal that was set aside, 0 if none was. If it is not 0, a missing
/// stream is not made anew.
///
/// If no server answers within `patience`, the wait goes on in the background: questions need no server.
///
/// # Errors
/// The settings cannot be used; or the stream can lose or change messages, or belongs to another ledger, and a server
/// says so within `patience`.
pub async fn open(
    settings: &NatsSettings,
    ledger: &str,
    reader: Reader,
    known_before: u64,
    patience: Duration,
) -> Result<Opened, OpenError> {
    let elsewhere = connect::Elsewhere::default();
    let heeding = |options| elsewhere.heed(options);
    let name = format!("tenure {ledger}");
    let (client, connection) = settings.connect.connect_with(&name, heeding).await?;
    let mut first = connection.clone();
    let connected = first.wait_for(|connection| connection.connected);
    let connected = tokio::time::timeout(patience, connected).await.is_ok_and(|told| told.is_ok());
    let context = stream::context(&client);
    if connected {
        // An unfit stream ends the start with an error. A server that is away may come back later.
        let found = stream::find(&context, ledger);
        match tokio::time::timeout(patience, found).await {
            Ok(Err(stream::StreamError::Unfit(unfit))) => return Err(OpenError::Unfit(unfit)),
            Ok(Err(stream::StreamError::Away(why))) => {
                tracing::warn!(why, "the stream cannot be looked at yet");
            }
            Ok(Ok(_)) => {}
            Err(_) => tracing::warn!("the stream cannot be looked at yet"),
        }
    } else {
        let urls = settings.connect.shown_urls();
        tracing::warn!(urls, "NATS is away: questions are answered meanwhile");
    }
    let shared = Arc::new(Shared {
        client: client.clone(),
        ledger: ledger.to_owned(),
        stream_replicas: settings.stream_replicas,
        connection,
        elsewhere,
        status: Status::default(),
        under_way: Mutex::default(),
        stopped: watch::Sender::new(false),
    });
    let feed = follow::start(&shared, settings.connect.clone(), reader, known_before)
        .map_err(OpenError::Journal)?;
    let appender = append::start(&shared);
    Ok(Opened { appender, feed, client })
}
