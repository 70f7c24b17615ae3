//! What do the ledger and the oracle answer?

use tenure_core::answer::{
    Answer, Answered, AskError, ComputedAt, Diff, Holding, LandscapeDiff, PowerDiff, What, Who,
};
use tenure_core::{
    AsOf, EffectiveAt, Ended, EntryName, How, JoinedBy, Known, KnownAt, Ledger, Mention, Now,
    Position, Question, Reading, Span,
};

use crate::oracle::Oracle;

/// What the ledger, or the oracle, answers
pub type Found = Result<Answered, AskError>;

/// As of a moment, as known at a position
pub fn as_of(at: EffectiveAt, known_at: KnownAt) -> AsOf {
    AsOf { at: Some(at), known_at: known_at.into() }
}

/// The same question as known at another position
#[must_use]
pub fn known_at(question: &Question, known_at: KnownAt) -> Question {
    question.clone().map_as_of(|as_of| AsOf { known_at: known_at.into(), ..as_of })
}

/// What the ledger answers
pub fn ask(question: &Question, ledger: &Ledger) -> Found {
    ask_within(question, ledger, KnownAt(ledger.newest_position().map_or(0, Position::get)))
}

/// What the ledger answers where nothing after a position may be seen
pub fn ask_within(question: &Question, ledger: &Ledger, newest: KnownAt) -> Found {
    question.ask(ledger, Now { at: EffectiveAt::LAST, newest })
}

/// What the oracle answers
pub fn ask_oracle(question: &Question, oracle: &Oracle) -> Found {
    let about = match question {
        Question::What { principal, .. }
        | Question::Check { principal, .. }
        | Question::Timeline { principal, .. }
        | Question::Where { principal, .. } => Some(principal.clone()),
        Question::Assignments { filter, .. } | Question::Holdings { filter, .. } => {
            filter.principal.clone()
        }
        Question::Members { set, .. } => Some(set.clone()),
        Question::History { mentions, .. } => mentions.iter().find_map(|mention| match mention {
            Mention::Principal(principal) => Some(principal.clone()),
            _ => None,
        }),
        _ => None,
    };
    let (answer, as_of) = match question.clone() {
        Question::Who { can, on, as_of, reading, explain } => {
            let (t, s) = coordinates(as_of);
            (Answer::Who(oracle.who(&can, &on, (t, s), reading, explain)?), as_of)
        }
        Question::WhoAnywhere { can, under, as_of, reading, explain } => {
            let (t, s) = coordinates(as_of);
            let who = oracle.who_anywhere(&can, &under, (t, s), reading, explain)?;
            (Answer::WhoAnywhere(who), as_of)
        }
        Question::WhoDuring { can, on, from, until, known_at, explain } => {
            let span = Span::new(from, until).unwrap();
            let during = oracle.who_during(&can, &on, span, position(known_at), explain)?;
            (Answer::WhoDuring(during), AsOf { at: None, known_at })
        }
        Question::WhoDuringAnywhere { can, under, from, until, known_at, explain } => {
            let (span, s) = (Span::new(from, until).unwrap(), position(known_at));
            let found = oracle.who_during_anywhere(&can, &under, span, s, explain)?;
            (Answer::WhoDuringAnywhere(found), AsOf { at: None, known_at })
        }
        Question::What { principal, on, as_of } => {
            let (t, s) = coordinates(as_of);
            (Answer::What(oracle.what(&principal, &on, (t, s))?), as_of)
        }
        Question::Check { principal, can, on, as_of, reading } => {
            let (t, s) = coordinates(as_of);
            (Answer::Check(oracle.check(&principal, &can, &on, (t, s), reading)?), as_of)
        }
        Question::Timeline { principal, can, on, from, until, known_at } => {
            let span = Span::new(from, until).unwrap();
            let intervals = oracle.timeline(&principal, &can, &on, span, position(known_at))?;
            (Answer::Timeline(intervals), AsOf { at: None, known_at })
        }
        Question::Where { principal, can, under, kind, as_of, reading } => {
            let (t, s) = coordinates(as_of);
            let levels = oracle.where_could(&principal, &can, &under, kind, (t, s), reading)?;
            (Answer::Where(levels), as_of)
        }
        Question::Assignments { filter, as_of } => {
            let (t, s) = coordinates(as_of);
            (Answer::Assignments(oracle.assignments(&filter, t, s)?), as_of)
        }
        Question::Holdings { filter, from, until, known_at } => {
            let span = Span::new(from, until).unwrap();
            let found = oracle.holdings_during(&filter, span, position(known_at))?;
            (Answer::Holdings(found), AsOf { at: None, known_at })
        }
        Question::Members { set, as_of } => {
            let (t, s) = coordinates(as_of);
            (Answer::Members(oracle.members(&set, t, s)), as_of)
        }
        Question::Principals { filter, as_of } => {
            let (t, s) = coordinates(as_of);
            (Answer::Principals(oracle.principals(&filter, t, s)), as_of)
        }
        Question::Search { search, as_of } => {
            let (t, s) = coordinates(as_of);
            (Answer::Search(oracle.search(&search, t, s)), as_of)
        }
        Question::Diff { from, until, under, principal } => {
            let (first, second) = (coordinates(from), coordinates(until));
            let diff = oracle.diff(first, second, under.as_ref(), principal.as_ref())?;
            (Answer::Diff { diff, until: computed_at(oracle, until, Reading::Assigned) }, from)
        }
        Question::PowerDiff { can, place, from, until } => {
            let (first, second) = (coordinates(from), coordinates(until));
            let diff = oracle.power_diff(&can, &place, first, second)?;
            (Answer::PowerDiff { diff, until: computed_at(oracle, until, Reading::Assigned) }, from)
        }
        Question::Sources { filter, as_of } => {
            let (t, s) = coordinates(as_of);
            (Answer::Sources(oracle.sources(&filter, t, s)?), as_of)
        }
        Question::Levels { filter, as_of } => {
            let (t, s) = coordinates(as_of);
            (Answer::Levels(oracle.levels(&filter, t, s)?), as_of)
        }
        Question::RoleCollections { on, as_of } => {
            let (t, s) = coordinates(as_of);
            (Answer::RoleCollections(oracle.role_collections(&on, t, s)?), as_of)
        }
        Question::Catalog { as_of } => {
            let (t, s) = coordinates(as_of);
            (Answer::Catalog(oracle.catalog(t, s).map(|(_, position)| position)), as_of)
        }
        Question::History { mentions, outcome, after, limit } => {
            for mention in &mentions {
                oracle.must_be_named(mention)?;
            }
            let all = (1..=oracle.newest().0).filter_map(Position::new);
            let named: Vec<_> = mentions.iter().map(|mention| oracle.mentions(mention)).collect();
            let mut positions: Vec<Position> = all
                .filter(|position| position.get() > after.0)
                .filter(|position| named.iter().all(|list| list.contains(position)))
                .filter(|position| outcome.is_none_or(|kind| oracle.outcome(*position) == kind))
                .collect();
            let limit = limit.unwrap_or(usize::MAX);
            let more = positions.len() > limit;
            positions.truncate(limit);
            let known_at = oracle.newest().into();
            (Answer::History { positions, more }, AsOf { at: None, known_at })
        }
        Question::Entry { entry } => {
            let found = match entry {
                EntryName::Position(n) if n <= oracle.newest().0 => Position::new(n),
                EntryName::Position(_) => None,
                EntryName::Id(id) => oracle.position_of(id),
            };
            let known_at = oracle.newest().into();
            let position = found.ok_or(AskError::UnknownEntry(entry))?;
            (Answer::Entry(position), AsOf { at: None, known_at })
        }
    };
    let known_at = position(as_of.known_at);
    let known = about.map(|principal| oracle.name_known(&principal, known_at));
    let observed = oracle.observed(question, as_of.at, known_at);
    let elsewhere = oracle.elsewhere(question, as_of.at, known_at);
    let as_of = computed_at(oracle, as_of, question.reading());
    Ok(Answered { answer, as_of, known, observed, elsewhere })
}

/// Both coordinates of a question of these tests, which names both
fn coordinates(as_of: AsOf) -> (EffectiveAt, KnownAt) {
    (as_of.at.unwrap(), position(as_of.known_at))
}

fn position(known: Known) -> KnownAt {
    match known {
        Known::At(known_at) => known_at,
        Known::Newest | Known::By(_) => panic!("these tests name positions"),
    }
}

fn computed_at(oracle: &Oracle, as_of: AsOf, reading: Reading) -> ComputedAt {
    let known_at = position(as_of.known_at);
    let catalog = as_of.at.and_then(|at| oracle.catalog(at, known_at));
    ComputedAt {
        at: as_of.at,
        known_at,
        recorded_at: oracle.recorded_at(known_at),
        catalog: catalog.map(|(version, _)| version.into()),
        reading,
    }
}

/// What is found with each holding's entry known by its id alone, and without the coordinates, so that
/// answers of ledgers that recorded the same entries at other positions can be compared
///
/// # Errors
/// The error that was found.
pub fn without_positions(found: Found) -> Result<Answer, AskError> {
    let plain = |holding: &mut Holding| {
        holding.entry = Position::FIRST;
        if let Some(membership) = &mut holding.membership {
            membership.by = JoinedBy::Entry(Position::FIRST);
        }
    };
    let all = |holdings: &mut Vec<Holding>| {
        holdings.iter_mut().for_each(plain);
        holdings.sort();
    };
    let mut answer = found?.answer;
    match &mut answer {
        Answer::Check(check) => all(&mut check.because),
        Answer::Who(who) => {
            for subject in who.subjects.iter_mut().chain(&mut who.sets) {
                all(&mut subject.detail);
            }
        }
        Answer::WhoAnywhere(who) => {
            for subject in who.subjects.iter_mut().chain(&mut who.sets) {
                all(&mut subject.detail.because);
            }
        }
        Answer::Timeline(intervals) => {
            intervals.iter_mut().for_each(|interval| all(&mut interval.because));
        }
        Answer::WhoDuring(who) => {
            for subject in who.subjects.iter_mut().chain(&mut who.sets) {
                subject.detail.iter_mut().for_each(|interval| all(&mut interval.because));
            }
        }
        Answer::WhoDuringAnywhere(who) => {
            for subject in who.subjects.iter_mut().chain(&mut who.sets) {
                let intervals = subject.detail.iter_mut().flat_map(|there| &mut there.intervals);
                intervals.for_each(|interval| all(&mut interval.because));
            }
        }
        Answer::Assignments(holdings) => all(holdings),
        Answer::Holdings(rows) => {
            for row in rows.iter_mut() {
                plain(&mut row.holding);
                row.ended = row.ended.map(|ended| Ended { entry: None, ..ended });
            }
            rows.sort();
        }
        Answer::Members(members) => {
            let first = JoinedBy::Entry(Position::FIRST);
            members.iter_mut().for_each(|member| member.by = first);
        }
        Answer::Diff { diff, until } => {
            all(&mut diff.gained);
            all(&mut diff.lost);
            for (old, new) in &mut diff.changed {
                plain(old);
                plain(new);
            }
            (until.known_at, until.recorded_at) = (KnownAt(0), None);
        }
        Answer::PowerDiff { until, .. } => {
            (until.known_at, until.recorded_at) = (KnownAt(0), None);
        }
        Answer::Catalog(position) => *position = position.map(|_| Position::FIRST),
        Answer::History { positions, more } => {
            positions.clear();
            *more = false;
        }
        Answer::Entry(position) => *position = Position::FIRST,
        Answer::What(_)
        | Answer::Where(_)
        | Answer::Principals(_)
        | Answer::Search(_)
        | Answer::Sources(_)
        | Answer::Levels(_)
        | Answer::RoleCollections(_) => {}
    }
    Ok(answer)
}

/// What the ledger answers, where the oracle is as certain
///
/// Of several entries at one moment the oracle does not know which one made a member leave, or suspended a
/// holding. The ledger may tell them apart. Nor does the oracle choose among several ways to a power.
pub fn as_certain(mut found: Found, expected: &Found) -> Found {
    if let Ok(Answered { answer: Answer::Check(check), .. }) = &mut found {
        check.steps.clear();
    }
    if let (Ok(found), Ok(expected)) = (&mut found, expected)
        && let (Answer::Holdings(rows), Answer::Holdings(expected)) =
            (&mut found.answer, &expected.answer)
    {
        for (row, expected) in rows.iter_mut().zip(expected) {
            if let (Some(ended), Some(Ended { how: How::Left | How::Suspended, entry: None })) =
                (&mut row.ended, expected.ended)
            {
                ended.entry = None;
            }
        }
    }
    found
}

/// Whether an answer says anything: neither no, nor nobody
pub fn says_something(answer: &Answer) -> bool {
    fn any<T>(who: &Who<T>) -> bool {
        !who.subjects.is_empty() || !who.sets.is_empty()
    }
    match answer {
        Answer::Check(check) => check.allowed,
        Answer::Who(who) => any(who),
        Answer::What(what) => *what != What::default(),
        Answer::Where(levels) => !levels.is_empty(),
        Answer::WhoAnywhere(who) => any(who),
        Answer::Timeline(intervals) => !intervals.is_empty(),
        Answer::WhoDuring(who) => any(who),
        Answer::WhoDuringAnywhere(who) => any(who),
        Answer::Assignments(holdings) => !holdings.is_empty(),
        Answer::Holdings(rows) => rows.iter().any(|row| row.ended.is_some()),
        Answer::Members(members) => !members.is_empty(),
        Answer::Principals(principals) => principals.iter().any(|one| one.last_held.is_some()),
        Answer::Search(search) => !search.found.is_empty(),
        Answer::Diff { diff, .. } => {
            let nothing = diff.landscape.as_ref().map(|_| LandscapeDiff::default());
            *diff != Diff { landscape: nothing, ..Diff::default() }
        }
        Answer::PowerDiff { diff, .. } => *diff != PowerDiff::default(),
        Answer::Sources(rows) => !rows.is_empty(),
        Answer::Levels(levels) => !levels.is_empty(),
        Answer::RoleCollections(all) => !all.is_empty(),
        Answer::Catalog(position) => position.is_some(),
        Answer::History { positions, .. } => !positions.is_empty(),
        Answer::Entry(_) => true,
    }
}
