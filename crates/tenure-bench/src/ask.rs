//! How long do questions take in process?

use std::time::{Duration, Instant};

use anyhow::Context as _;
use tenure_core::answer::{Answer, Answered};
use tenure_core::{EffectiveAt, KnownAt, Ledger, Now, Position, Question};
use tenure_journal::Reader;

use crate::question::{Asker, Class};
use crate::report::Row;
use crate::times::{Measured, Times, ratio};

/// Longest time that one class of questions is asked
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// Longest time that a class is asked before the clock runs
const WARM_PATIENCE: Duration = Duration::from_millis(500);
/// Questions of a class that are asked before the clock runs
const WARM_QUESTIONS: usize = 50;

/// A ledger that is asked in process
#[derive(Clone, Copy, Debug)]
pub(crate) struct InProcess<'a> {
    ledger: &'a Ledger,
    /// The journal from which a history reads its entries
    journal: Option<&'a Reader>,
    now: Now,
}

/// What asking many questions took, and how many rows an answer has on average
pub(crate) type Asked = (f64, Measured);

/// The figures of a class of questions
pub(crate) fn row(class: Class, (rows, measured): &Asked) -> Row {
    measured.row(vec![("question", class.as_str().into()), ("rows", (*rows).into())])
}

impl<'a> InProcess<'a> {
    /// Asks a ledger that everything may be seen of
    pub(crate) fn of(ledger: &'a Ledger, journal: Option<&'a Reader>) -> Self {
        let newest = KnownAt(ledger.newest_position().map_or(0, Position::get));
        Self { ledger, journal, now: Now { at: EffectiveAt::LAST, newest } }
    }

    /// The answer; `None` if the core has none
    pub(crate) fn answer(&self, question: &Question) -> Option<Answered> {
        question.ask(self.ledger, self.now).ok()
    }

    /// Asks, and gives how many rows the answer has
    pub(crate) fn ask(&self, question: &Question) -> anyhow::Result<usize> {
        let answered = question.ask(self.ledger, self.now);
        let answered = answered.with_context(|| format!("{question:?} has no answer"))?;
        if let (Answer::History { positions, .. }, Some(journal)) = (&answered.answer, self.journal)
        {
            for position in positions {
                std::hint::black_box(journal.row(*position)?);
            }
        }
        Ok(rows(&answered.answer))
    }

    /// Asks until all are asked or patience ends, one question at least
    pub(crate) fn ask_all(
        &self,
        questions: &[Question],
        patience: Duration,
    ) -> anyhow::Result<Asked> {
        let (mut times, mut rows) = (Times::default(), 0);
        let mut sum = Duration::ZERO;
        for question in questions {
            let began = Instant::now();
            let answer = std::hint::black_box(self.ask(question));
            let took = began.elapsed();
            rows += answer? as u64;
            times.push(took);
            sum += took;
            if sum > patience {
                break;
            }
        }
        Ok((ratio(rows, times.count()), Measured::of(times, sum)))
    }

    /// Asks so many questions of each of some classes, after a few that are not timed
    pub(crate) fn classes(
        &self,
        classes: &[Class],
        asker: &mut Asker<'_>,
        questions: usize,
    ) -> anyhow::Result<Vec<(Class, Asked)>> {
        let asked = classes.iter().map(|class| {
            self.ask_all(&asker.some(*class, WARM_QUESTIONS), WARM_PATIENCE)?;
            Ok((*class, self.ask_all(&asker.some(*class, questions), PATIENCE)?))
        });
        asked.collect()
    }
}

/// Subjects of a who, a level for each subject of a who anywhere, intervals, levels, holdings, entries; 1 for a yes
/// and 0 for a no
fn rows(answer: &Answer) -> usize {
    match answer {
        Answer::Who(who) => who.subjects.len() + who.sets.len(),
        Answer::WhoAnywhere(who) => {
            let subjects = who.subjects.iter().chain(&who.sets);
            subjects.map(|subject| subject.detail.levels.len()).sum()
        }
        Answer::WhoDuring(who) => who.subjects.len() + who.sets.len(),
        Answer::What(what) => what.operations.len(),
        Answer::Check(check) => usize::from(check.allowed),
        Answer::Timeline(intervals) => intervals.len(),
        Answer::Where(levels) => levels.len(),
        Answer::Assignments(holdings) => holdings.len(),
        Answer::WhoDuringAnywhere(who) => who.subjects.len() + who.sets.len(),
        Answer::Holdings(rows) => rows.len(),
        Answer::Members(members) => members.len(),
        Answer::Principals(principals) => principals.len(),
        Answer::Search(search) => search.found.len(),
        Answer::Diff { diff, .. } => diff.gained.len() + diff.lost.len() + diff.changed.len(),
        Answer::PowerDiff { diff, .. } => diff.gained.len() + diff.lost.len(),
        Answer::Sources(sources) => sources.len(),
        Answer::Levels(levels) => levels.len(),
        Answer::RoleCollections(all) => all.len(),
        Answer::Catalog(position) => usize::from(position.is_some()),
        Answer::History { positions, .. } => positions.len(),
        Answer::Entry(_) => 1,
    }
}
