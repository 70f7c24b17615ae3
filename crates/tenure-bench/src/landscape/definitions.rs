//! Which levels, roles and role collections change?

use std::sync::Arc;

use tenure_core::{Attributes, Change, GrantableText};

use super::estate;
use super::messages::Messages;
use super::slots::{Gives, SlotNumber};
use super::{Made, names};

/// Draws of something that can be changed now
const DRAWS_MAX: usize = 16;

impl Messages {
    /// One of the changes of definitions; a level that is deleted is made again with all below it, in the
    /// same message
    pub(super) fn definition(&mut self, message: &mut Vec<Made>) -> Option<Made> {
        let n = u32::try_from(self.dice.below(u64::from(self.shape.subaccounts))).ok()?;
        match self.dice.below(100) {
            0..55 => self.set_roles(),
            55..75 => self.replace_role_collection(),
            75..85 => self.custom_role(n),
            85..93 => self.set_level(n),
            93..96 => self.move_level(n),
            96..98 => {
                let changes = self.estate.upgrade(n, self.now, &mut self.slots, &mut self.dice)?;
                Some(self.applied(changes))
            }
            _ => {
                self.delete_level(n, message);
                None
            }
        }
    }

    /// A custom role collection that exists
    fn custom_slot(&mut self) -> Option<SlotNumber> {
        (0..DRAWS_MAX).find_map(|_| {
            let slot = self.draw()?;
            self.slots.get(slot).custom.is_some().then_some(slot)
        })
    }

    fn set_roles(&mut self) -> Option<Made> {
        let slot = self.custom_slot()?;
        let roles = estate::roles(&mut self.dice);
        let Gives::At(level, GrantableText::RoleCollection(name)) = &self.slots.get(slot).gives
        else {
            return None;
        };
        let (level, role_collection) = (level.clone(), Arc::clone(name));
        Some(self.applied(vec![Change::SetRoles { level, role_collection, roles }]))
    }

    /// A custom role collection is deleted, and another one takes its place
    fn replace_role_collection(&mut self) -> Option<Made> {
        let slot = self.custom_slot()?;
        if self.is_crowded(slot) {
            return None;
        }
        let of = self.slots.get(slot);
        let (n, (custom, generation)) = (of.subaccount?, of.custom?);
        let Gives::At(level, GrantableText::RoleCollection(name)) = of.gives.clone() else {
            return None;
        };
        self.slots.close(slot);
        let delete = Change::DeleteRoleCollection { level: level.clone(), role_collection: name };
        let (slots, dice) = (&mut self.slots, &mut self.dice);
        let now = self.now;
        let create = estate::open_custom(n, &level, custom, generation + 1, now, slot, slots, dice);
        Some(self.applied(vec![delete, create]))
    }

    fn custom_role(&mut self, n: u32) -> Option<Made> {
        let subaccount = self.estate.subaccounts.get_mut(n as usize)?;
        if !subaccount.exists {
            return None;
        }
        let level = subaccount.level.clone();
        let change = match subaccount.role.take() {
            Some(role) => Change::DeleteRole { level, role: names::role(&role) },
            None => {
                subaccount.roles_made += 1;
                let role: Arc<str> = format!("Reader {}", subaccount.roles_made).into();
                subaccount.role = Some(Arc::clone(&role));
                let scopes = Some(vec!["orders.read".into(), "orders.list".into()]);
                Change::CreateRole {
                    level,
                    role,
                    application: "orders-app".into(),
                    template: "Reader".into(),
                    scopes,
                    attributes: None,
                }
            }
        };
        Some(self.applied(vec![change]))
    }

    fn set_level(&mut self, n: u32) -> Option<Made> {
        let subaccount = self.estate.subaccounts.get(n as usize)?;
        if !subaccount.exists {
            return None;
        }
        let level = subaccount.level.clone();
        let name = Some(format!("renamed {}", self.dice.below(1_000)).into());
        let attributes = Attributes { name, ..Attributes::default() };
        Some(self.applied(vec![Change::SetLevel { level, attributes }]))
    }

    fn move_level(&mut self, n: u32) -> Option<Made> {
        let subaccount = self.estate.subaccounts.get(n as usize)?;
        if !subaccount.exists {
            return None;
        }
        let level = subaccount.level.clone();
        let moved = u32::try_from(self.dice.below(7)).unwrap_or_default();
        let parent = self.estate.place_for(n, moved).clone();
        Some(self.applied(vec![Change::MoveLevel { level, parent }]))
    }

    fn delete_level(&mut self, n: u32, message: &mut Vec<Made>) {
        if !self.estate.may_go(n) {
            return;
        }
        if let Some(delete) = self.estate.tear_down(n, &mut self.slots) {
            message.push(self.applied(vec![delete]));
            self.set_up_subaccount(n, message);
        }
    }
}
