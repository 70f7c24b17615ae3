//! What is recorded next?
//!
//! First the catalogues that are in force and the levels, then what people do, until there are as many changes as
//! the shape says.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use tenure_core::{Change, Entry, EntryId, Instant, Level, Principal, RecordedAt};
use tenure_demo::dice::Dice;
use tenure_wire::catalogs;
use uuid::Builder;

use super::estate::Subaccount;
use super::people::{self, People, Who};
use super::slots::{Holder, SlotNumber, Slots};
use super::turnover::{Timing, Voidable};
use super::{Counts, Intended, MILLION, Made, Message, Plan, Shape, Shares, chance, narrow};

/// Entries in a million that change levels or role collections
const DEFINITIONS: u64 = 12_000;
/// Messages in a hundred that carry several entries
const BATCHES: u64 = 2;
/// Changes of an entry on average, for the number of people who leave
const CHANGES_AN_ENTRY: u64 = 2;
/// Grants that are remembered
const GRANTS_KEPT: usize = 4_096;

/// Something that happens by itself at a moment
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Later {
    pub(super) at: i64,
    pub(super) slot: SlotNumber,
    pub(super) generation: u32,
    pub(super) who: Who,
    /// Whether a holding starts then, rather than ends
    pub(super) starts: bool,
}

/// A grant of a role collection to a user
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) level: Level,
    pub(crate) role_collection: Arc<str>,
    pub(crate) to: Principal,
    pub(crate) effective_micros: i64,
}

/// What is remembered of a history, so that questions meet people who hold something
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) counts: Counts,
    pub(crate) root: Level,
    /// Subaccounts that are never deleted
    pub(crate) subaccounts: Vec<Level>,
    /// Role collections that are never deleted and that many hold: about a hundred people each where the
    /// landscape is big enough
    pub(crate) crowded: Vec<(Level, Arc<str>)>,
    /// Some users
    pub(crate) users: Vec<Principal>,
    /// A few thousand grants of these role collections, drawn evenly from all
    pub(crate) grants: Vec<Given>,
    /// The newest moment of recorded time
    pub(crate) newest_micros: i64,
    /// Names of principals, levels and role collections, and the bytes of their texts
    pub(crate) names: (u64, u64),
}

/// A history, message by message; [`Messages::facts`] is what to remember of it
#[derive(Debug)]
pub(crate) struct Messages {
    pub(super) shape: Shape,
    pub(super) shares: Shares,
    pub(super) dice: Dice,
    pub(super) now: i64,
    pub(super) root: Level,
    pub(super) directories: Vec<Level>,
    pub(super) subaccounts: Vec<Subaccount>,
    pub(super) slots: Slots,
    pub(super) people: People,
    /// Slots to draw from: each as often as its number of holders
    pub(super) tickets: Vec<SlotNumber>,
    pub(super) later: BinaryHeap<Reverse<Later>>,
    pub(super) voidable: Vec<Voidable>,
    pub(super) counts: Counts,
    /// Entries that are sent before anything else
    pub(super) queue: VecDeque<Made>,
    catalogs: VecDeque<Entry>,
    /// The next subaccount to set up, once the levels above are
    set_up: Option<u32>,
    /// Millionths of entries that are a person who joins or leaves
    comings: u64,
    grants: Vec<Given>,
    grants_seen: u64,
    /// Names of levels and role collections that were made, and the bytes of their texts
    named: (u64, u64),
}

impl Messages {
    pub(super) fn new(plan: &Plan) -> anyhow::Result<Self> {
        let shape = plan.shape.clone();
        let catalogs = catalogs::genesis(super::LEDGER)?;
        let entries = (shape.changes / CHANGES_AN_ENTRY).max(1);
        // 30% of the people leave in three years, and as many join.
        let comings = u64::from(shape.people) * 3 / 10 * MILLION / entries;
        let mut messages = Self {
            shares: plan.shares,
            dice: Dice::new(plan.seed),
            now: super::BEGINS_MICROS,
            root: people::level("global-account:acme"),
            directories: Vec::new(),
            subaccounts: Vec::new(),
            slots: Slots::default(),
            people: People::new(shape.people, shape.groups),
            tickets: Vec::new(),
            later: BinaryHeap::new(),
            voidable: Vec::new(),
            counts: Counts::default(),
            queue: VecDeque::new(),
            catalogs: catalogs.into_iter().map(|encoded| encoded.entry().clone()).collect(),
            set_up: None,
            comings: comings.min(MILLION / 10),
            grants: Vec::new(),
            grants_seen: 0,
            named: (0, 0),
            shape,
        };
        messages.plan_estate();
        Ok(messages)
    }

    /// What to remember of all that was made so far
    pub(crate) fn facts(&self) -> Facts {
        let subaccounts = (0..).zip(&self.subaccounts);
        let lasting = subaccounts.filter(|(n, subaccount)| subaccount.exists && !self.may_go(*n));
        let crowded = self.slots.all().filter(|(n, slot)| slot.open && self.is_crowded(*n));
        let crowded = crowded.filter_map(|(_, slot)| slot.role_collection());
        let mut names = self.named;
        for principal in self.people.all() {
            names.0 += 1;
            names.1 += principal.as_str().len() as u64;
        }
        Facts {
            counts: self.counts,
            root: self.root.clone(),
            subaccounts: lasting.map(|(_, subaccount)| subaccount.level.clone()).collect(),
            crowded: crowded.map(|(level, name)| (level.clone(), Arc::clone(name))).collect(),
            users: (0..self.shape.people.min(1_000)).map(people::user).collect(),
            grants: self.grants.clone(),
            newest_micros: self.now,
            names,
        }
    }

    /// Whether many hold it for as long as the history goes on
    pub(super) fn is_crowded(&self, slot: SlotNumber) -> bool {
        let of = self.slots.get(slot);
        let Some(subaccount) = of.subaccount else { return false };
        let many = if self.shape.busy == 0 { 2 } else { 60 };
        (self.shape.busy == 0 || subaccount < self.shape.busy)
            && (many..=200).contains(&of.target)
            && of.custom.is_none_or(|(_, generation)| generation == 0)
            && of.role_collection().is_some()
            && !self.may_go(subaccount)
    }

    /// The number of changes before the next one, as holders remember it
    pub(super) fn serial(&self) -> u32 {
        narrow(self.counts.changes)
    }

    fn pass_time(&mut self) {
        let made = self.counts.changes;
        let (earliest, latest) = (self.shape.moment(made), self.shape.moment(made + 1));
        let within = self.dice.below(latest.abs_diff(earliest).max(1));
        self.now = self.now.max(earliest.saturating_add_unsigned(within));
        while let Some(Reverse(later)) = self.later.peek().copied() {
            if later.at > self.now {
                break;
            }
            self.later.pop();
            let Later { slot, generation, who, .. } = later;
            self.slots.release(slot, generation, who);
            let of = self.slots.get(slot);
            let still = of.open && of.generation == generation && self.people.is_there(who);
            if later.starts && still {
                self.slots.add(slot, Holder { who, serial: self.serial(), unsure: false });
            }
        }
    }

    /// An entry of somebody who records such things
    pub(super) fn entry(&mut self, effective: Option<i64>, changes: Vec<Change>) -> Entry {
        let id = self.id();
        let actor = match self.dice.below(10) {
            0..6 => people::provisioning(),
            _ => people::administrator(self.dice.below(u64::from(self.shape.people) / 50 + 2)),
        };
        let reason = match self.dice.below(10) {
            0 => Some(Arc::from(format!("INC-{}", self.dice.below(100_000)))),
            1 | 2 => Some(Arc::from(format!("REQ-{}", self.dice.below(1_000_000)))),
            _ => None,
        };
        let effective_at = effective.and_then(Instant::from_micros);
        #[expect(clippy::expect_used, reason = "entries here are well formed; a test makes many")]
        Entry::new(id, actor, reason, effective_at, changes).expect("a well-formed entry")
    }

    /// A UUID of version 7, of the moment
    fn id(&mut self) -> EntryId {
        let millis = u64::try_from(self.now / 1_000).unwrap_or_default();
        let mut bytes = [0; 10];
        for half in bytes.chunks_mut(8) {
            let chance = self.dice.number().to_be_bytes();
            half.iter_mut().zip(chance).for_each(|(byte, chance)| *byte = chance);
        }
        EntryId(Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid())
    }

    pub(super) fn applied(&mut self, changes: Vec<Change>) -> Made {
        Made { entry: self.entry(None, changes), intended: Intended::Applied }
    }

    /// Adds the next entries to a message: one, or those that are set up together
    fn make(&mut self, message: &mut Vec<Made>) {
        if let Some(made) = self.queue.pop_front() {
            message.push(made);
            return;
        }
        let due = |entry: &mut Entry| {
            entry.effective_at().is_none_or(|effective| effective.micros() <= self.now)
        };
        if let Some(entry) = self.catalogs.pop_front_if(due) {
            message.push(Made { entry, intended: Intended::Applied });
            return;
        }
        match self.set_up {
            None => {
                self.set_up = Some(0);
                self.set_up_above(message);
            }
            Some(n) if n < self.shape.subaccounts => {
                self.set_up = Some(n + 1);
                self.set_up_subaccount(n, message);
            }
            Some(_) => {
                let made = self.ordinary(message);
                message.extend(made);
            }
        }
    }

    /// What happens on a day like any other
    fn ordinary(&mut self, message: &mut Vec<Made>) -> Option<Made> {
        let Counts { entries, late, scheduled, voids, refused_or_duplicate, .. } = self.counts;
        let wrong = chance(self.shares.refused, refused_or_duplicate, entries);
        let void = chance(self.shares.voids, voids, entries);
        let late = chance(self.shares.late, late, entries);
        let scheduled = chance(self.shares.scheduled, scheduled, entries);
        let mut roll = self.dice.below(MILLION);
        let mut falls = |chance: u64| {
            let falls = roll < chance;
            roll = roll.saturating_sub(chance);
            falls
        };
        if falls(wrong / 2) {
            self.mishap()
        } else if falls(wrong - wrong / 2) {
            let made = self.turnover(Timing::Ordinary)?;
            self.queue.push_back(Made { intended: Intended::Duplicate, ..made.clone() });
            Some(made)
        } else if falls(void) {
            self.void()
        } else if falls(late) {
            self.turnover(Timing::Late)
        } else if falls(scheduled) {
            self.turnover(Timing::Scheduled)
        } else if falls(DEFINITIONS) {
            self.definition(message)
        } else if falls(self.comings) {
            self.leave()
        } else if falls(self.comings) {
            self.join()
        } else {
            self.turnover(Timing::Ordinary)
        }
    }

    /// Remembers a grant of something crowded, with the chance that makes all of them equally likely
    pub(super) fn note_grant(&mut self, slot: SlotNumber, to: &Principal, effective_micros: i64) {
        if !self.is_crowded(slot) {
            return;
        }
        let Some((level, name)) = self.slots.get(slot).role_collection() else { return };
        let (level, role_collection) = (level.clone(), Arc::clone(name));
        let given = Given { level, role_collection, to: to.clone(), effective_micros };
        self.grants_seen += 1;
        if self.grants.len() < GRANTS_KEPT {
            self.grants.push(given);
            return;
        }
        let place = usize::try_from(self.dice.below(self.grants_seen)).unwrap_or(usize::MAX);
        if let Some(kept) = self.grants.get_mut(place) {
            *kept = given;
        }
    }

    fn count(&mut self, made: &Made) {
        let counts = &mut self.counts;
        let changes = made.entry.changes();
        counts.entries += 1;
        counts.changes += changes.len() as u64;
        if made.intended != Intended::Applied {
            counts.refused_or_duplicate += 1;
            return;
        }
        let is_catalog = matches!(changes.first(), Some(Change::PublishCatalog { .. }));
        let effective = made.entry.effective_at().map_or(self.now, |at| at.micros());
        counts.late += u64::from(effective < self.now && !is_catalog);
        counts.scheduled += u64::from(effective > self.now);
        for change in changes {
            let name = match change {
                Change::CreateLevel { level, .. } => level.as_str(),
                Change::CreateRoleCollection { role_collection, .. } => role_collection,
                _ => "",
            };
            self.named.0 += u64::from(!name.is_empty());
            self.named.1 += name.len() as u64;
            counts.voids += u64::from(matches!(change, Change::Void { .. }));
            if let Change::Grant { until, .. } = change {
                counts.grants += 1;
                counts.expiring += u64::from(until.is_some());
            }
        }
    }
}

impl Iterator for Messages {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        if self.counts.changes >= self.shape.changes {
            return None;
        }
        self.pass_time();
        let batch = self.dice.below(100) < BATCHES;
        let entries_max = if batch { 2 + self.dice.below(9) } else { 1 };
        let mut entries: Vec<Made> = Vec::with_capacity(1);
        for _ in 0..entries_max {
            let before = entries.len();
            // What is drawn may be impossible now: then something else happens.
            while entries.len() == before {
                self.make(&mut entries);
            }
            entries.iter().skip(before).for_each(|made| self.count(made));
            if self.counts.changes >= self.shape.changes {
                break;
            }
        }
        Some(Message { recorded_at: RecordedAt::saturating_from_micros(self.now), entries })
    }
}
