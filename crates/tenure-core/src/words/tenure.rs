//! Which names does the ledger have for itself?
//!
//! Who may read and write a ledger is given in the ledger, as roles of the application `tenure`. These roles and the
//! operations that ask for them are at every level, at any time, whatever a catalogue says. Every ledger interns
//! their names before all others, so their symbols are constants.
//!
//! Rules: `docs/semantics.md#own-roles`, `docs/semantics.md#own-operations`.

use std::sync::{Arc, LazyLock};

use crate::words::grantable::{RoleKey, RoleText};
use crate::words::level::LevelKind;
use crate::words::requirement::{Direction, Held, HeldRow, Leaf, LeafRow, Requirement};
use crate::words::symbol::Symbol;

/// The application of the ledger's own roles
pub(crate) const APPLICATION: &str = "tenure";
/// What the ids of the ledger's own operations begin with
pub(crate) const OPERATION_PREFIX: &str = "ledger.";

/// The names that every ledger interns first
// INVARIANT (own names): the place of a name is the number of its symbol below.
pub(crate) const NAMES: [&str; 8] = [
    APPLICATION,
    "Administrator",
    "Submitter",
    "Auditor",
    "Door",
    "ledger.administer",
    "ledger.append",
    "ledger.read",
];

const TENURE: Symbol = Symbol::fixed(0);

const fn role(place: u32) -> RoleKey {
    RoleKey { application: TENURE, name: Symbol::fixed(place) }
}

/// Who holds it may give rights over the ledger, and all below
pub(crate) const ADMINISTRATOR: RoleKey = role(1);
/// Who holds it may append
pub(crate) const SUBMITTER: RoleKey = role(2);
/// Who holds it may read
pub(crate) const AUDITOR: RoleKey = role(3);
/// Who holds it speaks for others; at the ledger alone
pub(crate) const DOOR: RoleKey = role(4);

const ROLES: [RoleKey; 4] = [ADMINISTRATOR, SUBMITTER, AUDITOR, DOOR];

impl RoleText {
    /// Whether it names a role of the application `tenure`; its name alone never does
    pub fn is_own(&self) -> bool {
        self.application.as_deref() == Some(APPLICATION)
    }
}

impl RoleKey {
    /// Whether it is of the application `tenure`
    pub(crate) fn is_own(self) -> bool {
        self.application == TENURE
    }

    /// Whether it is one of the ledger's own roles, at some kind of level
    pub(crate) fn is_own_role(self) -> bool {
        ROLES.contains(&self)
    }
}

/// The ledger's own roles at levels of a kind
pub(crate) fn roles_at(kind: LevelKind) -> impl Iterator<Item = RoleKey> {
    ROLES.into_iter().filter(move |role| *role != DOOR || kind == LevelKind::Ledger)
}

/// What one could do with the ledger
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LedgerOperation {
    /// Give and take rights over the ledger
    Administer,
    /// Append
    Append,
    /// Read
    Read,
}

impl LedgerOperation {
    /// All of them
    pub const ALL: [Self; 3] = [Self::Administer, Self::Append, Self::Read];

    /// Its id
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Administer => "ledger.administer",
            Self::Append => "ledger.append",
            Self::Read => "ledger.read",
        }
    }

    /// The operation with that id
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.as_str() == text)
    }

    pub(crate) fn symbol(self) -> Symbol {
        match self {
            Self::Administer => Symbol::fixed(5),
            Self::Append => Symbol::fixed(6),
            Self::Read => Symbol::fixed(7),
        }
    }

    /// The roles of which it asks for one, at the level or above it
    pub(crate) fn roles(self) -> &'static [RoleKey] {
        match self {
            Self::Administer => &[ADMINISTRATOR],
            Self::Append => &[SUBMITTER, ADMINISTRATOR],
            Self::Read => &[AUDITOR, ADMINISTRATOR],
        }
    }
}

type Operation = (Symbol, Arc<Requirement<Leaf>>);

static OPERATIONS: LazyLock<[Operation; 3]> = LazyLock::new(|| {
    LedgerOperation::ALL.map(|operation| {
        let mut leaves: Vec<_> =
            operation.roles().iter().map(|role| Requirement::Leaf(leaf(*role))).collect();
        let alone = if leaves.len() == 1 { leaves.pop() } else { None };
        (operation.symbol(), Arc::new(alone.unwrap_or(Requirement::AnyOf(leaves))))
    })
});

fn leaf(role: RoleKey) -> Leaf {
    let name = NAMES.get(role.name.number() as usize).copied().unwrap_or_default();
    let (role_text, application) = (name.into(), Some(APPLICATION.into()));
    let held = HeldRow::Role { role: role_text, application };
    let row = LeafRow { held, direction: Direction::At, kinds: LevelKind::ALL.to_vec() };
    Leaf {
        held: Held::Role { application: Some(role.application), name: role.name },
        direction: Direction::At,
        kinds: LevelKind::ALL.into_iter().collect(),
        row: Arc::new(row),
    }
}

/// The ledger's own operations, which every level has
pub(crate) fn operations() -> &'static [(Symbol, Arc<Requirement<Leaf>>)] {
    &*OPERATIONS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::symbol::Symbols;

    #[test]
    fn invariant_own_names() {
        let symbols = Symbols::of(&NAMES);
        for (place, name) in (0..).zip(NAMES) {
            assert_eq!(symbols.get(name), Some(Symbol::fixed(place)), "{name}");
        }
        for operation in LedgerOperation::ALL {
            assert_eq!(&**symbols.text(operation.symbol()), operation.as_str());
            assert!(operation.as_str().starts_with(OPERATION_PREFIX));
            assert_eq!(LedgerOperation::parse(operation.as_str()), Some(operation));
        }
        let texts: Vec<String> = ROLES.iter().map(|role| role.text(&symbols)).collect();
        let names = ["Administrator", "Submitter", "Auditor", "Door"];
        assert_eq!(texts, names.map(|name| format!("{APPLICATION}/{name}")));
    }

    #[test]
    fn a_door_is_held_at_the_ledger_alone() {
        assert!(roles_at(LevelKind::Ledger).any(|role| role == DOOR));
        assert_eq!(roles_at(LevelKind::Subaccount).count(), 3);
    }
}
