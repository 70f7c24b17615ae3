//! What is recorded next?
//!
//! First the catalogues that hold and the levels, then what people do, until there are as many changes as
//! the shape says.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use tenure_core::{Change, Entry, EntryId, GrantableText, Instant, Principal, RecordedAt};
use tenure_demo::dice::Dice;
use tenure_wire::catalogs::{self, CatalogFileError};
use uuid::Builder;

use super::clock::Pace;
use super::estate::Estate;
use super::facts::{Counts, Facts, Given, Reservoir};
use super::mishap::Voidable;
use super::people::{People, Who};
use super::shape::Shape;
use super::shares::Shares;
use super::slots::{Gives, Holder, SlotNumber, Slots};
use super::turnover::Timing;
use super::{Intended, Made, Message, Plan, names};

/// Entries in a thousand that define something
const DEFINITIONS: u64 = 12_000;
/// Messages in a hundred that carry several entries
const BATCHES: u64 = 2;
const MILLION: u64 = 1_000_000;
/// Changes of an entry, on average: only for how many people leave
const CHANGES_AN_ENTRY: u64 = 2;

/// Something that happens by itself at a moment
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Later {
    pub(super) at: i64,
    pub(super) slot: SlotNumber,
    pub(super) generation: u32,
    pub(super) who: Who,
    /// Whether it starts then
    pub(super) starts: bool,
}

/// A history, message by message; [`Messages::facts`] is what to remember of it
#[derive(Debug)]
pub struct Messages {
    pub(super) shape: Shape,
    pub(super) shares: Shares,
    pub(super) dice: Dice,
    pub(super) pace: Pace,
    pub(super) now: i64,
    pub(super) slots: Slots,
    pub(super) estate: Estate,
    pub(super) people: People,
    pub(super) tickets: Vec<SlotNumber>,
    pub(super) later: BinaryHeap<Reverse<Later>>,
    pub(super) voidable: Vec<Voidable>,
    pub(super) counts: Counts,
    /// What is sent before anything else
    pub(super) queue: VecDeque<Made>,
    catalogs: VecDeque<Entry>,
    administrators: Vec<Principal>,
    /// Subaccounts that are set up, once the levels above are
    set_up: Option<u32>,
    /// Millionths of entries that are somebody joining or leaving
    comings: u64,
    crowded_grants: Reservoir,
    grants: Reservoir,
    /// Names of levels, role collections and roles that were made, and bytes of their texts
    named: (u64, u64),
}

impl Messages {
    pub(super) fn new(plan: &Plan) -> Result<Self, CatalogFileError> {
        let shape = plan.shape.clone();
        let mut slots = Slots::default();
        let estate = Estate::new(&shape, &mut slots);
        let tickets = estate.tickets(&shape, &slots);
        let catalogs = catalogs::genesis(&plan.ledger)?;
        let entries = (shape.changes / CHANGES_AN_ENTRY).max(1);
        // 30% of the people leave in three years, and as many join.
        let comings = u64::from(shape.people) * 3 / 10 * MILLION / entries;
        Ok(Self {
            shares: plan.shares,
            dice: Dice::new(plan.seed),
            pace: Pace::new(shape.changes),
            now: super::BEGINS_MICROS,
            people: People::new(shape.people, shape.people / 20, shape.groups),
            slots,
            estate,
            tickets,
            later: BinaryHeap::new(),
            voidable: Vec::new(),
            counts: Counts::default(),
            queue: VecDeque::new(),
            catalogs: catalogs.into_iter().map(|encoded| encoded.entry().clone()).collect(),
            administrators: (0..shape.people / 50 + 2).map(names::administrator).collect(),
            set_up: None,
            comings: comings.min(MILLION / 10),
            crowded_grants: Reservoir::new(),
            grants: Reservoir::new(),
            named: (0, 0),
            shape,
        })
    }

    /// How much of what has been made so far
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// What to remember of what has been made so far
    pub fn facts(&self) -> Facts {
        let never_deleted = |n: &u32| !self.estate.may_go(*n);
        let is_b = |n: &u32| {
            let subaccount = self.estate.subaccounts.get(*n as usize);
            subaccount.is_some_and(|subaccount| subaccount.exists && !subaccount.feature_set_a)
        };
        let subaccounts: Vec<u32> =
            (0..self.shape.subaccounts).filter(never_deleted).filter(is_b).collect();
        let level = |n: &u32| Some(self.estate.subaccounts.get(*n as usize)?.level.clone());
        let crowded =
            (0..self.slots.len()).filter(|slot| self.is_crowded(*slot)).filter_map(|slot| {
                let slot = self.slots.get(slot);
                match &slot.gives {
                    Gives::At(level, GrantableText::RoleCollection(name)) if slot.open => {
                        Some((level.clone(), Arc::clone(name)))
                    }
                    _ => None,
                }
            });
        let (people, people_bytes) = self.people.names();
        let administrators: usize =
            self.administrators.iter().map(|administrator| administrator.as_str().len()).sum();
        Facts {
            names: self.named.0 + people + self.administrators.len() as u64,
            names_bytes: self.named.1 + people_bytes + administrators as u64,
            shape: self.shape.clone(),
            counts: self.counts,
            root: self.estate.root.clone(),
            directories: self.estate.directories.clone(),
            subaccounts: subaccounts.iter().filter_map(level).collect(),
            crowded: crowded.collect(),
            users: (0..self.shape.people.min(1_000)).map(names::user).collect(),
            crowded_grants: self.crowded_grants.kept().to_vec(),
            grants: self.grants.kept().to_vec(),
            newest_micros: self.now,
        }
    }

    /// Whether many hold it for as long as the history goes on
    pub(super) fn is_crowded(&self, slot: SlotNumber) -> bool {
        let of = self.slots.get(slot);
        let Some(subaccount) = of.subaccount else { return false };
        let many = if self.shape.busy == 0 { 2 } else { 60 };
        (self.shape.busy == 0 || self.estate.busy(subaccount))
            && of.target >= many
            && of.target <= 200
            && of.custom.is_none_or(|(_, generation)| generation == 0)
            && matches!(of.gives, Gives::At(_, GrantableText::RoleCollection(_)))
            && !self.estate.may_go(subaccount)
    }

    /// How many changes were made before the next one, as holders remember it
    pub(super) fn serial(&self) -> u32 {
        u32::try_from(self.counts.changes).unwrap_or(u32::MAX)
    }

    fn pass_time(&mut self) {
        let (earliest, latest) =
            (self.pace.earliest(self.counts.changes), self.pace.latest(self.counts.changes));
        let within = self.dice.below(latest.abs_diff(earliest).max(1));
        self.now = self.now.max(earliest.saturating_add_unsigned(within));
        while let Some(Reverse(later)) = self.later.peek().copied() {
            if later.at > self.now {
                break;
            }
            self.later.pop();
            self.slots.release(later.slot, later.generation, later.who);
            let slot = self.slots.get(later.slot);
            if later.starts
                && slot.open
                && slot.generation == later.generation
                && self.people.is_there(later.who)
            {
                let serial = self.serial();
                self.slots.add(later.slot, Holder { who: later.who, serial, unsure: false });
            }
        }
    }

    /// An entry of somebody who records such things
    pub(super) fn entry(&mut self, effective: Option<i64>, changes: Vec<Change>) -> Entry {
        let id = self.id();
        let actor = match self.dice.below(10) {
            0..6 => names::provisioning(),
            _ => self.dice.pick(&self.administrators).cloned().unwrap_or_else(names::provisioning),
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
        let chance = (u128::from(self.dice.number()) << 64) | u128::from(self.dice.number());
        let mut bytes = [0; 10];
        for (byte, chance) in bytes.iter_mut().zip(chance.to_be_bytes()) {
            *byte = chance;
        }
        EntryId(Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid())
    }

    pub(super) fn applied(&mut self, changes: Vec<Change>) -> Made {
        Made { entry: self.entry(None, changes), intended: Intended::Applied }
    }

    /// Adds the next entries to a message: one, or what is set up together
    fn make(&mut self, message: &mut Vec<Made>) {
        if let Some(made) = self.queue.pop_front() {
            message.push(made);
            return;
        }
        let due = |entry: &Entry| {
            entry.effective_at().is_none_or(|effective| effective.micros() <= self.now)
        };
        if self.catalogs.front().is_some_and(due) {
            let entry = self.catalogs.pop_front();
            message.extend(entry.map(|entry| Made { entry, intended: Intended::Applied }));
            return;
        }
        match self.set_up {
            None => {
                self.set_up = Some(0);
                let sets = self.estate.set_up_above(self.now, &mut self.slots);
                message.extend(sets.into_iter().map(|changes| self.applied(changes)));
            }
            Some(n) if n < self.shape.subaccounts => {
                self.set_up = Some(n + 1);
                self.set_up_subaccount(n, message);
            }
            Some(_) => self.ordinary(message),
        }
    }

    pub(super) fn set_up_subaccount(&mut self, n: u32, message: &mut Vec<Made>) {
        let (slots, people, dice) = (&mut self.slots, &self.people, &mut self.dice);
        let sets = self.estate.set_up(n, self.now, slots, people, dice);
        message.extend(sets.into_iter().map(|changes| self.applied(changes)));
    }

    /// What happens on a day like any other
    fn ordinary(&mut self, message: &mut Vec<Made>) {
        let Counts { entries, late, scheduled, voids, refused, duplicates, .. } = self.counts;
        let wrong = self.shares.refused.chance(refused + duplicates, entries);
        let void = self.shares.voids.chance(voids, entries);
        let late = self.shares.late.chance(late, entries);
        let scheduled = self.shares.scheduled.chance(scheduled, entries);
        let mut roll = self.dice.below(MILLION);
        let mut falls = |chance: u64| {
            let falls = roll < chance;
            roll = roll.saturating_sub(chance);
            falls
        };
        let made = if falls(wrong / 2) {
            self.mishap()
        } else if falls(wrong - wrong / 2) {
            let made = self.turnover(Timing::Ordinary);
            let again =
                made.iter().map(|made| Made { intended: Intended::Duplicate, ..made.clone() });
            self.queue.extend(again);
            made
        } else if falls(void) {
            self.void()
        } else if falls(late) {
            self.turnover(Timing::Late)
        } else if falls(scheduled) {
            self.turnover(Timing::Scheduled)
        } else if falls(DEFINITIONS) {
            self.definition(message)
        } else if falls(self.comings) {
            self.somebody_leaves()
        } else if falls(self.comings) {
            self.somebody_joins()
        } else {
            self.turnover(Timing::Ordinary)
        };
        message.extend(made);
    }

    /// Remembers a grant
    pub(super) fn note_grant(&mut self, slot: SlotNumber, to: &Principal, effective: i64) {
        let crowded = self.is_crowded(slot);
        let of = self.slots.get(slot);
        let Gives::At(level, GrantableText::RoleCollection(name)) = &of.gives else { return };
        let recorded_micros = self.now;
        let make = || Given {
            level: level.clone(),
            role_collection: Arc::clone(name),
            to: to.clone(),
            effective_micros: effective,
            recorded_micros,
        };
        if crowded {
            self.crowded_grants.offer(&mut self.dice, make);
        }
        self.grants.offer(&mut self.dice, make);
    }

    fn count(&mut self, recorded_at: i64, made: &Made) {
        let counts = &mut self.counts;
        counts.entries += 1;
        counts.changes += made.entry.changes().len() as u64;
        match made.intended {
            Intended::Refused(_) => {
                counts.refused += 1;
                return;
            }
            Intended::Duplicate => {
                counts.duplicates += 1;
                return;
            }
            Intended::Applied => {}
        }
        let is_catalog =
            matches!(made.entry.changes().first(), Some(Change::PublishCatalog { .. }));
        match made.entry.effective_at() {
            Some(effective) if !is_catalog && effective.micros() < recorded_at => counts.late += 1,
            Some(effective) if effective.micros() > recorded_at => counts.scheduled += 1,
            _ => {}
        }
        for change in made.entry.changes() {
            let text = match change {
                Change::CreateLevel { level, .. } => Some(level.as_str()),
                Change::CreateRoleCollection { role_collection, .. } => Some(&**role_collection),
                Change::CreateRole { role, .. } => Some(&**role),
                _ => None,
            };
            self.named.0 += u64::from(text.is_some());
            self.named.1 += text.map_or(0, str::len) as u64;
            match change {
                Change::Grant { until, .. } => {
                    counts.grants += 1;
                    counts.expiring += u64::from(until.is_some());
                }
                Change::Revoke { .. } => counts.revokes += 1,
                Change::AddMember { .. } | Change::RemoveMember { .. } => counts.memberships += 1,
                Change::RemovePrincipal { .. } => counts.removals += 1,
                Change::Void { .. } => counts.voids += 1,
                _ => counts.definitions += 1,
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
            // What is drawn may not be there: then something else happens.
            while entries.len() == before {
                self.make(&mut entries);
            }
            for made in entries.get(before..).unwrap_or_default() {
                self.count(self.now, made);
            }
            if self.counts.changes >= self.shape.changes {
                break;
            }
        }
        self.counts.messages += 1;
        Some(Message { recorded_at: RecordedAt::saturating_from_micros(self.now), entries })
    }
}
