//! Who could, what could a principal do, and could it, at one moment?
//!
//! Rules: `docs/semantics.md#could`.

use std::collections::{BTreeMap, BTreeSet};

use roaring::RoaringBitmap;

use crate::ask::answer::{Anywhere, AskError, Check, Holding, Subject, What, Who};
use crate::ledger::moment::{Given, Moment};
use crate::ledger::rules::User;
use crate::ledger::view::{Evidence, Holder, View};
use crate::words::ability::Abilities;
use crate::words::grantable::Grantable;
use crate::words::instant::EffectiveAt;
use crate::words::level::{Level, LevelKind};
use crate::words::principal::Principal;
use crate::words::requirement::{LeafRow, Requirement};
use crate::words::symbol::{LevelRef, Map};

use crate::ask::detail::Detail;
use crate::ask::plan::{Asked, LeafPlan, Plan};
use crate::ask::reading::Reading;

/// What supports each leaf of a plan: the number of the leaf, and a holding; no holding where the leaf is open to all
type Support = Vec<(usize, Option<Evidence>)>;

/// Up to so many timelines of a leaf are looked up one by one; beyond that, everything the principal ever
/// held is
const FEW: usize = 16;

impl View<'_> {
    /// Every principal that could; those that are shown with the holdings that make it true, if they are asked for
    ///
    /// # Errors
    /// An unknown level, or something never defined.
    /// # Cost
    /// O(changes of all that was ever held where the requirement looks + members of the sets there); the holdings those of
    /// [`View::check`] for each that is shown.
    pub fn who(
        &self,
        can: &Abilities,
        on: &Level,
        (t, reading): (EffectiveAt, Reading),
        explain: Option<&Detail>,
    ) -> Result<Who<Vec<Holding>>, AskError> {
        match reading {
            Reading::Assigned => {}
            Reading::Session(life) => return self.who_in_session(can, on, (t, life), explain),
            Reading::Latent => return self.who_latent(can, on, t, explain),
        }
        let now = Moment::new(self, t);
        let level = now.level(on)?;
        let asked = now.asked(can, level)?;
        let plan = now.plan(&asked, level).ok_or_else(|| AskError::UnknownLevel(on.clone()))?;
        let found = now.who_by(&plan).iter().collect();
        let mut who = self.by_name::<Vec<Holding>>(found, |_| Vec::new());
        who.add_sets(plan.unnamed(self), |_| Vec::new());
        if let Some(detail) = explain {
            for (name, because) in detail.shown(&mut who) {
                let user = self.user(name);
                let matching = now.matching(user, &|set| plan.looks_at(self, set));
                *because = self.holdings(name, &now.why(&plan, &matching, user));
            }
        }
        Ok(who)
    }

    /// Every principal that could on some level of a subtree; those that are shown with the levels, and with the holdings
    /// that make it true if they are asked for
    ///
    /// # Errors
    /// As [`View::who`]; an operation is unknown if no level of the subtree has it.
    pub fn who_anywhere(
        &self,
        can: &Abilities,
        under: &Level,
        (t, reading): (EffectiveAt, Reading),
        explain: bool,
        detail: &Detail,
    ) -> Result<Who<Anywhere>, AskError> {
        let now = Moment::new(self, t);
        let root = now.level(under)?;
        let mut levels = now.land.subtree(root);
        let asked = now.asked_in(can, &levels)?;
        levels.sort_unstable_by(|a, b| self.ledger.levels.compare(a.number, b.number));
        match reading {
            Reading::Assigned => {}
            Reading::Session(life) => {
                let levels = now.having(&asked, levels);
                let at = (t, life);
                return Ok(self.who_anywhere_in_session(&asked, &levels, at, explain, detail));
            }
            Reading::Latent => {
                return Ok(self.who_anywhere_latent(&now, &asked, &levels, explain, detail));
            }
        }
        let mut plans = Vec::new();
        let mut pairs: Vec<(u32, u32)> = Vec::new();
        let mut unnamed: BTreeMap<Principal, Anywhere> = BTreeMap::new();
        for level in levels {
            let Some(plan) = now.plan(&asked, level) else { continue };
            let place = crate::words::symbol::index(plans.len());
            pairs.extend(now.who_by(&plan).iter().map(|number| (number, place)));
            for everyone in plan.unnamed(self) {
                let name = self.ledger.level_of(level).clone();
                unnamed.entry(everyone).or_default().levels.push(name);
            }
            plans.push((level, plan));
        }
        // Levels come in order, and the sort is stable, so the levels of each principal stay in order.
        pairs.sort_by_key(|(number, _)| *number);
        let mut of: Map<u32, &[(u32, u32)]> = Map::default();
        for own in pairs.chunk_by(|(one, _), (other, _)| one == other) {
            of.extend(own.first().map(|(number, _)| (*number, own)));
        }
        let mut who = self.by_name(of.keys().copied().collect(), |_| Anywhere::default());
        for (name, anywhere) in detail.shown(&mut who) {
            let number = self.ledger.find_principal(name).map(|found| found.number);
            let own = number.and_then(|number| of.get(&number).copied()).unwrap_or_default();
            let own = own.iter().filter_map(|(_, place)| plans.get(*place as usize));
            if explain {
                let user = self.user(name);
                let matching = now.matching(user, &|set| self.ever_holds(set));
                let why = own.clone().flat_map(|(_, plan)| now.why(plan, &matching, user));
                anywhere.because = self.holdings(name, &why.collect::<Vec<_>>());
            }
            let levels = own.map(|(level, _)| self.ledger.level_of(*level).clone());
            anywhere.levels = levels.collect();
        }
        who.add_sets(unnamed.keys().cloned().collect(), |everyone| {
            unnamed.get(everyone).cloned().unwrap_or_default()
        });
        Ok(who)
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
        can: &Abilities,
        on: &Level,
        (t, reading): (EffectiveAt, Reading),
    ) -> Result<Check, AskError> {
        match reading {
            Reading::Assigned => {}
            Reading::Session(life) => return self.check_in_session(principal, can, on, (t, life)),
            Reading::Latent => return self.check_latent(principal, can, on, t),
        }
        let now = Moment::new(self, t);
        let level = now.level(on)?;
        let asked = now.asked(can, level)?;
        let plan = now.plan(&asked, level).ok_or_else(|| AskError::UnknownLevel(on.clone()))?;
        let user = self.user(principal);
        let matching = now.matching(user, &|set| plan.looks_at(self, set));
        let support = now.support(&matching, &plan, user);
        let holds = |leaf: &usize| support.iter().any(|(supported, _)| supported == leaf);
        Ok(match evidence(&plan, &support) {
            Some(evidence) => Check {
                allowed: true,
                because: self.holdings(principal, &evidence),
                ..Check::default()
            },
            None => Check { missing: self.missing(&asked, &plan, &holds), ..Check::default() },
        })
    }

    /// The unsatisfied parts of what is asked, where all of it is operations
    pub(super) fn missing(
        &self,
        asked: &[Asked],
        plan: &Plan,
        holds: &impl Fn(&usize) -> bool,
    ) -> Option<Requirement<LeafRow>> {
        let operations = asked.iter().all(|asked| matches!(asked, Asked::Operation(_)));
        if operations { plan.missing(holds) } else { None }
    }

    /// The levels of a subtree, of one kind or of any, where a principal could, in byte order
    ///
    /// # Errors
    /// As [`View::who_anywhere`], of the levels of that kind.
    pub fn where_could(
        &self,
        principal: &Principal,
        can: &Abilities,
        under: &Level,
        kind: Option<LevelKind>,
        (t, reading): (EffectiveAt, Reading),
    ) -> Result<Vec<Level>, AskError> {
        let now = Moment::new(self, t);
        let root = now.level(under)?;
        let mut subtree = now.land.subtree(root);
        subtree.retain(|level| kind.is_none_or(|kind| kind == level.kind));
        let asked = now.asked_in(can, &subtree)?;
        match reading {
            Reading::Assigned => {}
            Reading::Session(life) => {
                let mut levels = now.having(&asked, subtree);
                levels.retain(|level| self.could_in_session(principal, &asked, *level, (t, life)));
                return Ok(self.level_texts(levels));
            }
            Reading::Latent => {
                let levels = self.where_latent(&now, principal, &asked, subtree);
                return Ok(self.level_texts(levels));
            }
        }
        let user = self.user(principal);
        let matching = now.matching(user, &|set| self.ever_holds(set));
        let mut levels = Vec::new();
        for level in subtree {
            let Some(plan) = now.plan(&asked, level) else { continue };
            if evidence(&plan, &now.support(&matching, &plan, user)).is_some() {
                levels.push(level);
            }
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
        let now = Moment::new(self, t);
        let level = now.level(on)?;
        let Some(here) = now.here(level) else {
            return Err(AskError::UnknownLevel(on.clone()));
        };
        let symbols = &self.ledger.symbols;
        let user = self.user(principal);
        let matching = now.matching(user, &|set| self.ever_holds(set));
        let elsewhere = now.land.is_decided_elsewhere(level);
        let could = |plan: &Plan| evidence(plan, &now.support(&matching, plan, user)).is_some();
        let mut held: BTreeSet<Grantable> = BTreeSet::new();
        for (grantable, timeline) in self.ledger.index.at_level(level) {
            if elsewhere && !grantable.is_own() {
                continue;
            }
            let Some(given) = now.given(&here, grantable, timeline) else { continue };
            if matching.iter().any(|holder| now.counting(given, holder.principal).is_some()) {
                held.insert(grantable);
            }
        }
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
            .filter(|(id, _)| !elsewhere || Asked::Operation(Some(*id)).is_own())
            .filter(|(_, requirement)| could(&now.plan_requirement(requirement, level)))
            .map(|(id, _)| symbols.text(id).clone())
            .collect();
        let permissions: BTreeSet<_> = here
            .permissions()
            .filter(|_| !elsewhere)
            .filter(|(name, _)| {
                let plan = now.plan(&[Asked::Permission(Some(*name))], level);
                plan.is_some_and(|plan| could(&plan))
            })
            .map(|(name, _)| symbols.text(name).clone())
            .collect();
        Ok(What {
            role_collections: role_collections.into_iter().collect(),
            roles: roles.into_iter().collect(),
            scopes: scopes.into_iter().collect(),
            operations: operations.into_iter().collect(),
            permissions: permissions.into_iter().collect(),
        })
    }

    pub(super) fn level_texts(&self, levels: Vec<LevelRef>) -> Vec<Level> {
        let mut texts: Vec<Level> =
            levels.into_iter().map(|level| self.ledger.level_of(level).clone()).collect();
        texts.sort();
        texts
    }

    /// The principals with these numbers, users and clients apart from sets, each in order of its name
    pub(super) fn by_name<T>(&self, mut numbers: Vec<u32>, detail: impl Fn(u32) -> T) -> Who<T> {
        numbers.sort_unstable_by(|a, b| self.ledger.principals.compare(*a, *b));
        let mut who = Who { subjects: Vec::with_capacity(numbers.len()), sets: Vec::new() };
        for number in numbers {
            let principal = self.ledger.principals.item(number).clone();
            let list = if principal.kind().is_set() { &mut who.sets } else { &mut who.subjects };
            list.push(Subject { principal, assigned: None, detail: detail(number) });
        }
        who
    }
}

impl Moment<'_> {
    /// What is asked under a level, its names resolved; each operation must be defined on one of these levels at least
    ///
    /// A level on which something else decides counts as having what is asked; an operation must have been defined by
    /// some entry, though.
    fn asked_in(&self, can: &Abilities, levels: &[LevelRef]) -> Result<Vec<Asked>, AskError> {
        let somewhere = |asked: &Asked| {
            matches!(asked, Asked::Held(_))
                || levels.iter().any(|level| self.is_asked(asked, *level))
        };
        self.view.asked_where(can, somewhere)
    }

    /// Whether it is defined on a level, or was ever defined and is decided elsewhere there
    pub(super) fn is_asked(&self, asked: &Asked, level: LevelRef) -> bool {
        self.defines(asked, level) || self.view.ever_asks(asked) && self.is_elsewhere(asked, level)
    }

    /// Those of these levels that have something of what is asked
    fn having(&self, asked: &[Asked], levels: Vec<LevelRef>) -> Vec<LevelRef> {
        let has = |level: &LevelRef| {
            let mut asked = asked.iter();
            asked.any(|asked| self.defines(asked, *level) && !self.is_elsewhere(asked, *level))
        };
        levels.into_iter().filter(has).collect()
    }

    /// Every known principal that satisfies a plan; sets by their own holdings alone
    ///
    /// The set `everyone:` also matches users that no entry names. They are not known, so they are left out.
    pub(super) fn who_by(&self, plan: &Plan) -> RoaringBitmap {
        let of_leaf = |leaf: &usize| plan.leaves.get(*leaf).map(|leaf| self.who_has(leaf));
        plan.expression.satisfied(&|leaf| of_leaf(leaf).unwrap_or_default())
    }

    /// Every known principal that satisfies a leaf; sets by their own holdings alone
    pub(super) fn who_has(&self, leaf: &LeafPlan) -> RoaringBitmap {
        let ledger = self.view.ledger;
        let mut holders = leaf.given.iter().map(|given| self.holders(*given));
        let first = holders.next().unwrap_or_default();
        let mut all = holders.fold(first, |all, more| all | more);
        // Each member has the holdings of its set.
        for number in &all & &*ledger.sets {
            all |= self.members(ledger.numbered(number));
        }
        if let Some(origin) = &leaf.open_to {
            all |= self.everybody(origin);
            all.extend(ledger.find_everyone(origin).map(|everyone| everyone.number));
        }
        all
    }

    /// Every holding of a satisfied leaf in a true branch, of a principal that these match
    pub(super) fn why(&self, plan: &Plan, matching: &[Holder], user: User<'_>) -> Vec<Evidence> {
        evidence(plan, &self.support(matching, plan, user)).unwrap_or_default()
    }

    /// The holdings of these principals, which match a user, that support each leaf of a plan
    pub(super) fn support(&self, matching: &[Holder], plan: &Plan, user: User<'_>) -> Support {
        let index = &self.view.ledger.index;
        let open = plan.leaves.iter().enumerate().filter(|(_, leaf)| leaf.is_open_to(user.name));
        let mut support: Support = open.map(|(n, _)| (n, None)).collect();
        for holder in matching {
            for (n, leaf) in plan.leaves.iter().enumerate() {
                let found =
                    |given: &Given| Some((n, Some(self.counting_of(*given, *holder, user)?)));
                if leaf.given.len() <= FEW {
                    support.extend(leaf.given.iter().filter_map(found));
                    continue;
                }
                for timeline in index.of_principal(holder.principal) {
                    support.extend(leaf.given_by(timeline).and_then(found));
                }
            }
        }
        support
    }
}

/// Every holding of a satisfied leaf in a true branch, or `None` when the plan is not satisfied
pub(super) fn evidence(
    plan: &Plan,
    support: &[(usize, Option<Evidence>)],
) -> Option<Vec<Evidence>> {
    let holds = |leaf: &usize| support.iter().any(|(supported, _)| supported == leaf);
    let leaves: BTreeSet<usize> = plan.expression.support(&holds)?.into_iter().copied().collect();
    let found = support.iter().filter(|(leaf, _)| leaves.contains(leaf));
    Some(found.filter_map(|(_, evidence)| *evidence).collect())
}
