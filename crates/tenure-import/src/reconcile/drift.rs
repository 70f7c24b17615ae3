//! Where does an observation contradict the ledger, and what is done about it?
//!
//! An observation shows who holds what at one second. It is compared with the holdings that the ledger has just before
//! that second, together with the changes that this import made at that second. If these differ, it is compared with
//! what the ledger has at that second, since an earlier import may have reconciled the difference.
//!
//! What differs from both is one of three:
//!
//! - The source says since when somebody holds it. Then that is appended.
//! - Nobody looked there before. Then what is seen is the **baseline**: it is appended at the second of the
//!   observation, as held at the latest since then.
//! - Otherwise it is [`Drift`]: somebody changed the landscape unobserved. The summary reports it. With `reconcile` it
//!   is also appended, at the second of the observation and not before the last listing of the level.
//!
//! If a level was listed later already, an older observation is reported and not appended: what came of it since then
//! is settled.

use std::collections::{BTreeMap, BTreeSet};

use tenure_core::Instant;
use tenure_wire::api;
use tenure_wire::question::Texts;
use tenure_wire::v1::Change;

use super::accounting::Fate;
use super::assignments::{grant, revoke};
use super::run::Run;
use crate::ImportError;
use crate::fact::Held;
use crate::summary::Drift;

/// Most changes of an entry
pub(super) const CHANGES_MAX: usize = 256;

/// A principal and what it holds
pub(crate) type Pair = (String, Held);

/// Which holdings of a level an observation is about
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Scope {
    /// All of them
    All,
    /// All role collections of one principal
    Principal(String),
    /// All holders of it whose texts begin with one of these
    Holders(Held, &'static [&'static str]),
    /// All role collections of users whose texts begin so
    Users(String),
}

impl Scope {
    fn takes(&self, principal: &str, held: &Held) -> bool {
        let is_collection = matches!(held, Held::Collection(_));
        match self {
            Self::All => true,
            Self::Principal(wanted) => is_collection && wanted == principal,
            Self::Holders(wanted, kinds) => {
                wanted == held && kinds.iter().any(|kind| principal.starts_with(kind))
            }
            Self::Users(prefix) => is_collection && principal.starts_with(prefix),
        }
    }

    /// The parameters of a question about it, which may be about more
    fn narrow(&self, question: Texts) -> Texts {
        match self {
            Self::All | Self::Users(_) | Self::Holders(Held::Role(_), _) => question,
            Self::Principal(principal) => question.with("principal", principal.clone()),
            Self::Holders(Held::Collection(name), _) => {
                question.with("role_collection", name.clone())
            }
        }
    }
}

/// What the ledger does not have, and what it has and should not
type Difference = (BTreeSet<Pair>, BTreeSet<Pair>);

/// What an observation shows
pub(crate) struct Sight<'a> {
    /// What is held, told what the ledger has: an observation may show only a part
    pub(crate) held: &'a dyn Fn(&BTreeSet<Pair>) -> BTreeSet<Pair>,
    /// Since when, as far as the source says it
    pub(crate) since: BTreeMap<Pair, Instant>,
    /// Whether it was only meant to be so
    pub(crate) intent: bool,
    /// How a difference can have come about
    pub(crate) because: String,
}

impl<'a> Sight<'a> {
    pub(crate) fn new(
        because: String,
        held: &'a dyn Fn(&BTreeSet<Pair>) -> BTreeSet<Pair>,
    ) -> Self {
        Self { held, since: BTreeMap::new(), intent: false, because }
    }
}

impl Run<'_> {
    /// Compares what is observed with what the ledger has
    pub(crate) fn observe(
        &mut self,
        level: &str,
        scope: &Scope,
        sight: &Sight<'_>,
    ) -> Result<(), ImportError> {
        self.summary.observations += 1;
        self.accounting.note(self.index, Fate::Known);
        let Some(mut differs) = self.difference(level, scope, sight)? else {
            self.sighted.insert((level.to_owned(), scope.clone()));
            return Ok(());
        };
        let settled = self.listed(level, Instant::LAST)?.filter(|listed| *listed > self.moment.at);
        let first = self.is_first_sight(level, scope)?;
        if settled.is_none() && !self.options.drift_only {
            if self.append_known_starts(level, &differs.0, sight)? {
                match self.difference(level, scope, sight)? {
                    Some(rest) => differs = rest,
                    None => return Ok(()),
                }
            }
            if first && !sight.intent {
                self.append_baseline(level, &differs.0)?;
                differs.0.clear();
            }
        }
        let (missing, unexpected) = differs;
        let mut by_principal: BTreeMap<String, (Vec<Held>, Vec<Held>)> = BTreeMap::new();
        for (principal, held) in missing {
            by_principal.entry(principal).or_default().0.push(held);
        }
        for (principal, held) in unexpected {
            by_principal.entry(principal).or_default().1.push(held);
        }
        for (principal, (missing, unexpected)) in by_principal {
            let names = |held: &[Held]| held.iter().map(|held| held.name().to_owned()).collect();
            let mut because = sight.because.clone();
            if let Some(later) = settled {
                because = format!(
                    "{because}; not appended, since the level was listed later, at {later}"
                );
            }
            let mut drift = Drift {
                place: self.record.place.clone(),
                source: self.record.kind.clone(),
                at: self.record.at.to_string(),
                on: level.to_owned(),
                principal,
                missing: names(&missing),
                unexpected: names(&unexpected),
                because,
                reconciled: false,
            };
            if self.options.reconcile && settled.is_none() && !self.options.drift_only {
                let unexpected = if sight.intent { Vec::new() } else { unexpected };
                drift.reconciled = self.append_drift(&drift, &missing, &unexpected)?;
            }
            if !drift.reconciled {
                self.accounting.note(self.index, Fate::Drift);
            }
            self.summary.drift.push(drift);
        }
        Ok(())
    }

    /// What is observed and the ledger does not have, and what it has and is not observed
    fn difference(
        &mut self,
        level: &str,
        scope: &Scope,
        sight: &Sight<'_>,
    ) -> Result<Option<Difference>, ImportError> {
        let held = self.held_now(level, scope)?;
        let observed = (sight.held)(&held);
        if observed == held {
            return Ok(None);
        }
        let now = self.held(level, scope, self.moment.at)?;
        if (sight.held)(&now) == now {
            return Ok(None);
        }
        let missing = observed.difference(&held).cloned().collect();
        Ok(Some((missing, held.difference(&observed).cloned().collect())))
    }

    /// Whether nobody looked there before, as far as the ledger and this import know
    fn is_first_sight(&mut self, level: &str, scope: &Scope) -> Result<bool, ImportError> {
        let seen = !self.sighted.insert((level.to_owned(), scope.clone()));
        if seen || self.listed(level, self.moment.before())?.is_some() {
            return Ok(false);
        }
        if matches!(scope, Scope::All) || self.listings.contains_key(level) {
            return Ok(true);
        }
        // No listing of the whole level says it. What the ledger has of this part came from somewhere.
        let question = Texts::named("holdings").with("on", level).with("limit", "1000");
        let question = scope.narrow(question).with("until", self.moment.at.to_string());
        let page: Option<api::Holdings> = self.ask(&question)?;
        let rows = page.map(|page| page.holdings).unwrap_or_default();
        Ok(!rows
            .into_iter()
            .filter_map(|row| pair(row.held))
            .any(|(p, held)| scope.takes(&p, &held)))
    }

    /// Appends what the source says the start of; false if that is nothing
    fn append_known_starts(
        &mut self,
        level: &str,
        missing: &BTreeSet<Pair>,
        sight: &Sight<'_>,
    ) -> Result<bool, ImportError> {
        let known = missing.iter().filter_map(|pair| Some((*sight.since.get(pair)?, pair)));
        let mut starts: Vec<(Instant, &Pair)> = known.collect();
        starts.sort();
        // The ledger has the level since some moment. What began before is held since the observation at the latest.
        let (mut before, mut there) = (0, starts.len());
        while before < there {
            let middle = before.midpoint(there);
            let Some((since, _)) = starts.get(middle) else { break };
            if self.levels_at(*since)?.contains_key(level) {
                there = middle;
            } else {
                before = middle + 1;
            }
        }
        let mut any = false;
        for (since, (principal, held)) in starts.into_iter().skip(before) {
            if !self.ensure_held(level, held)? {
                continue;
            }
            let (record, actor) = (self.record, self.actor(self.record));
            let reason = format!("`{}` at {} shows it with its start", record.kind, record.at);
            let changes = vec![grant(level, held, principal, None)];
            any |= self.append_as(record, &actor, since.min(self.moment.at), reason, changes)?;
        }
        Ok(any)
    }

    fn append_baseline(&mut self, level: &str, seen: &BTreeSet<Pair>) -> Result<(), ImportError> {
        let mut grants = Vec::new();
        for (principal, held) in seen {
            if self.ensure_held(level, held)? {
                grants.push(grant(level, held, principal, None));
            }
        }
        self.summary.baseline += grants.len() as u64;
        for part in grants.chunks(CHANGES_MAX) {
            let reason = format!(
                "baseline: `{}` showed it first at {}; it is held since then at the latest",
                self.record.kind, self.record.at,
            );
            self.append(reason, part.to_vec())?;
        }
        Ok(())
    }

    fn append_drift(
        &mut self,
        drift: &Drift,
        missing: &[Held],
        unexpected: &[Held],
    ) -> Result<bool, ImportError> {
        let level = &drift.on;
        let mut changes = Vec::new();
        for held in missing {
            if self.ensure_held(level, held)? {
                changes.push(grant(level, held, &drift.principal, None));
            }
        }
        changes.extend(unexpected.iter().map(|held| revoke(level, held, &drift.principal)));
        if changes.is_empty() {
            return Ok(false);
        }
        let not_before = self.listed(level, self.moment.before())?;
        let mut holds = true;
        for part in changes.chunks(CHANGES_MAX) {
            let reason = format!(
                "drift reconciled: `{}` at {} showed it; it changed at an unknown time before",
                self.record.kind, drift.at,
            );
            holds &= self.append_since(reason, part.to_vec(), not_before)?;
            holds &= self.flush()?;
        }
        Ok(holds)
    }

    /// The holdings just before this second, with what this import changed at it
    pub(super) fn held_now(
        &mut self,
        level: &str,
        scope: &Scope,
    ) -> Result<BTreeSet<Pair>, ImportError> {
        let mut held = self.held(level, scope, self.moment.before())?;
        self.changed_now(level, scope, &mut held);
        Ok(held)
    }

    /// The holdings that count in the ledger
    fn held(
        &mut self,
        level: &str,
        scope: &Scope,
        at: Instant,
    ) -> Result<BTreeSet<Pair>, ImportError> {
        let mut held = BTreeSet::new();
        let mut page_token = None;
        loop {
            let question = scope.narrow(Texts::named("assignments").with("on", level));
            let question = question.with("at", at.to_string()).with_if("page_token", page_token);
            let page: Option<api::Assignments> = self.ask(&question)?;
            let Some(page) = page else { return Ok(held) };
            let pairs = page.assignments.into_iter().filter_map(|holding| pair(holding.held));
            held.extend(pairs.filter(|(principal, held)| scope.takes(principal, held)));
            page_token = page.next_page_token;
            if page_token.is_none() {
                return Ok(held);
            }
        }
    }

    /// Adds what this import changed at this second
    fn changed_now(&self, here: &str, scope: &Scope, held: &mut BTreeSet<Pair>) {
        let of = |collection: &Option<String>, role: &Option<String>| {
            let collection = collection.clone().map(Held::Collection);
            collection.or_else(|| role.clone().map(Held::Role))
        };
        for change in &self.moment.holdings {
            match change {
                Change::Grant { level, role_collection, role, to, .. } if level == here => {
                    let what = of(role_collection, role);
                    held.extend(
                        what.filter(|what| scope.takes(to, what)).map(|what| (to.clone(), what)),
                    );
                }
                Change::Revoke { level, role_collection, role, from, .. } if level == here => {
                    if let Some(what) = of(role_collection, role) {
                        held.remove(&(from.clone(), what));
                    }
                }
                Change::DeleteRoleCollection { level, role_collection } if level == here => {
                    held.retain(|(_, what)| *what != Held::Collection(role_collection.clone()));
                }
                _ => {}
            }
        }
    }
}

/// A holding of the principal's own; what a user has through a group is the group's
fn pair(held: api::Held) -> Option<Pair> {
    let what = held.role_collection.map(Held::Collection).or_else(|| held.role.map(Held::Role))?;
    held.via.is_none().then_some((held.principal, what))
}
