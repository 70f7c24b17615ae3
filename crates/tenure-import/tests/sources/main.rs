//! Files of each source, made up here in the shape of real ones, imported into a ledger in memory

#[path = "../memory/mod.rs"]
mod memory;

#[cfg(test)]
mod audit_log;
#[cfg(test)]
mod cf;
#[cfg(test)]
mod jsonl;
#[cfg(test)]
mod run;
#[cfg(test)]
mod scim;
#[cfg(test)]
mod table;
#[cfg(test)]
mod terraform;
#[cfg(test)]
mod xsuaa;
