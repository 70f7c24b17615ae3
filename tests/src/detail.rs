//! Is what is told in detail right, and told of the rows that are shown?

use std::mem::take;
use std::ops::Range;

use proptest::test_runner::TestCaseResult;

use tenure_core::answer::{Answer, End, GrantedName, HeldMembership, Holding, Who};
use tenure_core::{
    AssignmentFilter, Detail, EffectiveAt, Ended, How, JoinedBy, KnownAt, Ledger, Now, Principal,
    Question, RoleText, Span,
};

use crate::harness::same;
use crate::oracle::Oracle;

/// Asks about some rows in detail, and compares them with the whole answer and with the oracle
pub fn detail(
    question: &Question,
    rows: Range<usize>,
    ledger: &Ledger,
    oracle: &Oracle,
) -> TestCaseResult {
    let now = Now { at: EffectiveAt::LAST, newest: oracle.newest() };
    let Ok(whole) = question.ask(ledger, now) else { return Ok(()) };
    let detail = Detail { rows: rows.clone(), ends: true };
    let mut part = question.ask_in_detail(ledger, now, &detail).unwrap();
    let expected = shown(whole.answer.clone(), &rows);
    let context = format!("{question:?}, rows {rows:?}");
    if let (Some(t), s) = (part.as_of.at, part.as_of.known_at) {
        for holding in holdings(&mut part.answer) {
            let found = holding.ends.take();
            let (of, membership) = ((&holding.via, &holding.principal), &mut holding.membership);
            let entries = membership.as_mut().map(|membership| take(&mut membership.entries));
            let then = last_at(question, &holding.principal, (t, s), oracle);
            let ends = ends(holding, then, s, oracle);
            // Of several entries at one moment the oracle does not know which one did it.
            let unsure = ends.is_some_and(|end| {
                matches!(end.ended, Ended { how: How::Left | How::Suspended, entry: None })
            });
            let plain = |end: End| End { ended: Ended { entry: None, ..end.ended }, ..end };
            let found = if unsure { found.map(plain) } else { found };
            // Only rows that are shown are told how they end.
            if found.is_some() || is_shown(question, holding, &expected) {
                let behind = match (of, &holding.membership) {
                    ((Some(via), user), Some(HeldMembership { by: JoinedBy::Rule(_), .. })) => {
                        oracle.entries_behind(via, user, then, s)
                    }
                    _ => Vec::new(),
                };
                same(
                    format_args!("{context}, {holding:#?}"),
                    &entries.unwrap_or_default(),
                    &behind,
                )?;
                same(format_args!("{context}, {holding:#?}"), &found, &ends)?;
            }
        }
    }
    same(context, &shown(part.answer, &rows), &expected)
}

/// Every holding of an answer at a moment that may say how it ends
fn holdings(answer: &mut Answer) -> Vec<&mut Holding> {
    match answer {
        Answer::Who(Who { subjects, sets }) => {
            subjects.iter_mut().chain(sets).flat_map(|subject| &mut subject.detail).collect()
        }
        Answer::Check(check) => check.because.iter_mut().collect(),
        Answer::Assignments(holdings) => holdings.iter_mut().collect(),
        _ => Vec::new(),
    }
}

fn is_shown(question: &Question, holding: &Holding, shown: &Answer) -> bool {
    match (question, shown) {
        (Question::Assignments { .. }, Answer::Assignments(shown)) => shown.contains(holding),
        _ => true,
    }
}

/// The moment that the evidence of an answer at a moment is of: of a session, the last one at which it was true
fn last_at(
    question: &Question,
    principal: &Principal,
    at: (EffectiveAt, KnownAt),
    oracle: &Oracle,
) -> EffectiveAt {
    match question {
        Question::Who { can, on, reading, .. } | Question::Check { can, on, reading, .. } => {
            let check = oracle.check(principal, can, on, at, *reading);
            check.unwrap().last_at.unwrap_or(at.0)
        }
        _ => at.0,
    }
}

/// How a holding that counts at a moment ends, from what was held from then on
fn ends(holding: &Holding, t: EffectiveAt, s: KnownAt, oracle: &Oracle) -> Option<End> {
    let (role_collection, role) = match &holding.granted {
        GrantedName::RoleCollection(name) => (Some(name.clone()), None),
        GrantedName::Role(text) => (None, Some(RoleText::parse(text).unwrap())),
    };
    let filter = AssignmentFilter {
        on: Some(holding.level.clone()),
        principal: Some(holding.principal.clone()),
        role_collection,
        role,
    };
    let rows = oracle.holdings_during(&filter, Span::new(t, None)?, s).unwrap();
    let own = |of: &Holding| (of.via.clone(), of.granted.clone());
    let row =
        rows.into_iter().find(|row| row.span.from() == t && own(&row.holding) == own(holding));
    let row = row.unwrap();
    Some(End { at: row.span.until()?, ended: row.ended? })
}

/// An answer without what is not shown of it
fn shown(mut answer: Answer, rows: &Range<usize>) -> Answer {
    fn of_who<T>(who: &mut Who<T>, rows: &Range<usize>, blank: impl Fn(&mut T)) {
        for (place, subject) in who.subjects.iter_mut().enumerate() {
            if !rows.contains(&place) {
                blank(&mut subject.detail);
            }
        }
        if rows.start > 0 {
            who.sets.iter_mut().for_each(|subject| blank(&mut subject.detail));
        }
    }
    match &mut answer {
        Answer::Who(who) => of_who(who, rows, Vec::clear),
        Answer::WhoAnywhere(who) => of_who(who, rows, |anywhere| {
            anywhere.levels.clear();
            anywhere.because.clear();
        }),
        Answer::WhoDuring(who) => of_who(who, rows, Vec::clear),
        Answer::WhoDuringAnywhere(who) => of_who(who, rows, Vec::clear),
        Answer::Assignments(found) => {
            *found = found.iter().skip(rows.start).take(rows.len()).cloned().collect();
        }
        Answer::Sources(found) => {
            for (place, row) in found.iter_mut().enumerate() {
                row.covered = row.covered.take().filter(|_| rows.contains(&place));
            }
        }
        _ => {}
    }
    answer
}
