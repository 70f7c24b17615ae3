//! Where does an observation contradict the ledger, and what is done about it?
//!
//! An observation shows who holds what at one second. It is compared with the holdings that count in
//! the ledger before that second, with the changes of this second that come before it in the recording;
//! or, if these differ, with what the ledger has at that second, since an earlier import may have
//! reconciled it. What differs from both is [`Drift`]: somebody changed the landscape unobserved, or
//! nothing was known yet.
//!
//! Drift is reported, and with `reconcile` also appended, at the second of the observation: the change
//! itself happened at some unknown moment before. The reason says so.

use std::collections::{BTreeMap, BTreeSet};

use tenure_core::Instant;
use tenure_wire::api;
use tenure_wire::question::Texts;

use crate::ImportError;
use crate::btp_cli::Exchange;
use crate::btp_cli::bodies as seen;
use crate::reconcile::run::{HoldingChange, Run};
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
    /// What the principal's text begins with, one of these
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
    /// Compares what is observed, given what the ledger holds, with that
    pub(crate) fn observe(
        &mut self,
        exchange: &Exchange,
        level: &str,
        filter: &Filter<'_>,
        because: String,
        observed_of: &dyn Fn(&BTreeSet<Pair>) -> BTreeSet<Pair>,
    ) -> Result<(), ImportError> {
        self.summary.observations += 1;
        let mut held = self.held(level, filter, self.before())?;
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
                line: exchange.line,
                source: exchange.kind.clone(),
                at: exchange.at.to_string(),
                level: level.to_owned(),
                principal: principal.to_owned(),
                missing,
                unexpected,
                because: because.clone(),
                reconciled: false,
            };
            if self.options.reconcile {
                drift.reconciled = self.reconcile(exchange, &drift)?;
            }
            self.summary.drift.push(drift);
        }
        Ok(())
    }

    fn reconcile(&mut self, exchange: &Exchange, drift: &Drift) -> Result<bool, ImportError> {
        let level = &drift.level;
        for name in &drift.missing {
            self.ensure_collection(exchange, level, name)?;
        }
        let grants = drift.missing.iter().map(|name| seen::grant(level, name, &drift.principal));
        let revokes =
            drift.unexpected.iter().map(|name| seen::revoke(level, name, &drift.principal));
        let changes: Vec<_> = grants.chain(revokes).collect();
        let mut holds = true;
        for part in changes.chunks(CHANGES_MAX) {
            let reason = format!(
                "drift reconciled: `{}` at {} showed it; it changed at an unknown time before",
                exchange.kind, drift.at,
            );
            holds &= self.append(exchange, reason, part.to_vec())?;
            holds &= self.flush()?;
        }
        let of = |name: &String| (level.clone(), drift.principal.clone(), name.clone());
        for (level, principal, role_collection) in drift.missing.iter().map(of) {
            let change = HoldingChange::Granted { level, principal, role_collection };
            self.moment.holdings.push(change);
        }
        for (level, principal, role_collection) in drift.unexpected.iter().map(of) {
            let change = HoldingChange::Revoked { level, principal, role_collection };
            self.moment.holdings.push(change);
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
            for holding in page.assignments {
                if let Some(name) = holding.role_collection
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

    fn changed_now(&self, here: &str, filter: &Filter<'_>, held: &mut BTreeSet<Pair>) {
        for change in &self.moment.holdings {
            match change {
                HoldingChange::Granted { level, principal, role_collection }
                    if level == here && filter.takes(principal, role_collection) =>
                {
                    held.insert((principal.clone(), role_collection.clone()));
                }
                HoldingChange::Revoked { level, principal, role_collection } if level == here => {
                    held.remove(&(principal.clone(), role_collection.clone()));
                }
                HoldingChange::Ended { level, role_collection } if level == here => {
                    held.retain(|(_, name)| name != role_collection);
                }
                _ => {}
            }
        }
    }
}
