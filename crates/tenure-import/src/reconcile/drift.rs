//! Where does an observation contradict the ledger, and what is done about it?
//!
//! An observation shows who holds what at one second. It is compared with the holdings that the ledger has
//! just before that second, together with the changes that this import made at that second. If these
//! differ, it is compared with what the ledger has at that second, since an earlier import may have
//! reconciled the difference. What differs from both is [`Drift`]: somebody changed the landscape
//! unobserved, or the ledger knew nothing yet.
//!
//! The summary reports drift. With `reconcile` it is also appended, at the second of the observation. The
//! change itself happened at an unknown time before, and the reason of the entry says so.

use std::collections::{BTreeMap, BTreeSet};

use tenure_core::Instant;
use tenure_wire::api;
use tenure_wire::question::Texts;
use tenure_wire::v1::Change;

use super::assignments::{grant, revoke};
use super::run::Run;
use crate::ImportError;
use crate::summary::Drift;

/// Most changes of an entry
const CHANGES_MAX: usize = 256;

/// A principal and a role collection that it holds
pub(crate) type Pair = (String, String);

/// Which holdings of a level an observation is about
#[derive(Debug)]
pub(crate) struct Filter<'a> {
    principal: Option<&'a str>,
    role_collection: Option<&'a str>,
    /// The principal's text begins with one of these
    prefixes: Vec<&'a str>,
}

impl<'a> Filter<'a> {
    /// All of one principal
    pub(crate) fn of_principal(principal: &'a str) -> Self {
        Self { principal: Some(principal), role_collection: None, prefixes: vec![""] }
    }

    /// All of one role collection, of some kinds of principals
    pub(crate) fn of_collection(name: &'a str, prefixes: &[&'a str]) -> Self {
        Self { principal: None, role_collection: Some(name), prefixes: prefixes.to_vec() }
    }

    /// All of the users of an origin
    pub(crate) fn of_users(prefix: &'a str) -> Self {
        Self { principal: None, role_collection: None, prefixes: vec![prefix] }
    }

    fn takes(&self, principal: &str, role_collection: &str) -> bool {
        self.principal.is_none_or(|wanted| wanted == principal)
            && self.role_collection.is_none_or(|wanted| wanted == role_collection)
            && self.prefixes.iter().any(|prefix| principal.starts_with(prefix))
    }
}

impl Run<'_> {
    /// Compares what is observed with what the ledger has
    ///
    /// `observed_of` gives what is observed. It is told what the ledger has, for observations that show
    /// only a part.
    pub(crate) fn observe(
        &mut self,
        level: &str,
        filter: &Filter<'_>,
        because: String,
        observed_of: &dyn Fn(&BTreeSet<Pair>) -> BTreeSet<Pair>,
    ) -> Result<(), ImportError> {
        self.summary.observations += 1;
        let mut held = self.held(level, filter, self.moment.before())?;
        self.changed_now(level, filter, &mut held);
        let observed = observed_of(&held);
        if observed == held {
            return Ok(());
        }
        let now = self.held(level, filter, self.moment.at)?;
        if observed_of(&now) == now {
            return Ok(());
        }
        let mut by_principal: BTreeMap<&str, (Vec<String>, Vec<String>)> = BTreeMap::new();
        for (principal, name) in observed.difference(&held) {
            by_principal.entry(principal).or_default().0.push(name.clone());
        }
        for (principal, name) in held.difference(&observed) {
            by_principal.entry(principal).or_default().1.push(name.clone());
        }
        for (principal, (missing, unexpected)) in by_principal {
            let mut drift = Drift {
                line: self.record.line,
                source: self.record.kind.clone(),
                at: self.record.at.to_string(),
                level: level.to_owned(),
                principal: principal.to_owned(),
                missing,
                unexpected,
                because: because.clone(),
                reconciled: false,
            };
            if self.options.reconcile {
                drift.reconciled = self.append_drift(&drift)?;
            }
            self.summary.drift.push(drift);
        }
        Ok(())
    }

    fn append_drift(&mut self, drift: &Drift) -> Result<bool, ImportError> {
        let level = &drift.level;
        for name in &drift.missing {
            self.ensure_collection(level, name)?;
        }
        let grants = drift.missing.iter().map(|name| grant(level, name, &drift.principal));
        let revokes = drift.unexpected.iter().map(|name| revoke(level, name, &drift.principal));
        let changes: Vec<_> = grants.chain(revokes).collect();
        let mut holds = true;
        for part in changes.chunks(CHANGES_MAX) {
            let reason = format!(
                "drift reconciled: `{}` at {} showed it; it changed at an unknown time before",
                self.record.kind, drift.at,
            );
            holds &= self.append(reason, part.to_vec())?;
            holds &= self.flush()?;
        }
        Ok(holds)
    }

    /// The holdings of role collections that count in the ledger
    fn held(
        &mut self,
        level: &str,
        filter: &Filter<'_>,
        at: Instant,
    ) -> Result<BTreeSet<Pair>, ImportError> {
        let mut held = BTreeSet::new();
        let mut page_token = None;
        loop {
            let question = Texts::named("assignments")
                .with("on", level)
                .with_if("principal", filter.principal)
                .with_if("role_collection", filter.role_collection)
                .with("at", at.to_string())
                .with_if("page_token", page_token);
            let page: Option<api::Assignments> = self.ask(&question)?;
            let Some(page) = page else { return Ok(held) };
            for holding in page.assignments.into_iter().map(|holding| holding.held) {
                // What a user has through a group is the group's.
                if holding.via.is_none()
                    && let Some(name) = holding.role_collection
                    && filter.takes(&holding.principal, &name)
                {
                    held.insert((holding.principal, name));
                }
            }
            page_token = page.next_page_token;
            if page_token.is_none() {
                return Ok(held);
            }
        }
    }

    /// Adds what this import changed at this second
    fn changed_now(&self, here: &str, filter: &Filter<'_>, held: &mut BTreeSet<Pair>) {
        for change in &self.moment.holdings {
            match change {
                Change::Grant { level, role_collection: Some(name), to, .. }
                    if level == here && filter.takes(to, name) =>
                {
                    held.insert((to.clone(), name.clone()));
                }
                Change::Revoke { level, role_collection: Some(name), from, .. }
                    if level == here =>
                {
                    held.remove(&(from.clone(), name.clone()));
                }
                Change::DeleteRoleCollection { level, role_collection } if level == here => {
                    held.retain(|(_, name)| name != role_collection);
                }
                _ => {}
            }
        }
    }
}
