//! How does an engine start?

use super::checkpoints::Checkpointing;

/// Whether the built-in catalogues are appended where they are missing
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Genesis {
    /// They are
    #[default]
    BuiltIn,
    /// They are left to people
    Manual,
}

/// How an engine starts
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Whether the built-in catalogues are appended where they are missing
    pub genesis: Genesis,
    /// What is done with index checkpoints
    pub checkpoints: Checkpointing,
    /// Whether an embedded log believes what this machine's clock shows at the start
    pub accept_clock: bool,
}
