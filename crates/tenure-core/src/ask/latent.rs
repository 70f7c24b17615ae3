//! Who could have given himself the power?
//!
//! Doing an operation may give something: whoever may assign role collections somewhere may assign them to himself. What
//! one could come to hold so grows in rounds, over all levels, from what one holds: in each round every operation that
//! is satisfied gives what it gives. The last round gives nothing new.
//!
//! It is computed for all principals at once, as bitmaps; of one principal that is asked about the bitmap has one place.
//! "Any role collection here" is one thing that is held, not as many as there are.
//!
//! Rules: `docs/semantics.md#readings`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::ask::answer::{Anywhere, AskError, Check, GrantedName, Holding, Step, Who};
use crate::ask::detail::Detail;
use crate::ask::moment::evidence;
use crate::ask::plan::{Asked, Need, Plan};
use crate::ledger::moment::Moment;
use crate::ledger::rules::User;
use crate::ledger::view::{Holder, View};
use crate::words::ability::Abilities;
use crate::words::definitions::{Gift, GiftOf};
use crate::words::grantable::Grantable;
use crate::words::instant::EffectiveAt;
use crate::words::level::Level;
use crate::words::principal::Principal;
use crate::words::requirement::Requirement;
use crate::words::symbol::{LevelRef, Map, Symbol};

/// Something that could be given
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Gained {
    /// Every role collection that exists at a level
    AnyRoleCollection(LevelRef),
    /// One thing at a level
    One(LevelRef, Grantable),
}

/// One leaf: who satisfies it by what is held, and what else would do
struct LatentLeaf {
    held: RoaringBitmap,
    by: Vec<Gained>,
}

/// An operation on a level that gives something
struct Source<'m> {
    operation: Symbol,
    level: LevelRef,
    requires: Requirement<LatentLeaf>,
    gives: &'m [Gift],
}

/// Why somebody has what could be given
#[derive(Clone, Copy)]
struct Origin {
    round: usize,
    /// The number of the source
    source: usize,
}

/// Whose holdings are looked at
#[derive(Clone, Copy)]
enum Whose<'p> {
    Everybody,
    /// One, who has the place 0
    One(&'p [Holder], User<'p>),
}

/// What could be held in the end
struct Closure<'m> {
    now: &'m Moment<'m>,
    whose: Whose<'m>,
    gained: Map<Gained, RoaringBitmap>,
    /// How each thing was gained first, where one principal is asked about
    origins: Map<Gained, Origin>,
    /// In byte order of operation and level
    sources: Vec<Source<'m>>,
}

impl<'m> Closure<'m> {
    /// # Cost
    /// For each level and operation that gives something, once what the question *who* costs there, and memory for who has
    /// each leaf. Then each of them is looked at again whenever somebody gained something that it asks for, at the cost of
    /// the levels below if it gives something there. In a real landscape there are a few rounds.
    fn of(now: &'m Moment<'m>, whose: Whose<'m>) -> Self {
        let mut closure = Self {
            now,
            whose,
            gained: Map::default(),
            origins: Map::default(),
            sources: Vec::new(),
        };
        closure.sources = closure.all_sources();
        closure.grow();
        closure
    }

    fn all_sources(&self) -> Vec<Source<'m>> {
        let now = self.now;
        let ledger = now.view.ledger;
        let mut sources = Vec::new();
        for (level, _) in now.land.levels() {
            let Some(here) = now.here(level) else { continue };
            if now.land.is_decided_elsewhere(level) {
                continue;
            }
            for (operation, gifts) in here.gifts() {
                let Some(requirement) = here.operation(*operation) else { continue };
                let requires = self.leaves(&now.needs_of(requirement, level));
                sources.push(Source { operation: *operation, level, requires, gives: gifts });
            }
        }
        let text = |source: &Source<'_>| {
            let operation = ledger.symbols.text(source.operation).clone();
            (operation, ledger.level_of(source.level).clone())
        };
        sources.sort_by_cached_key(text);
        sources
    }

    /// What doing an operation gives
    fn gives(&self, source: &Source<'_>) -> impl Iterator<Item = Gained> {
        let land = self.now.land;
        source.gives.iter().flat_map(move |gift| {
            let places = match gift.below {
                None => vec![source.level],
                Some(kinds) => {
                    let below = land.subtree(source.level).into_iter().skip(1);
                    below.filter(|below| kinds.contains(below.kind)).collect()
                }
            };
            places.into_iter().flat_map(move |place| self.given(place, &gift.what))
        })
    }

    fn given(&self, level: LevelRef, gift: &GiftOf) -> Vec<Gained> {
        let Some(here) = self.now.here(level) else { return Vec::new() };
        if let GiftOf::AnyRoleCollection = gift {
            let any = here.manages_authorizations() && !here.is_neo;
            return any.then_some(Gained::AnyRoleCollection(level)).into_iter().collect();
        }
        let given = here.given_by(gift, &self.now.view.ledger.symbols);
        given.into_iter().map(|one| Gained::One(level, one)).collect()
    }

    /// The leaves of what is needed, with whoever satisfies each by what is held
    fn leaves(&self, needs: &Requirement<Need>) -> Requirement<LatentLeaf> {
        needs.map(&mut |need| LatentLeaf { held: self.held(need), by: self.would_do(need) })
    }

    fn held(&self, need: &Need) -> RoaringBitmap {
        let plan = self.now.planned(&Requirement::Leaf(need.clone()));
        match self.whose {
            Whose::Everybody => self.now.who_by(&plan),
            Whose::One(matching, user) => {
                let could = evidence(&plan, &self.now.support(matching, &plan, user)).is_some();
                if could { RoaringBitmap::from([0]) } else { RoaringBitmap::new() }
            }
        }
    }

    /// What else satisfies a leaf, if it can be gained
    fn would_do(&self, need: &Need) -> Vec<Gained> {
        let Some(held) = need.held else { return Vec::new() };
        let mut found = Vec::new();
        for level in need.at.iter().filter(|level| !self.now.land.is_decided_elsewhere(**level)) {
            let Some(here) = self.now.here(*level) else { continue };
            let givers = here.givers(held);
            if givers.iter().any(|giver| matches!(giver, Grantable::RoleCollection(_))) {
                found.push(Gained::AnyRoleCollection(*level));
            }
            found.extend(givers.into_iter().map(|giver| Gained::One(*level, giver)));
        }
        found
    }

    fn grow(&mut self) {
        // The sources that something gained may satisfy
        let mut asking: Map<Gained, Vec<usize>> = Map::default();
        for (number, source) in self.sources.iter().enumerate() {
            for gained in source.requires.leaves().into_iter().flat_map(|leaf| &leaf.by) {
                asking.entry(*gained).or_default().push(number);
            }
        }
        let mut looked_at: BTreeSet<usize> = (0..self.sources.len()).collect();
        let mut origins: Map<Gained, Origin> = Map::default();
        for round in 0.. {
            let mut new: BTreeMap<Gained, RoaringBitmap> = BTreeMap::new();
            let sources = looked_at.iter().filter_map(|n| Some((*n, self.sources.get(*n)?)));
            for (number, source) in sources {
                let could = self.satisfied(&source.requires);
                if could.is_empty() {
                    continue;
                }
                for gained in self.gives(source) {
                    let more = match self.gained.get(&gained) {
                        Some(known) => &could - known,
                        None => could.clone(),
                    };
                    if more.is_empty() {
                        continue;
                    }
                    if let Whose::One(..) = self.whose {
                        origins.entry(gained).or_insert(Origin { round, source: number });
                    }
                    *new.entry(gained).or_default() |= more;
                }
            }
            if new.is_empty() {
                self.origins = origins;
                return;
            }
            let asked = new.keys().filter_map(|gained| asking.get(gained));
            looked_at = asked.flatten().copied().collect();
            for (gained, who) in new {
                *self.gained.entry(gained).or_default() |= who;
            }
        }
    }

    fn satisfied(&self, requires: &Requirement<LatentLeaf>) -> RoaringBitmap {
        requires.satisfied(&|leaf| self.who_has(leaf))
    }

    fn who_has(&self, leaf: &LatentLeaf) -> RoaringBitmap {
        let gained = leaf.by.iter().filter_map(|gained| self.gained.get(gained));
        gained.fold(leaf.held.clone(), |all, more| all | more)
    }

    /// The steps by which the one who is asked about comes to satisfy this, in their order
    fn steps(&self, requires: &Requirement<LatentLeaf>) -> Vec<Step> {
        let mut needed: BTreeSet<(usize, usize, Gained)> = BTreeSet::new();
        let mut open = vec![(requires, usize::MAX)];
        while let Some((requires, before)) = open.pop() {
            let first = |leaf: &LatentLeaf| {
                let known =
                    leaf.by.iter().filter_map(|gained| Some((*gained, *self.origins.get(gained)?)));
                let earlier = known.filter(|(_, origin)| origin.round < before);
                earlier.min_by_key(|(gained, origin)| {
                    (origin.round, origin.source, self.text(self.named(*gained, leaf)))
                })
            };
            let holds = |leaf: &LatentLeaf| !leaf.held.is_empty() || first(leaf).is_some();
            for leaf in requires.support(&holds).unwrap_or_default() {
                if !leaf.held.is_empty() {
                    continue;
                }
                let Some((gained, Origin { round, source })) = first(leaf) else { continue };
                let gained = self.named(gained, leaf);
                if needed.insert((round, source, gained))
                    && let Some(source) = self.sources.get(source)
                {
                    open.push((&source.requires, round));
                }
            }
        }
        let mut needed: Vec<_> = needed.into_iter().collect();
        // The order of the numbers is that of the log.
        needed.sort_by_cached_key(|(round, source, gained)| (*round, *source, self.text(*gained)));
        let ledger = self.now.view.ledger;
        let step = |(_, source, gained): (usize, usize, Gained)| {
            let source = self.sources.get(source)?;
            let Gained::One(at, grantable) = gained else { return None };
            Some(Step {
                operation: Arc::clone(ledger.symbols.text(source.operation)),
                level: ledger.level_of(source.level).clone(),
                gives: self.now.view.granted_name(grantable),
                at: ledger.level_of(at).clone(),
            })
        };
        needed.into_iter().filter_map(step).collect()
    }

    /// What is gained, in words
    fn text(&self, gained: Gained) -> (Option<GrantedName>, Level) {
        let (Gained::AnyRoleCollection(level) | Gained::One(level, _)) = gained;
        let name = match gained {
            Gained::AnyRoleCollection(_) => None,
            Gained::One(_, grantable) => Some(self.now.view.granted_name(grantable)),
        };
        (name, self.now.view.ledger.level_of(level).clone())
    }

    /// Of any role collection of a level, the first in byte order that satisfies a leaf
    fn named(&self, gained: Gained, leaf: &LatentLeaf) -> Gained {
        let Gained::AnyRoleCollection(level) = gained else { return gained };
        let symbols = &self.now.view.ledger.symbols;
        let collections = leaf.by.iter().filter_map(|one| match one {
            Gained::One(at, Grantable::RoleCollection(name)) if *at == level => Some(*name),
            _ => None,
        });
        let first = collections.min_by(|a, b| symbols.text(*a).cmp(symbols.text(*b)));
        first.map_or(gained, |name| Gained::One(level, Grantable::RoleCollection(name)))
    }
}

impl View<'_> {
    /// Every principal that could have given itself the power on a level; of each, whether it also has it assigned
    ///
    /// # Errors
    /// As [`View::who`].
    /// # Cost
    /// That of *who* on every level that has an operation which gives something.
    pub(super) fn who_latent(
        &self,
        can: &Abilities,
        on: &Level,
        t: EffectiveAt,
        explain: Option<&Detail>,
    ) -> Result<Who<Vec<Holding>>, AskError> {
        let now = Moment::new(self, t);
        let level = now.level(on)?;
        let asked = now.asked(can, level)?;
        let needs = now.needs(&asked, level).ok_or_else(|| AskError::UnknownLevel(on.clone()))?;
        let plan = now.planned(&needs);
        let closure = Closure::of(&now, Whose::Everybody);
        let latent = closure.leaves(&needs);
        let assigned = latent.satisfied(&|leaf| leaf.held.clone());
        let found = closure.satisfied(&latent);
        let mut who = self.by_name::<Vec<Holding>>(found.iter().collect(), |_| Vec::new());
        who.add_sets(plan.unnamed(self), |_| Vec::new());
        self.tell_assigned(&mut who, |number| {
            number.is_none_or(|number| assigned.contains(number))
        });
        if let Some(detail) = explain {
            for (name, because) in detail.shown(&mut who) {
                *because = closure.really_held(name, &plan, &latent);
            }
        }
        Ok(who)
    }

    /// The same on some level of a subtree
    ///
    /// # Errors
    /// As [`View::who_anywhere`].
    pub(super) fn who_anywhere_latent(
        &self,
        now: &Moment<'_>,
        asked: &[Asked],
        levels: &[LevelRef],
        explain: bool,
        detail: &Detail,
    ) -> Who<Anywhere> {
        let closure = Closure::of(now, Whose::Everybody);
        let mut assigned = RoaringBitmap::new();
        let mut by_level = Vec::new();
        for level in levels {
            let Some(needs) = now.needs(asked, *level) else { continue };
            let plan = now.planned(&needs);
            let latent = closure.leaves(&needs);
            assigned |= latent.satisfied(&|leaf| leaf.held.clone());
            let found = closure.satisfied(&latent);
            let mut who = self.by_name(found.iter().collect(), |_| ());
            who.add_sets(plan.unnamed(self), |_| ());
            by_level.push((*level, who, plan, latent));
        }
        let mut who = Who::<Anywhere>::on_levels(
            by_level.iter().map(|(level, who, ..)| (self.ledger.level_of(*level), who)),
        );
        self.tell_assigned(&mut who, |number| {
            number.is_none_or(|number| assigned.contains(number))
        });
        if explain {
            for (name, anywhere) in detail.shown(&mut who) {
                let there = by_level.iter().filter(|(_, who, ..)| who.of(name).is_some());
                let because =
                    there.flat_map(|(_, _, plan, latent)| closure.really_held(name, plan, latent));
                anywhere.because = because.collect();
                anywhere.because.sort();
                anywhere.because.dedup();
            }
        }
        who
    }

    /// Says of each whether it has the power assigned, too; a set that no entry named has no number
    fn tell_assigned<T>(&self, who: &mut Who<T>, assigned: impl Fn(Option<u32>) -> bool) {
        for subject in who.subjects.iter_mut().chain(&mut who.sets) {
            let number = self.ledger.find_principal(&subject.principal);
            subject.assigned = Some(assigned(number.map(|number| number.number)));
        }
    }

    /// Whether a principal could have given itself the power on a level, and by which steps
    ///
    /// # Errors
    /// As [`View::check`].
    /// # Cost
    /// That of *check* on every level that has an operation which gives something.
    pub(super) fn check_latent(
        &self,
        principal: &Principal,
        can: &Abilities,
        on: &Level,
        t: EffectiveAt,
    ) -> Result<Check, AskError> {
        let now = Moment::new(self, t);
        let level = now.level(on)?;
        let asked = now.asked(can, level)?;
        let needs = now.needs(&asked, level).ok_or_else(|| AskError::UnknownLevel(on.clone()))?;
        let user = self.user(principal);
        let matching = now.matching(user, &|set| self.ever_holds(set));
        let closure = Closure::of(&now, Whose::One(&matching, user));
        let latent = closure.leaves(&needs);
        let plan = now.planned(&needs);
        if closure.satisfied(&latent).is_empty() {
            let leaves = latent.leaves();
            let missing = self.missing(&asked, &plan, &|leaf| {
                leaves.get(*leaf).is_some_and(|leaf| !closure.who_has(leaf).is_empty())
            });
            return Ok(Check { missing, ..Check::default() });
        }
        Ok(Check {
            allowed: true,
            because: closure.really_held_by(user, &plan, &latent, 0, &matching),
            steps: closure.steps(&latent),
            ..Check::default()
        })
    }

    /// The levels of these at which a principal could have given itself the power
    pub(super) fn where_latent(
        &self,
        now: &Moment<'_>,
        principal: &Principal,
        asked: &[Asked],
        levels: Vec<LevelRef>,
    ) -> Vec<LevelRef> {
        let user = self.user(principal);
        let matching = now.matching(user, &|set| self.ever_holds(set));
        let closure = Closure::of(now, Whose::One(&matching, user));
        let could = |level: &LevelRef| {
            let needs = now.needs(asked, *level);
            needs.is_some_and(|needs| !closure.satisfied(&closure.leaves(&needs)).is_empty())
        };
        levels.into_iter().filter(could).collect()
    }
}

impl Closure<'_> {
    /// The holdings behind the satisfied leaves of a true branch that are really held
    fn really_held(
        &self,
        name: &Principal,
        plan: &Plan,
        latent: &Requirement<LatentLeaf>,
    ) -> Vec<Holding> {
        let user = self.now.view.user(name);
        let Some(number) = user.number else { return Vec::new() };
        let matching = self.now.matching(user, &|set| plan.looks_at(self.now.view, set));
        self.really_held_by(user, plan, latent, number.number, &matching)
    }

    fn really_held_by(
        &self,
        user: User<'_>,
        plan: &Plan,
        latent: &Requirement<LatentLeaf>,
        place: u32,
        matching: &[Holder],
    ) -> Vec<Holding> {
        let leaves = latent.leaves();
        let holds =
            |leaf: &usize| leaves.get(*leaf).is_some_and(|leaf| self.who_has(leaf).contains(place));
        let true_ones: BTreeSet<usize> =
            plan.expression.support(&holds).unwrap_or_default().into_iter().copied().collect();
        let support = self.now.support(matching, plan, user);
        let held = support.into_iter().filter(|(leaf, _)| true_ones.contains(leaf));
        let held: Vec<_> = held.filter_map(|(_, evidence)| evidence).collect();
        self.now.view.holdings(user.name, &held)
    }
}
