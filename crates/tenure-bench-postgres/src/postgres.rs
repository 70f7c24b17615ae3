//! What does PostgreSQL answer, and how long does it take?

mod layout;
mod load;
mod server;

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use bytes::{BufMut, BytesMut};
use rustc_hash::FxHashMap;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, NoTls, Row};

use crate::question::{Answer, Held, Parameter, Question, Stretch};
use crate::sql::{Dialect, Statement};

pub(crate) use layout::{LAYOUTS, Layout};
pub(crate) use load::load;
pub(crate) use server::Server;

/// PostgreSQL counts from 2000-01-01
const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;

/// A moment, as PostgreSQL takes it
#[derive(Debug)]
struct Stamp(i64);

impl ToSql for Stamp {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.put_i64(self.0 - POSTGRES_EPOCH_MICROS);
        Ok(IsNull::No)
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::TIMESTAMPTZ
    }

    to_sql_checked!();
}

/// A moment as it comes back
struct Moment(i64);

impl<'a> tokio_postgres::types::FromSql<'a> for Moment {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(i64::from_be_bytes(raw.try_into()?) + POSTGRES_EPOCH_MICROS))
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::TIMESTAMPTZ
    }
}

/// A connection that asks the tables of one layout
pub(crate) struct Door {
    client: Client,
    layout: Layout,
    prepared: FxHashMap<Statement, Arc<tokio_postgres::Statement>>,
}

impl Door {
    /// Connects over TCP on loopback
    ///
    /// # Errors
    /// A server that does not listen.
    pub(crate) async fn open(server: &Server, layout: Layout) -> anyhow::Result<Self> {
        let client = server.connect().await?;
        client.batch_execute(&format!("SET search_path = {}, public", layout.name)).await?;
        Ok(Self { client, layout, prepared: FxHashMap::default() })
    }

    async fn prepare(
        &mut self,
        statement: Statement,
    ) -> anyhow::Result<Arc<tokio_postgres::Statement>> {
        if let Some(prepared) = self.prepared.get(&statement) {
            return Ok(Arc::clone(prepared));
        }
        let text = statement.text(self.layout.dialect);
        let prepared = self.client.prepare(&text).await.with_context(|| text.clone())?;
        let prepared = Arc::new(prepared);
        self.prepared.insert(statement, Arc::clone(&prepared));
        Ok(prepared)
    }

    /// Answers a question: until its rows are values here
    ///
    /// # Errors
    /// Whatever PostgreSQL says.
    pub(crate) async fn ask(&mut self, question: &Question) -> anyhow::Result<Answer> {
        let (statement, parameters) = question.statement();
        let prepared = self.prepare(statement).await?;
        let values: Vec<Box<dyn ToSql + Sync + Send>> =
            parameters.into_iter().map(|parameter| value(self.layout.dialect, parameter)).collect();
        let borrowed: Vec<&(dyn ToSql + Sync)> =
            values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect();
        let rows = self.client.query(&*prepared, &borrowed).await?;
        let mut answer = question.nothing();
        for row in &rows {
            take(&mut answer, row)?;
        }
        Ok(answer)
    }

    /// The shortest of some executions in the server, in seconds: without parsing, planning and the way
    /// to the client
    ///
    /// # Errors
    /// Whatever PostgreSQL says.
    pub(crate) async fn execution(
        &mut self,
        question: &Question,
        runs: usize,
    ) -> anyhow::Result<f64> {
        self.client.query_one("SELECT pg_stat_statements_reset()", &[]).await?;
        let mut shortest = f64::INFINITY;
        for _ in 0..runs {
            let began = Instant::now();
            self.ask(question).await?;
            shortest = shortest.min(began.elapsed().as_secs_f64());
        }
        // The longest statement since the reset is the question: what else ran is the reset itself.
        let row = self
            .client
            .query_opt(
                "SELECT min_exec_time FROM pg_stat_statements WHERE calls = $1 \
                 AND query NOT LIKE '%pg_stat_statements%' ORDER BY total_exec_time DESC LIMIT 1",
                &[&i64::try_from(runs)?],
            )
            .await?;
        let milliseconds: f64 = row.context("the statement left no statistics")?.try_get(0)?;
        // Never more than the client saw.
        Ok(shortest.min(milliseconds / 1_000.0))
    }

    /// The plan of a question, as text
    ///
    /// # Errors
    /// Whatever PostgreSQL says.
    pub(crate) async fn plan(&self, question: &Question) -> anyhow::Result<String> {
        let (statement, parameters) = question.statement();
        let text = statement.text(self.layout.dialect);
        let literals: Vec<String> = parameters
            .into_iter()
            .map(|parameter| match (parameter, self.layout.dialect) {
                (Parameter::Text(text), _) => format!("'{}'", text.replace('\'', "''")),
                (Parameter::Time(t) | Parameter::End(Some(t)), Dialect::Ranges) => {
                    format!("'{}'", tenure_core::EffectiveAt::saturating_from_micros(t))
                }
                (Parameter::End(None), Dialect::Ranges) => "NULL".to_owned(),
                (Parameter::Time(t) | Parameter::End(Some(t)), _) => t.to_string(),
                (Parameter::End(None), _) => i64::MAX.to_string(),
                (Parameter::Position(s), _) => s.to_string(),
            })
            .collect();
        self.client.batch_execute(&format!("PREPARE shown AS {text}")).await?;
        let explain = format!("EXPLAIN (ANALYZE, BUFFERS) EXECUTE shown({})", literals.join(", "));
        let rows = self.client.query(&explain, &[]).await?;
        self.client.batch_execute("DEALLOCATE shown").await?;
        let lines: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get(0)).collect();
        Ok(lines?.join("\n"))
    }
}

fn value(dialect: Dialect, parameter: Parameter) -> Box<dyn ToSql + Sync + Send> {
    match (parameter, dialect) {
        (Parameter::Text(text), _) => Box::new(text),
        (Parameter::Time(t), Dialect::Ranges) => Box::new(Stamp(t)),
        (Parameter::End(end), Dialect::Ranges) => Box::new(end.map(Stamp)),
        (Parameter::Time(t), _) => Box::new(t),
        (Parameter::End(end), _) => Box::new(end.unwrap_or(i64::MAX)),
        (Parameter::Position(s), _) => Box::new(i64::try_from(s).unwrap_or(i64::MAX)),
    }
}

fn take(answer: &mut Answer, row: &Row) -> anyhow::Result<()> {
    match answer {
        Answer::Names(names) => names.push(row.try_get(0)?),
        Answer::Places(places) => {
            let levels: &str = row.try_get(1)?;
            places.push((row.try_get(0)?, levels.split(' ').map(str::to_owned).collect()));
        }
        Answer::Stretches(stretches) => stretches.push(stretch(row, 0)?),
        Answer::During(_) => answer.add_stretch(row.try_get(0)?, stretch(row, 1)?),
        Answer::Holdings(holdings) => holdings.extend(held(row, 3)?),
        Answer::Changes(changes) => changes.push((held(row, 3)?, held(row, 6)?)),
    }
    Ok(())
}

fn held(row: &Row, from: usize) -> anyhow::Result<Option<Held>> {
    let Some(since) = row.try_get::<_, Option<i64>>(from)? else { return Ok(None) };
    Ok(Some(Held {
        holder: row.try_get(0)?,
        level: row.try_get(1)?,
        granted: row.try_get(2)?,
        since,
        until: row.try_get(from + 1)?,
        entry: u64::try_from(row.try_get::<_, i64>(from + 2)?)?,
    }))
}

/// Of ranges, or of plain bounds
fn stretch(row: &Row, from: usize) -> anyhow::Result<Stretch> {
    let is_stamp =
        row.columns().get(from).is_some_and(|column| *column.type_() == Type::TIMESTAMPTZ);
    if is_stamp {
        let since: Moment = row.try_get(from)?;
        let until: Option<Moment> = row.try_get(from + 1)?;
        return Ok((since.0, until.map_or(i64::MAX, |until| until.0)));
    }
    Ok((row.try_get(from)?, row.try_get(from + 1)?))
}

/// Connects, and drives the connection on the side
async fn connect(config: &str) -> anyhow::Result<Client> {
    let (client, connection) = tokio_postgres::connect(config, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
