//! What must be held, and at which levels?
//!
//! Rules: `docs/semantics.md#can`, `docs/semantics.md#unknown-is-not-nobody`.

use std::sync::Arc;

use crate::ask::answer::AskError;
use crate::index::timeline::TimelineId;
use crate::ledger::moment::{Given, Moment};
use crate::ledger::view::View;
use crate::words::ability::{Abilities, Ability};
use crate::words::catalog::Defined;
use crate::words::grantable::{RoleKey, RoleText};
use crate::words::level::Level;
use crate::words::requirement::{Direction, Held, HeldRow, Leaf, LeafRow, Requirement};
use crate::words::symbol::LevelRef;

/// One leaf, with every timeline whose holdings satisfy it
// INVARIANT (leaf plan): `given` is sorted.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct LeafPlan {
    pub(super) row: Arc<LeafRow>,
    pub(super) given: Vec<Given>,
}

impl LeafPlan {
    /// The entry of a timeline in `given`, if it has one
    pub(super) fn given_by(&self, timeline: TimelineId) -> Option<&Given> {
        let place = self.given.binary_search_by_key(&timeline, |given| given.timeline).ok()?;
        self.given.get(place)
    }
}

/// What must be held for an ability on a level, at one moment
// INVARIANT (plan): every number in `expression` is that of an element of `leaves`.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Plan {
    pub(super) expression: Requirement<usize>,
    pub(super) leaves: Vec<LeafPlan>,
}

impl Plan {
    /// The unsatisfied parts of the requirement, as the catalogue writes them
    pub(super) fn missing(&self, holds: &impl Fn(&usize) -> bool) -> Option<Requirement<LeafRow>> {
        let missing = self.expression.missing(holds)?;
        #[expect(clippy::indexing_slicing, reason = "by INVARIANT (plan)")]
        Some(missing.map(&mut |leaf| (*self.leaves[*leaf].row).clone()))
    }
}

/// What is asked about, its names resolved
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Asked {
    /// `None` if no entry ever used the name
    Operation(Option<crate::words::symbol::Symbol>),
    Held(Held),
}

impl View<'_> {
    /// Resolves each X to numbers; an error for the first that no known entry ever defined, or that is not defined
    /// where it is asked about
    pub(super) fn asked_where(
        &self,
        can: &Abilities,
        defined: impl Fn(Asked) -> bool,
    ) -> Result<Vec<Asked>, AskError> {
        can.iter().map(|ability| self.asked_if(ability, &defined)).collect()
    }

    /// The same of one X
    pub(super) fn asked_if(
        &self,
        ability: &Ability,
        defined: impl Fn(Asked) -> bool,
    ) -> Result<Asked, AskError> {
        let asked = self.asked(ability)?;
        if defined(asked) { Ok(asked) } else { Err(unknown_operation(ability)) }
    }

    /// Resolves X to numbers; an error if no known entry ever defined it
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
}

impl Moment<'_> {
    pub(super) fn level(&self, level: &Level) -> Result<LevelRef, AskError> {
        let found = self.view.ledger.find_level(level);
        found
            .filter(|found| self.land.level(*found).is_some())
            .ok_or_else(|| AskError::UnknownLevel(level.clone()))
    }

    /// Whether it is defined on a level that exists; an operation may not be
    pub(super) fn defines(&self, asked: Asked, level: LevelRef) -> bool {
        let here = self.here(level);
        match asked {
            Asked::Operation(id) => {
                here.zip(id).is_some_and(|(here, id)| here.operation(id).is_some())
            }
            Asked::Held(_) => here.is_some(),
        }
    }

    /// What is asked on one level, its names resolved; each is looked up as if it were asked alone
    pub(super) fn asked(&self, can: &Abilities, level: LevelRef) -> Result<Vec<Asked>, AskError> {
        self.view.asked_where(can, |asked| self.defines(asked, level))
    }

    /// What must be held for any of these on a level that exists; `None` where none of them is defined
    pub(super) fn plan(&self, asked: &[Asked], level: LevelRef) -> Option<Plan> {
        let mut plans = asked.iter().filter_map(|asked| self.plan_one(*asked, level)).peekable();
        let first = plans.next()?;
        if plans.peek().is_none() {
            return Some(first);
        }
        let Plan { expression, mut leaves } = first;
        let mut parts = vec![expression];
        for plan in plans {
            let before = leaves.len();
            parts.push(plan.expression.map(&mut |leaf| before + leaf));
            leaves.extend(plan.leaves);
        }
        Some(Plan { expression: Requirement::AnyOf(parts), leaves })
    }

    fn plan_one(&self, asked: Asked, level: LevelRef) -> Option<Plan> {
        let here = self.here(level)?;
        match asked {
            Asked::Operation(id) => Some(self.plan_requirement(here.operation(id?)?, level)),
            Asked::Held(held) => {
                let held = match held {
                    Held::Scope(scope) => Held::Scope(here.real_scope(scope)),
                    other => other,
                };
                let row = LeafRow {
                    held: self.view.held_row(held),
                    direction: Direction::At,
                    kinds: vec![level.kind],
                };
                // It must be held at the level itself. No ancestor of a level has its kind.
                let given = self.given_for(held, [level]);
                let leaves = vec![LeafPlan { row: Arc::new(row), given }];
                Some(Plan { expression: Requirement::Leaf(0), leaves })
            }
        }
    }

    pub(super) fn plan_requirement(
        &self,
        requirement: &Requirement<Leaf>,
        level: LevelRef,
    ) -> Plan {
        let mut leaves = Vec::new();
        let expression = requirement.map(&mut |leaf| {
            let given = self.given_for(leaf.held, self.land.reach(level, leaf));
            leaves.push(LeafPlan { row: Arc::clone(&leaf.row), given });
            leaves.len() - 1
        });
        Plan { expression, leaves }
    }

    /// The timelines that satisfy a leaf at these levels
    fn given_for(&self, held: Held, levels: impl IntoIterator<Item = LevelRef>) -> Vec<Given> {
        let index = &self.view.ledger.index;
        let mut given = Vec::new();
        // A level at which nothing was ever held has no timeline.
        for level in levels.into_iter().filter(|level| index.any_at(*level)) {
            let Some(here) = self.here(level) else { continue };
            let timelines = here
                .givers(held)
                .into_iter()
                .filter_map(|giver| Some((giver, index.find_holding_timeline(level, giver)?)));
            given.extend(timelines.filter_map(|(giver, id)| self.given(&here, giver, id)));
        }
        given.sort_unstable();
        given
    }
}

fn unknown_role(role: &RoleText) -> AskError {
    AskError::UnknownRole(role.to_string())
}

/// The error of an operation that is not defined
fn unknown_operation(ability: &Ability) -> AskError {
    AskError::UnknownOperation(ability.to_string().into())
}
