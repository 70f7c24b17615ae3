//! Who holds what at the moment?
//!
//! A slot is something that can be held: a role collection or a role at a level, or membership of a set.
//! The rest of the generator asks here whom to revoke from and to whom not to grant again.

use rustc_hash::FxHashSet;
use tenure_core::{GrantableText, Level, Principal};
use tenure_demo::dice::Dice;

use super::people::Who;

/// Holders from which on a slot is searched by hash
const SEARCHED_MAX: u32 = 512;

/// What a slot gives
#[derive(Clone, Debug)]
pub(crate) enum Gives {
    /// A role collection or a role, there
    At(Level, GrantableText),
    /// Membership
    Membership(Principal),
}

/// Whom a slot is for
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum For {
    /// Mostly people, now and then a set or a client
    Anybody,
    /// Mostly clients
    Clients,
    /// Only people: members
    Users,
}

/// Somebody who holds a slot
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Holder {
    pub(crate) who: Who,
    /// The changes before the one that gave it: which moment that was follows from it
    pub(crate) serial: u32,
    /// Whether it may have ended without our knowing: what was granted late may have been revoked since
    pub(crate) unsure: bool,
}

/// Something that can be held
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) gives: Gives,
    pub(crate) for_whom: For,
    /// How many hold it, about
    pub(crate) target: u32,
    /// From when on it can be given
    pub(crate) since: i64,
    /// Whether it can be given
    pub(crate) open: bool,
    /// Another one each time that its level or role collection is deleted
    pub(crate) generation: u32,
    /// The subaccount it belongs to
    pub(crate) subaccount: Option<u32>,
    /// Which custom role collection it is of, and its generation
    pub(crate) custom: Option<(u32, u32)>,
    holders: Vec<Holder>,
}

impl Slot {
    pub(crate) fn new(gives: Gives, for_whom: For, target: u32) -> Self {
        Self {
            gives,
            for_whom,
            target: target.max(1),
            since: 0,
            open: false,
            generation: 0,
            subaccount: None,
            custom: None,
            holders: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.holders.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn holders(&self) -> &[Holder] {
        &self.holders
    }
}

/// A slot's number
pub(crate) type SlotNumber = u32;

/// Every slot
// INVARIANT (slots): slot numbers are made by `push` only. `crowds` holds the holders of slots whose target
// is above `SEARCHED_MAX`.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    slots: Vec<Slot>,
    crowds: FxHashSet<(SlotNumber, Who)>,
    /// Who holds for a time, or will: not to be given it again meanwhile
    reserved: FxHashSet<(SlotNumber, u32, Who)>,
}

impl Slots {
    pub(crate) fn push(&mut self, slot: Slot) -> SlotNumber {
        self.slots.push(slot);
        u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
    }

    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.slots.len()).unwrap_or(u32::MAX)
    }

    #[expect(clippy::indexing_slicing, reason = "by INVARIANT (slots)")]
    pub(crate) fn get(&self, slot: SlotNumber) -> &Slot {
        &self.slots[slot as usize]
    }

    #[expect(clippy::indexing_slicing, reason = "by INVARIANT (slots)")]
    pub(crate) fn get_mut(&mut self, slot: SlotNumber) -> &mut Slot {
        &mut self.slots[slot as usize]
    }

    /// Whether somebody holds it, or is to
    pub(crate) fn holds(&self, slot: SlotNumber, who: Who) -> bool {
        let of = self.get(slot);
        let held = if of.target > SEARCHED_MAX {
            self.crowds.contains(&(slot, who))
        } else {
            of.holders.iter().any(|holder| holder.who == who)
        };
        held || self.reserved.contains(&(slot, of.generation, who))
    }

    pub(crate) fn add(&mut self, slot: SlotNumber, holder: Holder) {
        let of = self.get_mut(slot);
        of.holders.push(holder);
        if of.target > SEARCHED_MAX {
            self.crowds.insert((slot, holder.who));
        }
    }

    /// Takes away one of the holders, by chance
    pub(crate) fn take_any(&mut self, slot: SlotNumber, dice: &mut Dice) -> Option<Holder> {
        let count = self.get(slot).holders.len() as u64;
        let place = usize::try_from(dice.below(count)).ok()?;
        self.take_at(slot, place)
    }

    /// Takes away a holder, if it is there since that change
    pub(crate) fn take_since(&mut self, slot: SlotNumber, who: Who, serial: u32) {
        let since = |holder: &Holder| holder.who == who && holder.serial == serial;
        if let Some(place) = self.get(slot).holders.iter().position(since) {
            self.take_at(slot, place);
        }
    }

    /// Takes away a holder, if it is there
    pub(crate) fn take(&mut self, slot: SlotNumber, who: Who) -> Option<Holder> {
        let place = self.get(slot).holders.iter().position(|holder| holder.who == who)?;
        self.take_at(slot, place)
    }

    fn take_at(&mut self, slot: SlotNumber, place: usize) -> Option<Holder> {
        let of = self.get_mut(slot);
        if place >= of.holders.len() {
            return None;
        }
        let holder = of.holders.swap_remove(place);
        if of.target > SEARCHED_MAX {
            self.crowds.remove(&(slot, holder.who));
        }
        Some(holder)
    }

    pub(crate) fn reserve(&mut self, slot: SlotNumber, who: Who) {
        let generation = self.get(slot).generation;
        self.reserved.insert((slot, generation, who));
    }

    pub(crate) fn release(&mut self, slot: SlotNumber, generation: u32, who: Who) {
        self.reserved.remove(&(slot, generation, who));
    }

    /// What it is of is gone, and with it all who held it
    pub(crate) fn close(&mut self, slot: SlotNumber) {
        let of = self.get_mut(slot);
        of.open = false;
        of.generation += 1;
        let gone = std::mem::take(&mut of.holders);
        if of.target > SEARCHED_MAX {
            for holder in gone {
                self.crowds.remove(&(slot, holder.who));
            }
        }
    }
}
