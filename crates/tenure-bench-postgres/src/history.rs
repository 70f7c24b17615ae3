//! Where do the history and the questions come from, and what is made of them?

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use tenure_bench::landscape::{Counts, Made, Plan};
use tenure_bench::question::{Asker, Class};
use tenure_core::Position;
use tenure_journal::Journal;
use tenure_log::Message;
use tenure_server::engine::record;
use tenure_wire::codec::Encoded;
use tenure_wire::message::Item;
use tenure_wire::question::Question as Asked;

use crate::engine::Engine;
use crate::fold::{Fold, Log};
use crate::question::Question;
use crate::tables::Tables;

/// Messages that are recorded with one flush
const MESSAGES_A_FLUSH: usize = 4_096;

/// A question, as the doors take it and as the tables do
#[derive(Clone, Debug)]
pub(crate) struct Drawn {
    pub(crate) class: Class,
    pub(crate) asked: Asked,
    pub(crate) question: Question,
}

/// A history in every form
#[derive(Debug)]
pub(crate) struct History {
    pub(crate) engine: Engine,
    pub(crate) tables: Tables,
    pub(crate) log: Log,
    pub(crate) counts: Counts,
    pub(crate) questions: Vec<Drawn>,
    /// How long the fold into tables took
    pub(crate) tabled: Duration,
}

/// The classes that are put in SQL
pub(crate) const CLASSES: &[Class] = &[
    Class::WhoNow,
    Class::WhoThen,
    Class::WhoKnown,
    Class::WhoDuring,
    Class::CheckNow,
    Class::CheckThen,
    Class::CheckKnown,
    Class::Timeline,
    Class::Assignments,
    Class::Diff,
    Class::Where,
    Class::WhoUnder,
    Class::WhoUnderWide,
];

impl History {
    /// Makes a history, writes it to a data folder, and draws questions about it
    ///
    /// # Errors
    /// A folder that cannot be written, or a history that says what it may not.
    pub(crate) fn make(
        plan: &Plan,
        folder: &Path,
        seed: u64,
        each: impl Fn(Class) -> usize,
    ) -> anyhow::Result<Self> {
        let mut messages = plan.messages().context("a built-in catalogue is wrong")?;
        let mut journal = Journal::open(folder, Some(&plan.ledger))?;
        let mut engine = Engine::default();
        let mut fold = Fold::default();
        let mut tabled = Duration::ZERO;
        loop {
            let chunk: Vec<_> = messages.by_ref().take(MESSAGES_A_FLUSH).collect();
            if chunk.is_empty() {
                break;
            }
            let first = engine.newest() + 1;
            let mut encoded = Vec::with_capacity(chunk.len());
            for message in &chunk {
                let encode = |made: &Made| Encoded::new(made.entry.clone()).map(Item::Entry);
                let entries = message.entries.iter().map(encode);
                encoded.push(Message {
                    stamped_at: message.recorded_at,
                    entries: entries.collect::<Result<_, _>>()?,
                    origin: None,
                    waiter: None,
                });
            }
            record(&mut journal, engine.ledger_mut(), encoded)?;
            let began = Instant::now();
            let entries = chunk.iter().flat_map(|message| &message.entries);
            for (number, made) in (first..).zip(entries) {
                let position = Position::new(number).context("positions begin at 1")?;
                let (recorded_at, applied) = engine.outcome(position)?;
                fold.take(recorded_at, applied.then_some(&made.entry))?;
            }
            tabled += began.elapsed();
        }
        let facts = messages.facts();
        let mut asker = Asker::new(&facts, seed);
        let newest = engine.newest();
        let mut questions = Vec::new();
        for class in CLASSES {
            for _ in 0..each(*class) {
                let asked = asker.of(*class).asked;
                let read = Question::read(&asked, &|time| engine.position(time), newest)?;
                if let Some(question) = read {
                    questions.push(Drawn { class: *class, asked, question });
                }
            }
        }
        let (tables, log) = fold.finish();
        Ok(Self { engine, tables, log, counts: facts.counts, questions, tabled })
    }
}
