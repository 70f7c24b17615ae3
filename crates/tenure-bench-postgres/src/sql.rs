//! How is each question put in SQL?
//!
//! One statement for each kind of question, in two dialects: over ranges (`valid @> t`, PostgreSQL with
//! GiST or B-tree), and over plain bounds (`valid_from <= t AND t < valid_until`, PostgreSQL with B-trees,
//! and SQLite). Parameters are texts, times and positions, as a client has them; names are looked up.

mod writer;

use writer::{Target, Time, Writer};

/// How the two times of a row are kept
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Dialect {
    /// `valid tstzrange, known int8range`
    Ranges,
    /// `valid_from, valid_until, known_from, known_until bigint`
    Bounds,
    /// The same in SQLite
    Sqlite,
}

/// A kind of statement
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Statement {
    Who { operation: bool },
    WhoUnder { operation: bool },
    WhoDuring { operation: bool },
    Check { operation: bool },
    Timeline { operation: bool },
    Where { operation: bool },
    AssignmentsOn,
    AssignmentsOf,
    DiffUnder,
    DiffOf,
}

/// The two times of a diff's coordinate: the parameters of T and S
type Coordinate = (u8, u8);

// Parameters: $1 level, $2 ability, $3 S, $4 T or the start of a stretch, then what the question has
// besides: the principal and everyone of its origin, and the end of the stretch last.
const LEVEL: &str = "(SELECT id FROM level WHERE text = $1)";

impl Statement {
    /// The text of the statement
    pub(crate) fn text(self, dialect: Dialect) -> String {
        let end = if matches!(self, Self::Timeline { .. }) { 7 } else { 5 };
        let writer = |target, time, operation| Writer { dialect, target, time, operation, end };
        let text = match self {
            Self::Who { operation } => writer(Target::One, Time::Moment, operation).who(),
            Self::WhoUnder { operation } => writer(Target::Under, Time::Moment, operation).under(),
            Self::WhoDuring { operation } => writer(Target::One, Time::Stretch, operation).during(),
            Self::Check { operation } => writer(Target::One, Time::Moment, operation).check(),
            Self::Timeline { operation } => {
                writer(Target::One, Time::Stretch, operation).timeline()
            }
            Self::Where { operation } => writer(Target::Under, Time::Moment, operation).places(),
            Self::AssignmentsOn => assignments(dialect, &format!("h.level = {LEVEL}")),
            Self::AssignmentsOf => {
                assignments(dialect, "h.principal = (SELECT id FROM principal WHERE text = $1)")
            }
            Self::DiffUnder => diff(dialect, |coordinate| {
                let inside = at(dialect, "l", coordinate);
                format!(
                    "h.level IN (SELECT l.level FROM lies_in l WHERE l.ancestor = {LEVEL} AND \
                     {inside})"
                )
            }),
            Self::DiffOf => diff(dialect, |_| {
                "h.principal = (SELECT id FROM principal WHERE text = $1)".to_owned()
            }),
        };
        if dialect == Dialect::Sqlite { text.replace('$', "?") } else { text }
    }
}

/// A row is valid at T and known at S
fn at(dialect: Dialect, row: &str, (t, s): Coordinate) -> String {
    match dialect {
        Dialect::Ranges => {
            format!("{row}.valid @> ${t}::timestamptz AND {row}.known @> ${s}::int8")
        }
        Dialect::Bounds | Dialect::Sqlite => format!(
            "{row}.valid_from <= ${t} AND {row}.valid_until > ${t} AND {row}.known_from <= ${s} \
             AND {row}.known_until > ${s}"
        ),
    }
}

fn assignments(dialect: Dialect, whose: &str) -> String {
    let at = at(dialect, "h", (3, 2));
    format!(
        "SELECT p.text, l.text, g.text, h.since, h.until, h.entry FROM holding h \
         JOIN principal p ON p.id = h.principal JOIN level l ON l.id = h.level \
         JOIN granted g ON g.id = h.granted WHERE {whose} AND {at}"
    )
}

/// $1 whose, $2 and $3 the first T and S, $4 and $5 the second
fn diff(dialect: Dialect, whose: impl Fn(Coordinate) -> String) -> String {
    let side = |coordinate| {
        format!(
            "SELECT h.principal, h.level, g.what, g.text, h.since, h.until, h.entry \
             FROM holding h JOIN granted g ON g.id = h.granted WHERE {} AND {}",
            whose(coordinate),
            at(dialect, "h", coordinate)
        )
    };
    format!(
        "WITH a AS ({}), b AS ({}) SELECT p.text, l.text, coalesce(a.text, b.text), \
         a.since, a.until, a.entry, b.since, b.until, b.entry \
         FROM a FULL JOIN b ON a.principal = b.principal AND a.level = b.level AND a.what = b.what \
         JOIN principal p ON p.id = coalesce(a.principal, b.principal) \
         JOIN level l ON l.id = coalesce(a.level, b.level) \
         WHERE a.entry IS NULL OR b.entry IS NULL OR a.entry <> b.entry OR a.since <> b.since \
         OR a.until <> b.until",
        side((2, 3)),
        side((4, 5))
    )
}
