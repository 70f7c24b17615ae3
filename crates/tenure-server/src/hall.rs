//! Where does every door bring what it is asked?
//!
//! Each door (HTTP, NATS, the command line on a data folder) names its [`Caller`] and brings a question or
//! entries. The hall asks whether the caller may, waits for what the question waits for, and answers or
//! appends. How a question travels is the door's own matter.

mod access;
mod asking;
mod caller;
mod callers;
mod callers_file;
mod certificate;
mod following;
mod issuers;
mod many;
mod peer;
mod secret;
mod sessions;
mod shares;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tenure_core::{EffectiveAt, KnownAt, Outcome, RefusalCode};
use tenure_log::{AppendError, Receipt};
use tenure_wire::api::{Appended, Problem, revision};
use tenure_wire::codec::Encoded;
use tenure_wire::question::{Asked, Texts};
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore, SemaphorePermit, watch};

use self::asking::PATIENCE;
use self::shares::Shares;
use crate::ask::{self, Answer};
use crate::dry_run;
use crate::engine::{ClockReport, Engine, Report};
use crate::metrics::Metrics;
use crate::problem::{Code, problem};

pub use access::{Action, Grounds};
pub use caller::{Authentication, Caller};
pub use callers::Callers;
pub(crate) use callers::Credentials;
pub use callers_file::{CallersFile, token_digest};
pub(crate) use certificate::Certificate;
pub(crate) use following::Changes;
pub(crate) use issuers::Begun;
pub use issuers::{IssuerError, IssuerSettings, Issuers, PageSettings};
pub(crate) use many::{OneOfMany, Told};
pub(crate) use peer::Peer;
pub(crate) use sessions::SESSION;
pub(crate) use shares::Share;

/// Questions that compute at once
const COMPUTING_MAX: usize = 64;
/// How long the metrics wait for the file system
const SIZE_PATIENCE: Duration = Duration::from_secs(1);

/// What the hall allows at once
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Requests that are served at once
    pub requests_max: usize,
    /// Longest time that a request may take
    pub request_timeout: Duration,
}

impl Default for Limits {
    /// What a server allows where its settings do not say
    fn default() -> Self {
        Self { requests_max: 256, request_timeout: Duration::from_secs(30) }
    }
}

/// What a ledger that is ready says of itself
#[derive(Debug)]
pub(crate) struct Ready {
    /// Its name
    pub(crate) ledger: String,
    /// The newest position
    pub(crate) position: u64,
    /// What a replica of several says
    pub(crate) report: Option<Report>,
    /// What its clock and the log's say, if they disagree
    pub(crate) clock: Option<ClockReport>,
}

/// The place that every question and every append passes
#[derive(Debug)]
pub struct Hall {
    /// There once the journal has been folded
    engine: OnceCell<Engine>,
    metrics: Arc<Metrics>,
    default_origin: String,
    callers: Arc<Callers>,
    places: Semaphore,
    /// What each caller takes of them
    shares: Arc<Shares>,
    /// Questions that compute at once: one whose client has gone computes to its end
    computing: Arc<Semaphore>,
    /// One looks at the size of the journal at once: a disk that stands still does not answer
    sizing: Arc<Semaphore>,
    request_timeout: Duration,
    /// Set when the server shuts down
    closing: watch::Sender<bool>,
}

/// What is said when a panic was caught
pub(crate) fn broken_rule() -> Problem {
    problem(Code::Internal, "a rule that should always hold did not: please report it")
}

fn is_forbidden(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Refused(refusal) => refusal.code() == RefusalCode::Forbidden,
        Outcome::Applied | Outcome::Duplicate(_) => false,
    }
}

fn shutting_down() -> Problem {
    problem(Code::NotReady, "the server is shutting down")
}

impl Hall {
    /// A hall whose ledger is still being folded
    pub fn new(limits: Limits, default_origin: &str, metrics: Arc<Metrics>) -> Self {
        Self {
            engine: OnceCell::new(),
            metrics,
            default_origin: default_origin.to_owned(),
            callers: Arc::default(),
            places: Semaphore::new(limits.requests_max),
            shares: Arc::new(Shares::of(limits.requests_max)),
            computing: Arc::new(Semaphore::new(limits.requests_max.min(COMPUTING_MAX))),
            sizing: Arc::new(Semaphore::new(1)),
            request_timeout: limits.request_timeout,
            closing: watch::Sender::new(false),
        }
    }

    /// The same with ways by which callers say who they are
    #[must_use]
    pub fn with_callers(self, callers: Callers) -> Self {
        Self { callers: Arc::new(callers), ..self }
    }

    /// The ways by which callers say who they are
    pub(crate) fn callers(&self) -> &Callers {
        &self.callers
    }

    /// The caller of a request over HTTP
    ///
    /// # Errors
    /// As [`Callers::over_http`].
    pub(crate) async fn caller(&self, sent: Credentials<'_>) -> Result<Caller, Problem> {
        let sent = self.callers.counting(sent);
        let way = sent.way();
        let caller = self.callers.over_http(sent).await;
        self.metrics.called(way, caller.is_ok());
        caller
    }

    /// The caller of a request over NATS
    ///
    /// # Errors
    /// As [`Callers::over_nats`].
    pub(crate) async fn caller_over_nats(
        &self,
        authorization: Option<&str>,
    ) -> Result<Caller, Problem> {
        let caller = self.callers.over_nats(authorization).await;
        let way = if authorization.is_some() { "bearer" } else { "nothing" };
        self.metrics.called(way, caller.is_ok());
        caller
    }

    /// Opens the hall: from now on the ledger answers
    pub fn open(&self, engine: Engine) {
        if self.engine.set(engine).is_err() {
            tracing::error!("the ledger was started twice");
        }
    }

    /// Closes the hall: whoever waits in it leaves
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Waits until the hall is closed
    pub(crate) fn closed(&self) -> impl Future<Output = ()> + use<> {
        let mut closing = self.closing.subscribe();
        async move {
            // A hall that is gone is closed as well.
            drop(closing.wait_for(|closing| *closing).await);
        }
    }

    /// The origin of a user name alone
    pub fn default_origin(&self) -> &str {
        &self.default_origin
    }

    /// The counters
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The ledger's name, once the journal has been folded
    pub(crate) fn ledger(&self) -> Option<&str> {
        self.engine.get().map(Engine::name)
    }

    fn engine(&self) -> Result<&Engine, Problem> {
        self.engine.get().ok_or_else(|| {
            problem(Code::NotReady, "the ledger is being read from the disk: ask again in a moment")
        })
    }

    #[cfg(test)]
    pub(crate) fn engine_of_test(&self) -> &Engine {
        self.engine().unwrap()
    }

    /// Takes so many places to compute
    #[cfg(test)]
    pub(crate) async fn compute_nothing(&self, places: u32) -> SemaphorePermit<'_> {
        self.computing.acquire_many(places).await.unwrap()
    }

    /// Whether this replica should be asked
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn is_ready(&self) -> Result<(), Problem> {
        let engine = self.engine()?;
        if *self.closing.borrow() {
            return Err(shutting_down());
        }
        match engine.obstacle() {
            Some(obstacle) => Err(problem(obstacle.code, obstacle.why)),
            None => Ok(()),
        }
    }

    /// What the ledger says of itself, if it is ready
    ///
    /// # Errors
    /// Why it is not.
    pub(crate) fn ready(&self) -> Result<Ready, Problem> {
        self.is_ready()?;
        let engine = self.engine()?;
        Ok(Ready {
            ledger: engine.name().to_owned(),
            position: engine.shown().0,
            report: engine.report(),
            clock: engine.clock(),
        })
    }

    /// Brings the counters up to date that are not counted as things happen
    pub(crate) async fn measure(&self) {
        let Some(engine) = self.engine.get() else { return };
        self.metrics.ready.set(i64::from(engine.obstacle().is_none()));
        self.measure_size(engine).await;
        engine.measure();
    }

    /// Brings the size of the journal up to date, unless its disk stands still
    async fn measure_size(&self, engine: &Engine) {
        let Ok(place) = Arc::clone(&self.sizing).try_acquire_owned() else { return };
        let reader = engine.reader().clone();
        let looked = tokio::task::spawn_blocking(move || {
            let bytes = reader.size_on_disk_bytes();
            drop(place);
            bytes
        });
        if let Ok(Ok(bytes)) = tokio::time::timeout(SIZE_PATIENCE, looked).await {
            self.metrics.journal_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
    }

    /// Takes one request of a caller's share, until what is returned is dropped
    ///
    /// # Errors
    /// A caller whose share is all taken.
    pub(crate) fn share(&self, caller: &Caller) -> Result<Option<Share>, Problem> {
        self.shares.request(caller)
    }

    /// Waits for one of the places of requests that are served at once
    ///
    /// # Errors
    /// A hall that is closed.
    pub(crate) async fn place(&self) -> Result<SemaphorePermit<'_>, Problem> {
        self.places.acquire().await.map_err(|_| shutting_down())
    }

    async fn computing_place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let place = Arc::clone(&self.computing).acquire_owned().await;
        place.map_err(|_| shutting_down())
    }

    /// Longest time that a request may take
    pub(crate) fn request_timeout(&self) -> Duration {
        self.request_timeout
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

    /// The latest moment that is not in the future: the later of the clock and the newest entry
    pub(crate) fn now(&self) -> EffectiveAt {
        self.engine()
            .map_or_else(|_| ask::now(), |engine| access::now(&engine.ledger(), engine.shown()))
    }

    /// Decides whether a caller may, and says why
    ///
    /// # Errors
    /// The problem of a caller that may not.
    pub fn decide(&self, caller: &Caller, action: Action<'_>) -> Result<Grounds, Problem> {
        access::decide(self.engine()?, caller, action)
    }

    /// Waits until the entry that a question asks for may be seen, if the question says so; one of the
    /// `places` is taken meanwhile
    ///
    /// # Errors
    /// A caller that may not ask, or no free place.
    pub(crate) async fn arrive(
        &self,
        caller: &Caller,
        asked: &Asked,
        places: &Semaphore,
    ) -> Result<(), Problem> {
        self.decide(caller, Action::Ask(&asked.question))?;
        asking::arrive(self.engine()?, asked, places, self.closing.subscribe()).await
    }

    /// Answers a question, at the newest position or the one that it waits for
    ///
    /// # Errors
    /// A caller that may not ask, or a question without an answer.
    pub(crate) async fn ask(&self, caller: &Caller, asked: Asked) -> Result<Answer, Problem> {
        if let Some(answer) = self.ask_at_once(caller, &asked).await? {
            return Ok(answer);
        }
        let name = Texts::name_of(&asked.question);
        let began = Instant::now();
        let found = self.computed(self.engine()?.clone(), asked).await;
        self.metrics.answered(name, &found, began);
        found
    }

    /// Answers a check in this thread, if it has an answer and that costs less than to hand it over
    ///
    /// # Errors
    /// A caller that may not ask, or a position that does not come.
    pub(crate) async fn ask_at_once(
        &self,
        caller: &Caller,
        asked: &Asked,
    ) -> Result<Option<Answer>, Problem> {
        let name = Texts::name_of(&asked.question);
        let began = Instant::now();
        self.decide(caller, Action::Ask(&asked.question)).map(|_| ()).inspect_err(|problem| {
            self.metrics.asked(name, problem.status, began.elapsed().as_secs_f64());
        })?;
        let engine = self.engine()?;
        asking::reach(engine, asked, PATIENCE).await?;
        let began = Instant::now();
        let found = Self::at_once(engine, asked);
        found.inspect(|found| self.metrics.answered(name, found, began)).transpose()
    }

    /// Answers a check in this thread, if that costs less than to hand it over
    fn at_once(engine: &Engine, asked: &Asked) -> Option<Result<Answer, Problem>> {
        let asked = AssertUnwindSafe(|| ask::ask_at_once(engine, asked, ask::moment(engine)));
        match catch_unwind(asked) {
            Ok(found) => found.map(Ok),
            Err(_) => Some(Err(broken_rule())),
        }
    }

    /// Answers a question in a thread that computes; those that serve sockets do not
    async fn computed(&self, engine: Engine, asked: Asked) -> Result<Answer, Problem> {
        let place = self.computing_place().await?;
        let answered = tokio::task::spawn_blocking(move || {
            let _place = place;
            ask::ask(&engine, &asked, ask::moment(&engine))
        });
        answered.await.unwrap_or_else(|_| Err(broken_rule()))
    }

    /// Answers a question in this thread, at the newest position
    ///
    /// # Errors
    /// A caller that may not ask, or a question without an answer.
    pub fn ask_blocking(&self, caller: &Caller, asked: &Asked) -> Result<Answer, Problem> {
        self.decide(caller, Action::Ask(&asked.question))?;
        let engine = self.engine()?;
        ask::ask(engine, asked, ask::moment(engine))
    }

    /// Follows what is applied after a position
    ///
    /// # Errors
    /// A caller that may not, or a position that does not exist yet.
    pub(crate) fn follow(&self, caller: &Caller, after: u64) -> Result<Changes, Problem> {
        self.decide(caller, Action::Follow)?;
        let engine = self.engine()?.clone();
        Changes::after(
            engine,
            Arc::clone(&self.callers),
            caller.clone(),
            after,
            self.closing.subscribe(),
        )
    }

    /// Appends entries, and waits until they are in the log and applied here
    ///
    /// # Errors
    /// A caller that may not append, or a log that cannot be appended to. The problem says whether the
    /// entries may be in the log; to append them again with the same ids is always safe.
    pub async fn append(
        &self,
        caller: &Caller,
        entries: Vec<Encoded>,
    ) -> Result<Appended, Problem> {
        self.decide(caller, Action::Append(&entries))?;
        let engine = self.engine()?;
        // A caller that hangs up does not wait for the outcomes. So every entry of a caller that may append nowhere is
        // counted before it is sent.
        let governed = engine.ledger().enforces_access(engine.shown());
        let may = !governed || access::may_append_somewhere(engine, caller);
        self.shares.append(caller, if may { 0 } else { entries.len() })?;
        let receipts =
            engine.append(caller.principal(), entries).await.map_err(|error| match error {
                AppendError::NotDone(_) | AppendError::Indeterminate => {
                    problem(Code::LogUnavailable, error.to_string())
                }
            })?;
        if governed && may {
            let forbidden = receipts.iter().filter(|receipt| is_forbidden(&receipt.outcome));
            self.shares.note_forbidden(caller, forbidden.count());
        }
        let newest = receipts.last().map_or(0, |receipt| receipt.position.get());
        let results = receipts.iter().map(Receipt::result).collect();
        Ok(Appended { results, revision: revision(engine.name(), KnownAt(newest)) })
    }

    /// Tells what would become of entries if they were appended now; nothing is appended
    ///
    /// # Errors
    /// A caller that may not append, or a ledger that does not answer.
    pub(crate) async fn dry_run(
        &self,
        caller: &Caller,
        entries: Vec<Encoded>,
    ) -> Result<Appended, Problem> {
        self.decide(caller, Action::Append(&entries))?;
        let engine = self.engine()?.clone();
        let submitter = engine.submitter_of(caller.principal());
        let place = self.computing_place().await?;
        let patience = self.request_timeout;
        let decided = tokio::task::spawn_blocking(move || {
            let _place = place;
            dry_run::answer(&engine, &submitter, entries, patience)
        });
        decided.await.unwrap_or_else(|_| Err(broken_rule()))
    }

    /// The same in this thread
    ///
    /// # Errors
    /// As an append of these entries would have before it began.
    pub fn dry_run_blocking(
        &self,
        caller: &Caller,
        entries: Vec<Encoded>,
    ) -> Result<Appended, Problem> {
        self.decide(caller, Action::Append(&entries))?;
        let engine = self.engine()?;
        let submitter = engine.submitter_of(caller.principal());
        dry_run::answer(engine, &submitter, entries, Duration::MAX)
    }

    /// Appends entries from a thread that may block
    ///
    /// # Errors
    /// As [`Hall::append`].
    pub fn append_blocking(
        &self,
        caller: &Caller,
        entries: Vec<Encoded>,
    ) -> Result<Appended, Problem> {
        futures::executor::block_on(self.append(caller, entries))
    }
}
