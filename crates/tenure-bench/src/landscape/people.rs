//! Who is there to hold something?

use tenure_core::Principal;
use tenure_demo::dice::Dice;

use super::names;

/// A user, a client or a set, by its number
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Who(u32);

const CLIENT: u32 = 1 << 30;
const SET: u32 = 1 << 31;
const NUMBER: u32 = CLIENT - 1;

impl Who {
    pub(crate) fn client(n: u32) -> Self {
        Self(CLIENT | n)
    }

    pub(crate) fn set(n: u32) -> Self {
        Self(SET | n)
    }

    pub(crate) fn is_user(self) -> bool {
        self.0 & (CLIENT | SET) == 0
    }

    fn index(self) -> usize {
        (self.0 & NUMBER) as usize
    }
}

/// Everybody, and who is still there
#[derive(Debug)]
pub(crate) struct People {
    users: Vec<Principal>,
    /// Whether a user left, and whether an entry that is never voided names it
    left: Vec<bool>,
    named: Vec<bool>,
    active: Vec<u32>,
    clients: Vec<Principal>,
    sets: Vec<Principal>,
}

impl People {
    pub(crate) fn new(users: u32, clients: u32, sets: u32) -> Self {
        let everybody = users as usize;
        Self {
            users: (0..users).map(names::user).collect(),
            left: vec![false; everybody],
            named: vec![false; everybody],
            active: (0..users).collect(),
            clients: (0..clients.max(1)).map(names::client).collect(),
            sets: (0..sets.max(1)).map(names::set).collect(),
        }
    }

    pub(crate) fn principal(&self, who: Who) -> Principal {
        let of = match who.0 & (CLIENT | SET) {
            0 => &self.users,
            CLIENT => &self.clients,
            _ => &self.sets,
        };
        #[expect(clippy::indexing_slicing, reason = "numbers are made by this table only")]
        of[who.index()].clone()
    }

    /// How many names there are, and the bytes of their texts
    pub(crate) fn names(&self) -> (u64, u64) {
        let all = || self.users.iter().chain(&self.clients).chain(&self.sets);
        let bytes: usize = all().map(|principal| principal.as_str().len()).sum();
        (all().count() as u64, bytes as u64)
    }

    /// Somebody who is there
    pub(crate) fn any_user(&self, dice: &mut Dice) -> Who {
        Who(dice.pick(&self.active).copied().unwrap_or_default())
    }

    pub(crate) fn any_client(&self, dice: &mut Dice) -> Who {
        Who::client(number(dice.below(self.clients.len() as u64)))
    }

    pub(crate) fn any_set(&self, dice: &mut Dice) -> Who {
        Who::set(number(dice.below(self.sets.len() as u64)))
    }

    /// Whether it can still hold something
    pub(crate) fn is_there(&self, who: Who) -> bool {
        !who.is_user() || self.left.get(who.index()).is_some_and(|left| !left)
    }

    pub(crate) fn note_named(&mut self, who: Who) {
        if who.is_user()
            && let Some(named) = self.named.get_mut(who.index())
        {
            *named = true;
        }
    }

    /// Somebody new
    pub(crate) fn join(&mut self) -> Who {
        let n = number(self.users.len() as u64);
        self.users.push(names::user(n));
        self.left.push(false);
        self.named.push(false);
        self.active.push(n);
        Who(n)
    }

    /// Somebody who is there and was named leaves; `None` if none is found at once
    pub(crate) fn leave(&mut self, dice: &mut Dice) -> Option<Who> {
        if self.active.len() < 2 {
            return None;
        }
        let place = usize::try_from(dice.below(self.active.len() as u64)).ok()?;
        let n = *self.active.get(place)?;
        if !self.named.get(n as usize).copied().unwrap_or_default() {
            return None;
        }
        self.active.swap_remove(place);
        if let Some(left) = self.left.get_mut(n as usize) {
            *left = true;
        }
        Some(Who(n))
    }
}

fn number(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(NUMBER).min(NUMBER)
}
