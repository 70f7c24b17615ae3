//! Files of each source, made up here in the shape of real ones, imported into a ledger in memory
//!
//! `assignments`, `input`, `levels` and `role_collections` are about recordings of the btp CLI server, and with them
//! about what the reconciler does with facts of any source.

#[path = "../memory/mod.rs"]
mod memory;

#[cfg(test)]
mod assignments;
#[cfg(test)]
mod audit_log;
#[cfg(test)]
mod cf;
#[cfg(test)]
mod input;
#[cfg(test)]
mod jsonl;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod levels;
#[cfg(test)]
mod role_collections;
#[cfg(test)]
mod run;
#[cfg(test)]
mod scenario;
#[cfg(test)]
mod scim;
#[cfg(test)]
mod table;
#[cfg(test)]
mod terraform;
#[cfg(test)]
mod xsuaa;
