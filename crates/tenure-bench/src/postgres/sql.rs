//! How is each question put in SQL?
//!
//! One statement for each kind of question. Parameters are texts, moments and positions, as a client has them; names
//! are looked up. The statements are made of the same parts: `place` is where each leaf of each clause looks,
//! `granting` what gives it there, `support` who holds that, `subject` who has it by that, members of sets too.
//!
//! PostgreSQL estimates unknown parameters badly, and then reads all rows that are valid by the wrong index. So joins
//! are lateral subqueries with `OFFSET 0`, by which an expert makes it look each row up by the right index.

use std::fmt;

use tenure_core::{Ability, AsOf, AssignmentFilter, EffectiveAt, Known, Level, Question};

use super::rows::Value;

/// The parameters with T and S of one coordinate
type Coordinate = (u8, u8);

// Parameters: $1 level, $2 ability, $3 S, $4 T or the start of a stretch, then what the question has besides: the
// principal, and the end of the stretch last.
const LEVEL: &str = "(SELECT id FROM level WHERE text = $1)";
const PRINCIPAL: &str = "(SELECT id FROM principal WHERE text = $1)";
fn text(text: &impl fmt::Display) -> Value {
    Value::Text(text.to_string())
}

fn known(known: Known) -> Value {
    match known {
        Known::At(position) => Value::Number(i64::try_from(position.0).unwrap_or(i64::MAX)),
        // Positions are put in place of times before.
        Known::Newest | Known::By(_) => Value::Number(i64::MAX),
    }
}

fn moment(t: EffectiveAt) -> Value {
    Value::Number(t.micros())
}

fn end(until: Option<EffectiveAt>) -> Value {
    Value::Number(until.map_or(i64::MAX, EffectiveAt::micros))
}

/// S and T
fn coordinates(as_of: AsOf) -> [Value; 2] {
    [known(as_of.known_at), moment(as_of.at.unwrap_or(EffectiveAt::LAST))]
}

/// The statement that asks a question whose S is a position, and its parameters; `None` for a question that is not put
/// in SQL
pub(super) fn statement(question: &Question) -> Option<(String, Vec<Value>)> {
    let writer = |under, stretch, can: &Ability, end| {
        let operation = matches!(can, Ability::Operation(_));
        Writer { under, stretch, operation, end }
    };
    let at = |under, can: &Ability| writer(under, false, can, 0);
    let about = |level: &Level, can: &Ability, times: [Value; 2]| {
        [text(level), text(can)].into_iter().chain(times).collect::<Vec<_>>()
    };
    let of_principal = format!("h.principal = {PRINCIPAL}");
    Some(match question {
        Question::Who { can, on, as_of, .. } => {
            let can = can.alone()?;
            (at(false, can).who(), about(on, can, coordinates(*as_of)))
        }
        Question::WhoAnywhere { can, under, as_of, .. } => {
            let can = can.alone()?;
            (at(true, can).anywhere(), about(under, can, coordinates(*as_of)))
        }
        Question::WhoDuring { can, on, from, until, known_at, .. } => {
            let can = can.alone()?;
            let mut parameters = about(on, can, [known(*known_at), moment(*from)]);
            parameters.push(end(*until));
            (writer(false, true, can, 5).during(), parameters)
        }
        Question::Check { principal, can, on, as_of, .. } => {
            let can = can.alone()?;
            let mut parameters = about(on, can, coordinates(*as_of));
            parameters.push(text(principal));
            (at(false, can).check(), parameters)
        }
        Question::Timeline { principal, can, on, from, until, known_at } => {
            let can = can.alone()?;
            let mut parameters = about(on, can, [known(*known_at), moment(*from)]);
            parameters.extend([text(principal), end(*until)]);
            (writer(false, true, can, 6).timeline(), parameters)
        }
        Question::Where { principal, can, under, as_of, .. } => {
            let can = can.alone()?;
            let mut parameters = about(under, can, coordinates(*as_of));
            parameters.push(text(principal));
            (at(true, can).places(), parameters)
        }
        Question::Assignments { filter, as_of } => {
            let (whose, of) = match filter {
                AssignmentFilter {
                    on: Some(on),
                    principal: None,
                    role_collection: None,
                    role: None,
                } => (format!("h.level = {LEVEL}"), text(on)),
                AssignmentFilter {
                    on: None,
                    principal: Some(of),
                    role_collection: None,
                    role: None,
                } => {
                    let member = format!("m.member = {PRINCIPAL} AND {}", row_at("m", (3, 2)));
                    let sets = format!("SELECT m.set_id FROM membership m WHERE {member}");
                    (format!("h.principal IN (SELECT {PRINCIPAL} UNION ALL {sets})"), text(of))
                }
                _ => return None,
            };
            let parameters = [of].into_iter().chain(coordinates(*as_of)).collect();
            (assignments(&whose), parameters)
        }
        Question::Diff { from, until, under, principal } => {
            let (statement, of) = match (under, principal) {
                (Some(under), None) => {
                    let below = format!("SELECT l.level FROM lies_in l WHERE l.ancestor = {LEVEL}");
                    let inside = |at| format!("h.level IN ({below} AND {})", row_at("l", at));
                    (diff(inside), text(under))
                }
                (None, Some(principal)) => (diff(|_| of_principal.clone()), text(principal)),
                _ => return None,
            };
            let times = coordinates(*from).into_iter().chain(coordinates(*until));
            (statement, [of].into_iter().chain(times).collect())
        }
        _ => return None,
    })
}

/// A row is valid at T and known at S
fn row_at(row: &str, (t, s): Coordinate) -> String {
    format!("{row}.valid_from <= ${t} AND {row}.valid_until > ${t} AND {}", row_known(row, s))
}

fn row_known(row: &str, s: u8) -> String {
    format!("{row}.known_from <= ${s} AND {row}.known_until > ${s}")
}

/// Joins a table by a condition, with the columns that are needed of it
fn join(table: &str, row: &str, columns: &str, on: &str) -> String {
    let from = format!("SELECT {columns} FROM {table} {row} WHERE {on}");
    format!("CROSS JOIN LATERAL ({from} OFFSET 0) {row}")
}

fn assignments(whose: &str) -> String {
    let at = row_at("h", (3, 2));
    format!(
        "SELECT p.text, l.text, g.text, h.since, h.until, h.entry FROM holding h \
         JOIN principal p ON p.id = h.principal JOIN level l ON l.id = h.level \
         JOIN granted g ON g.id = h.granted WHERE {whose} AND {at}"
    )
}

/// $1 whose, $2 and $3 the first S and T, $4 and $5 the second
fn diff(whose: impl Fn(Coordinate) -> String) -> String {
    let side = |coordinate| {
        let (whose, at) = (whose(coordinate), row_at("h", coordinate));
        format!(
            "SELECT h.principal, h.level, h.granted, g.text, h.since, h.until, h.entry \
             FROM holding h JOIN granted g ON g.id = h.granted WHERE {whose} AND {at}"
        )
    };
    format!(
        "WITH a AS ({}), b AS ({}) SELECT p.text, l.text, coalesce(a.text, b.text), \
         a.since, a.until, a.entry, b.since, b.until, b.entry \
         FROM a FULL JOIN b ON a.principal = b.principal AND a.level = b.level AND a.granted = b.granted \
         JOIN principal p ON p.id = coalesce(a.principal, b.principal) \
         JOIN level l ON l.id = coalesce(a.level, b.level) \
         WHERE a.entry IS NULL OR b.entry IS NULL OR a.entry <> b.entry OR a.since <> b.since \
         OR a.until <> b.until",
        side((3, 2)),
        side((5, 4))
    )
}

struct Writer {
    /// Whether all levels of a subtree are asked about, rather than one level
    under: bool,
    /// Whether a stretch of time is asked about, rather than one moment
    stretch: bool,
    /// Whether the ability is an operation
    operation: bool,
    /// The parameter with the end of a stretch
    end: u8,
}

impl Writer {
    /// As [`join`], with the times of the row over a stretch
    fn join(&self, table: &str, row: &str, columns: &str, on: &str) -> String {
        let times = if self.stretch { ", valid_from, valid_until" } else { "" };
        join(table, row, &format!("{columns}{times}"), on)
    }

    /// A row is known, and valid at the moment or somewhere in the stretch
    fn at(&self, row: &str) -> String {
        if !self.stretch {
            return row_at(row, (4, 3));
        }
        let (end, known) = (self.end, row_known(row, 3));
        format!("{row}.valid_from < ${end} AND {row}.valid_until > $4 AND {known}")
    }

    /// The columns of the time in which all of these are so; nothing at a moment
    fn valid(&self, rows: &[&str]) -> String {
        if !self.stretch {
            return String::new();
        }
        let all = |column: &str| {
            rows.iter().map(|row| format!("{row}.{column}")).collect::<Vec<_>>().join(", ")
        };
        let (from, until) = (all("valid_from"), all("valid_until"));
        format!(", greatest({from}) AS valid_from, least({until}) AS valid_until")
    }

    /// Two rows overlap; nothing at a moment
    fn meet(&self, one: &str, two: &str) -> String {
        if !self.stretch {
            return String::new();
        }
        let after = |one: &str, two: &str| format!("{one}.valid_from < {two}.valid_until");
        format!(" AND {} AND {}", after(one, two), after(two, one))
    }

    /// The stretch that is asked about, as columns for a row without other times
    fn asked(&self) -> String {
        if !self.stretch {
            return String::new();
        }
        let of = |parameter: u8| format!("CAST(${parameter} AS bigint)");
        format!(", {} AS valid_from, {} AS valid_until", of(4), of(self.end))
    }

    /// The levels that are asked about
    fn targets(&self) -> String {
        let level = if self.under { String::new() } else { format!("u.level = {LEVEL} AND ") };
        let (at, meet) = (self.at("u"), self.meet("c", "u"));
        let on = format!("{level}u.ancestor = {LEVEL} AND {at}{meet}");
        self.join("lies_in", "u", "level, kind", &on)
    }

    /// What gives each leaf at its place, by the catalogue and by custom definitions: `granting`
    fn giving(&self) -> String {
        let on = format!("g.level = p.level AND g.held = p.held AND {}", self.at("g"));
        let custom = self.join("custom_gives", "g", "granted", &(on + &self.meet("p", "g")));
        let columns = "p.clause, p.leaf, p.size, p.target, p.level, g.granted";
        format!(
            "granting AS (SELECT {columns}{valid} FROM place p JOIN gives g \
             ON g.catalog = p.catalog AND g.kind = p.kind AND g.held = p.held UNION ALL SELECT {columns}{both} FROM place p {custom})",
            valid = self.valid(&["p"]),
            both = self.valid(&["p", "g"]),
        )
    }

    /// Where each leaf looks, and what gives it there: `granting`
    fn granting(&self) -> String {
        let (at_c, targets, giving) = (self.at("c"), self.targets(), self.giving());
        let (mut asked, mut span, mut with) = (String::new(), "", vec!["c", "u"]);
        if self.stretch {
            asked = format!("asked AS (SELECT 1 AS one{}), ", self.asked());
            span = " CROSS JOIN asked";
            with.push("asked");
        }
        if !self.operation {
            let valid = self.valid(&with);
            return format!(
                "{asked}place AS (SELECT 0 AS clause, 0 AS leaf, 1 AS size, w.id AS held, \
                 c.catalog, u.level AS target, u.level, u.kind{valid} \
                 FROM held w CROSS JOIN catalog c {targets}{span} WHERE w.text = $2 AND {at_c}), \
                 {giving}"
            );
        }
        let sources = format!(
            "FROM catalog c {targets} JOIN requires r ON r.catalog = c.catalog \
             AND r.kind = u.kind \
             AND r.operation = (SELECT id FROM operation WHERE text = $2)"
        );
        let meets = format!("{}{}", self.meet("u", "l"), self.meet("c", "l"));
        let at_l = format!("{}{meets}", self.at("l"));
        let columns = "r.clause, r.leaf, r.size, r.held, c.catalog, u.level AS target";
        with.push("l");
        let valid = self.valid(&with);
        let above = self.join(
            "lies_in",
            "l",
            "ancestor, ancestor_kind",
            &format!("l.level = u.level AND l.ancestor_kind = r.place AND {at_l}"),
        );
        let under = self.join(
            "lies_in",
            "l",
            "level, kind",
            &format!("l.ancestor = u.level AND l.level <> u.level AND l.kind = r.place AND {at_l}"),
        );
        format!(
            "{asked}place AS (SELECT {columns}, l.ancestor AS level, l.ancestor_kind AS kind{valid} \
             {sources} AND NOT r.below {above}{span} \
             WHERE {at_c} UNION ALL SELECT {columns}, l.level, l.kind{valid} \
             {sources} AND r.below {under}{span} WHERE {at_c}), {giving}"
        )
    }

    /// Who has what supports a leaf: `subject`
    fn subjects(&self) -> String {
        let columns = "s.clause, s.leaf, s.size, s.target";
        let (at_h, at_m) = (self.at("h"), self.at("m"));
        let (g_h, s_m) = (self.meet("g", "h"), self.meet("s", "m"));
        let on = format!("h.level = g.level AND h.granted = g.granted AND {at_h}{g_h}");
        let holding = self.join("holding", "h", "principal", &on);
        let on = format!("m.set_id = s.principal AND {at_m}{s_m}");
        let membership = self.join("membership", "m", "member", &on);
        format!(
            "{granting}, support AS (SELECT g.clause, g.leaf, g.size, g.target, h.principal{both} \
             FROM granting g {holding}), \
             subject AS (SELECT s.principal, {columns}{valid} FROM support s \
             UNION ALL SELECT m.member, {columns}{member} FROM support s {membership})",
            granting = self.granting(),
            both = self.valid(&["g", "h"]),
            valid = self.valid(&["s"]),
            member = self.valid(&["s", "m"]),
        )
    }

    /// The principals whose holdings one has: `holder`
    fn holders(&self) -> String {
        let user = "(SELECT id FROM principal WHERE text = $5)";
        format!(
            "holder AS (SELECT id{asked} FROM principal WHERE text = $5 UNION ALL \
             SELECT m.set_id{valid} FROM membership m WHERE m.member = {user} AND {at})",
            asked = self.asked(),
            valid = self.valid(&["m"]),
            at = self.at("m"),
        )
    }

    /// What one principal has: `support`, with whose it is
    fn support_of_one(&self) -> String {
        let meets = [("o", "h"), ("g", "h"), ("g", "o")].map(|(one, two)| self.meet(one, two));
        let holding = self.join(
            "holding",
            "h",
            "principal, level, granted, since, until, entry",
            &format!(
                "h.principal = o.id AND h.level = g.level AND h.granted = g.granted AND {}{}",
                self.at("h"),
                meets.concat()
            ),
        );
        format!(
            "{holders}, {granting}, \
             support AS (SELECT g.clause, g.leaf, g.size, g.target, h.principal, h.level, \
             h.granted, h.since, h.until, h.entry{valid} FROM granting g CROSS JOIN holder o \
             {holding})",
            holders = self.holders(),
            granting = self.granting(),
            valid = self.valid(&["g", "h", "o"]),
        )
    }

    /// The same for a whole subtree: from what is held to the levels where it is asked for
    fn support_in_subtree(&self) -> String {
        let lies_in = |row: &str, columns: &str, on: &str| {
            self.join("lies_in", row, columns, &format!("{on} AND {}", self.at(row)))
        };
        let on = format!("h.principal = o.id AND {}", self.at("h"));
        let held = self.join("holding", "h", "principal, level, granted", &on);
        let columns = "u.level AS target, h.level, h.granted, c.catalog";
        let at_c = self.at("c");
        let place = if self.operation {
            let requires = |ancestor: &str| {
                format!(
                    "JOIN requires r ON r.catalog = c.catalog \
                     AND r.operation = (SELECT id FROM operation WHERE text = $2) \
                     AND r.kind = u.kind AND {ancestor}"
                )
            };
            let of_u = "level, kind, ancestor_kind";
            let of_h = "l.level = h.level AND l.ancestor = h.level";
            let up = "v.level = h.level AND v.ancestor <> h.level";
            let target = "u.level = v.ancestor AND u.ancestor = v.ancestor";
            format!(
                "SELECT r.clause, r.leaf, r.size, r.held, {columns}, u.ancestor_kind AS kind \
                 FROM has h CROSS JOIN catalog c {above} \
                 {at_or_above} WHERE {at_c} \
                 UNION ALL \
                 SELECT r.clause, r.leaf, r.size, r.held, {columns}, l.kind \
                 FROM has h CROSS JOIN catalog c {own} {up} {target} {below} WHERE {at_c}",
                above = lies_in("u", of_u, "u.ancestor = h.level"),
                at_or_above = requires("r.place = u.ancestor_kind AND NOT r.below"),
                own = lies_in("l", "kind", of_h),
                up = lies_in("v", "ancestor", up),
                target = lies_in("u", "level, kind", target),
                below = requires("r.place = l.kind AND r.below"),
            )
        } else {
            let of_h = "u.level = h.level AND u.ancestor = h.level";
            format!(
                "SELECT 0 AS clause, 0 AS leaf, 1 AS size, w.id AS held, {columns}, u.kind \
                 FROM held w CROSS JOIN has h CROSS JOIN catalog c {own} \
                 WHERE w.text = $2 AND {at_c}",
                own = lies_in("u", "level, kind", of_h),
            )
        };
        let on = "g.level = p.level AND g.held = p.held AND g.granted = p.granted";
        let custom =
            self.join("custom_gives", "g", "granted", &format!("{on} AND {}", self.at("g")));
        let inside = format!("i.level = s.target AND i.ancestor = {LEVEL}");
        format!(
            "{holders}, has AS (SELECT h.principal, h.level, h.granted FROM holder o {held}), \
             place AS ({place}), \
             found AS (SELECT p.clause, p.leaf, p.size, p.target FROM place p \
             JOIN gives g ON g.catalog = p.catalog AND g.kind = p.kind \
             AND g.held = p.held AND g.granted = p.granted \
             UNION ALL SELECT p.clause, p.leaf, p.size, p.target FROM place p {custom}), \
             support AS (SELECT s.clause, s.leaf, s.size, s.target FROM found s {inside})",
            holders = self.holders(),
            inside = lies_in("i", "level", &inside),
        )
    }

    fn who(&self) -> String {
        format!(
            "WITH {} SELECT p.text FROM (SELECT DISTINCT x.principal FROM (SELECT principal \
             FROM subject GROUP BY principal, clause, size HAVING count(DISTINCT leaf) = size) x) y \
             JOIN principal p ON p.id = y.principal",
            self.subjects()
        )
    }

    fn anywhere(&self) -> String {
        format!(
            "WITH {}, found AS (SELECT DISTINCT x.principal, x.target FROM (SELECT principal, \
             target FROM subject GROUP BY principal, target, clause, size \
             HAVING count(DISTINCT leaf) = size) x) \
             SELECT p.text, f.levels FROM (SELECT f.principal, string_agg(l.text, ' ') AS levels \
             FROM found f JOIN level l ON l.id = f.target GROUP BY f.principal) f \
             JOIN principal p ON p.id = f.principal",
            self.subjects()
        )
    }

    fn check(&self) -> String {
        format!(
            "WITH {} SELECT DISTINCT p.text, l.text, g.text, s.since, s.until, s.entry \
             FROM support s JOIN principal p ON p.id = s.principal JOIN level l ON l.id = s.level \
             JOIN granted g ON g.id = s.granted WHERE s.clause IN (SELECT clause FROM support \
             GROUP BY clause, size HAVING count(DISTINCT leaf) = size)",
            self.support_of_one()
        )
    }

    fn places(&self) -> String {
        format!(
            "WITH {} SELECT DISTINCT l.text FROM (SELECT target FROM support \
             GROUP BY target, clause, size HAVING count(DISTINCT leaf) = size) x \
             JOIN level l ON l.id = x.target",
            self.support_in_subtree()
        )
    }

    fn timeline(&self) -> String {
        let support = self.support_of_one();
        let swept = swept("support", "0", "");
        format!("WITH {support}, {swept} SELECT min(f), max(u) FROM marked GROUP BY island")
    }

    fn during(&self) -> String {
        let swept = swept("subject", "principal", "s.principal = g.who AND ");
        format!(
            "WITH {}, {swept} SELECT p.text, min(f), max(u) FROM marked \
             JOIN principal p ON p.id = marked.who GROUP BY p.text, island",
            self.subjects()
        )
    }
}

/// The stretches in which a clause has all its leaves, joined: `marked`
fn swept(table: &str, who: &str, same_who: &str) -> String {
    format!(
        "edge AS (SELECT {who} AS who, clause, valid_from AS e FROM {table} \
         UNION SELECT {who}, clause, valid_until FROM {table}), \
         segment AS (SELECT who, clause, e AS f, \
         lead(e) OVER (PARTITION BY who, clause ORDER BY e) AS u FROM edge), \
         satisfied AS (SELECT DISTINCT x.who, x.f, x.u FROM (SELECT g.who, g.f, g.u \
         FROM segment g JOIN {table} s ON {same_who}s.clause = g.clause AND s.valid_from <= g.f \
         AND s.valid_until >= g.u WHERE g.u IS NOT NULL GROUP BY g.who, g.clause, g.f, g.u, s.size \
         HAVING count(DISTINCT s.leaf) = s.size) x), \
         gaps AS (SELECT who, f, u, CASE WHEN f <= max(u) OVER (PARTITION BY who ORDER BY f, u \
         ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) THEN 0 ELSE 1 END AS gap \
         FROM satisfied), \
         marked AS (SELECT who, f, u, sum(gap) OVER (PARTITION BY who ORDER BY f, u \
         ROWS UNBOUNDED PRECEDING) AS island FROM gaps)"
    )
}
