//! How are what is asked for, where it must be held and who holds it joined?
//!
//! The statements are made of the same parts: `place` is where each leaf of each clause looks, `granting`
//! what gives it there, `support` who holds that, `subject` who has it so, members of sets too.

use super::{Dialect, LEVEL, at};

/// What is asked for, a scope by its real name
const HELD: &str = "coalesce((SELECT a.real_held FROM alias a WHERE a.catalog = c.catalog \
                    AND a.held = w.id), w.id)";
/// Which targets are asked about
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Target {
    One,
    Under,
}

/// Whether one moment or a stretch of time is asked about
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Time {
    Moment,
    Stretch,
}

pub(super) struct Writer {
    pub(super) dialect: Dialect,
    pub(super) target: Target,
    pub(super) time: Time,
    pub(super) operation: bool,
    /// The parameter with the end of a stretch
    pub(super) end: u8,
}

impl Writer {
    /// Joins a table by a condition, with the columns that are needed of it
    ///
    /// PostgreSQL estimates ranges and unknown parameters badly, and then reads all that is valid by the
    /// wrong index. A lateral subquery with `OFFSET 0` is an expert's way to have it look each row up by
    /// the right one.
    fn join(&self, table: &str, row: &str, columns: &str, on: &str) -> String {
        if self.dialect == Dialect::Sqlite {
            // To SQLite a cross join says in which order to join.
            return format!("CROSS JOIN {table} {row} ON {on}");
        }
        let valid = match (self.time, self.dialect) {
            _ if table == "known_user" => "",
            (Time::Moment, _) => "",
            (Time::Stretch, Dialect::Ranges) => ", valid",
            (Time::Stretch, _) => ", valid_from, valid_until",
        };
        format!(
            "CROSS JOIN LATERAL (SELECT {columns}{valid} FROM {table} {row} WHERE {on} OFFSET 0) {row}"
        )
    }

    fn known(&self, row: &str) -> String {
        match self.dialect {
            Dialect::Ranges => format!("{row}.known @> $3::int8"),
            _ => format!("{row}.known_from <= $3 AND {row}.known_until > $3"),
        }
    }

    /// The end of the stretch that is asked about
    fn end(&self) -> String {
        match self.dialect {
            Dialect::Ranges => format!("${}::timestamptz", self.end),
            _ => format!("CAST(${} AS bigint)", self.end),
        }
    }

    fn stretch(&self) -> String {
        format!("tstzrange($4::timestamptz, {})", self.end())
    }

    /// A row is known, and valid at the moment or somewhere in the stretch
    fn at(&self, row: &str) -> String {
        match (self.time, self.dialect) {
            (Time::Moment, dialect) => at(dialect, row, (4, 3)),
            (Time::Stretch, Dialect::Ranges) => {
                format!("{row}.valid && {} AND {}", self.stretch(), self.known(row))
            }
            (Time::Stretch, _) => format!(
                "{row}.valid_from < {} AND {row}.valid_until > $4 AND {}",
                self.end(),
                self.known(row)
            ),
        }
    }

    /// The columns of the time in which all of these are so; nothing at a moment
    fn valid(&self, rows: &[&str]) -> String {
        match (self.time, self.dialect) {
            (Time::Moment, _) => String::new(),
            (Time::Stretch, Dialect::Ranges) => {
                let all: Vec<String> = rows.iter().map(|row| format!("{row}.valid")).collect();
                format!(", {} AS valid", all.join(" * "))
            }
            (Time::Stretch, dialect) => {
                let (most, least) =
                    if dialect == Dialect::Sqlite { ("max", "min") } else { ("greatest", "least") };
                let of = |what: &str| {
                    let all: Vec<String> = rows.iter().map(|row| format!("{row}.{what}")).collect();
                    all.join(", ")
                };
                if rows.len() == 1 {
                    return format!(
                        ", {} AS valid_from, {} AS valid_until",
                        of("valid_from"),
                        of("valid_until")
                    );
                }
                format!(
                    ", {most}({}) AS valid_from, {least}({}) AS valid_until",
                    of("valid_from"),
                    of("valid_until")
                )
            }
        }
    }

    /// Two rows overlap; nothing at a moment
    fn meet(&self, one: &str, two: &str) -> String {
        match (self.time, self.dialect) {
            (Time::Moment, _) => String::new(),
            (Time::Stretch, Dialect::Ranges) => format!(" AND {one}.valid && {two}.valid"),
            (Time::Stretch, _) => format!(
                " AND {one}.valid_from < {two}.valid_until AND {two}.valid_from < \
                 {one}.valid_until"
            ),
        }
    }

    /// Clips to the stretch that is asked about, as a column list for a row without other bounds
    fn asked(&self) -> String {
        match (self.time, self.dialect) {
            (Time::Moment, _) => String::new(),
            (Time::Stretch, Dialect::Ranges) => format!(", {} AS valid", self.stretch()),
            (Time::Stretch, _) => {
                format!(", CAST($4 AS bigint) AS valid_from, {} AS valid_until", self.end())
            }
        }
    }

    /// The targets with their catalogue, and what is asked for there
    fn targets(&self) -> String {
        let at_u = self.at("u");
        let c_u = self.meet("c", "u");
        let columns = "level, kind, feature_set, definitions";
        let u = match self.target {
            Target::One => format!("u.level = {LEVEL} AND u.ancestor = {LEVEL} AND {at_u}{c_u}"),
            Target::Under => format!("u.ancestor = {LEVEL} AND {at_u}{c_u}"),
        };
        self.join("lies_in", "u", columns, &u)
    }

    /// What a place gives of what is asked for, by the catalogue and by custom definitions
    fn giving(&self) -> String {
        format!(
            "granting AS (SELECT p.clause, p.leaf, p.size, p.target, p.level, g.granted{valid} \
             FROM place p JOIN gives g ON g.catalog = p.catalog AND g.kind = p.kind \
             AND g.definitions = p.definitions AND g.held = p.held \
             UNION ALL \
             SELECT p.clause, p.leaf, p.size, p.target, p.level, g.granted{both} \
             FROM place p {custom})",
            valid = self.valid(&["p"]),
            both = self.valid(&["p", "g"]),
            custom = self.join(
                "custom_gives",
                "g",
                "granted",
                &format!(
                    "g.level = p.level AND g.held = p.held AND {}{}",
                    self.at("g"),
                    self.meet("p", "g")
                ),
            ),
        )
    }

    /// Where each leaf looks, and what gives it there: `granting`
    fn granting(&self) -> String {
        let mut ctes = Vec::new();
        let (mut span, mut with) = ("", vec!["c", "u"]);
        if self.time == Time::Stretch {
            ctes.push(format!("asked AS (SELECT 1 AS one{})", self.asked()));
            span = " CROSS JOIN asked";
            with.push("asked");
        }
        let (at_c, at_l, targets) = (self.at("c"), self.at("l"), self.targets());
        if self.operation {
            let place = |below: bool| {
                let sources = format!(
                    "FROM catalog c {targets} JOIN requires r ON r.catalog = c.catalog \
                     AND r.kind = u.kind AND r.feature_set = u.feature_set \
                     AND r.operation = (SELECT id FROM operation WHERE text = $2)"
                );
                let meets = format!("{}{}", self.meet("u", "l"), self.meet("c", "l"));
                let columns = "r.clause, r.leaf, r.size, r.held, c.catalog, u.level AS target";
                let valid = self.valid(&[&with[..], &["l"]].concat());
                if below {
                    let l = self.join(
                        "lies_in",
                        "l",
                        "level, kind, definitions",
                        &format!(
                            "l.ancestor = u.level AND l.level <> u.level AND l.kind = r.place \
                             AND {at_l}{meets}"
                        ),
                    );
                    return format!(
                        "SELECT {columns}, l.level, l.kind, l.definitions{valid} {sources} \
                         AND r.below {l}{span} WHERE {at_c}"
                    );
                }
                let l = self.join(
                    "lies_in",
                    "l",
                    "ancestor, ancestor_kind, ancestor_definitions",
                    &format!("l.level = u.level AND l.ancestor_kind = r.place AND {at_l}{meets}"),
                );
                format!(
                    "SELECT {columns}, l.ancestor AS level, l.ancestor_kind AS kind, \
                     l.ancestor_definitions AS definitions{valid} {sources} \
                     AND NOT r.below {l}{span} WHERE {at_c}"
                )
            };
            ctes.push(format!("place AS ({} UNION ALL {})", place(false), place(true)));
        } else {
            ctes.push(format!(
                "place AS (SELECT 0 AS clause, 0 AS leaf, 1 AS size, {HELD} AS held, c.catalog, \
                 u.level AS target, u.level, u.kind, u.definitions{valid} \
                 FROM held w CROSS JOIN catalog c {targets}{span} WHERE w.text = $2 AND {at_c})",
                valid = self.valid(&with),
            ));
        }
        ctes.push(self.giving());
        ctes.join(", ")
    }

    /// Who has what supports a leaf: `subject`
    fn subjects(&self) -> String {
        let columns = "s.clause, s.leaf, s.size, s.target";
        format!(
            "{granting}, support AS (SELECT g.clause, g.leaf, g.size, g.target, h.principal{both} \
             FROM granting g {holding}), \
             subject AS (SELECT s.principal, {columns}{valid} FROM support s \
             UNION ALL SELECT m.member, {columns}{s_m} FROM support s {membership} \
             UNION ALL SELECT k.principal, {columns}{valid} FROM support s {known})",
            granting = self.granting(),
            both = self.valid(&["g", "h"]),
            holding = self.join(
                "holding",
                "h",
                "principal",
                &format!(
                    "h.level = g.level AND h.granted = g.granted AND {}{}",
                    self.at("h"),
                    self.meet("g", "h")
                ),
            ),
            valid = self.valid(&["s"]),
            s_m = self.valid(&["s", "m"]),
            membership = self.join(
                "membership",
                "m",
                "member",
                &format!("m.set_id = s.principal AND {}{}", self.at("m"), self.meet("s", "m")),
            ),
            known = self.join(
                "known_user",
                "k",
                "principal",
                &format!("k.everyone = s.principal AND {}", self.known("k")),
            ),
        )
    }

    /// The principals whose holdings one has: `holder`
    fn holders(&self) -> String {
        let user = "(SELECT id FROM principal WHERE text = $5)";
        format!(
            "holder AS (SELECT id{asked} FROM principal WHERE text = $5 \
             UNION ALL SELECT m.set_id{valid_m} FROM membership m WHERE m.member = {user} \
             AND {at_m} \
             UNION ALL SELECT id{asked} FROM principal WHERE text = $6)",
            asked = self.asked(),
            valid_m = self.valid(&["m"]),
            at_m = self.at("m"),
        )
    }

    /// What one principal has: `support`, with whose it is
    fn support_of_one(&self) -> String {
        format!(
            "{holders}, {granting}, \
             support AS (SELECT g.clause, g.leaf, g.size, g.target, h.principal, h.level, \
             h.granted, h.since, h.until, h.entry{valid} FROM granting g CROSS JOIN holder o \
             {holding})",
            holders = self.holders(),
            granting = self.granting(),
            valid = self.valid(&["g", "h", "o"]),
            holding = self.join(
                "holding",
                "h",
                "principal, level, granted, since, until, entry",
                &format!(
                    "h.principal = o.id AND h.level = g.level AND h.granted = g.granted \
                     AND {}{}{}{}",
                    self.at("h"),
                    self.meet("o", "h"),
                    self.meet("g", "h"),
                    self.meet("g", "o")
                ),
            ),
        )
    }

    /// The same for a whole subtree: from what is held to the levels where it is asked for
    fn support_in_subtree(&self) -> String {
        let at = |row| self.at(row);
        let held = self.join(
            "holding",
            "h",
            "principal, level, granted",
            &format!("h.principal = o.id AND {}", at("h")),
        );
        let columns = "u.level AS target, h.level, h.granted, c.catalog";
        let place = if self.operation {
            let requires = |ancestor: &str| {
                format!(
                    "JOIN requires r ON r.catalog = c.catalog \
                     AND r.operation = (SELECT id FROM operation WHERE text = $2) \
                     AND r.kind = u.kind AND r.feature_set = u.feature_set AND {ancestor}"
                )
            };
            let of_u = "level, kind, feature_set, ancestor_kind, ancestor_definitions";
            let above =
                self.join("lies_in", "u", of_u, &format!("u.ancestor = h.level AND {}", at("u")));
            let own = self.join(
                "lies_in",
                "l",
                "kind, definitions",
                &format!("l.level = h.level AND l.ancestor = h.level AND {}", at("l")),
            );
            let up = self.join(
                "lies_in",
                "v",
                "ancestor",
                &format!("v.level = h.level AND v.ancestor <> h.level AND {}", at("v")),
            );
            let target = self.join(
                "lies_in",
                "u",
                "level, kind, feature_set",
                &format!("u.level = v.ancestor AND u.ancestor = v.ancestor AND {}", at("u")),
            );
            format!(
                "SELECT r.clause, r.leaf, r.size, r.held, {columns}, u.ancestor_kind AS kind, \
                 u.ancestor_definitions AS definitions FROM has h CROSS JOIN catalog c {above} \
                 {at_or_above} WHERE {at_c} \
                 UNION ALL \
                 SELECT r.clause, r.leaf, r.size, r.held, {columns}, l.kind, l.definitions \
                 FROM has h CROSS JOIN catalog c {own} {up} {target} {below} WHERE {at_c}",
                at_or_above = requires("r.place = u.ancestor_kind AND NOT r.below"),
                below = requires("r.place = l.kind AND r.below"),
                at_c = at("c"),
            )
        } else {
            let own = self.join(
                "lies_in",
                "u",
                "level, kind, definitions",
                &format!("u.level = h.level AND u.ancestor = h.level AND {}", at("u")),
            );
            format!(
                "SELECT 0 AS clause, 0 AS leaf, 1 AS size, {HELD} AS held, {columns}, u.kind, \
                 u.definitions FROM held w CROSS JOIN has h CROSS JOIN catalog c {own} \
                 WHERE w.text = $2 AND {at_c}",
                at_c = at("c"),
            )
        };
        let custom = self.join(
            "custom_gives",
            "g",
            "granted",
            &format!(
                "g.level = p.level AND g.held = p.held AND g.granted = p.granted AND {}",
                at("g")
            ),
        );
        let inside = self.join(
            "lies_in",
            "i",
            "level",
            &format!("i.level = s.target AND i.ancestor = {LEVEL} AND {}", at("i")),
        );
        format!(
            "{holders}, has AS (SELECT h.principal, h.level, h.granted FROM holder o {held}), \
             place AS ({place}), \
             found AS (SELECT p.clause, p.leaf, p.size, p.target FROM place p \
             JOIN gives g ON g.catalog = p.catalog AND g.kind = p.kind \
             AND g.definitions = p.definitions AND g.held = p.held AND g.granted = p.granted \
             UNION ALL SELECT p.clause, p.leaf, p.size, p.target FROM place p {custom}), \
             support AS (SELECT s.clause, s.leaf, s.size, s.target FROM found s {inside})",
            holders = self.holders(),
        )
    }

    pub(super) fn who(&self) -> String {
        format!(
            "WITH {} SELECT p.text FROM (SELECT DISTINCT x.principal FROM (SELECT principal \
             FROM subject GROUP BY principal, clause, size HAVING count(DISTINCT leaf) = size) x) y \
             JOIN principal p ON p.id = y.principal",
            self.subjects()
        )
    }

    pub(super) fn under(&self) -> String {
        format!(
            "WITH {}, found AS (SELECT DISTINCT x.principal, x.target FROM (SELECT principal, \
             target FROM subject GROUP BY principal, target, clause, size \
             HAVING count(DISTINCT leaf) = size) x) \
             SELECT p.text, f.levels FROM (SELECT f.principal, {} AS levels FROM found f \
             JOIN level l ON l.id = f.target GROUP BY f.principal) f \
             JOIN principal p ON p.id = f.principal",
            self.subjects(),
            if self.dialect == Dialect::Sqlite {
                "group_concat(l.text, ' ')"
            } else {
                "string_agg(l.text, ' ')"
            }
        )
    }

    pub(super) fn check(&self) -> String {
        format!(
            "WITH {} SELECT DISTINCT p.text, l.text, g.text, s.since, s.until, s.entry \
             FROM support s JOIN principal p ON p.id = s.principal JOIN level l ON l.id = s.level \
             JOIN granted g ON g.id = s.granted WHERE s.clause IN (SELECT clause FROM support \
             GROUP BY clause, size HAVING count(DISTINCT leaf) = size)",
            self.support_of_one()
        )
    }

    pub(super) fn places(&self) -> String {
        format!(
            "WITH {} SELECT DISTINCT l.text FROM (SELECT target FROM support \
             GROUP BY target, clause, size HAVING count(DISTINCT leaf) = size) x \
             JOIN level l ON l.id = x.target",
            self.support_in_subtree()
        )
    }

    pub(super) fn timeline(&self) -> String {
        let support = self.support_of_one();
        if self.dialect == Dialect::Ranges {
            return format!(
                "WITH {support}, leaves AS (SELECT clause, leaf, size, range_agg(valid) AS valid \
                 FROM support GROUP BY clause, leaf, size), \
                 clauses AS (SELECT range_intersect_agg(valid) AS valid FROM leaves \
                 GROUP BY clause, size HAVING count(*) = size) \
                 SELECT lower(i), upper(i) FROM unnest((SELECT range_agg(valid) FROM clauses)) i"
            );
        }
        format!("WITH {support}, {} SELECT min(f), max(u) FROM marked GROUP BY island", swept("0"))
    }

    pub(super) fn during(&self) -> String {
        let subjects = self.subjects();
        if self.dialect == Dialect::Ranges {
            return format!(
                "WITH {subjects}, leaves AS (SELECT principal, clause, leaf, size, \
                 range_agg(valid) AS valid FROM subject GROUP BY principal, clause, leaf, size), \
                 clauses AS (SELECT principal, range_intersect_agg(valid) AS valid FROM leaves \
                 GROUP BY principal, clause, size HAVING count(*) = size), \
                 found AS (SELECT principal, range_agg(valid) AS valid FROM clauses \
                 GROUP BY principal) \
                 SELECT p.text, lower(i), upper(i) FROM found f, unnest(f.valid) i, principal p \
                 WHERE p.id = f.principal"
            );
        }
        let swept = swept("principal").replace("FROM support", "FROM subject");
        let swept = swept.replace("JOIN support", "JOIN subject");
        format!(
            "WITH {subjects}, {swept} SELECT p.text, min(f), max(u) FROM marked \
             JOIN principal p ON p.id = marked.who GROUP BY p.text, island"
        )
    }
}

/// The stretches in which a clause has all its leaves, joined: `marked`
fn swept(who: &str) -> String {
    format!(
        "edge AS (SELECT {who} AS who, clause, valid_from AS e FROM support \
         UNION SELECT {who}, clause, valid_until FROM support), \
         segment AS (SELECT who, clause, e AS f, \
         lead(e) OVER (PARTITION BY who, clause ORDER BY e) AS u FROM edge), \
         satisfied AS (SELECT DISTINCT x.who, x.f, x.u FROM (SELECT g.who, g.f, g.u \
         FROM segment g JOIN support s ON {who_is} s.clause = g.clause AND s.valid_from <= g.f \
         AND s.valid_until >= g.u WHERE g.u IS NOT NULL GROUP BY g.who, g.clause, g.f, g.u, s.size \
         HAVING count(DISTINCT s.leaf) = s.size) x), \
         gaps AS (SELECT who, f, u, CASE WHEN f <= max(u) OVER (PARTITION BY who ORDER BY f, u \
         ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) THEN 0 ELSE 1 END AS gap \
         FROM satisfied), \
         marked AS (SELECT who, f, u, sum(gap) OVER (PARTITION BY who ORDER BY f, u \
         ROWS UNBOUNDED PRECEDING) AS island FROM gaps)",
        who_is = if who == "0" { "" } else { "s.principal = g.who AND" },
    )
}
