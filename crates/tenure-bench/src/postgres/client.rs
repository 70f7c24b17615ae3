//! How do the tables get into PostgreSQL, and how is it asked?
//!
//! Tables are loaded by COPY, unlogged; then come indexes, VACUUM and ANALYZE. Each question is a statement that is
//! prepared once.

use std::time::Instant;

use anyhow::Context as _;
use bytes::Bytes;
use futures::SinkExt as _;
use rustc_hash::FxHashMap;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client as Connection, Row};

use super::rows::{Rows, Value};
use super::server::Server;
use super::tables::{Columns, Tables};

/// Bytes that are sent at once
const CHUNK_BYTES: usize = 1 << 20;
const INDEXES: [&str; 16] = [
    "CREATE UNIQUE INDEX ON level (text) INCLUDE (id)",
    "CREATE UNIQUE INDEX ON level (id) INCLUDE (text)",
    "CREATE UNIQUE INDEX ON principal (text) INCLUDE (id)",
    "CREATE UNIQUE INDEX ON principal (id) INCLUDE (text)",
    "CREATE UNIQUE INDEX ON operation (text)",
    "CREATE UNIQUE INDEX ON held (text)",
    "CREATE UNIQUE INDEX ON granted (id)",
    "CREATE INDEX ON requires (operation, catalog, kind)",
    "CREATE INDEX ON gives (held, catalog, kind) INCLUDE (granted)",
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
];

/// Loads a history; gives how many rows each table has
pub(super) async fn load(
    server: &Server,
    tables: &Tables,
) -> anyhow::Result<Vec<(&'static str, u64)>> {
    let client = server.connect().await?;
    let rows = vec![
        ("level", copy(&client, "level", tables.names.levels.rows()).await?),
        ("principal", copy(&client, "principal", tables.names.principals.rows()).await?),
        ("operation", copy(&client, "operation", tables.names.operations.rows()).await?),
        ("held", copy(&client, "held", tables.names.held.rows()).await?),
        ("granted", copy(&client, "granted", tables.names.granted.rows()).await?),
        ("catalog", copy(&client, "catalog", tables.catalogs.rows()).await?),
        ("requires", copy(&client, "requires", tables.requires.iter().copied()).await?),
        ("gives", copy(&client, "gives", tables.gives.iter().copied()).await?),
        ("lies_in", copy(&client, "lies_in", tables.lies_in.rows()).await?),
        ("custom_gives", copy(&client, "custom_gives", tables.custom_gives.rows()).await?),
        ("holding", copy(&client, "holding", tables.holdings.rows()).await?),
        ("membership", copy(&client, "membership", tables.memberships.rows()).await?),
    ];
    for index in INDEXES {
        client.batch_execute(index).await.context(index)?;
    }
    client.batch_execute("VACUUM ANALYZE").await?;
    Ok(rows)
}

async fn copy<R: Columns>(
    client: &Connection,
    table: &'static str,
    rows: impl Iterator<Item = R>,
) -> anyhow::Result<u64> {
    let columns = R::columns().into_iter().map(|(name, of)| format!("{name} {of} NOT NULL"));
    let columns = columns.collect::<Vec<_>>().join(", ");
    client.batch_execute(&format!("CREATE UNLOGGED TABLE {table} ({columns})")).await?;
    let sink = client.copy_in(&format!("COPY {table} FROM STDIN")).await?;
    let mut sink = std::pin::pin!(sink);
    let mut text = String::with_capacity(CHUNK_BYTES + 1_024);
    for row in rows {
        row.put(&mut text);
        // The last value has a tab behind it.
        text.pop();
        text.push('\n');
        if text.len() >= CHUNK_BYTES {
            sink.as_mut().send(Bytes::from(std::mem::take(&mut text))).await?;
        }
    }
    sink.as_mut().send(Bytes::from(text)).await?;
    sink.as_mut().finish().await.context(table)
}

/// A connection that asks
pub(super) struct Client {
    connection: Connection,
    prepared: FxHashMap<String, tokio_postgres::Statement>,
}

/// A question as it is put to PostgreSQL: a statement and its parameters
pub(super) type Asked = (String, Vec<Value>);

impl Client {
    pub(super) async fn open(server: &Server) -> anyhow::Result<Self> {
        let connection = server.connect().await?;
        Ok(Self { connection, prepared: FxHashMap::default() })
    }

    /// Asks, until all rows are values here
    pub(super) async fn ask(&mut self, (statement, parameters): &Asked) -> anyhow::Result<Rows> {
        if !self.prepared.contains_key(statement) {
            let prepared = self.connection.prepare(statement).await;
            let prepared = prepared.with_context(|| statement.clone())?;
            self.prepared.insert(statement.clone(), prepared);
        }
        let prepared = self.prepared.get(statement).context("it was not prepared")?;
        let parameters: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(sql).collect();
        let rows = self.connection.query(prepared, &parameters).await?;
        rows.iter().map(values).collect()
    }

    /// The shortest of some executions within the server, in seconds: without parsing, planning and the way to
    /// the client
    pub(super) async fn execution(&mut self, asked: &Asked, runs: usize) -> anyhow::Result<f64> {
        self.connection.query_one("SELECT pg_stat_statements_reset()", &[]).await?;
        let mut shortest = f64::INFINITY;
        for _ in 0..runs {
            let began = Instant::now();
            self.ask(asked).await?;
            shortest = shortest.min(began.elapsed().as_secs_f64());
        }
        // The longest statement since the reset is the question: else there was only the reset.
        let longest = "SELECT min_exec_time FROM pg_stat_statements WHERE calls = $1 \
                       AND query NOT LIKE '%pg_stat_statements%' \
                       ORDER BY total_exec_time DESC LIMIT 1";
        let row = self.connection.query_opt(longest, &[&i64::try_from(runs)?]).await?;
        let milliseconds: f64 = row.context("the statement left no statistics")?.try_get(0)?;
        // Never more than the client saw.
        Ok(shortest.min(milliseconds / 1_000.0))
    }
}

fn sql(value: &Value) -> &(dyn ToSql + Sync) {
    match value {
        Value::Text(text) => text,
        Value::Number(number) => number,
        Value::Nothing => &None::<i64>,
    }
}

fn values(row: &Row) -> anyhow::Result<Vec<Value>> {
    let values = row.columns().iter().enumerate().map(|(n, column)| {
        if *column.type_() == Type::INT8 {
            let number: Option<i64> = row.try_get(n)?;
            return Ok(number.map_or(Value::Nothing, Value::Number));
        }
        Ok(Value::Text(row.try_get(n)?))
    });
    values.collect()
}
