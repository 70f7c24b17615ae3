//! Who is given what, who loses it, and what goes wrong?

use std::cmp::Reverse;
use std::sync::Arc;

use tenure_core::{
    Change, EntryId, GrantExpects, GrantableText, Instant, MICROS_PER_SECOND, RevokeExpects,
};
use tenure_demo::dice::Dice;

use super::history::Later;
use super::people::{self, Who};
use super::slots::{Gives, Holder, SlotNumber};
use super::{BEGINS_MICROS, DAY, ENDS_MICROS, HOUR, Intended, MILLION, Made, Messages};

/// Most changes of an entry that is about one person or one role collection
const ONE_PERSON_MAX: usize = 8;
/// Most changes of an entry
const CHANGES_MAX: usize = 256;
/// Draws of a slot that can be held now
const DRAWS_MAX: usize = 16;
/// Longest lags of late entries, and how many in a hundred have a lag up to each
const LAGS: [(u64, i64); 3] = [(60, 3 * DAY), (90, 60 * DAY), (100, 400 * DAY)];
/// Entries that may be voided at a time
const VOIDABLE_MAX: usize = 2_048;

/// When an entry takes effect
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Timing {
    /// When it is recorded
    Ordinary,
    /// Before
    Late,
    /// After
    Scheduled,
}

/// An entry that may turn out to be a mistake, and what it gave with the serial of that
#[derive(Clone, Debug)]
pub(super) struct Voidable {
    id: EntryId,
    gave: Vec<(SlotNumber, Who, u32)>,
}

/// An entry that is being drawn up
#[derive(Debug)]
struct Draft {
    timing: Timing,
    /// When it takes effect, unless it is late
    effective: i64,
    /// Before this moment not all of it was possible
    floor: i64,
    changes: Vec<Change>,
    gave: Vec<(SlotNumber, Who, u32)>,
    /// Whether it may be voided: then no principal is named here alone
    voidable: bool,
    only_grants: bool,
}

/// Changes of an entry, as the landscape's page says
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
    /// Grants, revocations and memberships; `None` where what is drawn is impossible
    pub(super) fn turnover(&mut self, timing: Timing) -> Option<Made> {
        let size = size(&mut self.dice);
        let slot = self.draw()?;
        // So many that there are enough to void.
        let wanted = super::millionths(self.shares.voids) * 4 + 10_000;
        let voidable = self.dice.below(MILLION) < wanted;
        let mut draft = self.draft(timing, voidable);
        let who = self.somebody_for(slot);
        self.change(&mut draft, slot, who, size);
        self.finish(draft)
    }

    pub(super) fn join(&mut self) -> Option<Made> {
        let who = self.people.join();
        let mut draft = self.draft(Timing::Ordinary, false);
        for _ in 0..2 {
            let slot = self.draw()?;
            self.change(&mut draft, slot, who, 3);
        }
        self.finish(draft)
    }

    pub(super) fn leave(&mut self) -> Option<Made> {
        let who = self.people.leave(&mut self.dice)?;
        let principal = self.people.principal(who);
        Some(self.applied(vec![Change::RemovePrincipal { principal }]))
    }

    fn draft(&mut self, timing: Timing, voidable: bool) -> Draft {
        let mut effective = self.now;
        if timing == Timing::Scheduled {
            let longest = self.not_for_ages(30 * DAY);
            effective += self.dice.between(HOUR, longest);
        }
        let (changes, gave) = (Vec::new(), Vec::new());
        Draft { timing, effective, floor: 0, changes, gave, voidable, only_grants: true }
    }

    /// A length of time, or a shorter one where holdings turn over fast. In the longer one more holdings would be
    /// granted for a time, late or ahead than are held at all.
    fn not_for_ages(&self, longest: i64) -> i64 {
        let span = u128::from(ENDS_MICROS.abs_diff(BEGINS_MICROS));
        let turns = span * 10 * u128::from(self.shape.live) / u128::from(self.shape.changes.max(1));
        longest.min(i64::try_from(turns).unwrap_or(i64::MAX)).max(2 * HOUR)
    }

    /// Something that can be held now
    pub(super) fn draw(&mut self) -> Option<SlotNumber> {
        (0..DRAWS_MAX).find_map(|_| {
            let slot = *self.dice.pick(&self.tickets)?;
            self.slots.get(slot).open.then_some(slot)
        })
    }

    /// Whether it is granted rather than revoked: always while it has far fewer holders than usual
    fn gives_rather(&mut self, slot: SlotNumber) -> bool {
        let of = self.slots.get(slot);
        let (target, held) = (u64::from(of.target), u64::from(of.len()));
        held * 5 < target * 4 || self.dice.below(2 * target) >= held
    }

    fn somebody_for(&mut self, slot: SlotNumber) -> Who {
        let is_membership = matches!(self.slots.get(slot).gives, Gives::Membership(_));
        match self.dice.below(1_000) {
            0..12 if !is_membership => self.people.any_set(&mut self.dice),
            _ => self.people.any_user(&mut self.dice),
        }
    }

    /// Draws up some changes. A few changes are about one principal and what can be held around one subaccount; many
    /// changes are about anybody and anything.
    fn change(&mut self, draft: &mut Draft, slot: SlotNumber, who: Who, size: usize) {
        let (mut slot, mut who) = (slot, who);
        for _ in 0..size {
            if self.gives_rather(slot) {
                self.give(draft, slot, who);
            } else if let Some(holder) = self.slots.take_any(slot, &mut self.dice) {
                self.take(draft, slot, holder);
            }
            let around = self.slots.get(slot).subaccount.filter(|_| size <= ONE_PERSON_MAX);
            let around = around.and_then(|n| self.subaccounts.get(n as usize));
            let other = around.and_then(|around| self.dice.pick(&around.slots).copied());
            if let Some(other) = other.filter(|other| self.slots.get(*other).open) {
                slot = other;
            } else if let Some(other) = self.draw() {
                slot = other;
                who = self.somebody_for(other);
            }
        }
    }

    fn give(&mut self, draft: &mut Draft, slot: SlotNumber, who: Who) {
        let of = self.slots.get(slot);
        let is_unfit = matches!(of.gives, Gives::Membership(_)) && !who.is_user();
        if is_unfit || self.slots.holds(slot, who) || draft.changes.len() >= CHANGES_MAX {
            return;
        }
        let generation = of.generation;
        draft.floor = draft.floor.max(of.since);
        let to = self.people.principal(who);
        let mut ends = None;
        let change = match of.gives.clone() {
            Gives::Membership(set) => Change::AddMember { set, member: to.clone() },
            Gives::At(level, grantable) => {
                let (counts, share) = (&self.counts, self.shares.expiring);
                let expires = super::chance(share, counts.expiring, counts.grants);
                if self.dice.below(MILLION) < expires {
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
        let serial = self.serial();
        let starts_later = draft.timing == Timing::Scheduled;
        if starts_later || ends.is_some() {
            self.slots.reserve(slot, who);
            let (at, starts) = (ends.unwrap_or(draft.effective), ends.is_none());
            self.later.push(Reverse(Later { at, slot, generation, who, starts }));
        } else {
            self.slots.add(slot, Holder { who, serial, unsure: draft.timing == Timing::Late });
        }
        draft.gave.push((slot, who, serial));
        if !draft.voidable {
            self.people.note_named(who);
        }
        if who.is_user() && !starts_later {
            self.note_grant(slot, &to, draft.effective);
        }
    }

    /// Writes that a holder loses it, unless it went with the holder
    fn take(&mut self, draft: &mut Draft, slot: SlotNumber, holder: Holder) {
        let Holder { who, serial, unsure } = holder;
        if !self.people.is_there(who) || draft.changes.len() >= CHANGES_MAX {
            return;
        }
        draft.only_grants = false;
        let of = self.slots.get(slot);
        draft.floor = draft.floor.max(of.since).max(self.shape.moment(u64::from(serial) + 1));
        let from = self.people.principal(who);
        let expect = match (unsure || draft.timing == Timing::Late, self.dice.percent(20)) {
            (true, _) => Some(RevokeExpects::Any),
            (false, true) => Some(RevokeExpects::Held),
            (false, false) => None,
        };
        let generation = of.generation;
        draft.changes.push(match of.gives.clone() {
            Gives::Membership(set) => Change::RemoveMember { set, member: from, expect },
            Gives::At(level, grantable) => Change::Revoke { level, grantable, from, expect },
        });
        if draft.timing == Timing::Scheduled {
            self.slots.reserve(slot, who);
            let (at, starts) = (draft.effective, false);
            self.later.push(Reverse(Later { at, slot, generation, who, starts }));
        }
    }

    fn finish(&mut self, draft: Draft) -> Option<Made> {
        let Draft { timing, effective, floor, changes, gave, voidable, only_grants } = draft;
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
            self.note_voidable(Voidable { id: entry.id(), gave });
        }
        Some(Made { entry, intended: Intended::Applied })
    }

    /// A moment in the past that is not before `floor`; `None` if there is hardly one
    fn before(&mut self, floor: i64) -> Option<i64> {
        let longest = self.now - floor - 1;
        if longest < MICROS_PER_SECOND {
            return None;
        }
        let class = self.dice.below(100);
        let lag = LAGS.iter().find(|(below, _)| class < *below).map_or(DAY, |(_, lag)| *lag);
        let lag = self.dice.between(60 * MICROS_PER_SECOND, self.not_for_ages(lag));
        Some(self.now - if lag <= longest { lag } else { self.dice.between(1, longest) })
    }

    fn note_voidable(&mut self, voidable: Voidable) {
        if self.voidable.len() < VOIDABLE_MAX {
            self.voidable.push(voidable);
            return;
        }
        let place = usize::try_from(self.dice.below(VOIDABLE_MAX as u64)).unwrap_or_default();
        if let Some(kept) = self.voidable.get_mut(place) {
            *kept = voidable;
        }
    }

    /// A void of an entry; a tenth of the time a void of that void follows
    pub(super) fn void(&mut self) -> Option<Made> {
        let place = usize::try_from(self.dice.below(self.voidable.len() as u64)).ok()?;
        if place >= self.voidable.len() {
            return None;
        }
        let Voidable { id, gave } = self.voidable.swap_remove(place);
        let note = |text: &str| Some(Arc::from(text));
        let note_of_void = note("recorded by mistake");
        let void = self.applied(vec![Change::Void { entry: id, note: note_of_void }]);
        if self.dice.percent(10) {
            let (entry, note) = (void.entry.id(), note("it was right"));
            let back = self.applied(vec![Change::Void { entry, note }]);
            self.queue.push_back(back);
        } else {
            for (slot, who, serial) in gave {
                self.slots.take_since(slot, who, serial);
            }
        }
        Some(void)
    }

    /// An attempt that is refused
    pub(super) fn mishap(&mut self) -> Option<Made> {
        let slot = self.draw()?;
        let Gives::At(level, grantable) = self.slots.get(slot).gives.clone() else { return None };
        let stranger = people::stranger(self.dice.below(1_000_000));
        let grant = |level, grantable| {
            let (to, expect) = (stranger.clone(), Some(GrantExpects::NotHeld));
            Change::Grant { level, grantable, to, until: None, expect }
        };
        let misspelt = GrantableText::RoleCollection("Destination Administator".into());
        let changes = match self.dice.below(4) {
            0 => vec![grant(level, misspelt)],
            1 => vec![grant(people::level("subaccount:nowhere"), grantable)],
            2 => vec![Change::Revoke { level, grantable, from: stranger, expect: None }],
            // The first change alone would be lawful.
            _ => vec![grant(level.clone(), grantable), grant(level, misspelt)],
        };
        let entry = self.entry(None, changes);
        Some(Made { entry, intended: Intended::Refused })
    }
}
