//! Who gave what an answer lists, when and why?
//!
//! Every holding, membership and end in an answer names an entry. Whoever asks for it is told who made that entry.

use tenure_core::Position;
use tenure_journal::Payload;
use tenure_wire::api::{
    By, Ended, Held, Holding, HoldingRow, Interval, LevelThere, Problem, Subject,
};

use super::{Answer, decoded, row};
use crate::engine::Engine;
use crate::hall::broken_rule;

/// A place in an answer where it is to be told who made an entry
type Blank<'a> = (u64, &'a mut Option<By>);

/// Tells of each holding, membership and end in an answer who made its entry
///
/// # Errors
/// A row that cannot be read.
/// # Cost
/// O(holdings in the answer), and one row of the log for each entry among them, read in the order of the log.
pub(super) fn tell(engine: &Engine, answer: &mut Answer) -> Result<(), Problem> {
    let mut blanks = blanks(answer);
    blanks.sort_by_key(|(position, _)| *position);
    for alike in blanks.chunk_by_mut(|(one, _), (other, _)| one == other) {
        let position = alike.first().map_or(0, |(position, _)| *position);
        let by = by(engine, Position::new(position).ok_or_else(broken_rule)?)?;
        for (_, blank) in alike {
            **blank = Some(by.clone());
        }
    }
    Ok(())
}

fn by(engine: &Engine, position: Position) -> Result<By, Problem> {
    let row = row(engine, position)?;
    // What holds something was applied, so it could be decoded.
    let Payload::Entry(bytes) = &row.payload else { return Err(broken_rule()) };
    let entry = decoded(bytes)?;
    Ok(By {
        position: position.get(),
        actor: entry.actor().to_string(),
        submitter: row.submitter.to_string(),
        reason: entry.reason().map(ToString::to_string),
        recorded_at: row.recorded_at.to_string(),
    })
}

fn blanks(answer: &mut Answer) -> Vec<Blank<'_>> {
    match answer {
        Answer::Who(who) => {
            who.subjects.iter_mut().chain(&mut who.sets).flat_map(of_subject).collect()
        }
        Answer::Check(check) => of_holdings(&mut check.because).collect(),
        Answer::Timeline(timeline) => of_intervals(&mut timeline.intervals).collect(),
        Answer::Assignments(found) => of_holdings(&mut found.assignments).collect(),
        Answer::Holdings(found) => found.holdings.iter_mut().flat_map(of_row).collect(),
        _ => Vec::new(),
    }
}

fn of_subject(subject: &mut Subject) -> impl Iterator<Item = Blank<'_>> {
    let there = subject.levels.iter_mut().flatten().flat_map(|there| match there {
        LevelThere::Now(_) => of_intervals(&mut []),
        LevelThere::During { intervals, .. } => of_intervals(intervals),
    });
    let because = of_holdings(subject.because.as_deref_mut().unwrap_or_default());
    let during = of_intervals(subject.intervals.as_deref_mut().unwrap_or_default());
    because.chain(during).chain(there)
}

fn of_intervals(intervals: &mut [Interval]) -> impl Iterator<Item = Blank<'_>> {
    intervals
        .iter_mut()
        .flat_map(|interval| of_holdings(interval.because.as_deref_mut().unwrap_or_default()))
}

fn of_holdings(holdings: &mut [Holding]) -> impl Iterator<Item = Blank<'_>> {
    holdings.iter_mut().flat_map(|one| of_held(&mut one.held).chain(of_end(one.ended.as_mut())))
}

fn of_end(ended: Option<&mut Ended>) -> Option<Blank<'_>> {
    ended.and_then(|ended| Some((ended.entry?, &mut ended.by)))
}

fn of_row(row: &mut HoldingRow) -> impl Iterator<Item = Blank<'_>> {
    of_held(&mut row.held).chain(of_end(row.ended.as_mut()))
}

fn of_held(held: &mut Held) -> impl Iterator<Item = Blank<'_>> {
    let membership = held.membership.as_mut().map(|one| (one.joined_by.position(), &mut one.by));
    [(held.entry, &mut held.by)].into_iter().chain(membership)
}
