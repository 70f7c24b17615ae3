//! The oracle, the harness and the end-to-end tests

pub mod harness;
pub mod oracle;
pub mod question;
pub mod scenario;
pub mod world;
