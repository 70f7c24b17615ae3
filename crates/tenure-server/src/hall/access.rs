//! May a caller ask this, or append that?
//!
//! Nothing enforces access yet, so everybody may do everything. Each door still passes here: the rules of
//! access get their place in [`decide`], and no door has one of its own.

use std::fmt;

use tenure_core::Question;
use tenure_wire::api::Problem;
use tenure_wire::codec::Encoded;
use tenure_wire::question::Texts;

use super::caller::Caller;

/// What a caller wants
#[derive(Clone, Copy, Debug)]
pub enum Action<'a> {
    /// The answer to a question
    Ask(&'a Question),
    /// Every applied entry from a position on, and those that come later
    Follow,
    /// These entries in the log
    Append(&'a [Encoded]),
}

impl Action<'_> {
    fn name(self) -> &'static str {
        match self {
            Self::Ask(question) => Texts::name_of(question),
            Self::Follow => "changes",
            Self::Append(_) => "append",
        }
    }
}

/// Why a caller may
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Grounds {
    /// Access is not enforced
    Open,
}

impl fmt::Display for Grounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
        })
    }
}

/// Decides whether a caller may, and says why
///
/// # Errors
/// The problem of a caller that may not. There is none yet.
#[expect(clippy::unnecessary_wraps, reason = "enforced access refuses")]
pub(super) fn decide(caller: &Caller, action: Action<'_>) -> Result<Grounds, Problem> {
    let grounds = Grounds::Open;
    tracing::debug!(target: "tenure::access", %caller, action = action.name(), %grounds);
    Ok(grounds)
}
