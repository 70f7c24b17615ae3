//! What does the ledger count?
//!
//! Names follow Prometheus' conventions: base units last, `_total` for counters.

use std::sync::atomic::AtomicU64;
use std::time::Instant;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use tenure_journal::{Manifest, Row};
use tenure_wire::api::Problem;

/// The outcome of an entry
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub struct OutcomeLabel {
    outcome: &'static str,
}

/// A question, and what came of it
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub struct QuestionLabel {
    question: &'static str,
    status: u16,
}

/// A way to say who one is, and what came of it
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub struct CallerLabel {
    way: &'static str,
    outcome: &'static str,
}

/// The question alone
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub struct QuestionName {
    question: &'static str,
}

/// The counters
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    entries: Family<OutcomeLabel, Counter>,
    questions: Family<QuestionLabel, Counter>,
    callers: Family<CallerLabel, Counter>,
    question_seconds: Family<QuestionName, Histogram, fn() -> Histogram>,
    pub(crate) append_seconds: Histogram,
    pub(crate) flush_seconds: Histogram,
    pub(crate) position: Gauge,
    pub(crate) ready: Gauge,
    pub(crate) journal_bytes: Gauge,
    pub(crate) requests_in_flight: Gauge,
    pub(crate) clock_offset_seconds: Gauge<f64, AtomicU64>,
    index_checkpoint_position: Gauge,
    index_checkpoint_bytes: Gauge,
    index_checkpoint_written: Gauge,
    index_checkpoint_seconds: Gauge<f64, AtomicU64>,
    pub(crate) index_checkpoint_failures: Counter,
    pub(crate) log_connected: Gauge,
    pub(crate) log_sequence: Gauge,
    pub(crate) log_behind: Gauge,
    pub(crate) log_late_sync: Gauge,
    pub(crate) replicas_agreeing: Gauge,
    pub(crate) replicas_differing: Gauge,
}

fn seconds() -> Histogram {
    // 50 µs to 26 s
    Histogram::new(exponential_buckets(0.000_05, 2.0, 20))
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("tenure");
        let metrics = Self {
            entries: Family::default(),
            questions: Family::default(),
            callers: Family::default(),
            question_seconds: Family::new_with_constructor(seconds),
            append_seconds: seconds(),
            flush_seconds: seconds(),
            position: Gauge::default(),
            ready: Gauge::default(),
            journal_bytes: Gauge::default(),
            requests_in_flight: Gauge::default(),
            clock_offset_seconds: Gauge::default(),
            index_checkpoint_position: Gauge::default(),
            index_checkpoint_bytes: Gauge::default(),
            index_checkpoint_written: Gauge::default(),
            index_checkpoint_seconds: Gauge::default(),
            index_checkpoint_failures: Counter::default(),
            log_connected: Gauge::default(),
            log_sequence: Gauge::default(),
            log_behind: Gauge::default(),
            log_late_sync: Gauge::default(),
            replicas_agreeing: Gauge::default(),
            replicas_differing: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register("entries", "Entries written, by outcome", metrics.entries.clone());
        registry.register("questions", "Questions, by status", metrics.questions.clone());
        registry.register(
            "callers",
            "Requests, by the way in which they say who sends them",
            metrics.callers.clone(),
        );
        registry.register_with_unit(
            "question_duration",
            "Time to answer a question",
            Unit::Seconds,
            metrics.question_seconds.clone(),
        );
        registry.register_with_unit(
            "append_duration",
            "Time from an append to its answer",
            Unit::Seconds,
            metrics.append_seconds.clone(),
        );
        registry.register_with_unit(
            "flush_duration",
            "Time to write a batch to the disk",
            Unit::Seconds,
            metrics.flush_seconds.clone(),
        );
        registry.register("position", "Newest position", metrics.position.clone());
        registry.register("ready", "1 when caught up", metrics.ready.clone());
        registry.register_with_unit(
            "journal_size",
            "Size of the journal on the disk",
            Unit::Bytes,
            metrics.journal_bytes.clone(),
        );
        registry.register(
            "requests_in_flight",
            "Requests whose head has come and that are not answered yet",
            metrics.requests_in_flight.clone(),
        );
        registry.register_with_unit(
            "clock_offset",
            "This server's clock less the log's, as far as is known: below 0 when it is behind",
            Unit::Seconds,
            metrics.clock_offset_seconds.clone(),
        );
        metrics.register_checkpoints(&mut registry);
        for (name, help, gauge) in [
            ("log_connected", "1 while a NATS server is connected", &metrics.log_connected),
            (
                "log_sequence",
                "The stream's last message that is applied here",
                &metrics.log_sequence,
            ),
            ("log_behind", "Messages of the stream not yet applied here", &metrics.log_behind),
            (
                "log_late_sync",
                "1 if the NATS server is older than 2.10: what it acknowledges may not be on its disk for \
                 two minutes",
                &metrics.log_late_sync,
            ),
            (
                "replicas_agreeing",
                "Other replicas with the same digest",
                &metrics.replicas_agreeing,
            ),
            (
                "replicas_differing",
                "Other replicas with another digest",
                &metrics.replicas_differing,
            ),
        ] {
            registry.register(name, help, gauge.clone());
        }
        Self { registry, ..metrics }
    }
}

impl Metrics {
    fn register_checkpoints(&self, registry: &mut Registry) {
        registry.register(
            "index_checkpoint_position",
            "Position of the newest index checkpoint",
            self.index_checkpoint_position.clone(),
        );
        registry.register_with_unit(
            "index_checkpoint_size",
            "Size of the newest index checkpoint, compressed",
            Unit::Bytes,
            self.index_checkpoint_bytes.clone(),
        );
        registry.register_with_unit(
            "index_checkpoint_written_timestamp",
            "When the newest index checkpoint was written, since 1970",
            Unit::Seconds,
            self.index_checkpoint_written.clone(),
        );
        registry.register_with_unit(
            "index_checkpoint_duration",
            "Time to write the newest index checkpoint, pauses included",
            Unit::Seconds,
            self.index_checkpoint_seconds.clone(),
        );
        registry.register(
            "index_checkpoint_failures",
            "Index checkpoints that could not be written",
            self.index_checkpoint_failures.clone(),
        );
    }

    /// The newest index checkpoint
    pub(crate) fn checkpoint(&self, manifest: &Manifest) {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.index_checkpoint_position.set(number(manifest.position));
        self.index_checkpoint_bytes.set(number(manifest.stored_bytes));
        self.index_checkpoint_written.set(number(manifest.written_at));
        self.index_checkpoint_seconds.set(manifest.took_ms as f64 / 1_000.0);
    }

    pub(crate) fn count(&self, rows: &[Row]) {
        for row in rows {
            let outcome = row.outcome.kind().as_str();
            self.entries.get_or_create(&OutcomeLabel { outcome }).inc();
        }
    }

    pub(crate) fn called(&self, way: &'static str, known: bool) {
        let outcome = if known { "known" } else { "refused" };
        self.callers.get_or_create(&CallerLabel { way, outcome }).inc();
    }

    /// Counts an answer, or why there is none, since its question began to be answered
    pub(crate) fn answered<T>(
        &self,
        question: &'static str,
        found: &Result<T, Problem>,
        began: Instant,
    ) {
        let status = found.as_ref().map_or_else(|problem| problem.status, |_| 200);
        self.asked(question, status, began.elapsed().as_secs_f64());
    }

    pub(crate) fn asked(&self, question: &'static str, status: u16, seconds: f64) {
        self.questions.get_or_create(&QuestionLabel { question, status }).inc();
        self.question_seconds.get_or_create(&QuestionName { question }).observe(seconds);
    }

    /// All counters as OpenMetrics text, which Prometheus reads
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a text does not fail.
        if encode(&mut text, &self.registry).is_err() {
            text.clear();
        }
        text
    }
}
