//! What is an answer, as rows that can be compared?

use tenure_core::answer::{Answer, GrantedName, Holding, Interval, Who};
use tenure_core::{EffectiveAt, Question};

/// A value of a row, or a parameter of a statement
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Value {
    Text(String),
    /// A moment, a position; [`i64::MAX`] is no end
    Number(i64),
    /// No holding, on one side of a difference
    Nothing,
}

pub(super) type Rows = Vec<Vec<Value>>;

fn text(text: &impl ToString) -> Value {
    Value::Text(text.to_string())
}

fn moments(from: EffectiveAt, until: Option<EffectiveAt>) -> [Value; 2] {
    [from.micros(), until.map_or(i64::MAX, EffectiveAt::micros)].map(Value::Number)
}

/// Who holds what where; for what a set gives, the set
fn whose(holding: &Holding) -> Vec<Value> {
    let holder = holding.via.as_ref().unwrap_or(&holding.principal);
    let granted = match &holding.granted {
        GrantedName::RoleCollection(name) => format!("role_collection:{name}"),
        GrantedName::Role(role) => format!("role:{role}"),
    };
    vec![text(holder), text(&holding.level), Value::Text(granted)]
}

fn terms(holding: Option<&Holding>) -> [Value; 3] {
    let Some(holding) = holding else { return [const { Value::Nothing }; 3] };
    let [since, until] = moments(holding.since, holding.until);
    let entry = i64::try_from(holding.entry.get()).unwrap_or(i64::MAX);
    [since, until, Value::Number(entry)]
}

fn held(holding: &Holding) -> Vec<Value> {
    whose(holding).into_iter().chain(terms(Some(holding))).collect()
}

/// The same without its start where a set holds it: the ledger tells the later of both starts, the tables that of
/// the set
fn because(mut row: Vec<Value>) -> Vec<Value> {
    let of_a_set = matches!(row.first(), Some(Value::Text(holder))
        if holder.starts_with("group:") || holder.starts_with("attribute:"));
    if let Some(since) = row.get_mut(3).filter(|_| of_a_set) {
        *since = Value::Nothing;
    }
    row
}

fn change(before: Option<&Holding>, after: Option<&Holding>) -> Vec<Value> {
    let whose = before.or(after).map(whose).unwrap_or_default();
    whose.into_iter().chain(terms(before)).chain(terms(after)).collect()
}

fn interval(interval: &Interval) -> Vec<Value> {
    moments(interval.span.from(), interval.span.until()).into()
}

/// Users, clients and sets, each with the rows that are made of its detail
fn all<T>(who: &Who<T>, rows: impl Fn(&T) -> Rows) -> Rows {
    let subjects = who.subjects.iter().chain(&who.sets);
    let with_name = subjects.flat_map(|subject| {
        let name = text(&subject.principal);
        let rows = rows(&subject.detail).into_iter();
        rows.map(move |row| [name.clone()].into_iter().chain(row).collect())
    });
    with_name.collect()
}

/// The rows of the ledger's answer, in order; none where it has no answer or says nobody
pub(super) fn of_ledger(answer: Option<&Answer>) -> Rows {
    let mut rows = match answer {
        Some(Answer::Who(who)) => all(who, |_| vec![Vec::new()]),
        Some(Answer::WhoAnywhere(who)) => {
            all(who, |detail| detail.levels.iter().map(|level| vec![text(level)]).collect())
        }
        Some(Answer::WhoDuring(who)) => all(who, |all| all.iter().map(interval).collect()),
        Some(Answer::Check(check)) => {
            check.because.iter().map(|holding| because(held(holding))).collect()
        }
        Some(Answer::Timeline(intervals)) => intervals.iter().map(interval).collect(),
        Some(Answer::Where(levels)) => levels.iter().map(|level| vec![text(level)]).collect(),
        Some(Answer::Assignments(holdings)) => {
            holdings.iter().map(|holding| because(held(holding))).collect()
        }
        Some(Answer::Diff { diff, .. }) => {
            let gained = diff.gained.iter().map(|now| change(None, Some(now)));
            let lost = diff.lost.iter().map(|then| change(Some(then), None));
            let changed = diff.changed.iter().map(|(then, now)| change(Some(then), Some(now)));
            gained.chain(lost).chain(changed).collect()
        }
        _ => Rows::new(),
    };
    rows.sort_unstable();
    rows
}

/// The rows that PostgreSQL answered, in order
pub(super) fn of_postgres(question: &Question, rows: Rows) -> Rows {
    let mut rows = match question {
        // All levels of a subject are in one text.
        Question::WhoAnywhere { .. } => {
            let levels = rows.into_iter().flat_map(|row| {
                let levels = match row.get(1) {
                    Some(Value::Text(levels)) => levels.split(' ').map(str::to_owned).collect(),
                    _ => Vec::new(),
                };
                let of = row.into_iter().next().unwrap_or(Value::Nothing);
                levels.into_iter().map(move |level| vec![of.clone(), Value::Text(level)])
            });
            levels.collect()
        }
        Question::Check { .. } | Question::Assignments { .. } => {
            rows.into_iter().map(because).collect()
        }
        _ => rows,
    };
    rows.sort_unstable();
    rows
}
