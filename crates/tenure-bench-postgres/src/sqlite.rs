//! What does SQLite answer?
//!
//! In memory, the same tables with plain bounds, a B-tree index for each way in, ANALYZE.

use anyhow::Context;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};
use rustc_hash::FxHashMap;

use crate::question::{Answer, Held, Parameter, Question, Stretch};
use crate::rows::{self, Cell, Column};
use crate::sql::{Dialect, Statement};
use crate::tables::Tables;

/// Indexes, one for each way in
const INDEXES: &[&str] = &[
    "CREATE INDEX holding_at ON holding (level, granted, valid_until, known_until, valid_from, \
     known_from, principal)",
    "CREATE INDEX holding_of ON holding (principal, level, granted)",
    "CREATE INDEX lies_in_level ON lies_in (level, ancestor)",
    "CREATE INDEX lies_in_ancestor ON lies_in (ancestor, level)",
    "CREATE INDEX custom_gives_level ON custom_gives (level, held)",
    "CREATE INDEX membership_set ON membership (set_id, valid_until, known_until)",
    "CREATE INDEX membership_member ON membership (member, valid_until, known_until)",
    "CREATE INDEX known_user_everyone ON known_user (everyone)",
    "CREATE INDEX requires_operation ON requires (operation, catalog, kind, feature_set)",
    "CREATE INDEX gives_held ON gives (held, catalog, kind, definitions)",
    "CREATE UNIQUE INDEX level_text ON level (text)",
    "CREATE UNIQUE INDEX principal_text ON principal (text)",
    "CREATE UNIQUE INDEX operation_text ON operation (text)",
    "CREATE UNIQUE INDEX held_text ON held (text)",
    "CREATE INDEX alias_held ON alias (held, catalog)",
    "ANALYZE",
];

/// The history in SQLite
#[derive(Debug)]
pub(crate) struct Sqlite {
    connection: Connection,
    texts: FxHashMap<Statement, String>,
}

impl Sqlite {
    /// Loads a history
    ///
    /// # Errors
    /// Whatever SQLite says.
    pub(crate) fn load(tables: &Tables) -> anyhow::Result<Self> {
        let mut connection = Connection::open_in_memory()?;
        connection.set_prepared_statement_cache_capacity(64);
        for table in rows::TABLES {
            let columns: Vec<&str> = table.columns.iter().flat_map(Column::bounds).collect();
            connection.execute_batch(&format!(
                "CREATE TABLE {} ({})",
                table.name,
                columns.join(", ")
            ))?;
            let transaction = connection.transaction()?;
            {
                let marks = vec!["?"; columns.len()].join(", ");
                let mut insert =
                    transaction.prepare(&format!("INSERT INTO {} VALUES ({marks})", table.name))?;
                (table.rows)(tables, &mut |cells| {
                    let values = cells.iter().flat_map(value);
                    insert.execute(params_from_iter(values)).map(drop).map_err(Into::into)
                })?;
            }
            transaction.commit()?;
        }
        for index in INDEXES {
            connection.execute_batch(index).with_context(|| (*index).to_owned())?;
        }
        Ok(Self { connection, texts: FxHashMap::default() })
    }

    /// Answers a question
    ///
    /// # Errors
    /// Whatever SQLite says.
    pub(crate) fn ask(&mut self, question: &Question) -> anyhow::Result<Answer> {
        let (statement, parameters) = question.statement();
        let text = self.texts.entry(statement).or_insert_with(|| statement.text(Dialect::Sqlite));
        let mut prepared = self.connection.prepare_cached(text).with_context(|| text.clone())?;
        let parameters = parameters.into_iter().map(|parameter| match parameter {
            Parameter::Text(text) => Value::Text(text),
            Parameter::Time(t) => Value::Integer(t),
            Parameter::End(end) => Value::Integer(end.unwrap_or(i64::MAX)),
            Parameter::Position(s) => Value::Integer(i64::try_from(s).unwrap_or(i64::MAX)),
        });
        let mut rows = prepared.query(params_from_iter(parameters))?;
        let mut answer = question.nothing();
        while let Some(row) = rows.next()? {
            take(&mut answer, row)?;
        }
        Ok(answer)
    }
}

fn take(answer: &mut Answer, row: &Row<'_>) -> anyhow::Result<()> {
    match answer {
        Answer::Names(names) => names.push(row.get(0)?),
        Answer::Places(places) => {
            let levels: String = row.get(1)?;
            places.push((row.get(0)?, levels.split(' ').map(str::to_owned).collect()));
        }
        Answer::Stretches(stretches) => stretches.push(stretch(row, 0)?),
        Answer::During(_) => answer.add_stretch(row.get(0)?, stretch(row, 1)?),
        Answer::Holdings(holdings) => {
            holdings.push(Held {
                holder: row.get(0)?,
                level: row.get(1)?,
                granted: row.get(2)?,
                since: row.get(3)?,
                until: row.get(4)?,
                entry: u64::try_from(row.get::<_, i64>(5)?)?,
            });
        }
        Answer::Changes(changes) => {
            let side = |from: usize| -> anyhow::Result<Option<Held>> {
                let Some(since) = row.get::<_, Option<i64>>(from)? else { return Ok(None) };
                Ok(Some(Held {
                    holder: row.get(0)?,
                    level: row.get(1)?,
                    granted: row.get(2)?,
                    since,
                    until: row.get(from + 1)?,
                    entry: u64::try_from(row.get::<_, i64>(from + 2)?)?,
                }))
            };
            changes.push((side(3)?, side(6)?));
        }
    }
    Ok(())
}

fn stretch(row: &Row<'_>, from: usize) -> anyhow::Result<Stretch> {
    Ok((row.get(from)?, row.get(from + 1)?))
}

fn value(cell: &Cell<'_>) -> Vec<Value> {
    match cell {
        Cell::Number(number) => vec![Value::Integer(i64::from(*number))],
        Cell::Big(number) => vec![Value::Integer(*number)],
        Cell::Truth(truth) => vec![Value::Integer(i64::from(*truth))],
        Cell::Text(text) => vec![Value::Text(text.clone().into_owned())],
        Cell::Valid(span) => vec![Value::Integer(span.from()), Value::Integer(span.until())],
        Cell::Known(from, until) => [*from, *until]
            .map(|position| Value::Integer(i64::try_from(position).unwrap_or(i64::MAX)))
            .to_vec(),
    }
}
