//! Which levels are there, and what can be held at them?

use std::sync::Arc;

use tenure_core::{Attributes, Change, FeatureSet, GrantableText, Level, RoleText};
use tenure_demo::dice::Dice;

use super::names;
use super::people::{People, Who};
use super::shape::{BUSY_HOLDERS, Shape, Size};
use super::slots::{For, Gives, Slot, SlotNumber, Slots};

/// Predefined role collections of a subaccount, with the parts in a thousand of its holdings
pub(crate) const PREDEFINED: [(&str, u64); 6] = [
    ("Subaccount Viewer", 100),
    ("Destination Administrator", 70),
    ("Subaccount Administrator", 8),
    ("Connectivity and Destination Administrator", 10),
    ("Cloud Connector Administrator", 10),
    ("Subaccount Service Administrator", 12),
];
/// Roles that custom role collections are made of: every built-in catalogue since 2023-05-24 has each of
/// them, and of one application only. None gives the operations that [`crate::question`] asks about on one
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
/// Of the custom role collections of a busy subaccount, those that a hundred people hold
const CROWDED_CUSTOM: u32 = 5;
/// Changes of an entry that sets something up
const SETUP_CHANGES: usize = 200;

/// A subaccount, and what is below it
#[derive(Debug)]
pub(crate) struct Subaccount {
    pub(crate) level: Level,
    pub(crate) generation: u32,
    /// Whether it still is of feature set A
    pub(crate) feature_set_a: bool,
    /// Its custom role, if there is one
    pub(crate) role: Option<Arc<str>>,
    pub(crate) roles_made: u32,
    pub(crate) slots: Vec<SlotNumber>,
    pub(crate) exists: bool,
}

/// The levels
#[derive(Debug)]
pub(crate) struct Estate {
    pub(crate) root: Level,
    pub(crate) directories: Vec<Level>,
    pub(crate) subaccounts: Vec<Subaccount>,
    /// What is held at the root and at directories
    above: Vec<SlotNumber>,
    memberships: Vec<SlotNumber>,
    custom: u32,
    busy: u32,
    zone: bool,
}

fn role_collection(name: &str) -> GrantableText {
    GrantableText::RoleCollection(name.into())
}

fn single(role: &str) -> GrantableText {
    GrantableText::Role(names::role(role))
}

/// Whether Cloud Foundry is enabled there
fn has_cloud_foundry(subaccount: u32) -> bool {
    subaccount.is_multiple_of(3)
}

/// Whether an instance of the service manager lies directly in it
fn has_broker(subaccount: u32) -> bool {
    subaccount.is_multiple_of(5)
}

impl Estate {
    pub(crate) fn new(shape: &Shape, slots: &mut Slots) -> Self {
        let zone = shape.size == Size::Zone;
        let directories = if zone { 1 } else { (shape.subaccounts / 15).max(2) };
        let mut estate = Self {
            root: names::level("global-account:acme"),
            directories: (0..directories)
                .map(|n| names::level(&format!("directory:acme-{n}")))
                .collect(),
            subaccounts: Vec::new(),
            above: Vec::new(),
            memberships: Vec::new(),
            custom: shape.custom,
            busy: shape.busy,
            zone,
        };
        let most = (shape.people / 2).max(1);
        let mut above = |level: &Level, name: &str, target: u32| {
            let gives = Gives::At(level.clone(), role_collection(name));
            estate.above.push(slots.push(Slot::new(gives, For::Anybody, target.min(most))));
        };
        above(&estate.root, "Global Account Administrator", 14);
        above(&estate.root, "Global Account Viewer", 30);
        for level in estate.directories.iter().step_by(2) {
            above(level, "Directory Administrator", 3);
            above(level, "Directory Viewer", 10);
        }
        for n in 0..shape.subaccounts {
            let subaccount = estate.plan(shape, n, slots);
            estate.subaccounts.push(subaccount);
        }
        for n in 0..shape.groups {
            // A zone has a handful of groups with a fifth of its people each.
            let target = if zone && n < 5 { shape.people / 5 } else { shape.members };
            let gives = Gives::Membership(names::set(n));
            estate.memberships.push(slots.push(Slot::new(gives, For::Users, target.max(1))));
        }
        estate
    }

    pub(crate) fn busy(&self, subaccount: u32) -> bool {
        subaccount < self.busy
    }

    /// Whether it may be deleted one day
    pub(crate) fn may_go(&self, subaccount: u32) -> bool {
        !self.zone && !self.busy(subaccount) && subaccount % 4 == 1
    }

    fn plan(&self, shape: &Shape, n: u32, slots: &mut Slots) -> Subaccount {
        let most = (u64::from(shape.people) * 2 / 3).max(1);
        let busy = u64::from(shape.busy);
        let ordinary = u64::from(shape.subaccounts).saturating_sub(busy).max(1);
        let rest = shape.live.saturating_sub(busy * BUSY_HOLDERS) / ordinary;
        let budget = if self.busy(n) { BUSY_HOLDERS } else { rest };
        let small = |number: u64| u32::try_from(number.clamp(1, most)).unwrap_or(1);
        let mut subaccount = Subaccount {
            level: names::level(&format!("subaccount:{}", names::place(n, 0))),
            generation: 0,
            feature_set_a: !self.zone && !self.busy(n) && n % 25 == 24,
            role: None,
            roles_made: 0,
            slots: Vec::new(),
            exists: false,
        };
        let mut push = |custom, for_whom, target: u64| {
            // What it gives is said when it is opened.
            let gives = Gives::At(subaccount.level.clone(), role_collection("-"));
            let mut slot = Slot::new(gives, for_whom, small(target));
            slot.subaccount = Some(n);
            slot.custom = custom;
            subaccount.slots.push(slots.push(slot));
        };
        let mut left = budget;
        for (_, parts) in PREDEFINED {
            let target = budget * parts / 1_000;
            left = left.saturating_sub(target);
            push(None, For::Anybody, target);
        }
        let below = if has_cloud_foundry(n) { budget * 7 / 100 } else { 0 };
        left = left.saturating_sub(below);
        let crowded = if self.busy(n) { CROWDED_CUSTOM.min(self.custom) } else { 0 };
        left = left.saturating_sub(u64::from(crowded) * 100);
        let others = u64::from(self.custom - crowded).max(1);
        for custom in 0..self.custom {
            let target = if custom < crowded { 100 } else { left / others };
            push(Some((custom, 0)), For::Anybody, target);
        }
        // Security Administrator, of feature set A.
        push(None, For::Users, budget / 20);
        if has_cloud_foundry(n) {
            for (for_whom, hundredths) in BELOW_ORG {
                push(None, for_whom, below * hundredths / 100);
            }
        }
        if has_broker(n) {
            push(None, For::Clients, 2);
        }
        subaccount
    }

    /// What all slots are drawn from: as often as many hold them
    pub(crate) fn tickets(&self, shape: &Shape, slots: &Slots) -> Vec<SlotNumber> {
        let mut tickets = Vec::new();
        let members = u64::from(shape.groups) * u64::from(shape.members);
        // Members come and go oftener than holders, where there are many more holders.
        let membership_times = if shape.live > 20 * members { 3 } else { 1 };
        // As few as keep them in a processor's cache, where there are very many.
        let holders_a_ticket = if shape.live > 500_000 { 4 } else { 1 };
        for number in 0..slots.len() {
            let tickets_of = slots.get(number).target.div_ceil(holders_a_ticket);
            let membership = self.memberships.first().is_some_and(|first| number >= *first);
            let times = if membership { membership_times } else { 1 };
            tickets.extend(std::iter::repeat_n(number, (tickets_of * times) as usize));
        }
        tickets
    }

    fn parent(&self, directory: usize) -> &Level {
        let above = match directory {
            0..4 => None,
            4..16 => Some(directory % 4),
            _ => Some(4 + directory % 12),
        };
        above.and_then(|above| self.directories.get(above)).unwrap_or(&self.root)
    }

    /// The level that a subaccount lies in, the same one each time for the same `move_`
    pub(crate) fn place_for(&self, subaccount: u32, moved: u32) -> &Level {
        let places = self.directories.len() + 1;
        self.directories.get((subaccount + moved) as usize % places).unwrap_or(&self.root)
    }

    /// The changes that make the root and the directories, and open what is held there
    pub(crate) fn set_up_above(&self, now: i64, slots: &mut Slots) -> Vec<Vec<Change>> {
        let named = |name: &str| Attributes { name: Some(name.into()), ..Attributes::default() };
        let mut changes = vec![Change::CreateLevel {
            level: self.root.clone(),
            parent: None,
            attributes: named("Acme"),
        }];
        for (n, level) in self.directories.iter().enumerate() {
            let mut attributes = named(&format!("Acme {n}"));
            attributes.authorizations = (n % 2 == 0).then_some(true);
            let parent = Some(self.parent(n).clone());
            changes.push(Change::CreateLevel { level: level.clone(), parent, attributes });
        }
        for slot in self.above.iter().chain(&self.memberships) {
            let slot = slots.get_mut(*slot);
            slot.open = true;
            slot.since = now;
        }
        chunks(changes)
    }

    /// The changes that make a subaccount and all below it, and open what is held there
    pub(crate) fn set_up(
        &mut self,
        n: u32,
        now: i64,
        slots: &mut Slots,
        people: &People,
        dice: &mut Dice,
    ) -> Vec<Vec<Change>> {
        let parent = self.place_for(n, 0).clone();
        let custom = self.custom;
        let zone = self.zone;
        let Some(subaccount) = self.subaccounts.get_mut(n as usize) else { return Vec::new() };
        let place = names::place(n, subaccount.generation);
        subaccount.level = names::level(&format!("subaccount:{place}"));
        subaccount.exists = true;
        subaccount.role = None;
        let level = subaccount.level.clone();
        let feature_set = subaccount.feature_set_a.then_some(FeatureSet::A);
        let region = Some(if n.is_multiple_of(2) { "eu10".into() } else { "us10".into() });
        let attributes = Attributes {
            name: Some(place.as_str().into()),
            feature_set,
            region,
            ..Attributes::default()
        };
        let mut changes =
            vec![Change::CreateLevel { level: level.clone(), parent: Some(parent), attributes }];
        if !subaccount.feature_set_a {
            changes.extend(set_up_role_collections(n, subaccount, custom, now, slots, dice));
        }
        let security = subaccount.slots.get(PREDEFINED.len() + custom as usize).copied();
        if let Some(security) = security.filter(|_| subaccount.feature_set_a) {
            let gives = Gives::At(level.clone(), single("Security Administrator"));
            open(slots, security, gives, now);
        }
        let mut sets = chunks(changes);
        let below = subaccount.slots.get(PREDEFINED.len() + custom as usize + 1..);
        let (changes, gives) = below_subaccount(n, &place, &level);
        for (slot, gives) in below.unwrap_or_default().iter().zip(gives) {
            open(slots, *slot, gives, now);
        }
        sets.extend(chunks(changes));
        let mut standing = Vec::new();
        if zone {
            // Each role collection is mapped to a group of its own.
            for (k, slot) in subaccount.slots.iter().skip(PREDEFINED.len()).enumerate() {
                let group = Who::set(u32::try_from(k).unwrap_or_default());
                if slots.get(*slot).custom.is_some() {
                    slots.reserve(*slot, group);
                    standing.push((*slot, people.principal(group)));
                }
            }
        } else if n % 100 == 50
            && let Some(last) = subaccount.slots.get(PREDEFINED.len() + custom as usize - 1)
        {
            standing.push((*last, names::everyone()));
        }
        let standing = standing.into_iter().filter_map(|(slot, to)| {
            let slot = slots.get(slot);
            let Gives::At(level, grantable) = &slot.gives else { return None };
            let (level, grantable) = (level.clone(), grantable.clone());
            slot.open.then_some(Change::Grant { level, grantable, to, until: None, expect: None })
        });
        sets.extend(chunks(standing.collect()));
        sets
    }

    /// The changes that bring a subaccount from feature set A to B
    pub(crate) fn upgrade(
        &mut self,
        n: u32,
        now: i64,
        slots: &mut Slots,
        dice: &mut Dice,
    ) -> Option<Vec<Change>> {
        let custom = self.custom;
        let subaccount = self.subaccounts.get_mut(n as usize)?;
        if !subaccount.exists || !subaccount.feature_set_a {
            return None;
        }
        subaccount.feature_set_a = false;
        let attributes = Attributes { feature_set: Some(FeatureSet::B), ..Attributes::default() };
        let level = subaccount.level.clone();
        let mut changes = vec![Change::SetLevel { level, attributes }];
        changes.extend(set_up_role_collections(n, subaccount, custom, now, slots, dice));
        if let Some(security) = subaccount.slots.get(PREDEFINED.len() + custom as usize) {
            slots.close(*security);
        }
        Some(changes)
    }

    /// The change that deletes a subaccount with all below it
    pub(crate) fn tear_down(&mut self, n: u32, slots: &mut Slots) -> Option<Change> {
        let subaccount = self.subaccounts.get_mut(n as usize)?;
        if !subaccount.exists {
            return None;
        }
        subaccount.exists = false;
        subaccount.generation += 1;
        for slot in &subaccount.slots {
            slots.close(*slot);
        }
        Some(Change::DeleteLevel { level: subaccount.level.clone() })
    }
}

/// Whom the roles below an org are for, with the parts in a hundred of what is held there
const BELOW_ORG: [(For, u64); 8] = [
    (For::Users, 10),
    (For::Users, 10),
    (For::Users, 30),
    (For::Users, 5),
    (For::Clients, 5),
    (For::Users, 30),
    (For::Users, 5),
    (For::Clients, 5),
];

fn open(slots: &mut Slots, slot: SlotNumber, gives: Gives, now: i64) {
    let slot = slots.get_mut(slot);
    slot.gives = gives;
    slot.open = true;
    slot.since = now;
}

fn set_up_role_collections(
    n: u32,
    subaccount: &Subaccount,
    custom: u32,
    now: i64,
    slots: &mut Slots,
    dice: &mut Dice,
) -> Vec<Change> {
    let mut changes = Vec::new();
    let level = &subaccount.level;
    let mut numbers = subaccount.slots.iter();
    for ((name, _), slot) in PREDEFINED.iter().zip(numbers.by_ref()) {
        open(slots, *slot, Gives::At(level.clone(), role_collection(name)), now);
    }
    for slot in numbers.take(custom as usize) {
        if let Some((custom, generation)) = slots.get(*slot).custom {
            changes.push(open_custom(n, level, custom, generation, now, *slot, slots, dice));
        }
    }
    changes
}

/// The change that makes a custom role collection, which can be held from now on
#[expect(clippy::too_many_arguments, reason = "each is another thing it needs")]
pub(crate) fn open_custom(
    n: u32,
    level: &Level,
    custom: u32,
    generation: u32,
    now: i64,
    slot: SlotNumber,
    slots: &mut Slots,
    dice: &mut Dice,
) -> Change {
    let name = names::role_collection(n, custom, generation);
    let gives = Gives::At(level.clone(), GrantableText::RoleCollection(Arc::clone(&name)));
    open(slots, slot, gives, now);
    let slot = slots.get_mut(slot);
    slot.custom = Some((custom, generation));
    let description = dice.percent(20).then(|| Arc::from("made for an application"));
    Change::CreateRoleCollection {
        level: level.clone(),
        role_collection: name,
        roles: roles(dice),
        description,
    }
}

/// Some roles for a custom role collection
pub(crate) fn roles(dice: &mut Dice) -> Vec<RoleText> {
    let first = usize::try_from(dice.below(ROLES.len() as u64)).unwrap_or_default();
    let count = usize::try_from(1 + dice.below(4)).unwrap_or(1);
    ROLES.iter().cycle().skip(first).step_by(5).take(count).map(|role| names::role(role)).collect()
}

/// What is below a subaccount, and what can be held there, in the order of its slots
fn below_subaccount(n: u32, place: &str, subaccount: &Level) -> (Vec<Change>, Vec<Gives>) {
    let mut changes = Vec::new();
    let mut gives = Vec::new();
    let mut create = |level: &Level, parent: &Level| {
        let (level, parent) = (level.clone(), Some(parent.clone()));
        changes.push(Change::CreateLevel { level, parent, attributes: Attributes::default() });
    };
    if has_cloud_foundry(n) {
        let org = names::level(&format!("cf-org:{place}"));
        create(&org, subaccount);
        gives.push(Gives::At(org.clone(), single("Org Manager")));
        gives.push(Gives::At(org.clone(), single("Org Auditor")));
        for name in ["live", "next"] {
            let space = names::level(&format!("cf-space:{place}-{name}"));
            let instance = names::level(&format!("service-instance:{place}-{name}-destination"));
            create(&space, &org);
            create(&instance, &space);
            gives.push(Gives::At(space.clone(), single("Space Developer")));
            gives.push(Gives::At(space, single("Space Manager")));
            gives.push(Gives::At(instance, single("Service Credentials")));
        }
    }
    if has_broker(n) {
        let broker = names::level(&format!("service-instance:{place}-broker"));
        create(&broker, subaccount);
        gives.push(Gives::At(broker, single("service-manager/subaccount-admin")));
    }
    (changes, gives)
}

/// Changes in entries that are not too long
fn chunks(changes: Vec<Change>) -> Vec<Vec<Change>> {
    changes.chunks(SETUP_CHANGES).map(<[Change]>::to_vec).collect()
}
