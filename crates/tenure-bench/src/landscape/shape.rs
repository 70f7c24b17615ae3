//! How big is a landscape, and how long its history?
//!
//! The sizes S, M, L and the zone are **assumptions**: no figure of a customer's landscape is public. L is
//! scaled by the number of changes, M and S are not: with more changes the same landscape is only older, with
//! fewer it is not filled.

use std::fmt;

/// Fewest changes of a history: fewer do not fill a landscape
pub const CHANGES_MIN: u64 = 1_000;
/// Most changes of a history
pub const CHANGES_MAX: u64 = 100_000_000;

/// Who holds the role collections of one busy subaccount, together
pub(crate) const BUSY_HOLDERS: u64 = 1_000;

/// A number of changes that no history has
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a history has {CHANGES_MIN} to {CHANGES_MAX} changes, not {0}")]
pub struct ChangesError(u64);

/// The assumed sizes
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Size {
    /// 25 subaccounts and 35 people: like the landscape that public recordings show
    S,
    /// 300 subaccounts and 5,000 people
    M,
    /// Up to 3,000 subaccounts and 100,000 people, as many as the number of changes gives
    L,
    /// One subaccount with up to 100,000 people, who hold by groups
    Zone,
    /// 60 subaccounts and 1,000 people at any number of changes, for cost against the length of history: it
    /// is filled after two thousand changes
    Steady,
}

impl Size {
    /// Every size
    pub const ALL: [Self; 5] = [Self::S, Self::M, Self::L, Self::Zone, Self::Steady];

    /// Its name in texts
    pub fn as_str(self) -> &'static str {
        match self {
            Self::S => "s",
            Self::M => "m",
            Self::L => "l",
            Self::Zone => "zone",
            Self::Steady => "steady",
        }
    }

    /// The number of changes where nobody says another
    pub fn changes(self) -> u64 {
        match self {
            Self::S => 5_000,
            Self::M => 1_000_000,
            Self::L | Self::Zone | Self::Steady => 10_000_000,
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How big a landscape is, and how long its history
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shape {
    /// The size it is of
    pub size: Size,
    /// Changes in its history
    pub changes: u64,
    /// Subaccounts at a time
    pub subaccounts: u32,
    /// Subaccounts with role collections that about a hundred people hold each
    pub busy: u32,
    /// People at a time
    pub people: u32,
    /// Groups and attribute values with members
    pub groups: u32,
    /// Members that a group has
    pub members: u32,
    /// Custom role collections of each subaccount
    pub custom: u32,
    /// Holdings at a time, memberships apart
    pub live: u64,
}

/// What L is at some numbers of changes: changes, subaccounts, people
const SCALE: [(u64, u64, u64); 5] = [
    (10_000, 50, 200),
    (100_000, 120, 1_000),
    (1_000_000, 300, 5_000),
    (10_000_000, 1_000, 22_000),
    (100_000_000, 3_000, 100_000),
];

/// On the straight lines between the points of [`SCALE`]
fn scaled(changes: u64, which: impl Fn(&(u64, u64, u64)) -> u64) -> u32 {
    let above = SCALE.iter().find(|point| changes <= point.0);
    let below = SCALE.iter().rev().find(|point| point.0 <= changes);
    let number = match (below, above) {
        (Some(below), Some(above)) if above.0 > below.0 => {
            let (low, high) = (which(below), which(above));
            low + (high - low) * (changes - below.0) / (above.0 - below.0)
        }
        (Some(point), _) | (None, Some(point)) => which(point),
        (None, None) => 0,
    };
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl Shape {
    /// The shape of a size with so many changes
    ///
    /// # Errors
    /// Fewer than [`CHANGES_MIN`] changes, or more than [`CHANGES_MAX`].
    pub fn new(size: Size, changes: u64) -> Result<Self, ChangesError> {
        if !(CHANGES_MIN..=CHANGES_MAX).contains(&changes) {
            return Err(ChangesError(changes));
        }
        let (subaccounts, people, custom, live) = match size {
            Size::S => (25, 35, 2, 500),
            Size::M => (300, 5_000, 14, 120_000),
            Size::L => (
                scaled(changes, |point| point.1),
                scaled(changes, |point| point.2),
                14,
                changes / 10,
            ),
            Size::Zone => {
                let people = narrow((changes / 100).clamp(100, 100_000));
                (1, people, narrow((changes / 2_000).clamp(10, 5_000)), changes / 50)
            }
            Size::Steady => (60, 1_000, 4, 2_000),
        };
        let busy = match size {
            Size::S | Size::Zone => 0,
            // Three fifths of what is held are held where many hold.
            _ => narrow((live * 3 / 5 / BUSY_HOLDERS).max(1)).min(subaccounts),
        };
        let (groups, members) = match size {
            Size::Zone => (custom, narrow(u64::from(people) * 8 / u64::from(custom)).max(1)),
            _ => ((people / 20).max(4), 20.min(people / 2)),
        };
        Ok(Self { size, changes, subaccounts, busy, people, groups, members, custom, live })
    }

    /// The shape in words, with the word that it is assumed
    pub fn described(&self) -> String {
        format!(
            "{} (an assumption): {} subaccounts, {} people, {} groups, {} holdings at a time, {} changes in three years",
            self.size.as_str().to_uppercase(),
            self.subaccounts,
            self.people,
            self.groups,
            self.live,
            self.changes
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l_grows_with_its_changes_and_m_does_not() {
        let l = |changes| Shape::new(Size::L, changes).unwrap();
        assert_eq!((l(10_000_000).subaccounts, l(100_000_000).subaccounts), (1_000, 3_000));
        assert_eq!((l(1_000).subaccounts, l(10_000).subaccounts), (50, 50));
        assert_eq!(l(550_000).subaccounts, 210);
        assert_eq!(l(10_000_000).live, 1_000_000);
        let m = |changes| Shape::new(Size::M, changes).unwrap().subaccounts;
        assert_eq!(m(10_000), m(10_000_000));
        assert!(Shape::new(Size::L, 999).is_err() && Shape::new(Size::L, 100_000_001).is_err());
    }
}
