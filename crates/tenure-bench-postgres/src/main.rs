//! How does the ledger compare with PostgreSQL, with SQLite and with replaying the log?
mod engine;
mod fold;
mod names;
mod question;
mod rows;
mod span;
mod sql;
mod sqlite;
mod tables;
#[cfg(test)]
mod tests;
fn main() {}
