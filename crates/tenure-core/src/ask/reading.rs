//! In which sense could somebody?
//!
//! Rules: `docs/semantics.md#readings`.

use crate::words::instant::MICROS_PER_SECOND;

/// A reading of "could"
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Reading {
    /// By what is assigned at the moment
    #[default]
    Assigned,
    /// By what was assigned at some moment of a session's life up to then: a session keeps the rights of its logon
    Session(Life),
    /// By what could be had by giving it to oneself
    Latent,
}

impl Reading {
    /// Its name in texts
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Assigned => "assigned",
            Self::Session(_) => "session",
            Self::Latent => "latent",
        }
    }
}

/// How long a session lives, in seconds
// INVARIANT (life): 1 to LIFE_SECONDS_MAX.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Life(u32);

/// The longest life of a session: 7 days
pub const LIFE_SECONDS_MAX: u32 = 7 * 24 * 3_600;

impl Default for Life {
    /// 12 hours
    fn default() -> Self {
        Self(12 * 3_600)
    }
}

impl Life {
    /// So many seconds; `None` for none and for more than [`LIFE_SECONDS_MAX`]
    pub fn of_seconds(seconds: u32) -> Option<Self> {
        (1..=LIFE_SECONDS_MAX).contains(&seconds).then_some(Self(seconds))
    }

    /// In seconds
    pub fn seconds(self) -> u32 {
        self.0
    }

    pub(super) fn micros(self) -> i64 {
        i64::from(self.0) * MICROS_PER_SECOND
    }
}
