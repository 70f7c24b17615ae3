//! What must be held, and at which levels?
//!
//! Rules: `docs/semantics.md#can`, `docs/semantics.md#unknown-is-not-nobody`.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::ask::answer::AskError;
use crate::history::landscape::Permission;
use crate::history::landscape_at::Here;
use crate::index::timeline::TimelineId;
use crate::ledger::moment::{Given, Moment};
use crate::ledger::view::View;
use crate::words::ability::{Abilities, Ability};
use crate::words::definitions::Defined;
use crate::words::grantable::{RoleKey, RoleText};
use crate::words::level::Level;
use crate::words::principal::{Principal, PrincipalKind};
use crate::words::requirement::{Held, Leaf, LeafRow, Requirement};
use crate::words::symbol::{LevelRef, PrincipalRef, Symbol};
use crate::words::tenure;

/// One leaf, with every timeline whose holdings satisfy it
// INVARIANT (leaf plan): `given` is sorted.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct LeafPlan {
    /// As the catalogue writes it; `None` where no catalogue does
    pub(super) row: Option<Arc<LeafRow>>,
    pub(super) given: Vec<Given>,
    /// The origin of the users that satisfy it whatever they hold
    pub(super) open_to: Option<Arc<str>>,
}

impl LeafPlan {
    /// Whether a principal satisfies it whatever it holds
    pub(super) fn is_open_to(&self, principal: &Principal) -> bool {
        let kinds = [PrincipalKind::User, PrincipalKind::Everyone];
        kinds.contains(&principal.kind()) && self.open_to.as_deref() == Some(principal.origin())
    }

    /// The entry of a timeline in `given`, if it has one
    pub(super) fn given_by(&self, timeline: TimelineId) -> Option<&Given> {
        let place = self.given.binary_search_by_key(&timeline, |given| given.timeline).ok()?;
        self.given.get(place)
    }
}

/// What one leaf asks for
#[derive(Clone, Debug, Default)]
pub(super) struct Need {
    /// What must be held; `None` where nothing need be
    pub(super) held: Option<Held>,
    /// At any of these levels
    pub(super) at: Vec<LevelRef>,
    /// The origin of the users that satisfy it whatever they hold
    pub(super) open_to: Option<Arc<str>>,
    /// As the catalogue writes it; `None` where no catalogue does
    row: Option<Arc<LeafRow>>,
}

impl Need {
    fn of(held: Held, at: Vec<LevelRef>) -> Self {
        Self { held: Some(held), at, open_to: None, row: None }
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
    /// The unsatisfied parts of the requirement, as the catalogue writes them; `None` if no catalogue does
    pub(super) fn missing(&self, holds: &impl Fn(&usize) -> bool) -> Option<Requirement<LeafRow>> {
        let rows: Option<Vec<&Arc<LeafRow>>> =
            self.leaves.iter().map(|leaf| leaf.row.as_ref()).collect();
        let (rows, missing) = (rows?, self.expression.missing(holds)?);
        #[expect(clippy::indexing_slicing, reason = "by INVARIANT (plan)")]
        Some(missing.map(&mut |leaf| (**rows[*leaf]).clone()))
    }

    /// Whether a principal ever held something that a leaf looks at
    pub(super) fn looks_at(&self, view: &View<'_>, holder: PrincipalRef) -> bool {
        let mut given = self.leaves.iter().flat_map(|leaf| &leaf.given);
        given.any(|given| view.ledger.index.is_in(given.timeline, holder))
    }

    /// The sets of everybody that satisfy it and that no entry ever named
    pub(super) fn unnamed(&self, view: &View<'_>) -> Vec<Principal> {
        let origins: BTreeSet<&Arc<str>> =
            self.leaves.iter().filter_map(|leaf| leaf.open_to.as_ref()).collect();
        let unnamed =
            origins.into_iter().filter(|origin| view.ledger.find_everyone(origin).is_none());
        let all = unnamed.filter_map(|origin| Principal::everyone(origin).ok());
        all.filter(|everyone| {
            let open =
                |leaf: &usize| self.leaves.get(*leaf).is_some_and(|leaf| leaf.is_open_to(everyone));
            self.expression.support(&open).is_some()
        })
        .collect()
    }
}

/// What is asked about, its names resolved
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Asked {
    /// `None` if no entry ever used the name
    Operation(Option<Symbol>),
    Held(Held),
    /// `None` if no entry ever used the name
    Permission(Option<Symbol>),
    Path(Arc<str>),
}

impl Asked {
    /// Whether the ledger itself decides on it everywhere
    pub(super) fn is_own(&self) -> bool {
        match self {
            Self::Operation(id) => {
                id.is_some_and(|id| tenure::operations().iter().any(|(own, _)| *own == id))
            }
            Self::Held(held) => is_own(*held),
            Self::Permission(_) | Self::Path(_) => false,
        }
    }
}

fn is_own(held: Held) -> bool {
    matches!(held, Held::Role { application: Some(application), name }
        if RoleKey { application, name }.is_own())
}

impl View<'_> {
    /// Resolves each X to numbers; an error for the first that no known entry ever defined, or that is not defined
    /// where it is asked about
    pub(super) fn asked_where(
        &self,
        can: &Abilities,
        defined: impl Fn(&Asked) -> bool,
    ) -> Result<Vec<Asked>, AskError> {
        can.iter().map(|ability| self.asked_if(ability, &defined)).collect()
    }

    /// The same of one X
    pub(super) fn asked_if(
        &self,
        ability: &Ability,
        defined: impl Fn(&Asked) -> bool,
    ) -> Result<Asked, AskError> {
        let asked = self.asked(ability)?;
        if defined(&asked) { Ok(asked) } else { Err(undefined(ability)) }
    }

    /// Resolves X to numbers; an error if no known entry ever defined it
    pub(super) fn asked(&self, ability: &Ability) -> Result<Asked, AskError> {
        let symbols = &self.ledger.symbols;
        let defined = |what: Option<Defined>| {
            what.is_some_and(|what| self.ledger.was_defined(what, self.known_at()))
        };
        match ability {
            Ability::Operation(id) => Ok(Asked::Operation(symbols.get(id))),
            Ability::Permission(name) => Ok(Asked::Permission(symbols.get(name))),
            Ability::Path(path) => Ok(Asked::Path(Arc::clone(path))),
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

    /// Whether some known entry defined an operation, or it is no operation
    pub(super) fn ever_asks(&self, asked: &Asked) -> bool {
        match asked {
            Asked::Operation(id) => id
                .is_some_and(|id| self.ledger.was_defined(Defined::Operation(id), self.known_at())),
            Asked::Held(_) | Asked::Permission(_) | Asked::Path(_) => true,
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
}

impl Moment<'_> {
    pub(super) fn level(&self, level: &Level) -> Result<LevelRef, AskError> {
        let found = self.view.ledger.find_level(level);
        found
            .filter(|found| self.land.level(*found).is_some())
            .ok_or_else(|| AskError::UnknownLevel(level.clone()))
    }

    /// Whether it is defined on a level that exists; an operation and a permission may not be
    pub(super) fn defines(&self, asked: &Asked, level: LevelRef) -> bool {
        let here = self.here(level);
        let ever = |what| self.view.ledger.was_defined(what, self.view.known_at());
        match asked {
            Asked::Operation(id) => {
                here.zip(*id).is_some_and(|(here, id)| here.operation(id).is_some())
            }
            Asked::Held(_) => here.is_some(),
            Asked::Permission(name) => {
                here.zip(*name).is_some_and(|(_, name)| ever(Defined::Permission(level, name)))
            }
            Asked::Path(_) => here.is_some() && ever(Defined::Permissions(level)),
        }
    }

    /// Whether it is decided elsewhere on a level
    pub(super) fn is_elsewhere(&self, asked: &Asked, level: LevelRef) -> bool {
        self.land.is_decided_elsewhere(level) && !asked.is_own()
    }

    /// What is asked on one level, its names resolved; each is looked up as if it were asked alone
    ///
    /// # Errors
    /// That it is decided elsewhere comes before what is wrong with it.
    pub(super) fn asked(&self, can: &Abilities, level: LevelRef) -> Result<Vec<Asked>, AskError> {
        let elsewhere = || AskError::DecidedElsewhere(self.view.ledger.level_of(level).clone());
        let is_elsewhere = self.land.is_decided_elsewhere(level);
        can.iter()
            .map(|ability| {
                if is_elsewhere && !ability.is_own() {
                    return Err(elsewhere());
                }
                self.view.asked_if(ability, |asked| self.defines(asked, level))
            })
            .collect()
    }

    /// What must be held for any of these on a level that exists; `None` where none of them is defined
    pub(super) fn plan(&self, asked: &[Asked], level: LevelRef) -> Option<Plan> {
        Some(self.planned(&self.needs(asked, level)?))
    }

    pub(super) fn plan_requirement(
        &self,
        requirement: &Requirement<Leaf>,
        level: LevelRef,
    ) -> Plan {
        self.planned(&self.needs_of(requirement, level))
    }

    /// The same with the timelines of what must be held
    pub(super) fn planned(&self, needs: &Requirement<Need>) -> Plan {
        let mut leaves = Vec::new();
        let expression = needs.map(&mut |need| {
            let given = need.held.map(|held| self.given_for(held, need.at.iter().copied()));
            leaves.push(LeafPlan {
                row: need.row.clone(),
                given: given.unwrap_or_default(),
                open_to: need.open_to.clone(),
            });
            leaves.len() - 1
        });
        Plan { expression, leaves }
    }

    /// What must be held for any of these, and where; `None` where none of them is defined
    pub(super) fn needs(&self, asked: &[Asked], level: LevelRef) -> Option<Requirement<Need>> {
        let mut needs = asked.iter().filter_map(|asked| self.needs_one(asked, level)).peekable();
        let first = needs.next()?;
        if needs.peek().is_none() {
            return Some(first);
        }
        Some(Requirement::AnyOf(std::iter::once(first).chain(needs).collect()))
    }

    fn needs_one(&self, asked: &Asked, level: LevelRef) -> Option<Requirement<Need>> {
        let here = self.here(level)?;
        if self.is_elsewhere(asked, level) || !self.defines(asked, level) {
            return None;
        }
        match asked {
            Asked::Operation(id) => Some(self.needs_of(here.operation((*id)?)?, level)),
            Asked::Held(held) => {
                let held = match *held {
                    Held::Scope(scope) => Held::Scope(here.real_scope(scope)),
                    other => other,
                };
                // It must be held at the level itself. No ancestor of a level has its kind.
                Some(Requirement::Leaf(Need::of(held, vec![level])))
            }
            Asked::Permission(name) => Some(self.needs_of_permission(&here, (*name)?, level)),
            Asked::Path(path) => Some(self.needs_of_path(&here, path, level)),
        }
    }

    pub(super) fn needs_of(
        &self,
        requirement: &Requirement<Leaf>,
        level: LevelRef,
    ) -> Requirement<Need> {
        requirement.map(&mut |leaf| Need {
            row: Some(Arc::clone(&leaf.row)),
            ..Need::of(leaf.held, self.land.reach(level, leaf))
        })
    }

    /// The timelines that satisfy a leaf at these levels
    fn given_for(&self, held: Held, levels: impl IntoIterator<Item = LevelRef>) -> Vec<Given> {
        let index = &self.view.ledger.index;
        let mut given = Vec::new();
        // A level at which nothing was ever held has no timeline.
        for level in levels.into_iter().filter(|level| index.any_at(*level)) {
            if self.land.is_decided_elsewhere(level) && !is_own(held) {
                continue;
            }
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

/// What a permission of an application asks for
///
/// Rules: `docs/semantics.md#permission`.
impl Moment<'_> {
    /// One that does not exist then is given to nobody
    fn needs_of_permission(
        &self,
        here: &Here<'_>,
        name: Symbol,
        level: LevelRef,
    ) -> Requirement<Need> {
        let found = here.permission(name).map(|permission| self.givers_of(permission, level));
        Requirement::AnyOf(found.unwrap_or_default())
    }

    /// Every permission whose path is the longest that fits; where none fits, everybody
    fn needs_of_path(&self, here: &Here<'_>, asked: &str, level: LevelRef) -> Requirement<Need> {
        let fitting = here.permissions().flat_map(|(name, permission)| {
            let paths = permission.paths.iter().filter(|path| fits(path, asked));
            paths.map(move |path| (path.chars().count(), name))
        });
        let fitting: BTreeSet<(usize, Symbol)> = fitting.collect();
        let Some((longest, _)) = fitting.last() else { return self.everybody_of(level) };
        let longest = fitting.iter().filter(|(length, _)| length == longest);
        let parts = longest.map(|(_, name)| self.needs_of_permission(here, *name, level));
        Requirement::AllOf(parts.collect())
    }

    /// Every user of an application's identity provider
    fn everybody_of(&self, level: LevelRef) -> Requirement<Need> {
        Requirement::Leaf(Need {
            open_to: Some(self.land.identity_provider(level).into()),
            ..Need::default()
        })
    }

    /// The roles that give a permission: custom ones of the application, else of its subaccount, else virtual ones
    fn givers_of(&self, permission: &Permission, level: LevelRef) -> Vec<Requirement<Need>> {
        let subaccount = self.land.level(level).and_then(|state| state.parent);
        let symbols = &self.view.ledger.symbols;
        let has =
            |level: LevelRef, name| self.here(level).is_some_and(|here| here.has_custom_role(name));
        let neo = |name| {
            let (application, name) = (Some(symbols.get(NEO)?), symbols.get(name)?);
            let at = subaccount.into_iter().collect();
            Some(Requirement::Leaf(Need::of(Held::Role { application, name }, at)))
        };
        if permission.roles.is_empty() {
            let is_neo = self.here(level).is_some_and(|here| here.is_neo);
            let names = [ADMINISTRATOR, DEVELOPER].into_iter().filter(|_| is_neo);
            return names.filter_map(neo).collect();
        }
        let giver = |name: &Symbol| {
            let mut places = std::iter::once(level).chain(subaccount);
            if let Some(at) = places.find(|at| has(*at, *name)) {
                return Some(Requirement::Leaf(Need::of(Held::CustomRole(*name), vec![at])));
            }
            match &**symbols.text(*name) {
                "AccountAdministrator" => neo(ADMINISTRATOR),
                "AccountDeveloper" => neo(DEVELOPER),
                "Everyone" => Some(self.everybody_of(level)),
                _ => None,
            }
        };
        permission.roles.iter().filter_map(giver).collect()
    }
}

/// The application of Neo's predefined roles
const NEO: &str = "neo";
/// The role whose holders are administrators of a Neo subaccount
const ADMINISTRATOR: &str = "Administrator";
/// The role whose holders are developers of a Neo subaccount
const DEVELOPER: &str = "Developer";

/// Whether a path protects the one that is asked about: by whole segments
fn fits(path: &str, asked: &str) -> bool {
    let rest = asked.strip_prefix(path);
    path == "/" || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn unknown_role(role: &RoleText) -> AskError {
    AskError::UnknownRole(role.to_string())
}

/// The error of an operation or a permission that is not defined
fn undefined(ability: &Ability) -> AskError {
    match ability {
        Ability::Permission(_) | Ability::Path(_) => {
            AskError::UnknownPermission(ability.to_string().into())
        }
        _ => AskError::UnknownOperation(ability.to_string().into()),
    }
}
