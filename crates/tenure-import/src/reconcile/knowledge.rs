//! What does the whole recording say that one record alone does not?
//!
//! A record can name a global account by its subdomain, an identity provider by its display name, and a
//! role without its scopes. Other records, earlier or later, say which they are. A record can also be about
//! a level that only a later record describes. So all records are read once before the first is applied.
//! This does not decide what was so at which time: the records do that, in their order.

use std::collections::{BTreeSet, HashMap};

use tenure_core::{Instant, LevelKind};

use crate::Map;
use crate::fact::{
    CollectionSeen, Event, Fact, Holder, IdpSeen, LevelSeen, MappingSeen, Observation,
    RoleDefinition, RoleSeen, UserId, Zone, ZoneEvent, ZoneObservation,
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
    /// By level and the name of an application without its suffix: the names with it
    applications: HashMap<(String, String), BTreeSet<&'a str>>,
    /// The names that an id had, in order of time
    names: HashMap<&'a UserId, Vec<(Instant, &'a Holder)>>,
    map: Option<&'a Map>,
}

impl<'a> Knowledge<'a> {
    /// Of records in the order of their times
    pub(crate) fn of(records: &'a [Record], map: &'a Map) -> Self {
        let mut known = Self { map: Some(map), ..Self::default() };
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
            for holder in fact.holders() {
                if let (Some(id), Some(_)) = (&holder.id, &holder.name) {
                    known.names.entry(id).or_default().push((record.at, holder));
                }
            }
        }
        known
    }

    /// The name that an id had at a time: the last one seen by then, else the first one seen after
    ///
    /// `None` where no record and no map names it.
    pub(crate) fn named(&self, id: &UserId, at: Instant) -> Option<Holder> {
        if let Some(names) = self.names.get(id) {
            let before = names.partition_point(|(seen, _)| *seen <= at);
            let (_, holder) = names.get(before.saturating_sub(1))?;
            return Some((*holder).clone());
        }
        let (origin, name) = self.map?.users.get(&id.id)?;
        Some(Holder::user(origin.clone(), name.clone()))
    }

    /// Whether a level has two applications that differ in the suffix alone
    pub(crate) fn has_two(&self, level: &str, application: &str) -> bool {
        let key = (level.to_owned(), plain(application).to_owned());
        self.applications.get(&key).is_some_and(|names| names.len() > 1)
    }

    fn applications_of(&mut self, zone: &Zone, roles: impl Iterator<Item = &'a RoleSeen>) {
        let Some(level) = self.level(zone).map(str::to_owned) else { return };
        for role in roles {
            let key = (level.clone(), plain(&role.application).to_owned());
            self.applications.entry(key).or_default().insert(&role.application);
        }
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
                self.applications_of(zone, roles.iter().map(|role| &role.role));
                roles.iter().for_each(|role| self.defined(zone, role));
            }
            Fact::Observation(Observation::InZone(zone, ZoneObservation::Collections(seen))) => {
                let roles = |seen: &'a CollectionSeen| seen.roles.iter();
                self.applications_of(zone, seen.iter().flat_map(roles));
            }
            Fact::Observation(Observation::InZone(zone, ZoneObservation::Collection(seen))) => {
                self.applications_of(zone, seen.roles.iter());
            }
            Fact::Event(Event::InZone(zone, ZoneEvent::RoleCreated(role))) => {
                self.applications_of(zone, [&role.role].into_iter());
                self.defined(zone, role);
            }
            Fact::Event(Event::InZone(
                zone,
                ZoneEvent::RoleAdded { role, .. } | ZoneEvent::RoleRemoved { role, .. },
            )) => self.applications_of(zone, [role].into_iter()),
            _ => {}
        }
    }

    fn defined(&mut self, zone: &Zone, role: &'a RoleDefinition) {
        let Some(level) = self.level(zone).map(str::to_owned) else { return };
        // Under both names that the application may be kept by.
        let application = plain(&role.role.application).to_owned();
        let plain = RoleSeen { application, ..role.role.clone() };
        for text in [role.role.text(), plain.text()] {
            self.roles.entry((level.clone(), text)).or_insert(role);
        }
    }

    /// The level of a zone, if its subdomain is known
    pub(crate) fn level<'z>(&'z self, zone: &'z Zone) -> Option<&'z str> {
        match zone {
            Zone::Level(level) => Some(level),
            Zone::GlobalAccount(subdomain) => self.root(subdomain),
            // A zone has the id of its level, and nearly all are of subaccounts.
            Zone::Identity(level) => {
                let id = level.split_once(':').map_or(level.as_str(), |(_, id)| id);
                let mapped = self.map.and_then(|map| map.levels.get(id));
                let known = [LevelKind::GlobalAccount, LevelKind::Directory].into_iter();
                let mut known = known.filter_map(|kind| {
                    self.first.get_key_value(format!("{}:{id}", kind.as_str()).as_str())
                });
                mapped.map(String::as_str).or_else(|| Some(known.next()?.0)).or(Some(level))
            }
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
        let mapped = [&mapping.idp_name, &mapping.idp_host]
            .into_iter()
            .flatten()
            .find_map(|idp| self.map?.idps.get(&idp.to_ascii_lowercase()).map(String::as_str));
        mapped.or_else(|| {
            zones.iter().find_map(|zone| {
                let trusted = self.trust.get(*zone)?;
                let by_name = |idp: &&&IdpSeen| mapping.idp_name.as_ref() == Some(&idp.origin);
                let found = trusted.iter().find(by_name);
                found
                    .or_else(|| trusted.iter().find(|idp| idp.is_of(mapping)))
                    .map(|i| i.origin.as_str())
            })
        })
    }

    /// How a role of a level is defined, by its text with or without the suffix of the application
    pub(crate) fn role(&self, level: &str, role: &str) -> Option<&'a RoleDefinition> {
        self.roles.get(&(level.to_owned(), role.to_owned())).copied()
    }
}

/// The name of an application without the suffix that differs from landscape to landscape (`cis-local!b2` becomes
/// `cis-local`)
pub(crate) fn plain(application: &str) -> &str {
    application.split('!').next().unwrap_or(application)
}
