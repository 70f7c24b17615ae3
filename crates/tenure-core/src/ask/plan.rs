//! Where must what be held?

use std::sync::Arc;

use crate::ability::Ability;
use crate::answer::AskError;
use crate::catalog::Defined;
use crate::grantable::{RoleKey, RoleText};
use crate::instant::EffectiveAt;
use crate::landscape::Here;
use crate::level::{KindSet, Level};
use crate::requirement::{Direction, Held, HeldRow, Leaf, LeafRow, Requirement};
use crate::symbol::LevelRef;
use crate::view::View;

/// One leaf, with the levels where it looks
#[derive(Debug)]
pub(super) struct LeafPlan<'v> {
    pub(super) leaf: Leaf,
    pub(super) levels: Vec<(LevelRef, Here<'v>)>,
}

/// What must be held for an ability on a level, at one moment
// INVARIANT (plan): every number in `expression` is that of an element of `leaves`.
#[derive(Debug)]
pub(super) struct Plan<'v> {
    pub(super) expression: Requirement<usize>,
    pub(super) leaves: Vec<LeafPlan<'v>>,
}

impl<'v> Plan<'v> {
    /// The unsatisfied parts, as they are written
    pub(super) fn missing(&self, holds: &impl Fn(&usize) -> bool) -> Option<Requirement<LeafRow>> {
        let missing = self.expression.missing(holds)?;
        #[expect(clippy::indexing_slicing, reason = "by INVARIANT (plan)")]
        Some(missing.map(&mut |leaf| (*self.leaves[*leaf].leaf.row).clone()))
    }
}

/// What is asked about, its names resolved
#[derive(Clone, Copy, Debug)]
pub(super) enum Asked {
    /// `None`: a name that nothing ever used
    Operation(Option<crate::symbol::Symbol>),
    Held(Held),
}

impl View<'_> {
    pub(super) fn level(&self, level: &Level, t: EffectiveAt) -> Result<LevelRef, AskError> {
        self.ledger
            .find_level(level)
            .filter(|found| self.landscape().level(*found, t).is_some())
            .ok_or_else(|| AskError::UnknownLevel(level.clone()))
    }

    /// Resolves what is asked about, or says that nothing known ever defined it
    pub(super) fn asked(&self, ability: &Ability) -> Result<Asked, AskError> {
        let symbols = &self.ledger.symbols;
        let defined = |what: Option<Defined>| {
            what.is_some_and(|what| self.ledger.was_defined(what, self.known_at()))
        };
        match ability {
            Ability::Operation(id) => Ok(Asked::Operation(symbols.get(id))),
            Ability::Role(role) => {
                let (held, what) = self.asked_role(role).ok_or_else(|| unknown_role(role))?;
                if defined(Some(what)) { Ok(Asked::Held(held)) } else { Err(unknown_role(role)) }
            }
            Ability::Scope(scope) => {
                let symbol = symbols.get(scope);
                symbol
                    .filter(|symbol| defined(Some(Defined::Scope(*symbol))))
                    .map(|symbol| Asked::Held(Held::Scope(symbol)))
                    .ok_or_else(|| AskError::UnknownScope(Arc::clone(scope)))
            }
            Ability::RoleCollection(name) => {
                let symbol = symbols.get(name);
                symbol
                    .filter(|symbol| defined(Some(Defined::RoleCollection(*symbol))))
                    .map(|symbol| Asked::Held(Held::RoleCollection(symbol)))
                    .ok_or_else(|| AskError::UnknownRoleCollection(Arc::clone(name)))
            }
        }
    }

    fn asked_role(&self, role: &RoleText) -> Option<(Held, Defined)> {
        let symbols = &self.ledger.symbols;
        let name = symbols.get(&role.name)?;
        match &role.application {
            None => Some((Held::Role { application: None, name }, Defined::RoleName(name))),
            Some(application) => {
                let application = symbols.get(application)?;
                let held = Held::Role { application: Some(application), name };
                Some((held, Defined::Role(RoleKey { application, name })))
            }
        }
    }

    /// What must be held for it on a level that exists; `None` where an operation is not defined
    pub(super) fn plan(&self, asked: Asked, level: LevelRef, t: EffectiveAt) -> Option<Plan<'_>> {
        let here = self.here(level, t)?;
        match asked {
            Asked::Operation(id) => Some(self.plan_requirement(here.operation(id?)?, level, t)),
            Asked::Held(held) => {
                let held = match held {
                    Held::Scope(scope) => Held::Scope(here.real_scope(scope)),
                    other => other,
                };
                let row = LeafRow {
                    held: self.held_row(held),
                    direction: Direction::At,
                    kinds: vec![level.kind],
                };
                let leaf = Leaf {
                    held,
                    direction: Direction::At,
                    kinds: KindSet::from_iter([level.kind]),
                    row: Arc::new(row),
                };
                Some(Plan {
                    expression: Requirement::Leaf(0),
                    // Holding exactly that at the level itself: an ancestor of its kind is none.
                    leaves: vec![LeafPlan { leaf, levels: vec![(level, here)] }],
                })
            }
        }
    }

    fn held_row(&self, held: Held) -> HeldRow {
        let text = |symbol| Arc::clone(self.ledger.symbols.text(symbol));
        match held {
            Held::Role { application, name } => {
                HeldRow::Role { role: text(name), application: application.map(text) }
            }
            Held::Scope(scope) => HeldRow::Scope(text(scope)),
            Held::RoleCollection(name) => HeldRow::RoleCollection(text(name)),
        }
    }

    pub(super) fn plan_requirement(
        &self,
        requirement: &Requirement<Leaf>,
        level: LevelRef,
        t: EffectiveAt,
    ) -> Plan<'_> {
        let landscape = self.landscape();
        let mut leaves = Vec::new();
        let expression = requirement.map(&mut |leaf| {
            let levels = landscape
                .reach(level, leaf, t)
                .into_iter()
                // Where nothing was ever held nothing can be found.
                .filter(|level| self.ledger.index.any_at(*level))
                .filter_map(|level| Some((level, self.here(level, t)?)))
                .collect();
            leaves.push(LeafPlan { leaf: leaf.clone(), levels });
            leaves.len() - 1
        });
        Plan { expression, leaves }
    }
}

fn unknown_role(role: &RoleText) -> AskError {
    AskError::UnknownRole(role.to_string())
}

/// What an ability is called in an error
pub(super) fn unknown_operation(ability: &Ability) -> AskError {
    AskError::UnknownOperation(ability.to_string().into())
}
