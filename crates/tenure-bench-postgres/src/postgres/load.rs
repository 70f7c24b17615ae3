//! How do the tables get into PostgreSQL?
//!
//! By COPY into unlogged tables, in the order of their keys so that what is read together lies together;
//! then the indexes, then VACUUM and ANALYZE.

use std::fmt::Write as _;

use anyhow::Context;
use bytes::Bytes;
use futures::SinkExt;
use tenure_core::EffectiveAt;
use tokio_postgres::Client;

use super::Server;
use super::layout::{Layout, SMALL_INDEXES};
use crate::rows::{Cell, Column, TABLES, Table};
use crate::span::FOREVER;
use crate::sql::Dialect;
use crate::tables::{STILL, Tables};

/// Bytes that are sent at once
const CHUNK_BYTES: usize = 1 << 20;

/// Loads a history in one layout
///
/// # Errors
/// Whatever PostgreSQL says.
pub(crate) async fn load(server: &Server, layout: Layout, tables: &Tables) -> anyhow::Result<()> {
    let client = server.connect().await?;
    let schema = layout.name;
    client
        .batch_execute(&format!("CREATE SCHEMA {schema}; SET search_path = {schema}, public"))
        .await?;
    for table in TABLES {
        let columns: Vec<String> =
            table.columns.iter().flat_map(|column| defined(layout.dialect, *column)).collect();
        let create = format!("CREATE UNLOGGED TABLE {} ({})", table.name, columns.join(", "));
        client.batch_execute(&create).await.with_context(|| create.clone())?;
        copy(&client, layout.dialect, table, tables).await?;
    }
    for index in SMALL_INDEXES.iter().chain(layout.indexes) {
        client.batch_execute(index).await.with_context(|| (*index).to_owned())?;
    }
    client.batch_execute("VACUUM ANALYZE").await?;
    Ok(())
}

fn defined(dialect: Dialect, column: Column) -> Vec<String> {
    match (column, dialect) {
        (Column::Number(name), _) => vec![format!("{name} int4 NOT NULL")],
        (Column::Big(name), _) => vec![format!("{name} int8 NOT NULL")],
        (Column::Truth(name), _) => vec![format!("{name} bool NOT NULL")],
        (Column::Text(name), _) => vec![format!("{name} text COLLATE \"C\" NOT NULL")],
        (Column::Valid, Dialect::Ranges) => vec!["valid tstzrange NOT NULL".to_owned()],
        (Column::Known, Dialect::Ranges) => vec!["known int8range NOT NULL".to_owned()],
        (Column::Valid | Column::Known, _) => {
            column.bounds().into_iter().map(|name| format!("{name} int8 NOT NULL")).collect()
        }
    }
}

async fn copy(
    client: &Client,
    dialect: Dialect,
    table: &Table,
    tables: &Tables,
) -> anyhow::Result<()> {
    let sink = client.copy_in(&format!("COPY {} FROM STDIN", table.name)).await?;
    let mut sink = std::pin::pin!(sink);
    let mut chunks = Vec::new();
    let mut text = String::with_capacity(CHUNK_BYTES + 1_024);
    (table.rows)(tables, &mut |cells| {
        for (n, cell) in cells.iter().enumerate() {
            if n > 0 {
                text.push('\t');
            }
            write_cell(&mut text, dialect, cell)?;
        }
        text.push('\n');
        if text.len() >= CHUNK_BYTES {
            chunks.push(Bytes::from(std::mem::take(&mut text)));
        }
        Ok(())
    })?;
    chunks.push(Bytes::from(text));
    for chunk in chunks {
        sink.as_mut().send(chunk).await?;
    }
    sink.as_mut().finish().await.with_context(|| format!("COPY {}", table.name))?;
    Ok(())
}

fn write_cell(text: &mut String, dialect: Dialect, cell: &Cell<'_>) -> anyhow::Result<()> {
    match (cell, dialect) {
        (Cell::Number(number), _) => write!(text, "{number}")?,
        (Cell::Big(number), _) => write!(text, "{number}")?,
        (Cell::Truth(truth), _) => write!(text, "{truth}")?,
        (Cell::Text(plain), _) => {
            for c in plain.chars() {
                match c {
                    '\\' => text.push_str("\\\\"),
                    '\t' => text.push_str("\\t"),
                    '\n' => text.push_str("\\n"),
                    '\r' => text.push_str("\\r"),
                    other => text.push(other),
                }
            }
        }
        (Cell::Valid(span), Dialect::Ranges) => {
            let moment = EffectiveAt::saturating_from_micros;
            write!(text, "[{},", moment(span.from()))?;
            if span.until() != FOREVER {
                write!(text, "{}", moment(span.until()))?;
            }
            text.push(')');
        }
        (Cell::Known(from, until), Dialect::Ranges) => {
            write!(text, "[{from},")?;
            if *until != STILL {
                write!(text, "{until}")?;
            }
            text.push(')');
        }
        (Cell::Valid(span), _) => write!(text, "{}\t{}", span.from(), span.until())?,
        (Cell::Known(from, until), _) => {
            let until = i64::try_from(*until).unwrap_or(i64::MAX);
            write!(text, "{from}\t{until}")?;
        }
    }
    Ok(())
}
