//! How does a ledger order its entries by NATS JetStream?
//!
//! A stream holds the messages ([`stream`]), and any number of ledgers follow it, each with a journal of
//! its own ([`follow`]). What comes to a ledger's doors is appended to the stream and answered when this
//! ledger has applied it ([`append`]). Where they stand to each other is a [`standing::Standing`]; what
//! the stream has lost is looked for by [`align`] and appended again by [`republish`].

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
pub mod follow;
pub mod republish;
pub mod standing;
pub mod stream;
pub mod subject;

pub use append::{Appender, WeakAppender};
pub use follow::{Fed, Feed, LogHandle, Next};
pub use standing::{Standing, Status};

/// How a ledger's log in NATS is reached, and made where there is none
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NatsSettings {
    /// Where the servers are, and who we are to them
    pub connect: connect::ConnectSettings,
    /// Servers that keep a copy of the stream, when it is made
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
    /// Messages that were sent from here and have not come back, by their `ce-id`
    pub(crate) under_way: Mutex<HashMap<Uuid, envelope::UnderWay>>,
    /// Set when nobody is left who appends
    pub(crate) stopped: watch::Sender<bool>,
}

/// Why a log in NATS cannot be used
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The settings cannot be used
    #[error("NATS cannot be used as the log")]
    Connect(#[from] connect::ConnectError),
    /// The stream is no log
    #[error(transparent)]
    Unfit(stream::Unfit),
    /// The journal cannot be read
    #[error("the journal cannot be read")]
    Journal(#[source] tenure_journal::Error),
}

/// A log in NATS: what appends to it, what it gives, and the client, for more than the log
#[derive(Debug)]
pub struct Opened {
    /// Appends
    pub appender: Appender,
    /// The messages in their order
    pub feed: Feed,
    /// The connection
    pub client: Client,
}

/// Connects, and follows the stream from where the journal stands
///
/// `known_before` is the last position of a journal that was set aside, 0 if none was: a stream that it came from is
/// not made anew.
///
/// A server that is away is waited for that long, and then in the background: reads need no server.
///
/// # Errors
/// Settings that cannot be used; a stream that can forget or rewrite, or is another ledger's, if a server
/// says so in time.
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
        // What is wrong with the stream is said at the start; what is only away comes back.
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
        tracing::warn!(urls, "NATS is away: reads are answered meanwhile");
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
    let feed = follow::start(&shared, reader, known_before).map_err(OpenError::Journal)?;
    let appender = append::start(&shared);
    Ok(Opened { appender, feed, client })
}
