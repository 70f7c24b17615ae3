//! Who could hold something, and what is everything called?
//!
//! Names are derived from numbers and made of lawful characters only, so reading one cannot fail.

use std::fmt::Debug;
use std::sync::Arc;

use tenure_core::{Level, Principal, RoleText};
use tenure_demo::dice::Dice;

const AREAS: &str = "orders payments shipping pricing catalog returns planning invoices sourcing payroll \
                     field-service analytics";
const STAGES: &str = "prod test dev sandbox";
const FIRST: &str = "maria jonas priya noor lukas daniela mateo ibrahim yusuf anna chen olga samuel \
                     ines tomas aiko";
const LAST: &str = "weber brandt raman haddad meier lopez vargas traore demir novak wang petrova okafor \
                    silva kowalski tanaka";
const DUTIES: &str = "Approver Clerk Viewer Operator Auditor Manager Planner Support";

fn nth(words: &'static str, n: u32) -> &'static str {
    let count = words.split(' ').count();
    words.split(' ').nth(n as usize % count).unwrap_or_default()
}

#[expect(clippy::expect_used, reason = "names here are made of lawful characters")]
pub(crate) fn lawful<T, E: Debug>(read: Result<T, E>) -> T {
    read.expect("a lawful name")
}

pub(super) fn level(text: &str) -> Level {
    lawful(Level::parse(text))
}

pub(super) fn role(text: &str) -> RoleText {
    lawful(RoleText::parse(text))
}

fn principal(text: &str) -> Principal {
    lawful(Principal::parse(text))
}

/// What a subaccount and all levels below it are called after
pub(super) fn place(subaccount: u32, generation: u32) -> String {
    let (area, stage) = (nth(AREAS, subaccount), nth(STAGES, subaccount / 12));
    match generation {
        0 => format!("{area}-{stage}-{subaccount}"),
        _ => format!("{area}-{stage}-{subaccount}.{generation}"),
    }
}

/// A custom role collection: subaccounts of one area share its name, as copies of one application do
pub(super) fn role_collection(subaccount: u32, custom: u32, generation: u32) -> Arc<str> {
    let (area, duty, number) = (nth(AREAS, subaccount), nth(DUTIES, custom), custom / 8 + 1);
    match generation {
        0 => format!("{area} {duty} {number}").into(),
        _ => format!("{area} {duty} {number} v{}", generation + 1).into(),
    }
}

/// 70% of the users are of the company's own identity provider, 25% of SAP's, 5% are partners
pub(super) fn user(n: u32) -> Principal {
    let origin = match n % 20 {
        0..14 => "corp",
        14..19 => "sap.default",
        _ => "partners",
    };
    let (first, last) = (nth(FIRST, n), nth(LAST, n / 16));
    principal(&format!("user:{origin}/{first}.{last}.{n}@acme.example"))
}

/// Nine groups, then an attribute value
pub(super) fn set(n: u32) -> Principal {
    match n % 10 {
        9 => principal(&format!("attribute:corp/department={}-{n}", nth(AREAS, n))),
        _ => principal(&format!("group:corp/{}-{}-{n}", nth(AREAS, n), nth(STAGES, n / 10))),
    }
}

/// The client that records most of what happens
pub(super) fn provisioning() -> Principal {
    principal("client:sap.default/iam-provisioning")
}

pub(super) fn administrator(n: u64) -> Principal {
    principal(&format!("user:corp/admin.{n}@acme.example"))
}

/// A user whom only refused entries name
pub(super) fn stranger(n: u64) -> Principal {
    principal(&format!("user:corp/stranger.{n}@acme.example"))
}

/// A principal by its number
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Who {
    User(u32),
    Set(u32),
}

impl Who {
    pub(super) fn is_user(self) -> bool {
        matches!(self, Self::User(_))
    }
}

#[derive(Debug)]
struct User {
    principal: Principal,
    left: bool,
    /// Whether an entry that is never voided names the user
    named: bool,
}

/// Everybody, and which users are still there
// INVARIANT (people): only these tables make numbers of principals, and no table shrinks.
#[derive(Debug)]
pub(super) struct People {
    users: Vec<User>,
    active: Vec<u32>,
    sets: Vec<Principal>,
}

impl People {
    pub(super) fn new(users: u32, sets: u32) -> Self {
        let mut people = Self {
            users: Vec::new(),
            active: Vec::new(),
            sets: (0..sets.max(1)).map(set).collect(),
        };
        for _ in 0..users {
            people.join();
        }
        people
    }

    #[expect(clippy::indexing_slicing, reason = "by INVARIANT (people)")]
    pub(super) fn principal(&self, who: Who) -> Principal {
        match who {
            Who::User(n) => self.users[n as usize].principal.clone(),
            Who::Set(n) => self.sets[n as usize].clone(),
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Principal> {
        self.users.iter().map(|user| &user.principal).chain(&self.sets)
    }

    /// A user who is there
    pub(super) fn any_user(&self, dice: &mut Dice) -> Who {
        Who::User(dice.pick(&self.active).copied().unwrap_or_default())
    }

    pub(super) fn any_set(&self, dice: &mut Dice) -> Who {
        Who::Set(super::narrow(dice.below(self.sets.len() as u64)))
    }

    /// Whether the principal can still hold something
    pub(super) fn is_there(&self, who: Who) -> bool {
        let Who::User(n) = who else { return true };
        self.users.get(n as usize).is_some_and(|user| !user.left)
    }

    pub(super) fn note_named(&mut self, who: Who) {
        if let Who::User(n) = who
            && let Some(user) = self.users.get_mut(n as usize)
        {
            user.named = true;
        }
    }

    /// A new user
    pub(super) fn join(&mut self) -> Who {
        let n = super::narrow(self.users.len() as u64);
        self.users.push(User { principal: user(n), left: false, named: false });
        self.active.push(n);
        Who::User(n)
    }

    /// A user whom an entry named leaves; `None` if the one that is drawn cannot
    pub(super) fn leave(&mut self, dice: &mut Dice) -> Option<Who> {
        let place = usize::try_from(dice.below(self.active.len() as u64)).ok()?;
        let n = *self.active.get(place).filter(|_| self.active.len() > 1)?;
        let user = self.users.get_mut(n as usize).filter(|user| user.named)?;
        user.left = true;
        self.active.swap_remove(place);
        Some(Who::User(n))
    }
}
