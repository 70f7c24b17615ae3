//! Who gets and loses role collections, and who is seen to hold them?
//!
//! `assign` and `unassign` become grants and revokes at their second; a revoke expects nothing, since
//! the server answers the same whether or not anything was held. Everything else that shows holders is
//! an observation, also the list in the answer to `assign`: it is compared with the ledger (see
//! [`crate::reconcile::drift`]) and becomes an entry only where a difference is reconciled.
//!
//! A user is known by origin and name, not by the id of the zone; `ldap` is `sap.default`; a name that
//! was masked in the answer is the one that was asked for. Groups and attribute values are mapped by
//! identity providers that are shown by display name: their origin comes from the trust list of the
//! zone, for a directory from that of its global account.

use std::collections::BTreeSet;

use crate::ImportError;
use crate::btp_cli::bodies::{self as seen, MappingSeen, UserSeen, UserText, mapped};
use crate::btp_cli::{Assignee, Exchange, Named, Zone};
use crate::reconcile::drift::{Filter, Pair};
use crate::reconcile::levels::above;
use crate::reconcile::run::{HoldingChange, Run};

/// What the command `--add-me-as-admin` grants (SAP-docs/btp-cloud-platform, "Add me as admin")
const SUBACCOUNT_ADMINISTRATOR: &str = "Subaccount Administrator";

const NAMELESS: &str = "a holder without a name, or with a masked one";

impl Run<'_> {
    pub(crate) fn assigned(
        &mut self,
        exchange: &Exchange,
        zone: &Zone,
        collection: &str,
        to: &Assignee,
        after: Option<&UserSeen>,
    ) -> Result<(), ImportError> {
        let Some(level) = self.zone(zone)? else {
            return Ok(());
        };
        let Some(principal) = self.assignee(to, after) else {
            self.summary.skip(NAMELESS);
            return Ok(());
        };
        self.grant(exchange, &level, collection, &principal)?;
        self.user_after(exchange, &level, &principal, after, 1)
    }

    pub(crate) fn unassigned(
        &mut self,
        exchange: &Exchange,
        zone: &Zone,
        collection: &str,
        from: &Assignee,
        after: Option<&UserSeen>,
    ) -> Result<(), ImportError> {
        let Some(level) = self.zone(zone)? else {
            return Ok(());
        };
        let Some(principal) = self.assignee(from, after) else {
            self.summary.skip(NAMELESS);
            return Ok(());
        };
        let reason = format!("btp CLI: {}", exchange.kind);
        let change = seen::revoke(&level, collection, &principal);
        self.append(exchange, reason, vec![change])?;
        self.moment.holdings.push(HoldingChange::Revoked {
            level: level.clone(),
            principal: principal.clone(),
            role_collection: collection.to_owned(),
        });
        self.user_after(exchange, &level, &principal, after, 1)
    }

    pub(crate) fn added_me(&mut self, exchange: &Exchange, level: &str) -> Result<(), ImportError> {
        if exchange.actor.is_none() {
            self.summary
                .skip("whoever asked is an administrator now, but the recording does not say who");
            return Ok(());
        }
        let Some(level) = self.zone(&Zone::Level(level.to_owned()))? else {
            return Ok(());
        };
        let actor = self.actor(exchange);
        self.grant(exchange, &level, SUBACCOUNT_ADMINISTRATOR, &actor)
    }

    fn grant(
        &mut self,
        exchange: &Exchange,
        level: &str,
        collection: &str,
        principal: &str,
    ) -> Result<(), ImportError> {
        self.ensure_collection(exchange, level, collection)?;
        let reason = format!("btp CLI: {}", exchange.kind);
        let change = seen::grant(level, collection, principal);
        self.append(exchange, reason, vec![change])?;
        self.moment.holdings.push(HoldingChange::Granted {
            level: level.to_owned(),
            principal: principal.to_owned(),
            role_collection: collection.to_owned(),
        });
        Ok(())
    }

    fn assignee(&self, assignee: &Assignee, after: Option<&UserSeen>) -> Option<String> {
        let origin = after.and_then(|after| after.origin.as_deref()).or(assignee.origin.as_deref());
        match &assignee.named {
            Named::User(name) => self.principal("user", origin, name),
            Named::Mapping { attribute, value } => {
                let (kind, name) = mapped(attribute, value);
                self.principal(kind, origin, &name)
            }
        }
    }

    pub(crate) fn user_seen(
        &mut self,
        exchange: &Exchange,
        zone: &Zone,
        origin: Option<&str>,
        name: &str,
        seen: Option<&UserSeen>,
    ) -> Result<(), ImportError> {
        let Some(level) = self.zone(zone)? else {
            return Ok(());
        };
        let origin = seen.and_then(|seen| seen.origin.as_deref()).or(origin);
        let Some(principal) = self.principal("user", origin, name) else {
            self.summary.skip(NAMELESS);
            return Ok(());
        };
        match seen {
            Some(_) => self.user_after(exchange, &level, &principal, seen, 0),
            None => {
                let filter = Filter::of_principal(&principal);
                let because = "there is no such user".to_owned();
                self.observe(exchange, &level, &filter, because, &|_| BTreeSet::new())
            }
        }
    }

    /// Compares all role collections of a user, as they are after so many writes of this exchange
    fn user_after(
        &mut self,
        exchange: &Exchange,
        level: &str,
        principal: &str,
        seen: Option<&UserSeen>,
        writes: u64,
    ) -> Result<(), ImportError> {
        let Some(seen) = seen else { return Ok(()) };
        let because = self.since_last_sight(exchange, level, principal, seen.version, writes);
        let observed: BTreeSet<Pair> =
            seen.collections.iter().map(|name| (principal.to_owned(), name.clone())).collect();
        self.observe(exchange, level, &Filter::of_principal(principal), because, &|_| {
            observed.clone()
        })
    }

    /// What a user's version says about the time since it was last seen
    fn since_last_sight(
        &mut self,
        exchange: &Exchange,
        level: &str,
        principal: &str,
        version: Option<u64>,
        writes: u64,
    ) -> String {
        let key = (level.to_owned(), principal.to_owned());
        let before = self.users.insert(key, (version, exchange.line));
        match before {
            None => "the recording shows this user for the first time".to_owned(),
            Some((Some(before), line)) if version.is_some_and(|v| v > before + writes) => {
                let unseen = version.unwrap_or_default() - before - writes;
                format!("the user was changed {unseen} times unobserved since line {line}")
            }
            Some((Some(_), line)) if version.is_some() => {
                format!("nobody has changed the user since line {line}, which showed it too")
            }
            Some((_, line)) => format!("the user was last shown in line {line}"),
        }
    }

    pub(crate) fn holders_seen(
        &mut self,
        exchange: &Exchange,
        zone: &Zone,
        collection: &str,
        users: &[UserText],
        all: bool,
    ) -> Result<(), ImportError> {
        let Some(level) = self.zone(zone)? else {
            return Ok(());
        };
        let mut observed = BTreeSet::new();
        let mut nameless = false;
        for (origin, name) in users {
            let name = name.as_deref();
            match name.and_then(|name| self.principal("user", origin.as_deref(), name)) {
                Some(principal) => {
                    observed.insert((principal, collection.to_owned()));
                }
                None => nameless = true,
            }
        }
        if nameless {
            self.summary.skip(NAMELESS);
        }
        let filter = Filter::of_collection(collection, &["user:"]);
        let because = "as the users of the role collection are shown".to_owned();
        self.observe(exchange, &level, &filter, because, &|held: &BTreeSet<Pair>| {
            if all && !nameless {
                observed.clone()
            } else {
                observed.union(held).cloned().collect()
            }
        })
    }

    pub(crate) fn mappings_seen(
        &mut self,
        exchange: &Exchange,
        zone: &Zone,
        collection: &str,
        mappings: &[MappingSeen],
    ) -> Result<(), ImportError> {
        let Some(level) = self.zone(zone)? else {
            return Ok(());
        };
        let root = above(self.load_levels()?, &level).last().unwrap_or_default().to_owned();
        let mut zones = vec![level.as_str()];
        if level.starts_with("directory:") {
            zones.push(&root);
        }
        let mut observed = BTreeSet::new();
        let mut unresolved = false;
        for mapping in mappings {
            let (kind, name) = mapped(&mapping.attribute, &mapping.value);
            let origin = self.knowledge.origin(&zones, mapping);
            match origin.and_then(|origin| self.principal(kind, Some(origin), &name)) {
                Some(principal) => {
                    observed.insert((principal, collection.to_owned()));
                }
                None => {
                    unresolved = true;
                    self.summary.skip("a mapping of an identity provider that no trust list has");
                }
            }
        }
        let filter = Filter::of_collection(collection, &["group:", "attribute:"]);
        let because = "as the mappings of the role collection are shown".to_owned();
        self.observe(exchange, &level, &filter, because, &|held: &BTreeSet<Pair>| {
            if unresolved { observed.union(held).cloned().collect() } else { observed.clone() }
        })
    }

    /// The users of an origin were listed: whoever is not among them holds nothing
    pub(crate) fn users_listed(
        &mut self,
        exchange: &Exchange,
        zone: &Zone,
        origin: Option<&str>,
        names: &[String],
    ) -> Result<(), ImportError> {
        let Some(level) = self.zone(zone)? else {
            return Ok(());
        };
        let users: Option<BTreeSet<String>> =
            names.iter().map(|name| self.principal("user", origin, name)).collect();
        // What all users of an origin have in common is what stands before the name.
        let prefix = self
            .principal("user", origin, "x")
            .and_then(|text| text.strip_suffix('x').map(str::to_owned));
        let (Some(users), Some(prefix)) = (users, prefix) else {
            self.summary.skip(NAMELESS);
            return Ok(());
        };
        let filter = Filter::of_users(&prefix);
        let because = "the users of the origin are listed without it".to_owned();
        self.observe(exchange, &level, &filter, because, &|held: &BTreeSet<Pair>| {
            held.iter().filter(|(principal, _)| users.contains(principal)).cloned().collect()
        })
    }
}
