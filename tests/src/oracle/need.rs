//! What must be held, and who holds it?
//!
//! Whatever is asked about becomes an expression over leaves that are bound to levels. A leaf is true of whoever
//! holds, itself or through a set, something that gives it at one of these levels.
//!
//! Rules: `docs/semantics.md#could`.

use std::collections::BTreeSet;
use std::sync::Arc;

use tenure_core::answer::Holding;
use tenure_core::{
    Abilities, Ability, Direction, HeldRow, LeafRow, LedgerOperation, Level, Principal,
    PrincipalKind, Requirement, RoleText,
};

use super::access::is_own;
use super::ask::Moment;
use super::names::matching;
use super::state::Granted;

/// What a leaf looks for
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    /// As a catalogue or a question writes it
    Row(LeafRow),
    /// A custom role of that name, of any application
    CustomRole(Arc<str>),
    /// Every user of the origin
    Everyone(Arc<str>),
}

/// A leaf with the levels where it must be held
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    pub(super) wanted: Wanted,
    pub(super) levels: Vec<Level>,
}

pub(super) type Need = Requirement<Leaf>;

/// Who is asked about, and what it has given itself
#[derive(Clone, Debug)]
pub(super) struct Asker<'a> {
    pub(super) principal: &'a Principal,
    pub(super) given: BTreeSet<(Granted, Level)>,
}

impl<'a> Asker<'a> {
    /// With what it holds alone
    pub(super) fn of(principal: &'a Principal) -> Self {
        Self { principal, given: BTreeSet::new() }
    }
}

/// Whether the ledger itself decides on it, everywhere
pub(super) fn is_of_ledger(ability: &Ability) -> bool {
    match ability {
        Ability::Operation(id) => LedgerOperation::ALL.iter().any(|own| own.as_str() == &**id),
        Ability::Role(text) => is_own(text),
        _ => false,
    }
}

impl Moment<'_> {
    /// Whether something that the ledger does not see decides on it there
    pub(super) fn elsewhere(&self, ability: &Ability, on: &Level) -> bool {
        self.state.is_elsewhere(on) && !is_of_ledger(ability)
    }

    /// What must be held for an ability on a level that exists; `None` where it is not defined, or decided elsewhere
    pub(super) fn need(&self, ability: &Ability, on: &Level) -> Option<Need> {
        if self.elsewhere(ability, on) {
            return None;
        }
        let held = match ability {
            Ability::Operation(id) => {
                let requirement = self.state.operations_at(on).remove(id)?;
                return Some(self.bind(&requirement, on));
            }
            Ability::Permission(name) => {
                let ever = self.oracle.permissions_ever(on, self.s).contains(name);
                return ever.then(|| self.permission_named(on, name));
            }
            Ability::Path(path) => {
                let ever = !self.oracle.permissions_ever(on, self.s).is_empty();
                return ever.then(|| self.path(on, path));
            }
            Ability::Role(role) => {
                HeldRow::Role { role: role.name.clone(), application: role.application.clone() }
            }
            Ability::Scope(scope) => HeldRow::Scope(scope.clone()),
            Ability::RoleCollection(name) => HeldRow::RoleCollection(name.clone()),
        };
        Some(Requirement::Leaf(held_at(held, on)))
    }

    /// What must be held for at least one of these on a level that exists; `None` where none is defined
    pub(super) fn need_any(&self, can: &Abilities, on: &Level) -> Option<Need> {
        let mut needs: Vec<Need> = can.iter().filter_map(|one| self.need(one, on)).collect();
        match needs.len() {
            0 | 1 => needs.pop(),
            _ => Some(Requirement::AnyOf(needs)),
        }
    }

    pub(super) fn bind(&self, requirement: &Requirement<LeafRow>, on: &Level) -> Need {
        requirement.map(&mut |row| {
            let mut levels = match row.direction {
                Direction::At => self.state.upwards(on),
                Direction::Below => self.state.subtree(on),
            };
            let itself_too = row.direction == Direction::At;
            levels.retain(|level| row.kinds.contains(&level.kind()));
            levels.retain(|level| itself_too || level != on);
            Leaf { wanted: Wanted::Row(row.clone()), levels }
        })
    }

    /// Whether what is held at a level gives what a leaf looks for
    fn gives(&self, granted: &Granted, level: &Level, wanted: &Wanted) -> bool {
        let given = self.state.gives(level, granted);
        let row = match wanted {
            Wanted::Everyone(_) => return false,
            Wanted::CustomRole(name) => {
                return given.iter().any(|(role, there)| role.name == *name && !there.predefined);
            }
            Wanted::Row(row) => row,
        };
        let of_ledger = match &row.held {
            HeldRow::Role { role, application } => {
                application.as_deref() == Some("tenure") || role.starts_with("tenure/")
            }
            HeldRow::Scope(_) | HeldRow::RoleCollection(_) => false,
        };
        if self.state.is_elsewhere(level) && !of_ledger {
            return false;
        }
        match &row.held {
            HeldRow::RoleCollection(name) => *granted == Granted::RoleCollection(name.clone()),
            HeldRow::Role { role, application } => {
                let text = RoleText::parse(role).unwrap();
                let application = application.clone().or(text.application);
                let wanted = RoleText { application, name: text.name };
                !matching(&wanted, given.into_keys()).is_empty()
            }
            HeldRow::Scope(scope) => {
                let scope = self.state.real_scope(scope);
                given.values().any(|role| role.scopes.contains(&scope))
            }
        }
    }

    /// The holdings behind a leaf that is true, of which `Everyone` and what is only latent have none
    fn leaf(&self, leaf: &Leaf, asker: &Asker<'_>) -> Option<BTreeSet<Holding>> {
        let p = asker.principal;
        if let Wanted::Everyone(origin) = &leaf.wanted {
            let all = matches!(p.kind(), PrincipalKind::User | PrincipalKind::Everyone);
            return (all && *p.origin() == **origin).then(BTreeSet::new);
        }
        let because: BTreeSet<Holding> = self
            .counting
            .iter()
            .filter(|(key, _)| leaf.levels.contains(&key.level))
            .filter(|(key, _)| self.matches(&key.principal, p))
            .filter(|(key, _)| self.gives(&key.granted, &key.level, &leaf.wanted))
            .map(|(key, terms)| self.holding(p, key, terms))
            .collect();
        let latent = asker.given.iter().any(|(granted, level)| {
            leaf.levels.contains(level) && self.gives(granted, level, &leaf.wanted)
        });
        (latent || !because.is_empty()).then_some(because)
    }

    /// The holdings of every true leaf in a true branch; `None` if it is not satisfied
    pub(super) fn verdict(&self, need: &Need, asker: &Asker<'_>) -> Option<BTreeSet<Holding>> {
        match need {
            Requirement::Leaf(leaf) => self.leaf(leaf, asker),
            Requirement::AnyOf(parts) => {
                let found = parts.iter().filter_map(|part| self.verdict(part, asker));
                let found: Vec<_> = found.collect();
                (!found.is_empty()).then(|| found.into_iter().flatten().collect())
            }
            Requirement::AllOf(parts) => {
                let found = parts.iter().map(|part| self.verdict(part, asker));
                let found: Option<Vec<_>> = found.collect();
                found.map(|found| found.into_iter().flatten().collect())
            }
        }
    }

    /// The unsatisfied parts of what an operation requires, where it is not satisfied
    pub(super) fn missing(&self, need: &Need, asker: &Asker<'_>) -> Requirement<LeafRow> {
        let of = |parts: &[Need]| parts.iter().map(|part| self.missing(part, asker)).collect();
        match need {
            Requirement::Leaf(Leaf { wanted: Wanted::Row(row), .. }) => {
                Requirement::Leaf(row.clone())
            }
            Requirement::Leaf(leaf) => panic!("no operation requires {leaf:?}"),
            Requirement::AnyOf(parts) => Requirement::AnyOf(of(parts)),
            Requirement::AllOf(parts) => {
                let unsatisfied = parts.iter().filter(|part| self.verdict(part, asker).is_none());
                Requirement::AllOf(of(&unsatisfied.cloned().collect::<Vec<_>>()))
            }
        }
    }
}

/// The leaf of what must be held at one level
pub(super) fn held_at(held: HeldRow, level: &Level) -> Leaf {
    let row = LeafRow { held, direction: Direction::At, kinds: vec![level.kind()] };
    Leaf { wanted: Wanted::Row(row), levels: vec![level.clone()] }
}
