//! What goes wrong?

use std::sync::Arc;

use tenure_core::{Attributes, Change, Entry, EntryId, GrantExpects, RefusalCode};

use super::messages::Messages;
use super::people::Who;
use super::slots::{Gives, SlotNumber};
use super::{Intended, Made, names};

/// Entries that may be voided at a time
const VOIDABLE_MAX: usize = 2_048;

/// Something that an entry gave
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    pub(super) slot: SlotNumber,
    pub(super) who: Who,
    pub(super) serial: u32,
}

/// An entry that may turn out to be a mistake
#[derive(Clone, Debug)]
pub(super) struct Voidable {
    pub(super) id: EntryId,
    pub(super) taken: Vec<Taken>,
}

impl Messages {
    pub(super) fn note_voidable(&mut self, voidable: Voidable) {
        if self.voidable.len() < VOIDABLE_MAX {
            self.voidable.push(voidable);
            return;
        }
        let place = usize::try_from(self.dice.below(VOIDABLE_MAX as u64)).unwrap_or_default();
        if let Some(kept) = self.voidable.get_mut(place) {
            *kept = voidable;
        }
    }

    /// An entry should never have counted; a tenth of the time it should have after all
    pub(super) fn void(&mut self) -> Option<Made> {
        let count = self.voidable.len() as u64;
        let place = usize::try_from(self.dice.below(count)).ok()?;
        if place >= self.voidable.len() {
            return None;
        }
        let Voidable { id, taken } = self.voidable.swap_remove(place);
        let note = Some(Arc::from("recorded by mistake"));
        let void = self.applied(vec![Change::Void { entry: id, note }]);
        if self.dice.percent(10) {
            let note = Some(Arc::from("it was right"));
            let back = self.applied(vec![Change::Void { entry: void.entry.id(), note }]);
            self.queue.push_back(back);
        } else {
            for Taken { slot, who, serial } in taken {
                self.slots.take_since(slot, who, serial);
            }
        }
        Some(void)
    }

    /// An attempt that is refused
    pub(super) fn mishap(&mut self) -> Option<Made> {
        let slot = self.draw()?;
        let of = self.slots.get(slot);
        let Gives::At(level, grantable) = of.gives.clone() else { return None };
        let sure = of.holders().iter().rev().find(|holder| {
            !holder.unsure && holder.serial < self.serial() && self.people.is_there(holder.who)
        });
        let holds = sure.map(|holder| self.people.principal(holder.who));
        let stranger = names::stranger(self.dice.below(1_000_000));
        let grant = |level, grantable, to| Change::Grant {
            level,
            grantable,
            to,
            until: None,
            expect: Some(GrantExpects::NotHeld),
        };
        let wrong = tenure_core::GrantableText::RoleCollection("Destination Administator".into());
        let (changes, code) = match self.dice.below(6) {
            0 => (vec![grant(level, wrong, stranger)], RefusalCode::UnknownRoleCollection),
            1 => {
                let level = names::level("subaccount:nowhere");
                (vec![grant(level, grantable, stranger)], RefusalCode::UnknownLevel)
            }
            2 => {
                let revoke = Change::Revoke { level, grantable, from: stranger, expect: None };
                (vec![revoke], RefusalCode::NotHeld)
            }
            3 => (vec![grant(level, grantable, holds?)], RefusalCode::AlreadyHeld),
            4 => {
                let parent = Some(self.estate.root.clone());
                let level = self.estate.directories.first()?.clone();
                let attributes = Attributes::default();
                let again = Change::CreateLevel { level, parent, attributes };
                (vec![again], RefusalCode::LevelExists)
            }
            // The first change alone would be lawful.
            _ => {
                let first = grant(level.clone(), grantable, stranger.clone());
                (vec![first, grant(level, wrong, stranger)], RefusalCode::UnknownRoleCollection)
            }
        };
        let entry = self.entry(None, changes);
        if self.dice.percent(10) {
            self.reuse_id(&entry);
        }
        Some(Made { entry, intended: Intended::Refused(code) })
    }

    /// Other content under the id of an entry, as a client sends it that is wrong
    fn reuse_id(&mut self, entry: &Entry) {
        let reason = Some(Arc::from("the same id again"));
        let again = Entry::new(
            entry.id(),
            entry.actor().clone(),
            reason,
            entry.effective_at(),
            entry.changes().to_vec(),
        );
        if let Ok(entry) = again {
            let intended = Intended::Refused(RefusalCode::IdReused);
            self.queue.push_back(Made { entry, intended });
        }
    }
}
