//! Who holds what at the moment?
//!
//! A slot is something that can be held: a role collection or a role at a level, or membership of a set. The rest
//! of the generator asks here from whom to revoke, and to whom not to grant again.

use rustc_hash::FxHashSet;
use tenure_core::{GrantableText, Level, Principal};
use tenure_demo::dice::Dice;

use super::narrow;
use super::people::Who;

/// What a slot gives
#[derive(Clone, Debug)]
pub(super) enum Gives {
    /// A role collection or a role at a level
    At(Level, GrantableText),
    /// Membership of a set
    Membership(Principal),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Holder {
    pub(super) who: Who,
    /// The number of changes before the one that gave it: the moment follows from it
    pub(super) serial: u32,
    /// Whether the holding may have ended: a holding that was granted late may have been revoked since
    pub(super) unsure: bool,
}

/// Something that can be held
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) gives: Gives,
    /// The usual number of holders
    pub(super) target: u32,
    /// From when on it can be given
    pub(super) since: i64,
    /// Whether it can be given
    pub(super) open: bool,
    /// Grows each time that its level or role collection is deleted
    pub(super) generation: u32,
    pub(super) subaccount: Option<u32>,
    /// Which custom role collection it is of, and the generation of that
    pub(super) custom: Option<(u32, u32)>,
    holders: Vec<Holder>,
}

impl Slot {
    pub(super) fn new(gives: Gives, target: u32) -> Self {
        Self {
            gives,
            target: target.max(1),
            since: 0,
            open: false,
            generation: 0,
            subaccount: None,
            custom: None,
            holders: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> u32 {
        narrow(self.holders.len() as u64)
    }

    /// The level and the name, where it is of a role collection
    pub(super) fn role_collection(&self) -> Option<(&Level, &std::sync::Arc<str>)> {
        match &self.gives {
            Gives::At(level, GrantableText::RoleCollection(name)) => Some((level, name)),
            _ => None,
        }
    }
}

pub(super) type SlotNumber = u32;

// INVARIANT (slots): only `push` makes slot numbers.
#[derive(Debug, Default)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    /// Principals who hold a slot of a generation, or are to hold it: they are not given the same meanwhile
    taken: FxHashSet<(SlotNumber, u32, Who)>,
}

impl Slots {
    pub(super) fn push(&mut self, slot: Slot) -> SlotNumber {
        self.slots.push(slot);
        narrow(self.slots.len() as u64 - 1)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (SlotNumber, &Slot)> {
        (0..).zip(&self.slots)
    }

    #[expect(clippy::indexing_slicing, reason = "by INVARIANT (slots)")]
    pub(super) fn get(&self, slot: SlotNumber) -> &Slot {
        &self.slots[slot as usize]
    }

    #[expect(clippy::indexing_slicing, reason = "by INVARIANT (slots)")]
    pub(super) fn get_mut(&mut self, slot: SlotNumber) -> &mut Slot {
        &mut self.slots[slot as usize]
    }

    /// Whether the principal holds it, or is to hold it
    pub(super) fn holds(&self, slot: SlotNumber, who: Who) -> bool {
        self.taken.contains(&(slot, self.get(slot).generation, who))
    }

    pub(super) fn add(&mut self, slot: SlotNumber, holder: Holder) {
        self.reserve(slot, holder.who);
        self.get_mut(slot).holders.push(holder);
    }

    /// Takes it from a holder who is drawn
    pub(super) fn take_any(&mut self, slot: SlotNumber, dice: &mut Dice) -> Option<Holder> {
        let count = self.get(slot).holders.len() as u64;
        let place = usize::try_from(dice.below(count)).ok()?;
        self.take_at(slot, place)
    }

    /// Takes it from a holder, if it is there since that change
    pub(super) fn take_since(&mut self, slot: SlotNumber, who: Who, serial: u32) {
        let since = |holder: &Holder| holder.who == who && holder.serial == serial;
        if let Some(place) = self.get(slot).holders.iter().position(since) {
            self.take_at(slot, place);
        }
    }

    fn take_at(&mut self, slot: SlotNumber, place: usize) -> Option<Holder> {
        let of = self.get_mut(slot);
        if place >= of.holders.len() {
            return None;
        }
        let (holder, generation) = (of.holders.swap_remove(place), of.generation);
        self.release(slot, generation, holder.who);
        Some(holder)
    }

    pub(super) fn reserve(&mut self, slot: SlotNumber, who: Who) {
        let generation = self.get(slot).generation;
        self.taken.insert((slot, generation, who));
    }

    pub(super) fn release(&mut self, slot: SlotNumber, generation: u32, who: Who) {
        self.taken.remove(&(slot, generation, who));
    }

    pub(super) fn open(&mut self, slot: SlotNumber, gives: Gives, now: i64) {
        let slot = self.get_mut(slot);
        (slot.gives, slot.since, slot.open) = (gives, now, true);
    }

    /// Its level or role collection is deleted, and nobody holds it any more
    pub(super) fn close(&mut self, slot: SlotNumber) {
        let of = self.get_mut(slot);
        let (gone, generation) = (std::mem::take(&mut of.holders), of.generation);
        of.open = false;
        of.generation += 1;
        gone.iter().for_each(|holder| self.release(slot, generation, holder.who));
    }
}
