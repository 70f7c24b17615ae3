//! Who gets, and who loses, what?

use std::cmp::Reverse;

use tenure_core::{Change, GrantExpects, Instant, MICROS_PER_SECOND, RevokeExpects};
use tenure_demo::dice::Dice;

use super::clock::{BEGINS_MICROS, DAY, ENDS_MICROS, HOUR};
use super::messages::{Later, Messages};
use super::mishap::{Taken, Voidable};
use super::people::Who;
use super::slots::{For, Gives, Holder, SlotNumber};
use super::{Intended, Made};

/// Most changes of an entry that is about one person or one role collection
const ONE_PERSON_MAX: usize = 8;
/// Draws of a slot that can be held now
const DRAWS_MAX: usize = 16;
/// Longest lags of late entries, and how many in a hundred have one up to each
const LAGS: [(u64, i64); 3] = [(60, 3 * DAY), (90, 60 * DAY), (100, 400 * DAY)];

/// When an entry holds
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Timing {
    /// When it is recorded
    Ordinary,
    /// Before
    Late,
    /// After
    Scheduled,
}

/// An entry that is being drawn up
#[derive(Debug)]
struct Draft {
    timing: Timing,
    /// When it holds, unless it is late
    effective: i64,
    /// Before this moment not all of it was possible
    floor: i64,
    changes: Vec<Change>,
    taken: Vec<Taken>,
    /// Whether it may be voided: it is nobody's only mention then
    voidable: bool,
    only_grants: bool,
}

/// Changes of an entry, as the module's page says
fn size(dice: &mut Dice) -> usize {
    let number = match dice.below(1_000) {
        0..700 => 1,
        700..850 => 2,
        850..940 => 3 + dice.below(2),
        940..985 => 5 + dice.below(4),
        985..999 => 9 + dice.below(24),
        _ => 33 + dice.below(224),
    };
    usize::try_from(number).unwrap_or(1)
}

impl Messages {
    /// Grants, revocations, moves and memberships; `None` where nothing can be drawn at once
    pub(super) fn turnover(&mut self, timing: Timing) -> Option<Made> {
        let size = size(&mut self.dice);
        let slot = self.draw()?;
        let voidable = self.may_be_voided();
        let mut draft = self.draft(timing, voidable);
        if self.gives_rather(slot) {
            if size == 1 {
                let who = self.somebody_for(slot);
                self.give(&mut draft, slot, who);
            } else if size <= ONE_PERSON_MAX && self.slots.get(slot).subaccount.is_some() {
                let who = self.somebody_for(slot);
                self.give_around(&mut draft, slot, who, size);
            } else {
                self.give_to_many(&mut draft, size);
            }
        } else if size == 1 {
            self.take_any(&mut draft, slot);
        } else if size > ONE_PERSON_MAX {
            self.clean_up(&mut draft, size);
        } else if self.dice.percent(50) {
            // A review: of those who hold it, at most half lose it.
            let most = self.slots.get(slot).len() as usize / 2 + 1;
            for _ in 0..size.min(most) {
                self.take_any(&mut draft, slot);
            }
        } else {
            self.move_somebody(&mut draft, slot, size);
        }
        self.finish(draft)
    }

    pub(super) fn somebody_joins(&mut self) -> Option<Made> {
        let who = self.people.join();
        let mut draft = self.draft(Timing::Ordinary, false);
        for _ in 0..2 {
            let slot = self.draw()?;
            if self.slots.get(slot).for_whom != For::Clients {
                self.give_around(&mut draft, slot, who, 3);
            }
        }
        self.finish(draft)
    }

    pub(super) fn somebody_leaves(&mut self) -> Option<Made> {
        let who = self.people.leave(&mut self.dice)?;
        let principal = self.people.principal(who);
        Some(self.applied(vec![Change::RemovePrincipal { principal }]))
    }

    /// Whether an entry that is made now may be voided later, so that there are enough of them
    fn may_be_voided(&mut self) -> bool {
        let wanted = u64::from(self.shares.voids.get()) * 4 + 10_000;
        self.dice.below(1_000_000) < wanted
    }

    fn draft(&mut self, timing: Timing, voidable: bool) -> Draft {
        let effective = match timing {
            Timing::Scheduled => {
                let longest = self.not_for_ages(30 * DAY);
                self.now + self.dice.between(HOUR, longest)
            }
            Timing::Ordinary | Timing::Late => self.now,
        };
        Draft {
            timing,
            effective,
            floor: 0,
            changes: Vec::new(),
            taken: Vec::new(),
            voidable,
            only_grants: true,
        }
    }

    /// A length of time, or a shorter one where what is held turns over so fast that in the longer one much
    /// more would have been granted for a time, late or ahead than is held at all
    fn not_for_ages(&self, longest: i64) -> i64 {
        let span = u128::from(ENDS_MICROS.abs_diff(BEGINS_MICROS));
        let turns = span * 10 * u128::from(self.shape.live) / u128::from(self.shape.changes.max(1));
        longest.min(i64::try_from(turns).unwrap_or(i64::MAX)).max(2 * HOUR)
    }

    fn lag(&mut self) -> i64 {
        let class = self.dice.below(100);
        let longest = LAGS.iter().find(|(below, _)| class < *below);
        let longest = self.not_for_ages(longest.map_or(DAY, |(_, longest)| *longest));
        self.dice.between(60 * MICROS_PER_SECOND, longest)
    }

    /// Something that can be held now
    pub(super) fn draw(&mut self) -> Option<SlotNumber> {
        (0..DRAWS_MAX).find_map(|_| {
            let slot = *self.dice.pick(&self.tickets)?;
            self.slots.get(slot).open.then_some(slot)
        })
    }

    /// Whether it is granted rather than revoked: always, while far fewer hold it than should; as likely,
    /// where as many do
    fn gives_rather(&mut self, slot: SlotNumber) -> bool {
        let of = self.slots.get(slot);
        let (target, held) = (u64::from(of.target), u64::from(of.len()));
        held * 5 < target * 4 || self.dice.below(2 * target) >= held
    }

    fn somebody_for(&mut self, slot: SlotNumber) -> Who {
        let roll = self.dice.below(1_000);
        match self.slots.get(slot).for_whom {
            For::Clients if roll < 800 => self.people.any_client(&mut self.dice),
            For::Anybody if roll < 12 => self.people.any_set(&mut self.dice),
            For::Anybody if roll < 30 => self.people.any_client(&mut self.dice),
            _ => self.people.any_user(&mut self.dice),
        }
    }

    /// Several things of one subaccount for one person
    fn give_around(&mut self, draft: &mut Draft, slot: SlotNumber, who: Who, size: usize) {
        self.give(draft, slot, who);
        let Some(subaccount) = self.slots.get(slot).subaccount else { return };
        for _ in 1..size {
            let around = self.estate.subaccounts.get(subaccount as usize);
            let other = around.and_then(|around| self.dice.pick(&around.slots).copied());
            let Some(other) = other.filter(|other| self.slots.get(*other).open) else { continue };
            if who.is_user() == (self.slots.get(other).for_whom != For::Clients)
                && self.gives_rather(other)
            {
                self.give(draft, other, who);
            }
        }
    }

    /// A bulk: to many, many things
    fn give_to_many(&mut self, draft: &mut Draft, size: usize) {
        for _ in 0..size * 2 {
            if draft.changes.len() >= size {
                break;
            }
            let Some(slot) = self.draw() else { continue };
            if self.gives_rather(slot) {
                let who = self.somebody_for(slot);
                self.give(draft, slot, who);
            }
        }
    }

    fn clean_up(&mut self, draft: &mut Draft, size: usize) {
        for _ in 0..size * 2 {
            if draft.changes.len() >= size {
                break;
            }
            let Some(slot) = self.draw() else { continue };
            if !self.gives_rather(slot) {
                self.take_any(draft, slot);
            }
        }
    }

    /// Somebody loses what he holds in one subaccount and gets as much in another
    fn move_somebody(&mut self, draft: &mut Draft, slot: SlotNumber, size: usize) {
        let Some(holder) = self.slots.take_any(slot, &mut self.dice) else { return };
        self.take(draft, slot, holder);
        let who = holder.who;
        if !self.people.is_there(who) {
            return;
        }
        let around = self.slots.get(slot).subaccount;
        let around = around.and_then(|n| self.estate.subaccounts.get(n as usize));
        let others = around.map(|around| around.slots.clone()).unwrap_or_default();
        for other in others {
            if draft.changes.len() > size / 2 {
                break;
            }
            if let Some(holder) = self.slots.take(other, who) {
                self.take(draft, other, holder);
            }
        }
        if let Some(slot) = self.draw()
            && self.slots.get(slot).for_whom != For::Clients
        {
            let more = size.saturating_sub(draft.changes.len());
            self.give_around(draft, slot, who, more);
        }
    }

    fn give(&mut self, draft: &mut Draft, slot: SlotNumber, who: Who) {
        if self.slots.holds(slot, who) || draft.changes.len() >= 256 {
            return;
        }
        let of = self.slots.get(slot);
        if of.for_whom == For::Users && !who.is_user() {
            return;
        }
        let generation = of.generation;
        draft.floor = draft.floor.max(of.since);
        let to = self.people.principal(who);
        let starts_later = draft.timing == Timing::Scheduled;
        let mut ends = None;
        let change = match &of.gives {
            Gives::Membership(set) => Change::AddMember { set: set.clone(), member: to.clone() },
            Gives::At(level, grantable) => {
                let (level, grantable) = (level.clone(), grantable.clone());
                let chance = self.shares.expiring.chance(self.counts.expiring, self.counts.grants);
                if self.dice.below(1_000_000) < chance {
                    let longest = self.not_for_ages(90 * DAY);
                    ends = Some(draft.effective + self.dice.between(longest / 90, longest));
                }
                let ordinary = draft.timing == Timing::Ordinary;
                let expect = (ordinary && self.dice.percent(10)).then_some(GrantExpects::NotHeld);
                let until = ends.and_then(Instant::from_micros);
                Change::Grant { level, grantable, to: to.clone(), until, expect }
            }
        };
        draft.changes.push(change);
        if starts_later || ends.is_some() {
            self.slots.reserve(slot, who);
            let at = ends.unwrap_or(draft.effective);
            let starts = ends.is_none();
            self.later.push(Reverse(Later { at, slot, generation, who, starts }));
        } else {
            let (serial, unsure) = (self.serial(), draft.timing == Timing::Late);
            self.slots.add(slot, Holder { who, serial, unsure });
        }
        draft.taken.push(Taken { slot, who, serial: self.serial() });
        if !draft.voidable {
            self.people.note_named(who);
        }
        if who.is_user() && !starts_later {
            self.note_grant(slot, &to, draft.effective);
        }
    }

    fn take_any(&mut self, draft: &mut Draft, slot: SlotNumber) {
        if let Some(holder) = self.slots.take_any(slot, &mut self.dice) {
            self.take(draft, slot, holder);
        }
    }

    /// Writes that a holder loses it, unless it went with the holder
    fn take(&mut self, draft: &mut Draft, slot: SlotNumber, holder: Holder) {
        if !self.people.is_there(holder.who) || draft.changes.len() >= 256 {
            return;
        }
        draft.only_grants = false;
        let of = self.slots.get(slot);
        let generation = of.generation;
        draft.floor = draft.floor.max(of.since).max(self.pace.latest(u64::from(holder.serial)));
        let from = self.people.principal(holder.who);
        let any = holder.unsure || draft.timing == Timing::Late;
        let expect = match (any, self.dice.percent(20)) {
            (true, _) => Some(RevokeExpects::Any),
            (false, true) => Some(RevokeExpects::Held),
            (false, false) => None,
        };
        draft.changes.push(match &of.gives {
            Gives::Membership(set) => {
                Change::RemoveMember { set: set.clone(), member: from, expect }
            }
            Gives::At(level, grantable) => {
                let (level, grantable) = (level.clone(), grantable.clone());
                Change::Revoke { level, grantable, from, expect }
            }
        });
        if draft.timing == Timing::Scheduled {
            self.slots.reserve(slot, holder.who);
            let (at, who) = (draft.effective, holder.who);
            self.later.push(Reverse(Later { at, slot, generation, who, starts: false }));
        }
    }

    fn finish(&mut self, draft: Draft) -> Option<Made> {
        let Draft { timing, effective, floor, changes, taken, voidable, only_grants } = draft;
        if changes.is_empty() {
            return None;
        }
        let effective = match timing {
            Timing::Ordinary => None,
            Timing::Scheduled => Some(effective),
            Timing::Late => self.before(floor),
        };
        let small = changes.len() <= ONE_PERSON_MAX;
        let entry = self.entry(effective, changes);
        if voidable && only_grants && small && timing != Timing::Scheduled {
            self.note_voidable(Voidable { id: entry.id(), taken });
        }
        Some(Made { entry, intended: Intended::Applied })
    }

    /// A moment in the past, but not before another; `None` if there is hardly one
    fn before(&mut self, floor: i64) -> Option<i64> {
        let longest = self.now - floor - 1;
        if longest < MICROS_PER_SECOND {
            return None;
        }
        let lag = self.lag();
        let lag = if lag <= longest { lag } else { self.dice.between(1, longest) };
        Some(self.now - lag)
    }
}
