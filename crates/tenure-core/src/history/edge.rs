//! How does a change move a holding or a membership?

use crate::words::instant::EffectiveAt;

/// A change of a holding or a membership
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Edge {
    /// The holding or the membership starts, or a running holding gets new terms
    Start {
        until: Option<EffectiveAt>,
        /// Whether the granted name meant a custom role or role collection when the grant was decided
        custom: bool,
    },
    /// The holding or the membership ends
    Stop,
}
