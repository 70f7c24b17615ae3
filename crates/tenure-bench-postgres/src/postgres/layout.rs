//! How are the tables laid out, and which indexes do they have?
//!
//! Several ways that an expert would try. All are loaded and asked, and the fastest for each class of
//! questions is what the ledger is compared with.

use crate::sql::Dialect;

/// One way to lay the tables out
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// Its schema
    pub(crate) name: &'static str,
    pub(crate) dialect: Dialect,
    pub(crate) indexes: &'static [&'static str],
}

/// What every layout has
pub(super) const SMALL_INDEXES: &[&str] = &[
    "CREATE UNIQUE INDEX ON level (text) INCLUDE (id)",
    "CREATE UNIQUE INDEX ON level (id) INCLUDE (text)",
    "CREATE UNIQUE INDEX ON principal (text) INCLUDE (id)",
    "CREATE UNIQUE INDEX ON principal (id) INCLUDE (text)",
    "CREATE UNIQUE INDEX ON operation (text)",
    "CREATE UNIQUE INDEX ON held (text)",
    "CREATE UNIQUE INDEX ON granted (id)",
    "CREATE INDEX ON requires (operation, catalog, kind, feature_set)",
    "CREATE INDEX ON gives (held, catalog, kind, definitions) INCLUDE (granted)",
    "CREATE INDEX ON alias (held, catalog)",
    "CREATE INDEX ON known_user (everyone)",
];

/// Every layout
pub(crate) const LAYOUTS: [Layout; 3] = [
    Layout {
        name: "gist",
        dialect: Dialect::Ranges,
        indexes: &[
            "CREATE INDEX ON holding USING gist (level, granted, valid, known)",
            "CREATE INDEX ON holding (principal, level, granted)",
            "CREATE INDEX ON membership USING gist (set_id, valid, known)",
            // One GiST index a table: of two the planner takes the wrong one, by its times alone.
            "CREATE INDEX ON membership (member)",
            "CREATE INDEX ON custom_gives USING gist (level, held, valid, known)",
            "CREATE INDEX ON lies_in (level, ancestor)",
            "CREATE INDEX ON lies_in (ancestor, kind)",
        ],
    },
    Layout {
        name: "btree",
        dialect: Dialect::Ranges,
        indexes: &[
            "CREATE INDEX ON holding (level, granted) INCLUDE (valid, known, principal)",
            "CREATE INDEX ON holding (principal, level, granted)",
            "CREATE INDEX ON membership (set_id) INCLUDE (valid, known, member)",
            "CREATE INDEX ON membership (member) INCLUDE (valid, known, set_id)",
            "CREATE INDEX ON custom_gives (level, held) INCLUDE (valid, known, granted)",
            "CREATE INDEX ON lies_in (level, ancestor)",
            "CREATE INDEX ON lies_in (ancestor, kind)",
        ],
    },
    Layout {
        name: "bounds",
        dialect: Dialect::Bounds,
        indexes: &[
            "CREATE INDEX ON holding (level, granted, valid_until, known_until) \
             INCLUDE (valid_from, known_from, principal)",
            "CREATE INDEX ON holding (principal, level, granted)",
            "CREATE INDEX ON membership (set_id, valid_until, known_until) \
             INCLUDE (valid_from, known_from, member)",
            "CREATE INDEX ON membership (member, valid_until, known_until) \
             INCLUDE (valid_from, known_from, set_id)",
            "CREATE INDEX ON custom_gives (level, held) \
             INCLUDE (valid_from, valid_until, known_from, known_until, granted)",
            "CREATE INDEX ON lies_in (level, ancestor)",
            "CREATE INDEX ON lies_in (ancestor, kind)",
        ],
    },
];
