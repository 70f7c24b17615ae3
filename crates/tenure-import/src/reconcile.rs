//! What is made of what was seen? Entries of the ledger.

mod assignments;
mod drift;
mod knowledge;
mod levels;
mod outbox;
mod role_collections;
mod roles;
mod run;

pub(crate) use knowledge::Knowledge;
pub(crate) use run::Run;
