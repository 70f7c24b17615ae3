//! What does the history of a big landscape look like?
//!
//! A [`Plan`] says how big the landscape is, how long its history is, and how much of it is unusual.
//! [`Plan::messages`] makes the history message by message. The same plan always makes the same history. The
//! generator remembers what is held now and never what was, so its memory does not grow with the history.
//!
//! # How entries are made
//! - An entry has 1 change in 70% of cases, 2 in 15%, 3 or 4 in 9%, 5 to 8 in 4.5%, 9 to 32 in 1.4%, 33 to
//!   256 in 0.1%, where there is that much to give or to take: about 1.8 on average. 1.2% of entries change
//!   levels or role collections.
//! - An entry takes effect when it is recorded, except for the shares of [`Shares`].
//! - Something that has less than four fifths of its usual number of holders is granted; at the usual number it
//!   is as likely revoked. So a landscape fills within about a tenth of its changes, and then turns over.
//! - People join, move, and leave: 30% of them in three years. One change removes a person who leaves.
//! - 30% of entries state a reason, a ticket number. Ids are UUIDs of version 7.
//! - The built-in catalogues are published on their days.
//!
//! Every name is invented; nobody owns `acme.example`. All sizes are **assumptions**: no figure of a customer's
//! landscape is public.

mod estate;
mod history;
mod people;
mod slots;
#[cfg(test)]
mod tests;
mod turnover;

use clap::{Args, ValueEnum};
use serde::Serialize;
use tenure_core::{Entry, LedgerInMemory, MICROS_PER_SECOND, Principal, Recorded, RecordedAt};
use tenure_wire::codec::Encoded;

pub(crate) use history::{Facts, Given, Messages};
pub(crate) use people::lawful;

/// 2023-07-10T00:00:00Z, when histories begin
pub(crate) const BEGINS_MICROS: i64 = 1_688_947_200 * MICROS_PER_SECOND;
/// 2026-07-10T00:00:00Z, when histories end: after the last built-in catalogue
pub(crate) const ENDS_MICROS: i64 = 1_783_641_600 * MICROS_PER_SECOND;
pub(crate) const HOUR: i64 = 3_600 * MICROS_PER_SECOND;
pub(crate) const DAY: i64 = 24 * HOUR;

/// Holders of all role collections of one busy subaccount together
const BUSY_HOLDERS: u64 = 1_000;
/// One million, the whole of which shares are parts
const MILLION: u64 = 1_000_000;

/// The sizes of landscapes, all of them assumptions
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Size {
    /// 25 subaccounts, 35 people; 5 thousand changes
    S,
    /// 300 subaccounts, 5,000 people; 1 million changes
    M,
    /// Grows with the number of changes: 1,000 subaccounts, 22,000 people at 10 million changes
    L,
    /// One subaccount whose people hold by groups: 100,000 people at 10 million changes
    Zone,
    /// 60 subaccounts, 1,000 people, however many changes
    Steady,
}

impl Size {
    /// The number of changes where the user does not say one
    pub(crate) fn changes(self) -> u64 {
        match self {
            Self::S => 5_000,
            Self::M => 1_000_000,
            Self::L | Self::Zone | Self::Steady => 10_000_000,
        }
    }
}

/// How big a landscape is, and how long its history is
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Shape {
    pub(crate) size: Size,
    /// Changes in the history
    pub(crate) changes: u64,
    /// Subaccounts at one time
    pub(crate) subaccounts: u32,
    /// Subaccounts with role collections that about a hundred people hold each
    busy: u32,
    /// People at one time
    pub(crate) people: u32,
    /// Groups and attribute values with members
    groups: u32,
    /// Members of each group
    members: u32,
    /// Custom role collections of each subaccount
    custom: u32,
    /// Holdings at one time, without memberships
    pub(crate) live: u64,
}

/// What L is at some numbers of changes: changes, subaccounts, people
const SCALE: [(u64, u64, u64); 5] = [
    (10_000, 50, 200),
    (100_000, 120, 1_000),
    (1_000_000, 300, 5_000),
    (10_000_000, 1_000, 22_000),
    (100_000_000, 3_000, 100_000),
];

/// A number on the straight lines between the points of [`SCALE`]
fn scaled(changes: u64, which: impl Fn(&(u64, u64, u64)) -> u64) -> u32 {
    let changes = changes.clamp(10_000, 100_000_000);
    let mut lines = SCALE.array_windows().filter(|[_, high]| changes <= high.0);
    let Some([low, high]) = lines.next() else { return 0 };
    let (from, until) = (which(low), which(high));
    narrow(from + (until - from) * (changes - low.0) / (high.0 - low.0))
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl Shape {
    pub(crate) fn new(size: Size, changes: u64) -> Self {
        let (subaccounts, people, custom, live) = match size {
            Size::S => (25, 35, 2, 500),
            Size::M => (300, 5_000, 14, 120_000),
            Size::L => (scaled(changes, |at| at.1), scaled(changes, |at| at.2), 14, changes / 10),
            Size::Zone => {
                let people = narrow((changes / 100).clamp(100, 100_000));
                (1, people, narrow((changes / 2_000).clamp(10, 5_000)), changes / 50)
            }
            Size::Steady => (60, 1_000, 4, 2_000),
        };
        let busy = match size {
            Size::S | Size::Zone => 0,
            // Three fifths of all holdings are in busy subaccounts.
            _ => narrow((live * 3 / 5 / BUSY_HOLDERS).max(1)).min(subaccounts),
        };
        let (groups, members) = match size {
            Size::Zone => (custom, narrow(u64::from(people) * 8 / u64::from(custom)).max(1)),
            _ => ((people / 20).max(4), 20.min(people / 2)),
        };
        Self { size, changes, subaccounts, busy, people, groups, members, custom, live }
    }

    /// The shape in words, with the word that it is assumed
    pub(crate) fn described(&self) -> String {
        let Self { size, changes, subaccounts, people, groups, live, .. } = self;
        format!(
            "{size:?} (an assumption): {subaccounts} subaccounts, {people} people, {groups} groups, \
             {live} holdings at a time, {changes} changes in three years"
        )
    }

    /// The first moment after so many changes: the three years pass evenly with the changes
    fn moment(&self, changes: u64) -> i64 {
        let span = u128::from(ENDS_MICROS.abs_diff(BEGINS_MICROS));
        let passed = span * u128::from(changes) / u128::from(self.changes.max(1));
        BEGINS_MICROS.saturating_add(i64::try_from(passed).unwrap_or(i64::MAX))
    }
}

/// How much of a history is unusual, in percent
#[derive(Clone, Copy, PartialEq, Debug, Args)]
pub(crate) struct Shares {
    /// Percentage of entries recorded after they took effect
    #[arg(long, value_name = "%", default_value_t = USUAL.late)]
    pub(crate) late: f64,
    /// Percentage of entries recorded before they take effect
    #[arg(long, value_name = "%", default_value_t = USUAL.scheduled)]
    pub(crate) scheduled: f64,
    /// Percentage of grants that end by themselves
    #[arg(long, value_name = "%", default_value_t = USUAL.expiring)]
    pub(crate) expiring: f64,
    /// Percentage of entries that void another
    #[arg(long, value_name = "%", default_value_t = USUAL.voids)]
    pub(crate) voids: f64,
    /// Percentage of entries that are refused or duplicates, in equal parts
    #[arg(long, value_name = "%", default_value_t = USUAL.refused)]
    pub(crate) refused: f64,
}

pub(crate) const USUAL: Shares =
    Shares { late: 0.5, scheduled: 0.2, expiring: 3.0, voids: 0.3, refused: 0.1 };

/// A percentage as millionths
fn millionths(percent: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, reason = "it is 0 to a million")]
    let millionths = (percent * 10_000.0).round() as u64;
    millionths
}

/// The chance, in millionths, that the next one is of a share: twice the share while too few are, so that an
/// entry that cannot be made now is made later
fn chance(percent: f64, part: u64, whole: u64) -> u64 {
    let share = millionths(percent);
    if part * MILLION <= whole * share { share * 2 } else { 0 }
}

/// A landscape's history before it is made
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Plan {
    pub(crate) shape: Shape,
    pub(crate) shares: Shares,
    /// The same seed makes the same history
    pub(crate) seed: u64,
}

/// The ledger whose built-in catalogues are in every history
pub(crate) const LEDGER: &str = "bench";

impl Plan {
    /// The plan of a size with the usual shares
    pub(crate) fn new(size: Size, changes: u64, seed: u64) -> Self {
        Self { shape: Shape::new(size, changes), shares: USUAL, seed }
    }

    /// The history, oldest message first
    ///
    /// # Guarantees
    /// The same messages for the same plan, on every platform. Every entry is well formed, and the fold decides
    /// what is intended. Times never go back. The history has at least as many changes as the shape says, and
    /// less than one entry more.
    pub(crate) fn messages(&self) -> anyhow::Result<Messages> {
        Messages::new(self)
    }

    /// The history folded, and what to remember of it
    pub(crate) fn fold(&self) -> anyhow::Result<(LedgerInMemory, Facts)> {
        let (mut messages, mut ledger) = (self.messages()?, LedgerInMemory::new(LEDGER));
        for message in messages.by_ref() {
            message.recorded()?.iter().for_each(|recorded| drop(ledger.apply(recorded)));
        }
        Ok((ledger, messages.facts()))
    }
}

/// What the fold is to decide about an entry
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Intended {
    Applied,
    /// The entry is wrong on purpose
    Refused,
    /// The entry came before
    Duplicate,
}

/// An entry, and what is to become of it
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) entry: Entry,
    pub(crate) intended: Intended,
}

/// One message on the log: entries that were recorded at one time, in order, at least one
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) recorded_at: RecordedAt,
    pub(crate) entries: Vec<Made>,
}

impl Message {
    /// The entries as a log records them
    pub(crate) fn recorded(self) -> anyhow::Result<Vec<Recorded>> {
        let recorded_at = self.recorded_at;
        let recorded = self.entries.into_iter().map(|made| {
            let submission = Encoded::new(made.entry)?.into_submission();
            Ok(Recorded { recorded_at, submitter: Principal::local(), submission })
        });
        recorded.collect()
    }
}

/// How much of what a history has
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub(crate) struct Counts {
    pub(crate) entries: u64,
    pub(crate) changes: u64,
    pub(crate) grants: u64,
    /// Grants that end by themselves
    pub(crate) expiring: u64,
    /// Entries that were recorded after they took effect
    pub(crate) late: u64,
    /// Entries that were recorded before they take effect
    pub(crate) scheduled: u64,
    /// Entries that are voids
    pub(crate) voids: u64,
    /// Entries that are refused on purpose, or sent again
    pub(crate) refused_or_duplicate: u64,
}
