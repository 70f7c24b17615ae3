//! Which levels and role collections are there, and how do they change?

use std::sync::Arc;

use tenure_core::{Attributes, Change, GrantableText, Level, RoleText};
use tenure_demo::dice::Dice;

use super::people::{self, Who};
use super::slots::{Gives, Slot, SlotNumber};
use super::{BUSY_HOLDERS, Made, Messages, Size, narrow};

/// Predefined role collections of a subaccount, with the parts in a thousand of its holdings
const PREDEFINED: [(&str, u64); 6] = [
    ("Subaccount Viewer", 100),
    ("Destination Administrator", 70),
    ("Subaccount Administrator", 8),
    ("Connectivity and Destination Administrator", 10),
    ("Cloud Connector Administrator", 10),
    ("Subaccount Service Administrator", 12),
];
/// Roles that custom role collections are made of: every built-in catalogue since 2023-05-24 has each of
/// them, and of one application only. No role gives an operation that [`crate::question`] asks about on one
/// level, so that answers are as long as the role collections are crowded.
const ROLES: [&str; 12] = [
    "Cloud Connector Auditor",
    "Destination Certificate Viewer",
    "Destination Certificate Instance Viewer",
    "Destination Configuration Viewer",
    "Destination Viewer",
    "Destination Viewer Instance",
    "Subaccount Service Auditor",
    "Subaccount Service Viewer",
    "Destination Configuration Instance Viewer",
    "User and Role Auditor",
    "Destination Subaccount Trust Viewer",
    "Destination Certificate Administrator",
];
/// What can be held below an org: where, what, and the parts in a hundred of all holdings there
const BELOW_ORG: [(&str, &str, u64); 6] = [
    ("org", "Org Manager", 10),
    ("org", "Org Auditor", 10),
    ("live", "Space Developer", 30),
    ("live", "Space Manager", 10),
    ("next", "Space Developer", 30),
    ("next", "Space Manager", 10),
];
/// Custom role collections of a busy subaccount that a hundred people hold each
const CROWDED_CUSTOM: u32 = 5;
/// Changes of an entry that sets something up, at most
const SETUP_CHANGES: usize = 200;
/// Draws of something that can be changed now
const DRAWS_MAX: usize = 16;

/// A subaccount, and all levels below it
#[derive(Debug)]
pub(super) struct Subaccount {
    pub(super) level: Level,
    pub(super) exists: bool,
    /// Grows each time that it is deleted
    generation: u32,
    /// Its slots: predefined role collections, custom ones, what is below its org
    pub(super) slots: Vec<SlotNumber>,
}

fn role_collection(name: &str) -> GrantableText {
    GrantableText::RoleCollection(name.into())
}

fn has_cloud_foundry(subaccount: u32) -> bool {
    subaccount.is_multiple_of(3)
}

/// Some roles for a custom role collection
fn roles(dice: &mut Dice) -> Vec<RoleText> {
    let first = usize::try_from(dice.below(ROLES.len() as u64)).unwrap_or_default();
    let count = usize::try_from(1 + dice.below(4)).unwrap_or(1);
    ROLES.iter().cycle().skip(first).step_by(5).take(count).map(|role| people::role(role)).collect()
}

impl Messages {
    /// Whether a subaccount may be deleted one day
    pub(super) fn may_go(&self, subaccount: u32) -> bool {
        self.shape.size != Size::Zone && subaccount >= self.shape.busy && subaccount % 4 == 1
    }

    /// Makes the slots of everything that can be held, none of them open yet
    pub(super) fn plan_estate(&mut self) {
        let zone = self.shape.size == Size::Zone;
        let directories = if zone { 1 } else { (self.shape.subaccounts / 15).max(2) };
        self.directories =
            (0..directories).map(|n| people::level(&format!("directory:acme-{n}"))).collect();
        let most = (self.shape.people / 2).max(1);
        let mut above = |level: &Level, name: &str, target: u32| {
            let gives = Gives::At(level.clone(), role_collection(name));
            self.slots.push(Slot::new(gives, target.min(most)));
        };
        above(&self.root, "Global Account Administrator", 14);
        above(&self.root, "Global Account Viewer", 30);
        for level in self.directories.iter().step_by(2) {
            above(level, "Directory Administrator", 3);
            above(level, "Directory Viewer", 10);
        }
        for n in 0..self.shape.groups {
            // A zone has a handful of groups with a fifth of its people each.
            let many = zone && n < 5;
            let target = if many { self.shape.people / 5 } else { self.shape.members };
            self.slots.push(Slot::new(Gives::Membership(people::set(n)), target));
        }
        (0..self.shape.subaccounts).for_each(|n| self.plan_subaccount(n));
        self.make_tickets();
    }

    fn plan_subaccount(&mut self, n: u32) {
        let shape = &self.shape;
        let most = (u64::from(shape.people) * 2 / 3).max(1);
        let busy = u64::from(shape.busy);
        let ordinary = u64::from(shape.subaccounts).saturating_sub(busy).max(1);
        let rest = shape.live.saturating_sub(busy * BUSY_HOLDERS) / ordinary;
        let is_busy = n < shape.busy;
        let budget = if is_busy { BUSY_HOLDERS } else { rest };
        let below = if has_cloud_foundry(n) { budget * 7 / 100 } else { 0 };
        let crowded = if is_busy { CROWDED_CUSTOM.min(shape.custom) } else { 0 };
        let predefined = PREDEFINED.iter().map(|(_, parts)| budget * parts / 1_000);
        let left = budget.saturating_sub(predefined.clone().sum::<u64>());
        let left = left.saturating_sub(below + u64::from(crowded) * 100);
        let others = left / u64::from(shape.custom - crowded).max(1);
        let custom = (0..shape.custom).map(|k| (k, if k < crowded { 100 } else { others }));
        let mut planned: Vec<_> = predefined.map(|target| (None, target)).collect();
        planned.extend(custom.map(|(k, target)| (Some((k, 0)), target)));
        if has_cloud_foundry(n) {
            planned.extend(BELOW_ORG.map(|(_, _, parts)| (None, below * parts / 100)));
        }
        let level = people::level(&format!("subaccount:{}", people::place(n, 0)));
        let slots = planned.into_iter().map(|(custom, target)| {
            // What the slot gives is said when it is opened.
            let gives = Gives::At(level.clone(), role_collection("-"));
            let mut slot = Slot::new(gives, narrow(target.clamp(1, most)));
            slot.subaccount = Some(n);
            slot.custom = custom;
            self.slots.push(slot)
        });
        let slots = slots.collect();
        self.subaccounts.push(Subaccount { level, exists: false, generation: 0, slots });
    }

    fn make_tickets(&mut self) {
        let members = u64::from(self.shape.groups) * u64::from(self.shape.members);
        // Members come and go oftener than holders, where there are many more holders.
        let membership_times = if self.shape.live > 20 * members { 3 } else { 1 };
        // So few tickets that they stay in a processor's cache.
        let holders_a_ticket = if self.shape.live > 500_000 { 4 } else { 1 };
        for (number, slot) in self.slots.all() {
            let is_membership = matches!(slot.gives, Gives::Membership(_));
            let times = if is_membership { membership_times } else { 1 };
            let tickets = slot.target.div_ceil(holders_a_ticket) * times;
            self.tickets.extend(std::iter::repeat_n(number, tickets as usize));
        }
    }

    /// The level that a subaccount lies in; another one for another `moved`
    fn place_for(&self, subaccount: u32, moved: u32) -> &Level {
        let places = self.directories.len() + 1;
        self.directories.get((subaccount + moved) as usize % places).unwrap_or(&self.root)
    }

    /// Entries with these changes, none too long
    fn apply_all(&mut self, changes: &[Change], message: &mut Vec<Made>) {
        for some in changes.chunks(SETUP_CHANGES) {
            message.push(self.applied(some.to_vec()));
        }
    }

    /// Makes the root and the directories, and opens what is held there
    pub(super) fn set_up_above(&mut self, message: &mut Vec<Made>) {
        let named = |name: &str| Attributes { name: Some(name.into()), ..Attributes::default() };
        let (level, attributes) = (self.root.clone(), named("Acme"));
        let mut changes = vec![Change::CreateLevel { level, parent: None, attributes }];
        for (n, level) in self.directories.iter().enumerate() {
            let mut attributes = named(&format!("Acme {n}"));
            attributes.authorizations = (n % 2 == 0).then_some(true);
            let above = match n {
                0..4 => None,
                4..16 => Some(n % 4),
                _ => Some(4 + n % 12),
            };
            let above = above.and_then(|above| self.directories.get(above));
            let parent = Some(above.unwrap_or(&self.root).clone());
            changes.push(Change::CreateLevel { level: level.clone(), parent, attributes });
        }
        let above = self.slots.all().filter(|(_, slot)| slot.subaccount.is_none());
        for number in above.map(|(number, _)| number).collect::<Vec<_>>() {
            let gives = self.slots.get(number).gives.clone();
            self.slots.open(number, gives, self.now);
        }
        self.apply_all(&changes, message);
    }

    /// Makes a subaccount and all levels below it, and opens what is held there
    pub(super) fn set_up_subaccount(&mut self, n: u32, message: &mut Vec<Made>) {
        let parent = self.place_for(n, 0).clone();
        let Some(subaccount) = self.subaccounts.get_mut(n as usize) else { return };
        let place = people::place(n, subaccount.generation);
        let level = people::level(&format!("subaccount:{place}"));
        subaccount.level = level.clone();
        subaccount.exists = true;
        let slots = subaccount.slots.clone();
        let region = Some(if n.is_multiple_of(2) { "eu10".into() } else { "us10".into() });
        let name = Some(place.as_str().into());
        let attributes = Attributes { name, region, ..Attributes::default() };
        let mut changes =
            vec![Change::CreateLevel { level: level.clone(), parent: Some(parent), attributes }];
        let mut numbers = slots.iter().copied();
        for ((name, _), slot) in PREDEFINED.iter().zip(numbers.by_ref()) {
            self.slots.open(slot, Gives::At(level.clone(), role_collection(name)), self.now);
        }
        let custom: Vec<SlotNumber> = numbers.by_ref().take(self.shape.custom as usize).collect();
        changes.extend(custom.iter().map(|slot| self.create_custom(*slot, &level)));
        self.apply_all(&changes, message);
        let (changes, gives) = below_subaccount(n, &place, &level);
        for (slot, gives) in numbers.zip(gives) {
            self.slots.open(slot, gives, self.now);
        }
        self.apply_all(&changes, message);
        let standing = self.standing(&custom);
        self.apply_all(&standing, message);
    }

    /// Grants that stay for ever: in a zone each role collection is mapped to a group of its own
    fn standing(&mut self, custom: &[SlotNumber]) -> Vec<Change> {
        let mut standing = Vec::new();
        for (k, slot) in (0..).zip(custom).filter(|_| self.shape.size == Size::Zone) {
            self.slots.reserve(*slot, Who::Set(k));
            let to = self.people.principal(Who::Set(k));
            if let Gives::At(level, grantable) = self.slots.get(*slot).gives.clone() {
                standing.push(Change::Grant { level, grantable, to, until: None, expect: None });
            }
        }
        standing
    }

    /// The change that makes a custom role collection, which can be held from now on
    fn create_custom(&mut self, slot: SlotNumber, level: &Level) -> Change {
        let of = self.slots.get(slot);
        let (n, (custom, generation)) =
            (of.subaccount.unwrap_or_default(), of.custom.unwrap_or_default());
        let role_collection = people::role_collection(n, custom, generation);
        let grantable = GrantableText::RoleCollection(Arc::clone(&role_collection));
        self.slots.open(slot, Gives::At(level.clone(), grantable), self.now);
        let description = self.dice.percent(20).then(|| Arc::from("made for an application"));
        let (level, roles) = (level.clone(), roles(&mut self.dice));
        Change::CreateRoleCollection { level, role_collection, roles, description }
    }

    /// A change of levels or role collections; `None` where what is drawn cannot change. A level that is deleted
    /// is made again with all levels below it, in the same message.
    pub(super) fn definition(&mut self, message: &mut Vec<Made>) -> Option<Made> {
        let n = narrow(self.dice.below(u64::from(self.shape.subaccounts)));
        let level = self.subaccounts.get(n as usize).filter(|of| of.exists)?.level.clone();
        let change = match self.dice.below(100) {
            0..60 => {
                let (_, level, role_collection) = self.custom()?;
                let roles = roles(&mut self.dice);
                Change::SetRoles { level, role_collection, roles }
            }
            60..82 => return self.replace_role_collection(),
            82..93 => {
                let name = Some(format!("renamed {}", self.dice.below(1_000)).into());
                let attributes = Attributes { name, ..Attributes::default() };
                Change::SetLevel { level, attributes }
            }
            93..97 => {
                let moved = narrow(self.dice.below(7));
                Change::MoveLevel { level, parent: self.place_for(n, moved).clone() }
            }
            _ => {
                if self.may_go(n) {
                    self.delete_subaccount(n, level, message);
                }
                return None;
            }
        };
        Some(self.applied(vec![change]))
    }

    /// A custom role collection that exists
    fn custom(&mut self) -> Option<(SlotNumber, Level, Arc<str>)> {
        let drawn = (0..DRAWS_MAX)
            .find_map(|_| self.draw().filter(|slot| self.slots.get(*slot).custom.is_some()));
        let (level, name) = self.slots.get(drawn?).role_collection()?;
        Some((drawn?, level.clone(), Arc::clone(name)))
    }

    /// A custom role collection is deleted, and another one takes its place
    fn replace_role_collection(&mut self) -> Option<Made> {
        let (slot, level, role_collection) = self.custom()?;
        if self.is_crowded(slot) {
            return None;
        }
        self.slots.close(slot);
        let of = self.slots.get_mut(slot);
        of.custom = of.custom.map(|(custom, generation)| (custom, generation + 1));
        let create = self.create_custom(slot, &level);
        let delete = Change::DeleteRoleCollection { level, role_collection };
        Some(self.applied(vec![delete, create]))
    }

    fn delete_subaccount(&mut self, n: u32, level: Level, message: &mut Vec<Made>) {
        let Some(subaccount) = self.subaccounts.get_mut(n as usize) else { return };
        subaccount.generation += 1;
        subaccount.slots.iter().for_each(|slot| self.slots.close(*slot));
        message.push(self.applied(vec![Change::DeleteLevel { level }]));
        self.set_up_subaccount(n, message);
    }
}

/// The levels below a subaccount, and what can be held there in the order of its slots
fn below_subaccount(n: u32, place: &str, subaccount: &Level) -> (Vec<Change>, Vec<Gives>) {
    let mut changes = Vec::new();
    if !has_cloud_foundry(n) {
        return (changes, Vec::new());
    }
    let mut create = |text: String, parent: &Level| {
        let (level, parent) = (people::level(&text), Some(parent.clone()));
        let attributes = Attributes::default();
        changes.push(Change::CreateLevel { level: level.clone(), parent, attributes });
        level
    };
    let org = create(format!("cf-org:{place}"), subaccount);
    let [live, next] = ["live", "next"].map(|name| {
        let space = create(format!("cf-space:{place}-{name}"), &org);
        create(format!("service-instance:{place}-{name}-destination"), &space);
        space
    });
    let gives = BELOW_ORG.map(|(at, role, _)| {
        let level = match at {
            "org" => &org,
            "live" => &live,
            _ => &next,
        };
        Gives::At(level.clone(), GrantableText::Role(people::role(role)))
    });
    (changes, gives.into())
}
