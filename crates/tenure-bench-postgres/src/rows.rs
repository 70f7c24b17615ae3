//! Which tables are there, and which rows do they have?

use std::borrow::Cow;

use tenure_core::{Principal, PrincipalKind};

use crate::names::Grantable;
use crate::span::Span;
use crate::tables::{Bitemporal, Tables};

/// A column; the two times are one column over ranges, and two over bounds
#[derive(Clone, Copy, Debug)]
pub(crate) enum Column {
    Number(&'static str),
    Big(&'static str),
    Truth(&'static str),
    Text(&'static str),
    Valid,
    Known,
}

/// A value of a column
#[derive(Clone, Debug)]
pub(crate) enum Cell<'a> {
    Number(u32),
    Big(i64),
    Truth(bool),
    Text(Cow<'a, str>),
    Valid(Span),
    Known(u64, u64),
}

type Rows = fn(&Tables, &mut dyn FnMut(&[Cell<'_>]) -> anyhow::Result<()>) -> anyhow::Result<()>;

/// A table and how its rows are made
#[derive(Clone, Copy)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [Column],
    pub(crate) rows: Rows,
}

impl Column {
    /// Its definitions with plain bounds
    pub(crate) fn bounds(&self) -> Vec<&'static str> {
        match self {
            Self::Valid => vec!["valid_from", "valid_until"],
            Self::Known => vec!["known_from", "known_until"],
            Self::Number(name) | Self::Big(name) | Self::Truth(name) | Self::Text(name) => {
                vec![name]
            }
        }
    }
}

use Cell as C;
use Column::{Big, Known, Number, Text, Truth, Valid};

fn times<V>(row: &Bitemporal<V>) -> [Cell<'static>; 2] {
    [C::Valid(row.valid), C::Known(row.known_from, row.known_until)]
}

/// Every table
pub(crate) const TABLES: &[Table] = &[
    Table {
        name: "level",
        columns: &[Number("id"), Text("text")],
        rows: |tables, put| {
            let mut all = tables.names.levels.all();
            all.try_for_each(|(id, level)| put(&[C::Number(id), C::Text(level.as_str().into())]))
        },
    },
    Table {
        name: "principal",
        columns: &[Number("id"), Text("text")],
        rows: |tables, put| {
            let mut all = tables.names.principals.all();
            all.try_for_each(|(id, p)| put(&[C::Number(id), C::Text(p.as_str().into())]))
        },
    },
    Table {
        name: "operation",
        columns: &[Number("id"), Text("text")],
        rows: |tables, put| {
            let mut operations: Vec<u32> = tables.requires.iter().map(|r| r.operation).collect();
            operations.sort_unstable();
            operations.dedup();
            operations.into_iter().try_for_each(|id| {
                let text = Cow::Borrowed(&**tables.names.texts.item(id));
                put(&[C::Number(id), C::Text(text)])
            })
        },
    },
    Table {
        name: "held",
        columns: &[Number("id"), Text("text")],
        rows: |tables, put| {
            let mut all = tables.names.held.all();
            all.try_for_each(|(id, held)| {
                put(&[C::Number(id), C::Text(tables.names.held_text(held).into())])
            })
        },
    },
    Table {
        name: "granted",
        columns: &[Number("id"), Number("what"), Text("text")],
        rows: |tables, put| {
            let mut same: std::collections::BTreeMap<Grantable, u32> = Default::default();
            tables.names.granted.all().try_for_each(|(id, granted)| {
                let what = *same.entry(granted.what).or_insert(id);
                let text = tables.names.granted_text(granted);
                put(&[C::Number(id), C::Number(what), C::Text(text.into())])
            })
        },
    },
    Table {
        name: "catalog",
        columns: &[Number("catalog"), Valid, Known],
        rows: |tables, put| {
            tables.catalogs.iter().try_for_each(|row| {
                let [valid, known] = times(row);
                put(&[C::Number(row.value), valid, known])
            })
        },
    },
    Table {
        name: "requires",
        columns: &[
            Number("catalog"),
            Number("kind"),
            Number("feature_set"),
            Number("operation"),
            Number("clause"),
            Number("leaf"),
            Number("size"),
            Number("held"),
            Truth("below"),
            Number("place"),
        ],
        rows: |tables, put| {
            tables.requires.iter().try_for_each(|r| {
                put(&[
                    C::Number(r.catalog),
                    C::Number(r.kind),
                    C::Number(r.set),
                    C::Number(r.operation),
                    C::Number(r.clause),
                    C::Number(r.leaf),
                    C::Number(r.size),
                    C::Number(r.held),
                    C::Truth(r.below),
                    C::Number(r.place),
                ])
            })
        },
    },
    Table {
        name: "gives",
        columns: &[
            Number("catalog"),
            Number("kind"),
            Number("definitions"),
            Number("held"),
            Number("granted"),
        ],
        rows: |tables, put| {
            tables.gives.iter().try_for_each(|g| {
                put(&[
                    C::Number(g.catalog),
                    C::Number(g.kind),
                    C::Number(g.definitions),
                    C::Number(g.held),
                    C::Number(g.granted),
                ])
            })
        },
    },
    Table {
        name: "alias",
        columns: &[Number("catalog"), Number("held"), Number("real_held")],
        rows: |tables, put| {
            tables.aliases.iter().try_for_each(|alias| {
                put(&[C::Number(alias.catalog), C::Number(alias.held), C::Number(alias.real)])
            })
        },
    },
    Table {
        name: "lies_in",
        columns: &[
            Number("level"),
            Number("kind"),
            Number("feature_set"),
            Number("definitions"),
            Number("ancestor"),
            Number("ancestor_kind"),
            Number("ancestor_definitions"),
            Valid,
            Known,
        ],
        rows: |tables, put| {
            tables.lies_in.iter().try_for_each(|row| {
                let [valid, known] = times(row);
                let row = &row.value;
                put(&[
                    C::Number(row.level),
                    C::Number(row.kind),
                    C::Number(row.set),
                    C::Number(row.definitions),
                    C::Number(row.ancestor),
                    C::Number(row.ancestor_kind),
                    C::Number(row.ancestor_definitions),
                    valid,
                    known,
                ])
            })
        },
    },
    Table {
        name: "custom_gives",
        columns: &[Number("level"), Number("held"), Number("granted"), Valid, Known],
        rows: |tables, put| {
            tables.custom_gives.iter().try_for_each(|row| {
                let [valid, known] = times(row);
                let row = &row.value;
                put(&[
                    C::Number(row.level),
                    C::Number(row.held),
                    C::Number(row.granted),
                    valid,
                    known,
                ])
            })
        },
    },
    Table {
        name: "holding",
        columns: &[
            Number("level"),
            Number("granted"),
            Number("principal"),
            Big("since"),
            Big("until"),
            Big("entry"),
            Valid,
            Known,
        ],
        rows: |tables, put| {
            tables.holdings.iter().try_for_each(|row| {
                let [valid, known] = times(row);
                let row = &row.value;
                put(&[
                    C::Number(row.level),
                    C::Number(row.granted),
                    C::Number(row.principal),
                    C::Big(row.since),
                    C::Big(row.until),
                    C::Big(i64::try_from(row.entry)?),
                    valid,
                    known,
                ])
            })
        },
    },
    Table {
        name: "membership",
        columns: &[Number("set_id"), Number("member"), Valid, Known],
        rows: |tables, put| {
            tables.memberships.iter().try_for_each(|row| {
                let [valid, known] = times(row);
                put(&[C::Number(row.value.set), C::Number(row.value.member), valid, known])
            })
        },
    },
    Table {
        name: "known_user",
        columns: &[Number("principal"), Number("everyone"), Known],
        rows: |tables, put| {
            let principals = &tables.names.principals;
            tables.known_users.iter().try_for_each(|row| {
                let user = principals.item(row.value);
                let [_, known] = times(row);
                debug_assert_eq!(user.kind(), PrincipalKind::User);
                match principals.get(&Principal::everyone(user.origin())) {
                    Some(everyone) => put(&[C::Number(row.value), C::Number(everyone), known]),
                    None => Ok(()),
                }
            })
        },
    },
];
