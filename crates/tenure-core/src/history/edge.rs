//! How does a change move a holding or a membership?

use crate::words::instant::EffectiveAt;

/// A change of a holding or a membership
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Edge {
    /// It starts, or gets new terms
    Start {
        until: Option<EffectiveAt>,
        /// Whether its name meant a custom one when the grant was decided
        custom: bool,
    },
    Stop,
}
