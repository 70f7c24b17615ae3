//! The log of the ledger: where entries get their order
