//! Which role collections come into being, change and go?
//!
//! The catalogue in force defines the predefined role collections. A recording cannot change them: if it
//! shows other roles, the summary says so. All others are custom role collections of their level. That
//! includes those that SAP or an application delivers and that the catalogue does not have; the reason of
//! the entry says so. A listing is complete: a custom role collection that it lacks is deleted.
//!
//! A record can name a role collection that nothing has defined yet. Then it is created without roles, and
//! gets them when a record shows them. If a record creates a role collection that the ledger has, it was
//! deleted unobserved before. It is deleted first, which ends its holdings.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use tenure_wire::api;
use tenure_wire::question::Texts;
use tenure_wire::v1::{Catalog, Change};

use super::run::Run;
use crate::ImportError;
use crate::fact::{CollectionSeen, RoleSeen};
use crate::summary::DefinitionDrift;

/// A role collection as the ledger has it
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct CollectionThen {
    pub(crate) predefined: bool,
    pub(crate) roles: BTreeSet<String>,
}

/// The role collections of a level at this second
#[derive(Debug)]
pub(crate) struct ZoneThen {
    pub(crate) collections: BTreeMap<String, CollectionThen>,
    pub(crate) catalog: Option<Rc<Catalog>>,
}

const PREDEFINED: &str = "a change of a role collection that the catalogue predefines";

impl Run<'_> {
    pub(crate) fn collections_listed(
        &mut self,
        level: &str,
        seen: &[CollectionSeen],
    ) -> Result<(), ImportError> {
        for seen in seen {
            self.define(level, seen)?;
        }
        let listed: BTreeSet<&str> = seen.iter().map(|seen| seen.name.as_str()).collect();
        let then = &self.zone_then(level)?.collections;
        let gone: Vec<String> = then
            .iter()
            .filter(|(name, then)| !then.predefined && !listed.contains(name.as_str()))
            .map(|(name, _)| name.clone())
            .collect();
        self.listing_begins(level, &listed);
        for name in gone {
            let reason = format!("`{}` no longer lists it", self.record.kind);
            self.delete_collection(level, &name, reason)?;
        }
        Ok(())
    }

    pub(crate) fn collection_gone(&mut self, level: &str, name: &str) -> Result<(), ImportError> {
        match self.collection(level, name)? {
            Some(then) if then.predefined => self.pass_over(PREDEFINED),
            Some(_) => {
                let reason = format!("`{}` no longer finds it", self.record.kind);
                self.delete_collection(level, name, reason)?;
            }
            None => self.known_already("not found, and unknown to the ledger too"),
        }
        Ok(())
    }

    pub(crate) fn collection_created(
        &mut self,
        level: &str,
        seen: &CollectionSeen,
    ) -> Result<(), ImportError> {
        let then = self.collection(level, &seen.name)?;
        if then.as_ref().is_some_and(|then| then.predefined) && seen.roles.is_empty() {
            // A source that does not say the roles.
            self.pass_over(PREDEFINED);
            return Ok(());
        }
        if then.is_some_and(|then| !then.predefined) {
            let reason = "it is created again next, so it had been deleted unobserved";
            self.delete_collection(level, &seen.name, reason.to_owned())?;
        }
        self.define(level, seen)
    }

    pub(crate) fn collection_deleted(
        &mut self,
        level: &str,
        name: &str,
    ) -> Result<(), ImportError> {
        match self.collection(level, name)? {
            Some(then) if then.predefined => self.pass_over(PREDEFINED),
            Some(_) => {
                let reason = self.record.reason();
                self.delete_collection(level, name, reason)?;
            }
            None => self.known_already("deleted, and unknown to the ledger before"),
        }
        Ok(())
    }

    pub(crate) fn role_added(
        &mut self,
        level: &str,
        name: &str,
        role: &RoleSeen,
    ) -> Result<(), ImportError> {
        let role = &self.role_as_kept(level, role)?;
        if !self.ensure_role(level, role, name)? {
            return Ok(());
        }
        self.ensure_collection(level, name)?;
        self.change_roles(level, name, |roles| {
            roles.insert(role.text());
        })
    }

    pub(crate) fn role_removed(
        &mut self,
        level: &str,
        name: &str,
        role: &RoleSeen,
    ) -> Result<(), ImportError> {
        let role = self.role_as_kept(level, role)?;
        self.ensure_collection(level, name)?;
        self.change_roles(level, name, |roles| {
            roles.remove(&role.text());
        })
    }

    fn change_roles(
        &mut self,
        level: &str,
        name: &str,
        change: impl FnOnce(&mut BTreeSet<String>),
    ) -> Result<(), ImportError> {
        let Some(then) = self.collection(level, name)? else {
            return Ok(());
        };
        if then.predefined {
            self.pass_over(PREDEFINED);
            return Ok(());
        }
        let mut roles = then.roles.clone();
        change(&mut roles);
        if roles == then.roles {
            self.known_already("a change of roles that the ledger has already");
            return Ok(());
        }
        let reason = self.record.reason();
        self.set_roles(level, name, roles, reason)
    }

    /// Creates a role collection by its name alone, unless the ledger has it
    pub(crate) fn ensure_collection(&mut self, level: &str, name: &str) -> Result<(), ImportError> {
        if !self.collections_there.insert((level.to_owned(), name.to_owned())) {
            return Ok(());
        }
        if self.collection(level, name)?.is_some() {
            return Ok(());
        }
        let reason =
            format!("known by its name alone from `{}`: its roles are not", self.record.kind);
        self.create_collection(level, name, None, BTreeSet::new(), reason)
    }

    /// Creates the role collections that changes grant and that the ledger lacks
    pub(crate) fn ensure_named(&mut self, changes: &[Change]) -> Result<(), ImportError> {
        for change in changes {
            if let Change::Grant { level, role_collection: Some(name), .. } = change
                && (self.there.contains(level) || self.has(level)?)
            {
                self.there.insert(level.clone());
                self.ensure_collection(level, name)?;
            }
        }
        Ok(())
    }

    /// The ledger's definition becomes the recorded one, unless the catalogue defines it
    pub(crate) fn define(&mut self, level: &str, seen: &CollectionSeen) -> Result<(), ImportError> {
        let kept: Vec<RoleSeen> = seen
            .roles
            .iter()
            .map(|role| self.role_as_kept(level, role))
            .collect::<Result<_, _>>()?;
        let recorded: BTreeSet<String> = kept.iter().map(RoleSeen::text).collect();
        let then = self.collection(level, &seen.name)?;
        if let Some(then) = &then {
            if then.predefined {
                if then.roles != recorded {
                    self.definition_differs(level, &seen.name, recorded, &then.roles);
                }
                return Ok(());
            }
            if then.roles == recorded {
                return Ok(());
            }
        }
        let mut roles = BTreeSet::new();
        for role in &kept {
            if self.ensure_role(level, role, &seen.name)? {
                roles.insert(role.text());
            }
        }
        let mut reason = format!("as `{}` shows it", self.record.kind);
        if seen.read_only {
            reason.push_str(
                "; delivered by SAP or an application (isReadOnly), but not in the catalogue in \
                 force, so kept as a custom one",
            );
        }
        match then {
            None => {
                let description = seen.description.clone();
                self.create_collection(level, &seen.name, description, roles, reason)
            }
            Some(then) if then.roles != roles => self.set_roles(level, &seen.name, roles, reason),
            Some(_) => Ok(()),
        }
    }

    fn definition_differs(
        &mut self,
        level: &str,
        name: &str,
        recorded: BTreeSet<String>,
        ledger: &BTreeSet<String>,
    ) {
        let recorded: Vec<String> = recorded.into_iter().collect();
        if self.definitions.insert((level.to_owned(), name.to_owned(), recorded.clone())) {
            self.summary.definitions.push(DefinitionDrift {
                place: self.record.place.clone(),
                at: self.record.at.to_string(),
                level: level.to_owned(),
                role_collection: name.to_owned(),
                recorded,
                ledger: ledger.iter().cloned().collect(),
            });
        }
    }

    fn create_collection(
        &mut self,
        level: &str,
        name: &str,
        description: Option<String>,
        roles: BTreeSet<String>,
        reason: String,
    ) -> Result<(), ImportError> {
        let change = Change::CreateRoleCollection {
            level: level.to_owned(),
            role_collection: name.to_owned(),
            roles: roles.iter().cloned().collect(),
            description,
        };
        if self.append(reason, vec![change])? {
            let then = CollectionThen { predefined: false, roles };
            self.zone_then(level)?.collections.insert(name.to_owned(), then);
        }
        Ok(())
    }

    fn set_roles(
        &mut self,
        level: &str,
        name: &str,
        roles: BTreeSet<String>,
        reason: String,
    ) -> Result<(), ImportError> {
        let change = Change::SetRoles {
            level: level.to_owned(),
            role_collection: name.to_owned(),
            roles: roles.iter().cloned().collect(),
        };
        self.append(reason, vec![change])?;
        if let Some(then) = self.zone_then(level)?.collections.get_mut(name) {
            then.roles = roles;
        }
        Ok(())
    }

    fn delete_collection(
        &mut self,
        level: &str,
        name: &str,
        reason: String,
    ) -> Result<(), ImportError> {
        let change = Change::DeleteRoleCollection {
            level: level.to_owned(),
            role_collection: name.to_owned(),
        };
        self.append(reason, vec![change])?;
        self.collections_there.remove(&(level.to_owned(), name.to_owned()));
        self.zone_then(level)?.collections.remove(name);
        Ok(())
    }

    fn collection(
        &mut self,
        level: &str,
        name: &str,
    ) -> Result<Option<CollectionThen>, ImportError> {
        Ok(self.zone_then(level)?.collections.get(name).cloned())
    }

    /// The role collections of a level that the ledger has
    pub(crate) fn zone_then(&mut self, level: &str) -> Result<&mut ZoneThen, ImportError> {
        let then = match self.moment.zones.remove(level) {
            Some(then) => then,
            None => self.ask_zone(level)?,
        };
        Ok(self.moment.zones.entry(level.to_owned()).or_insert(then))
    }

    fn ask_zone(&mut self, level: &str) -> Result<ZoneThen, ImportError> {
        // A level that begins at this second is unknown before it. At the second it has what the
        // catalogue predefines.
        let mut answer: Option<api::RoleCollections> = None;
        let mut asked = self.moment.before();
        for at in [self.moment.before(), self.moment.at] {
            asked = at;
            let question =
                Texts::named("role-collections").with("on", level).with("at", at.to_string());
            answer = self.ask(&question)?;
            if answer.is_some() {
                break;
            }
        }
        let Some(answer) = answer else {
            return Ok(ZoneThen { collections: BTreeMap::new(), catalog: None });
        };
        let catalog = self.catalog(answer.as_of.catalog.flatten(), asked)?;
        let collections = answer.role_collections.into_iter().map(|row| {
            let then = CollectionThen {
                predefined: row.predefined,
                roles: row.roles.into_iter().collect(),
            };
            (row.role_collection, then)
        });
        Ok(ZoneThen { collections: collections.collect(), catalog })
    }
}
