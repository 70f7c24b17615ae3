//! What does it cost to ask over HTTP?

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tenure_server::config::Partial;
use tenure_server::server::Server;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::append::{APPENDERS, draft};
use super::{BenchError, Options, Watch, client};
use crate::landscape::{Facts, Plan};
use crate::question::{Asker, Class, Question};
use crate::report::{Appending, Http, HttpAsked, HttpClass};

/// Different questions that a connection asks in turn
const REQUESTS: usize = 4_096;
/// Checks in one request
const CHECKS: usize = 100;
/// Longest time that one kind of question is asked by one connection
const CLASS_PATIENCE: Duration = Duration::from_secs(1);
/// Between two looks whether the server is ready
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A server in this process, on a port that is free
struct Served {
    runtime: Runtime,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), tenure_server::server::ServeError>>,
}

impl Served {
    fn start(folder: &Path) -> Result<Self, BenchError> {
        let runtime =
            Runtime::new().map_err(|e| BenchError::Io("the threads cannot be started", e))?;
        let settings = Partial {
            data: Some(folder.to_owned()),
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
            catalog: Some("manual".to_owned()),
            ..Partial::default()
        };
        let settings = settings.settle().map_err(|e| BenchError::Server(e.to_string()))?;
        let server = runtime.block_on(Server::bind(settings));
        let server = server.map_err(|e| BenchError::Server(e.to_string()))?;
        let address = server.address();
        let (stop, stopped) = oneshot::channel();
        let running = runtime.spawn(async move {
            let stopped = async move {
                // Who asked for it may be gone, which is a reason to stop too.
                let _told = stopped.await;
            };
            server.run(stopped, |_| {}).await
        });
        let served = Self { runtime, address, stop, running };
        while !served.is_ready()? {
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(served)
    }

    fn is_ready(&self) -> Result<bool, BenchError> {
        if self.running.is_finished() {
            return Err(BenchError::Server("it ended before it was ready".to_owned()));
        }
        Ok(self.runtime.block_on(client::status(self.address, "/readyz"))? == 200)
    }

    fn end(self) -> Result<(), BenchError> {
        // It may have ended by itself: what it says of it comes next.
        let _heard = self.stop.send(());
        let ended = self.runtime.block_on(self.running);
        let ended = ended.map_err(|error| BenchError::Server(error.to_string()))?;
        ended.map_err(|error| BenchError::Server(error.to_string()))
    }
}

/// The request that asks a question
fn request(address: SocketAddr, question: &Question) -> Vec<u8> {
    let path = match question.asked.name() {
        "history" => "/v1/entries".to_owned(),
        name => format!("/v1/{name}"),
    };
    let parameters: Vec<(String, String)> = question.asked.parameters().into_iter().collect();
    client::get(address, &path, &parameters)
}

fn by_hundred(address: SocketAddr, asker: &mut Asker<'_>) -> Vec<Vec<u8>> {
    let mut checks = || -> Vec<_> {
        (0..CHECKS).map(|_| json!(asker.of(Class::CheckNow).asked.parameters())).collect()
    };
    let bodies = (0..REQUESTS / CHECKS).map(|_| json!({"checks": checks()}).to_string());
    bodies.map(|body| client::post(address, "/v1/check", &body)).collect()
}

pub(super) fn measure(
    folder: &Path,
    facts: &Facts,
    plan: &Plan,
    options: &Options,
    watch: &mut impl Watch,
) -> Result<Http, BenchError> {
    watch.begins("starting a server", 1);
    let served = Served::start(folder)?;
    watch.ends();
    let measured = ask(&served, facts, plan, options, watch);
    let ended = served.end();
    let http = measured?;
    ended.map(|()| http)
}

fn ask(
    served: &Served,
    facts: &Facts,
    plan: &Plan,
    options: &Options,
    watch: &mut impl Watch,
) -> Result<Http, BenchError> {
    let address = served.address;
    let mut asker = Asker::new(facts, plan.seed);
    let Options { each, connections, questions } = *options;
    let steps = 3 + Class::ALL.len() + APPENDERS.len();
    watch.begins("asking over HTTP", steps as u64);
    let mut done = 0;
    let mut step = |watch: &mut dyn FnMut(u64)| {
        done += 1;
        watch(done);
    };
    let many = |requests| client::ask(address, connections, requests, each, usize::MAX);
    let checks = (0..REQUESTS).map(|_| request(address, &asker.of(Class::CheckNow))).collect();
    let check = many(checks)?;
    step(&mut |done| watch.is_at(done));
    let checks_by_hundred = many(by_hundred(address, &mut asker))?;
    step(&mut |done| watch.is_at(done));
    let mix = asker.mix(REQUESTS).iter().map(|question| request(address, question)).collect();
    let mix = many(mix)?;
    step(&mut |done| watch.is_at(done));
    let mut classes = Vec::new();
    for class in Class::ALL {
        let requests = (0..questions.max(1)).map(|_| request(address, &asker.of(*class))).collect();
        let asked = client::ask(address, 1, requests, CLASS_PATIENCE.min(each), questions.max(1))?;
        classes.push(HttpClass { class: class.as_str(), asked });
        step(&mut |done| watch.is_at(done));
    }
    let mut append = Vec::new();
    for (clients, size) in APPENDERS {
        let bodies = (0..REQUESTS).map(|n| {
            let entries: Vec<_> = (0..size).map(|k| draft(n * size + k)).collect();
            json!({"entries": entries}).to_string()
        });
        let requests = bodies.map(|body| client::post(address, "/v1/entries", &body)).collect();
        let HttpAsked { per_second, took, failed } =
            client::ask(address, clients, requests, each, usize::MAX)?;
        if failed > 0 {
            return Err(BenchError::Server(format!("{failed} requests to append were refused")));
        }
        #[expect(clippy::cast_precision_loss, reason = "it is at most 16")]
        let entries_per_second = per_second * size as f64;
        append.push(Appending { clients, entries_a_request: size, entries_per_second, took });
        step(&mut |done| watch.is_at(done));
    }
    watch.ends();
    Ok(Http { connections, check, checks_by_hundred, mix, classes, append })
}
