//! What does the whole recording say that one record alone does not?
//!
//! A record can name a global account by its subdomain, an identity provider by its display name, and a
//! role without its scopes. Other records, earlier or later, say which they are. A record can also be about
//! a level that only a later record describes. So all records are read once before the first is applied.
//! This does not decide what was so at which time: the records do that, in their order.

use std::collections::HashMap;

use tenure_core::LevelKind;

use crate::fact::{
    Event, Fact, IdpSeen, LevelSeen, MappingSeen, Observation, RoleDefinition, Zone, ZoneEvent,
    ZoneObservation,
};
use crate::record::Record;

/// A description of a level, and the record that has it
#[derive(Clone, Copy, Debug)]
pub(crate) struct Description<'a> {
    pub(crate) record: &'a Record,
    pub(crate) seen: &'a LevelSeen,
}

/// What the whole recording says
#[derive(Debug, Default)]
pub(crate) struct Knowledge<'a> {
    subdomains: HashMap<&'a str, &'a str>,
    first: HashMap<&'a str, Description<'a>>,
    /// The last record that shows whether a level is there
    last: HashMap<&'a str, usize>,
    /// The last complete listing of directories and of subaccounts in a global account
    last_complete: HashMap<(&'a str, LevelKind), usize>,
    trust: HashMap<String, Vec<&'a IdpSeen>>,
    roles: HashMap<(String, String), &'a RoleDefinition>,
}

impl<'a> Knowledge<'a> {
    /// Of records in the order of their times
    pub(crate) fn of(records: &'a [Record]) -> Self {
        let mut known = Self::default();
        let facts = || {
            records.iter().enumerate().flat_map(|(index, record)| {
                record.facts.iter().map(move |fact| (index, record, fact))
            })
        };
        for (_, _, fact) in facts() {
            if let Fact::Observation(Observation::Subdomain { subdomain, level }) = fact {
                known.subdomains.entry(subdomain).or_insert(level);
            }
        }
        for (index, record, fact) in facts() {
            known.take(index, record, fact);
        }
        known
    }

    fn take(&mut self, index: usize, record: &'a Record, fact: &'a Fact) {
        match fact {
            Fact::Observation(Observation::Levels { seen, complete }) => {
                for seen in seen {
                    self.first.entry(&seen.level).or_insert(Description { record, seen });
                    self.last.insert(&seen.level, index);
                }
                if let Some(complete) = complete
                    && let Some(root) = self.subdomains.get(complete.subdomain.as_str())
                {
                    self.last_complete.insert((root, LevelKind::Subaccount), index);
                    if complete.directories {
                        self.last_complete.insert((root, LevelKind::Directory), index);
                    }
                }
            }
            Fact::Observation(Observation::NoLevel(level)) => {
                self.last.insert(level, index);
            }
            Fact::Observation(Observation::InZone(zone, ZoneObservation::Trust(idps))) => {
                if let Some(level) = self.level(zone) {
                    let level = level.to_owned();
                    self.trust.entry(level).or_default().extend(idps);
                }
            }
            Fact::Observation(Observation::InZone(zone, ZoneObservation::Roles(roles))) => {
                roles.iter().for_each(|role| self.defined(zone, role));
            }
            Fact::Event(Event::InZone(zone, ZoneEvent::RoleCreated(role))) => {
                self.defined(zone, role);
            }
            _ => {}
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

    /// Whether a record after this one shows whether the level is there
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
            let by_name = |idp: &&&IdpSeen| mapping.idp_name.as_ref() == Some(&idp.origin);
            let found = trusted.iter().find(by_name);
            found
                .or_else(|| trusted.iter().find(|idp| idp.is_of(mapping)))
                .map(|i| i.origin.as_str())
        })
    }

    /// How a role of a level is defined
    pub(crate) fn role(&self, level: &str, role: &str) -> Option<&'a RoleDefinition> {
        self.roles.get(&(level.to_owned(), role.to_owned())).copied()
    }
}
