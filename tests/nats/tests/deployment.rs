//! `deploy/nats/nats-server.conf`: the rights of each user, and the rights of an operator alone
//!
//! A real server runs with exactly this file. The server itself reports what it denies, so no test waits for something
//! that must not happen.

use std::path::PathBuf;
use std::time::Duration;

use async_nats::jetstream::stream::{Config, Stream};
use async_nats::jetstream::{self, ErrorCode};
use async_nats::{Client, ConnectOptions, Event, HeaderMap, RequestErrorKind, ServerError};
use futures::StreamExt;
use tenure_test_nats::{Server, Start, Version};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

const PATIENCE: Duration = Duration::from_secs(60);
const STREAM: &str = "TENURE_ACME";

fn start(version: Version) -> Start {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../deploy/nats/nats-server.conf");
    let users = ["LEDGER", "CRM", "HR", "AUDITOR", "OPERATOR", "SYSTEM"];
    users.into_iter().fold(Start::of_file(version, &file), |start, user| {
        start.variable(&format!("{user}_PASSWORD"), format!("secret-of-{}", user.to_lowercase()))
    })
}

/// A user of the server, with the denials that it hears
struct User {
    name: &'static str,
    client: Client,
    denied: UnboundedReceiver<String>,
}

impl User {
    async fn of(server: &Server, name: &'static str) -> Self {
        let (said, denied) = unbounded_channel();
        let client =
            ConnectOptions::with_user_and_password(name.into(), format!("secret-of-{name}"))
                .custom_inbox_prefix(format!("_INBOX.{name}"))
                .event_callback(move |event| {
                    if let Event::ServerError(ServerError::Other(why)) = event {
                        said.send(why.to_string()).unwrap_or_default();
                    }
                    std::future::ready(())
                })
                .connect(server.url())
                .await
                .unwrap();
        Self { name, client, denied }
    }

    /// Asserts that the server's next denial is this one
    async fn hears(&mut self, what: &str, subject: &str) {
        let denied = tokio::time::timeout(PATIENCE, self.denied.recv());
        let Ok(Some(said)) = denied.await else {
            panic!("{} may {what} `{subject}`", self.name);
        };
        let said = said.to_lowercase();
        let expected =
            format!("permissions violation for {what} to \"{}\"", subject.to_lowercase());
        assert!(said.contains(&expected), "{}: {said}", self.name);
    }

    async fn may_not_publish(&mut self, subject: &str) {
        self.client.publish(subject.to_owned(), "{}".into()).await.unwrap();
        self.hears("publish", subject).await;
    }

    async fn may_not_subscribe(&mut self, subject: &str) {
        let subscription = self.client.subscribe(subject.to_owned()).await.unwrap();
        self.hears("subscription", subject).await;
        drop(subscription);
    }

    /// Asserts that a request is allowed: the server replies that nobody is there to answer
    async fn may_ask(&self, subject: &str) {
        let asked = self.client.request(subject.to_owned(), "{}".into()).await;
        assert_eq!(asked.unwrap_err().kind(), RequestErrorKind::NoResponders, "{subject}");
    }

    fn stream(&self) -> jetstream::Context {
        jetstream::new(self.client.clone())
    }
}

/// The stream's settings as the ledger makes them, as far as permissions depend on them
fn config() -> Config {
    Config {
        name: STREAM.to_owned(),
        subjects: vec!["tenure.acme.log.*".to_owned()],
        deny_delete: true,
        deny_purge: true,
        ..Config::default()
    }
}

async fn messages(stream: &mut Stream) -> u64 {
    stream.info().await.unwrap().state.messages
}

#[tokio::test]
async fn each_user_may_use_its_own_rights_and_no_others() {
    let server = start(Version::Newest).running();
    let mut ledger = User::of(&server, "ledger").await;
    let mut crm = User::of(&server, "crm").await;
    let mut auditor = User::of(&server, "auditor").await;

    // The ledger makes the stream, appends to it, reads it and manages its consumers.
    let context = ledger.stream();
    let mut stream = context.create_stream(config()).await.unwrap();
    context.publish("tenure.acme.log.ledger", "1".into()).await.unwrap().await.unwrap();
    // A submitter publishes on its own subject and gets an acknowledgement.
    crm.stream().publish("tenure.acme.log.crm", "2".into()).await.unwrap().await.unwrap();
    assert_eq!(messages(&mut stream).await, 2);
    let durable = jetstream::consumer::pull::Config {
        durable_name: Some("replica".to_owned()),
        ..Default::default()
    };
    let consumer = stream.create_consumer(durable).await.unwrap();
    let mut read = consumer.messages().await.unwrap();
    for expected in ["1", "2"] {
        let message = read.next().await.unwrap().unwrap();
        assert_eq!(message.payload, expected);
        message.ack().await.unwrap();
    }
    let ordered = jetstream::consumer::pull::OrderedConfig::default();
    let mut read = stream.create_consumer(ordered).await.unwrap().messages().await.unwrap();
    assert_eq!(read.next().await.unwrap().unwrap().payload, "1");
    drop(read);
    assert_eq!(stream.get_raw_message(2).await.unwrap().payload, "2");
    assert!(stream.delete_consumer("replica").await.unwrap().success);
    ledger.client.publish("tenure.acme.replica.digest", "{}".into()).await.unwrap();
    for subject in ["tenure.acme.ask.*", "tenure.acme.replica.digest", "$SRV.PING"] {
        ledger.client.subscribe(subject).await.unwrap();
    }
    ledger.client.flush().await.unwrap();

    // The ledger may not change the stream, remove from it, or publish as another.
    for verb in
        ["UPDATE", "DELETE", "PURGE", "MSG.DELETE", "SNAPSHOT", "RESTORE", "LEADER.STEPDOWN"]
    {
        ledger.may_not_publish(&format!("$JS.API.STREAM.{verb}.{STREAM}")).await;
    }
    for subject in [
        "$JS.API.STREAM.CREATE.OTHER",
        "$JS.API.STREAM.PEER.REMOVE.TENURE_ACME",
        "tenure.acme.log.crm",
        "tenure.acme.log.republished",
        "tenure.other.log.ledger",
    ] {
        ledger.may_not_publish(subject).await;
    }
    // To create an existing stream changes nothing.
    let forgetting = Config { max_messages: 1, ..config() };
    let refused = context.create_stream(forgetting).await.unwrap_err();
    let jetstream::context::CreateStreamErrorKind::JetStream(why) = refused.kind() else {
        panic!("{refused}");
    };
    assert_eq!(why.error_code(), ErrorCode::STREAM_NAME_EXIST);

    // A submitter publishes only as itself, and does not read.
    for subject in [
        "tenure.acme.log.hr",
        "tenure.acme.log.ledger",
        "tenure.acme.log.republished",
        "tenure.acme.log.crm.more",
        "tenure.acme.ask.who",
        "tenure.acme.replica.digest",
        "$JS.API.STREAM.INFO.TENURE_ACME",
        "$JS.API.STREAM.MSG.GET.TENURE_ACME",
        "$JS.API.STREAM.UPDATE.TENURE_ACME",
        "$JS.API.STREAM.DELETE.TENURE_ACME",
        "$JS.API.STREAM.PURGE.TENURE_ACME",
        "$JS.API.STREAM.MSG.DELETE.TENURE_ACME",
        "$JS.API.STREAM.CREATE.MIRROR",
        "$JS.API.CONSUMER.CREATE.TENURE_ACME",
        "_INBOX.auditor.x",
    ] {
        crm.may_not_publish(subject).await;
    }
    // It can neither answer for a ledger nor hear answers to others.
    for subject in ["tenure.acme.log.>", "tenure.acme.ask.*", "_INBOX.>", "_INBOX.hr.>", "$SRV.>"] {
        crm.may_not_subscribe(subject).await;
    }
    crm.may_ask("tenure.acme.ask.entry").await;
    // A header can ask the stream to remove earlier messages: the stream takes no such message.
    let mut rollup = HeaderMap::new();
    rollup.insert("Nats-Rollup", "all");
    let published =
        crm.stream().publish_with_headers("tenure.acme.log.crm", rollup, "3".into()).await;
    published.unwrap().await.unwrap_err();

    // The auditor asks and does not write.
    for subject in
        ["tenure.acme.log.auditor", "tenure.acme.log.crm", "$JS.API.STREAM.PURGE.TENURE_ACME"]
    {
        auditor.may_not_publish(subject).await;
    }
    for subject in ["tenure.acme.ask.who", "tenure.acme.ask.role-collections"] {
        auditor.may_ask(subject).await;
    }
    auditor.may_not_subscribe("tenure.acme.log.>").await;
    assert_eq!(messages(&mut stream).await, 2);

    // Without a user there is no connection.
    async_nats::connect(server.url()).await.unwrap_err();
}

/// The users that may publish on each subject, besides the operator
const PUBLISHING: &[(&str, &[&str])] = &[
    ("tenure.acme.log.ledger", &["ledger"]),
    ("tenure.acme.log.crm", &["crm"]),
    ("tenure.acme.log.hr", &["hr"]),
    ("tenure.acme.log.auditor", &[]),
    ("tenure.acme.log.operator", &[]),
    ("tenure.acme.log.republished", &[]),
    ("tenure.acme.log.crm.more", &[]),
    ("tenure.acme.log.hr.more", &[]),
    ("tenure.acme.log.ledger.more", &[]),
    ("tenure.acme.log", &[]),
    ("tenure.other.log.crm", &[]),
    ("tenure.other.log.ledger", &[]),
    ("tenure.acme.ask.entry", &["crm", "hr", "auditor"]),
    ("tenure.acme.ask.who", &["auditor"]),
    ("tenure.other.ask.entry", &[]),
    ("tenure.acme.replica.digest", &["ledger"]),
    ("$SRV.PING", &["auditor"]),
    ("$SYS.REQ.SERVER.PING", &[]),
    ("_INBOX.crm.x", &["ledger"]),
    ("_INBOX.hr.x", &["ledger"]),
    ("_INBOX.auditor.x", &["ledger"]),
    ("_INBOX.operator.x", &["ledger"]),
    ("$JS.API.INFO", &["ledger"]),
    ("$JS.API.STREAM.NAMES", &[]),
    ("$JS.API.STREAM.LIST", &[]),
    ("$JS.API.STREAM.CREATE.TENURE_ACME", &["ledger"]),
    ("$JS.API.STREAM.CREATE.OTHER", &[]),
    ("$JS.API.STREAM.INFO.TENURE_ACME", &["ledger"]),
    ("$JS.API.STREAM.MSG.GET.TENURE_ACME", &["ledger"]),
    ("$JS.API.STREAM.UPDATE.TENURE_ACME", &[]),
    ("$JS.API.STREAM.DELETE.TENURE_ACME", &[]),
    ("$JS.API.STREAM.PURGE.TENURE_ACME", &[]),
    ("$JS.API.STREAM.MSG.DELETE.TENURE_ACME", &[]),
    ("$JS.API.STREAM.SNAPSHOT.TENURE_ACME", &[]),
    ("$JS.API.STREAM.RESTORE.TENURE_ACME", &[]),
    ("$JS.API.STREAM.RESTORE.OTHER", &[]),
    ("$JS.API.STREAM.LEADER.STEPDOWN.TENURE_ACME", &[]),
    ("$JS.API.STREAM.PEER.REMOVE.TENURE_ACME", &[]),
    ("$JS.API.DIRECT.GET.TENURE_ACME", &["ledger"]),
    ("$JS.API.DIRECT.GET.TENURE_ACME.tenure.acme.log.crm", &["ledger"]),
    ("$JS.API.DIRECT.GET.OTHER", &[]),
    ("$JS.API.CONSUMER.CREATE.TENURE_ACME", &["ledger"]),
    ("$JS.API.CONSUMER.CREATE.TENURE_ACME.replica", &["ledger"]),
    ("$JS.API.CONSUMER.CREATE.TENURE_ACME.replica.tenure.acme.log.crm", &["ledger"]),
    ("$JS.API.CONSUMER.DURABLE.CREATE.TENURE_ACME.replica", &["ledger"]),
    ("$JS.API.CONSUMER.CREATE.OTHER", &[]),
    ("$JS.API.CONSUMER.INFO.TENURE_ACME.replica", &["ledger"]),
    ("$JS.API.CONSUMER.NAMES.TENURE_ACME", &[]),
    ("$JS.API.CONSUMER.LIST.TENURE_ACME", &[]),
    ("$JS.API.CONSUMER.MSG.NEXT.TENURE_ACME.replica", &["ledger"]),
    ("$JS.API.CONSUMER.MSG.NEXT.OTHER.replica", &[]),
    ("$JS.API.CONSUMER.DELETE.TENURE_ACME.replica", &["ledger"]),
    ("$JS.API.CONSUMER.DELETE.OTHER.replica", &[]),
    ("$JS.API.CONSUMER.LEADER.STEPDOWN.TENURE_ACME.replica", &[]),
    ("$JS.ACK.TENURE_ACME.replica.1.1.1.1.0", &["ledger"]),
    ("$JS.ACK.OTHER.replica.1.1.1.1.0", &[]),
    ("$JS.FC.TENURE_ACME.replica.x", &["ledger"]),
];

/// The users that may subscribe to each subject, besides the operator
const SUBSCRIBING: &[(&str, &[&str])] = &[
    (">", &[]),
    ("tenure.>", &[]),
    ("tenure.acme.>", &[]),
    ("tenure.acme.log.>", &[]),
    ("tenure.acme.log.crm", &[]),
    ("tenure.acme.log.hr", &[]),
    ("tenure.acme.log.ledger", &[]),
    ("tenure.acme.ask.*", &["ledger"]),
    ("tenure.acme.ask.entry", &["ledger"]),
    ("tenure.other.ask.*", &[]),
    ("tenure.acme.replica.digest", &["ledger"]),
    ("$SRV.>", &["ledger"]),
    ("_INBOX.>", &["ledger"]),
    ("_INBOX.*", &["ledger"]),
    ("_INBOX.crm.>", &["ledger", "crm"]),
    ("_INBOX.hr.>", &["ledger", "hr"]),
    ("_INBOX.auditor.>", &["ledger", "auditor"]),
    ("_INBOX.operator.>", &["ledger"]),
    ("$JS.>", &[]),
    ("$JS.API.>", &[]),
    ("$JS.ACK.>", &[]),
    ("$JS.EVENT.>", &[]),
    ("$SYS.>", &[]),
];

/// A subject for the operator alone: its denial comes after all denials before it, so there were none
const NOBODY_MAY: &str = "nobody.may";

#[tokio::test]
async fn each_user_is_denied_the_rights_of_others() {
    let server = start(Version::Newest).running();
    let operator = User::of(&server, "operator").await;
    let context = operator.stream();
    let mut stream = context.create_stream(config()).await.unwrap();
    for subject in ["tenure.acme.log.crm", "tenure.acme.log.hr"] {
        context.publish(subject, "1".into()).await.unwrap().await.unwrap();
    }
    let durable = jetstream::consumer::pull::Config {
        durable_name: Some("replica".to_owned()),
        ..Default::default()
    };
    stream.create_consumer(durable).await.unwrap();
    let as_it_was = stream.info().await.unwrap().clone();
    for name in ["ledger", "crm", "hr", "auditor"] {
        let mut user = User::of(&server, name).await;
        for (subject, who) in PUBLISHING {
            if !who.contains(&name) {
                user.may_not_publish(subject).await;
            }
        }
        for (subject, who) in SUBSCRIBING {
            if who.contains(&name) {
                user.client.subscribe(*subject).await.unwrap();
                user.may_not_subscribe(NOBODY_MAY).await;
            } else {
                user.may_not_subscribe(subject).await;
            }
        }
    }
    // The stream has all its messages, and its consumer.
    let info = stream.info().await.unwrap();
    assert_eq!((&info.config, &info.state), (&as_it_was.config, &as_it_was.state));
    stream.consumer_info("replica").await.unwrap();

    // The users' own rights are not denied.
    for name in ["ledger", "crm", "hr", "auditor"] {
        let mut user = User::of(&server, name).await;
        for (subject, _) in PUBLISHING.iter().filter(|(_, who)| who.contains(&name)) {
            user.client.publish(*subject, "{}".into()).await.unwrap();
            user.may_not_publish(NOBODY_MAY).await;
        }
    }
}

/// The answer to an account that has no JetStream
const NO_JETSTREAM: &[u8] = b"JetStream not enabled for account";

#[tokio::test]
async fn the_system_account_has_no_way_to_the_stream() {
    let server = start(Version::Newest).running();
    let operator = User::of(&server, "operator").await;
    let context = operator.stream();
    let mut stream = context.create_stream(config()).await.unwrap();
    context.publish("tenure.acme.log.crm", "1".into()).await.unwrap().await.unwrap();
    let system = User::of(&server, "system").await;
    for (subject, _) in PUBLISHING.iter().filter(|(subject, _)| !subject.starts_with("$S")) {
        let asked = system.client.request(*subject, "{}".into()).await;
        let nothing = match &asked {
            Ok(answer) => answer.payload.windows(NO_JETSTREAM.len()).any(|w| w == NO_JETSTREAM),
            Err(error) => error.kind() == RequestErrorKind::NoResponders,
        };
        assert!(nothing, "{subject}: {asked:?}");
    }
    assert_eq!(messages(&mut stream).await, 1);
    // It does not hear what is published to the stream either: the first message that it hears is its own.
    let mut heard = system.client.subscribe("tenure.>").await.unwrap();
    system.client.flush().await.unwrap();
    context.publish("tenure.acme.log.crm", "2".into()).await.unwrap().await.unwrap();
    system.client.publish("tenure.acme.log.crm", "its own".into()).await.unwrap();
    let first = tokio::time::timeout(PATIENCE, heard.next()).await.unwrap().unwrap();
    assert_eq!(first.payload, "its own", "{}", first.subject);
    assert_eq!(messages(&mut stream).await, 2);
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let server = start(Version::Newest).running();
    for user in ["ledger", "crm", "hr", "auditor", "operator", "system", "other"] {
        let options = ConnectOptions::with_user_and_password(user.into(), "secret-of-x".into());
        let refused = options.connect(server.url()).await.unwrap_err();
        assert_eq!(refused.kind(), async_nats::ConnectErrorKind::AuthorizationViolation, "{user}");
    }
}

#[tokio::test]
async fn an_operator_may_do_everything_that_the_stream_itself_allows() {
    let server = start(Version::Newest).running();
    let operator = User::of(&server, "operator").await;
    let context = operator.stream();
    let stream = context.create_stream(config()).await.unwrap();
    context.publish("tenure.acme.log.republished", "1".into()).await.unwrap().await.unwrap();
    // The stream's own settings hold for the operator too.
    stream.purge().await.unwrap_err();
    stream.delete_message(1).await.unwrap_err();
    context.update_stream(Config { deny_delete: false, ..config() }).await.unwrap_err();
    let described = Config { description: Some("mended".to_owned()), ..config() };
    context.update_stream(described).await.unwrap();
    assert!(context.delete_stream(STREAM).await.unwrap().success);
}

#[test]
fn an_older_server_refuses_the_file_as_it_cannot_sync_always() {
    let said = start(Version::Debian).attempt().unwrap_err();
    assert!(said.contains("sync_interval"), "{said}");
}
