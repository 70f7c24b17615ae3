//! The journal of the ledger in sled
