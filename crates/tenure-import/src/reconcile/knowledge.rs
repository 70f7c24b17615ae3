//! What does the whole recording know that one exchange alone does not say?
//!
//! Params name a global account by its subdomain, mappings name an identity provider by its display
//! name, and a role collection names a role without its scopes: other exchanges, earlier or later, say
//! which they are. A level can be asked about before it is first described. So the recording is read
//! once before it is applied. Nothing here changes what held when: that is for the exchanges in order.

use std::collections::HashMap;

use tenure_core::LevelKind;

use crate::btp_cli::bodies::{IdpSeen, LevelSeen, MappingSeen, RoleDefinition};
use crate::btp_cli::{Exchange, What, Zone};

/// A description of a level, and the exchange that has it
#[derive(Clone, Copy, Debug)]
pub(crate) struct Description<'a> {
    pub(crate) exchange: &'a Exchange,
    pub(crate) seen: &'a LevelSeen,
}

/// What the recording knows
#[derive(Debug, Default)]
pub(crate) struct Knowledge<'a> {
    subdomains: HashMap<&'a str, &'a str>,
    first: HashMap<&'a str, Description<'a>>,
    /// The last exchange that shows whether a level is there
    last: HashMap<&'a str, usize>,
    /// The last complete listing of directories and of subaccounts in a global account
    last_complete: HashMap<(&'a str, LevelKind), usize>,
    trust: HashMap<String, Vec<&'a IdpSeen>>,
    roles: HashMap<(String, String), &'a RoleDefinition>,
}

impl<'a> Knowledge<'a> {
    /// Of exchanges in order of time
    pub(crate) fn of(exchanges: &'a [Exchange]) -> Self {
        let mut known = Self::default();
        for exchange in exchanges {
            if let Some((subdomain, level)) = &exchange.global_account {
                known.subdomains.entry(subdomain).or_insert(level);
            }
        }
        for (index, exchange) in exchanges.iter().enumerate() {
            known.take(index, exchange);
        }
        known
    }

    fn take(&mut self, index: usize, exchange: &'a Exchange) {
        match &exchange.what {
            What::Levels { seen, complete } => {
                self.described(index, exchange, seen);
                if let Some(complete) = complete
                    && let Some(root) = self.subdomains.get(complete.subdomain.as_str())
                {
                    self.last_complete.insert((root, LevelKind::Subaccount), index);
                    if complete.directories {
                        self.last_complete.insert((root, LevelKind::Directory), index);
                    }
                }
            }
            What::DeletionAsked { seen, .. } => self.described(index, exchange, seen),
            What::LevelGone(level) => {
                self.last.insert(level, index);
            }
            What::Trust(zone, idps) => {
                if let Some(level) = self.level(zone) {
                    let level = level.to_owned();
                    self.trust.entry(level).or_default().extend(idps);
                }
            }
            What::Roles(zone, roles) => roles.iter().for_each(|role| self.defined(zone, role)),
            What::RoleCreated(zone, role) => self.defined(zone, role),
            _ => {}
        }
    }

    fn described(&mut self, index: usize, exchange: &'a Exchange, seen: &'a [LevelSeen]) {
        for seen in seen {
            self.first.entry(&seen.level).or_insert(Description { exchange, seen });
            self.last.insert(&seen.level, index);
        }
    }

    fn defined(&mut self, zone: &Zone, role: &'a RoleDefinition) {
        if let Some(level) = self.level(zone) {
            self.roles.entry((level.to_owned(), role.role.text())).or_insert(role);
        }
    }

    /// The level of a zone, if its subdomain is known
    pub(crate) fn level<'z>(&'z self, zone: &'z Zone) -> Option<&'z str> {
        match zone {
            Zone::Level(level) => Some(level),
            Zone::GlobalAccount(subdomain) => self.root(subdomain),
        }
    }

    /// The global account with a subdomain
    pub(crate) fn root(&self, subdomain: &str) -> Option<&'a str> {
        self.subdomains.get(subdomain).copied()
    }

    /// The first description of a level
    pub(crate) fn description(&self, level: &str) -> Option<Description<'a>> {
        self.first.get(level).copied()
    }

    /// Whether an exchange after this one shows whether the level is there
    pub(crate) fn shown_after(&self, index: usize, level: &str, root: Option<&str>) -> bool {
        let kind = if level.starts_with(LevelKind::Directory.as_str()) {
            LevelKind::Directory
        } else {
            LevelKind::Subaccount
        };
        let listed = root.and_then(|root| self.last_complete.get(&(root, kind)));
        [self.last.get(level), listed].into_iter().flatten().any(|last| *last > index)
    }

    /// The origin of the identity provider of a mapping, from the trust lists of the zones given
    ///
    /// One identity provider has different origins in different zones, so the nearest zone is first.
    pub(crate) fn origin(&self, zones: &[&str], mapping: &MappingSeen) -> Option<&'a str> {
        zones.iter().find_map(|zone| {
            let trusted = self.trust.get(*zone)?;
            let by_name = |idp: &&&IdpSeen| mapping.display_name.as_ref() == Some(&idp.origin);
            let found = trusted.iter().find(by_name);
            found.or_else(|| trusted.iter().find(|idp| idp.is(mapping))).map(|i| i.origin.as_str())
        })
    }

    /// How a role of a level is defined
    pub(crate) fn role(&self, level: &str, role: &str) -> Option<&'a RoleDefinition> {
        self.roles.get(&(level.to_owned(), role.to_owned())).copied()
    }
}
