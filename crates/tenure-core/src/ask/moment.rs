//! Who could, what could one do, and could one: at one moment

use std::collections::{BTreeMap, BTreeSet};

use crate::ability::Ability;
use crate::answer::{Anywhere, AskError, Check, Holding, Subject, What, Who};
use crate::grantable::Grantable;
use crate::instant::EffectiveAt;
use crate::level::Level;
use crate::principal::{Principal, PrincipalKind};
use crate::symbol::{LevelRef, Map, PrincipalRef};
use crate::view::{Evidence, View};

use super::plan::{Plan, unknown_operation};

/// What supports each leaf of a plan: the number of the leaf, and a holding
type Support = Vec<(usize, Evidence)>;

impl View<'_> {
    /// Everybody who could, with the holdings that make it true where they are asked for
    ///
    /// # Errors
    /// An unknown level, or something never defined.
    /// # Cost
    /// O(changes of all that was ever held where the requirement looks + members of the sets there).
    pub fn who(
        &self,
        ability: &Ability,
        on: &Level,
        t: EffectiveAt,
        explain: bool,
    ) -> Result<Who<Vec<Holding>>, AskError> {
        let level = self.level(on, t)?;
        let asked = self.asked(ability)?;
        let plan = self.plan(asked, level, t).ok_or_else(|| unknown_operation(ability))?;
        let found = self.who_by(&plan, t).into_iter().map(|(principal, evidence)| {
            let name = self.ledger.principal_of(principal).clone();
            let detail = if explain { self.holdings(&name, &evidence) } else { Vec::new() };
            (principal, Subject { principal: name, detail })
        });
        Ok(sorted(found))
    }

    /// Everybody who could on some level of a subtree, with the levels
    ///
    /// # Errors
    /// As [`View::who`]; an operation is unknown if no level of the subtree has it.
    pub fn who_anywhere(
        &self,
        ability: &Ability,
        under: &Level,
        t: EffectiveAt,
        explain: bool,
    ) -> Result<Who<Anywhere>, AskError> {
        let root = self.level(under, t)?;
        let asked = self.asked(ability)?;
        let mut any = false;
        let mut found: Map<PrincipalRef, (Vec<LevelRef>, Vec<Evidence>)> = Map::default();
        for level in self.landscape().subtree(root, t) {
            let Some(plan) = self.plan(asked, level, t) else { continue };
            any = true;
            for (principal, evidence) in self.who_by(&plan, t) {
                let (levels, because) = found.entry(principal).or_default();
                levels.push(level);
                if explain {
                    because.extend(evidence);
                }
            }
        }
        if !any {
            return Err(unknown_operation(ability));
        }
        let found = found.into_iter().map(|(principal, (levels, evidence))| {
            let name = self.ledger.principal_of(principal).clone();
            let because = self.holdings(&name, &evidence);
            let detail = Anywhere { levels: self.level_texts(levels), because };
            (principal, Subject { principal: name, detail })
        });
        Ok(sorted(found))
    }

    /// Whether a principal could, and why
    ///
    /// # Errors
    /// As [`View::who`].
    /// # Cost
    /// O(changes of all that the principal and its sets ever held).
    pub fn check(
        &self,
        principal: &Principal,
        ability: &Ability,
        on: &Level,
        t: EffectiveAt,
    ) -> Result<Check, AskError> {
        let level = self.level(on, t)?;
        let asked = self.asked(ability)?;
        let plan = self.plan(asked, level, t).ok_or_else(|| unknown_operation(ability))?;
        let support = self.support(&self.matching(principal, t), &plan, t);
        let holds = |leaf: &usize| support.iter().any(|(supported, _)| supported == leaf);
        Ok(match evidence(&plan, &support) {
            Some(evidence) => {
                Check { allowed: true, because: self.holdings(principal, &evidence), missing: None }
            }
            None => Check { allowed: false, because: Vec::new(), missing: plan.missing(&holds) },
        })
    }

    /// The levels of a subtree where a principal could, in byte order
    ///
    /// # Errors
    /// As [`View::who_anywhere`].
    pub fn where_could(
        &self,
        principal: &Principal,
        ability: &Ability,
        under: &Level,
        t: EffectiveAt,
    ) -> Result<Vec<Level>, AskError> {
        let root = self.level(under, t)?;
        let asked = self.asked(ability)?;
        let matching = self.matching(principal, t);
        let mut any = false;
        let mut levels = Vec::new();
        for level in self.landscape().subtree(root, t) {
            let Some(plan) = self.plan(asked, level, t) else { continue };
            any = true;
            if evidence(&plan, &self.support(&matching, &plan, t)).is_some() {
                levels.push(level);
            }
        }
        if !any {
            return Err(unknown_operation(ability));
        }
        Ok(self.level_texts(levels))
    }

    /// What a principal could do on a level
    ///
    /// # Errors
    /// An unknown level.
    pub fn what(
        &self,
        principal: &Principal,
        on: &Level,
        t: EffectiveAt,
    ) -> Result<What, AskError> {
        let level = self.level(on, t)?;
        let Some(here) = self.here(level, t) else {
            return Err(AskError::UnknownLevel(on.clone()));
        };
        let symbols = &self.ledger.symbols;
        let matching = self.matching(principal, t);
        let held: BTreeSet<Grantable> = matching
            .iter()
            .flat_map(|holder| self.ledger.index.of_principal(*holder))
            .filter(|history| history.key.level == level)
            .filter_map(|history| self.counting(history, &here, t))
            .map(|evidence| evidence.key.grantable)
            .collect();
        let mut roles = BTreeSet::new();
        let mut scopes = BTreeSet::new();
        for (role, role_here) in held.iter().flat_map(|grantable| here.roles_given(*grantable)) {
            roles.insert(role.text(symbols));
            let of_role = here.scopes_of(role_here).into_iter();
            scopes.extend(of_role.map(|scope| symbols.text(scope).clone()));
        }
        let role_collections: BTreeSet<_> = held
            .iter()
            .filter_map(|grantable| match grantable {
                Grantable::RoleCollection(name) => Some(symbols.text(*name).clone()),
                Grantable::Role(_) => None,
            })
            .collect();
        let operations: BTreeSet<_> = here
            .operations()
            .filter(|(_, requirement)| {
                let plan = self.plan_requirement(requirement, level, t);
                evidence(&plan, &self.support(&matching, &plan, t)).is_some()
            })
            .map(|(id, _)| symbols.text(id).clone())
            .collect();
        Ok(What {
            role_collections: role_collections.into_iter().collect(),
            roles: roles.into_iter().collect(),
            scopes: scopes.into_iter().collect(),
            operations: operations.into_iter().collect(),
        })
    }

    /// Every known principal that satisfies a plan, with its evidence
    fn who_by(&self, plan: &Plan<'_>, t: EffectiveAt) -> Vec<(PrincipalRef, Vec<Evidence>)> {
        let mut direct: Map<PrincipalRef, Support> = Map::default();
        for (n, leaf) in plan.leaves.iter().enumerate() {
            for (level, here) in &leaf.levels {
                for (grantable, holdings) in self.ledger.index.at_level(*level) {
                    if !here.gives(grantable, leaf.leaf.held) {
                        continue;
                    }
                    for evidence in holdings.filter_map(|h| self.counting(h, here, t)) {
                        direct.entry(evidence.key.principal).or_default().push((n, evidence));
                    }
                }
            }
        }
        // What a set holds, each of its members has as well.
        let mut support = direct.clone();
        for (holder, held) in direct.iter().filter(|(holder, _)| holder.kind.is_set()) {
            for member in self.members(*holder, t) {
                support.entry(member).or_default().extend_from_slice(held);
            }
        }
        support
            .into_iter()
            .filter(|(principal, _)| self.knows(*principal))
            .filter_map(|(principal, support)| Some((principal, evidence(plan, &support)?)))
            .collect()
    }

    /// The known members of a set at a moment
    fn members(&self, set: PrincipalRef, t: EffectiveAt) -> Vec<PrincipalRef> {
        if set.kind == PrincipalKind::Everyone {
            let origin = self.ledger.principal_of(set).origin();
            let users = self.ledger.users_of_origin(origin).iter().copied();
            return users.filter(|user| self.knows(*user)).collect();
        }
        self.ledger
            .index
            .of_set(set)
            .filter(|membership| self.membership_holds(membership, t))
            .map(|membership| membership.member)
            .collect()
    }

    /// What the holdings of these principals give to each leaf of a plan
    fn support(&self, matching: &[PrincipalRef], plan: &Plan<'_>, t: EffectiveAt) -> Support {
        let mut support = Support::new();
        for history in matching.iter().flat_map(|holder| self.ledger.index.of_principal(*holder)) {
            let key = history.key;
            for (n, leaf) in plan.leaves.iter().enumerate() {
                let found = leaf.levels.iter().find(|(level, _)| *level == key.level);
                let Some((_, here)) = found else { continue };
                if here.gives(key.grantable, leaf.leaf.held)
                    && let Some(evidence) = self.counting(history, here, t)
                {
                    support.push((n, evidence));
                }
            }
        }
        support
    }

    pub(super) fn level_texts(&self, levels: Vec<LevelRef>) -> Vec<Level> {
        let mut texts: Vec<Level> =
            levels.into_iter().map(|level| self.ledger.level_of(level).clone()).collect();
        texts.sort();
        texts
    }
}

/// Every holding of a satisfied leaf in a true branch, or `None` when the plan is not satisfied
pub(super) fn evidence(plan: &Plan<'_>, support: &[(usize, Evidence)]) -> Option<Vec<Evidence>> {
    let holds = |leaf: &usize| support.iter().any(|(supported, _)| supported == leaf);
    let leaves: BTreeSet<usize> = plan.expression.support(&holds)?.into_iter().copied().collect();
    let found = support.iter().filter(|(leaf, _)| leaves.contains(leaf));
    Some(found.map(|(_, evidence)| *evidence).collect())
}

pub(super) fn sorted<T>(found: impl Iterator<Item = (PrincipalRef, Subject<T>)>) -> Who<T> {
    let mut subjects = BTreeMap::new();
    let mut sets = BTreeMap::new();
    for (principal, subject) in found {
        let list = if principal.kind.is_set() { &mut sets } else { &mut subjects };
        list.insert(subject.principal.clone(), subject);
    }
    Who { subjects: subjects.into_values().collect(), sets: sets.into_values().collect() }
}
