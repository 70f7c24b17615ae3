//! Recordings of the btp CLI server, made up here, imported into a ledger in memory

#[path = "../memory/mod.rs"]
mod memory;

#[cfg(test)]
mod assignments;
#[cfg(test)]
mod input;
#[cfg(test)]
mod levels;
#[cfg(test)]
mod role_collections;
#[cfg(test)]
mod scenario;
