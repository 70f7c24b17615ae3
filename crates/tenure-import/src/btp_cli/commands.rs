//! What does a command's answer show, given its params?
//!
//! There is one arm for each command that the ledger can use. All other commands are passed over. The
//! params decide here whether a listing is complete: it is if they narrow nothing down.

use std::collections::BTreeMap;

use serde_json::Value;
use tenure_core::{LevelKind, PrincipalKind};

use super::bodies::{self, level_text};
use super::{Params, Status};
use crate::fact::{
    CollectionSeen, Complete, Event, Fact, Held, Holder, LevelSeen, Observation, Page,
    RoleDefinition, RoleSeen, Zone, ZoneEvent, ZoneObservation,
};
use crate::xs;

const NOT_ABOUT: &str = "not about levels, role collections or who holds them";

/// What `--add-me-as-admin` grants (SAP-docs/btp-cloud-platform, "Add me as admin")
const SUBACCOUNT_ADMINISTRATOR: &str = "Subaccount Administrator";

/// Why an exchange says nothing that the ledger can use
pub(crate) enum NoFact {
    /// It is none of the ledger's business, or it failed
    PassedOver(String),
    /// Its params or its answer do not have their shape
    Bad(String),
}

impl From<String> for NoFact {
    fn from(problem: String) -> Self {
        Self::Bad(problem)
    }
}

type Facts = Result<Vec<Fact>, NoFact>;

fn passed_over(reason: &str) -> Facts {
    Err(NoFact::PassedOver(reason.to_owned()))
}

/// An exchange whose command and status are known
pub(crate) struct Reader<'a> {
    pub(crate) params: &'a Params,
    pub(crate) body: &'a Value,
    /// Who asked, where the recording says it
    pub(crate) actor: Option<&'a str>,
}

impl Reader<'_> {
    pub(crate) fn facts(&self, cmd: &str, verb: &str, status: &Status) -> Facts {
        match (cmd, verb, status) {
            (_, _, Status::Failed(reason)) => passed_over(reason),
            ("accounts/subaccount", "get", Status::NotFound) => {
                Ok(vec![no_level(LevelKind::Subaccount, self.required("subaccount")?)])
            }
            ("accounts/directory", "get", Status::NotFound) => {
                Ok(vec![no_level(LevelKind::Directory, self.required("directoryID")?)])
            }
            ("security/role-collection", "get", Status::NotFound) => {
                let (zone, name) = (self.zone()?, self.owned("roleCollectionName")?);
                Ok(vec![Fact::observation(zone, ZoneObservation::NoCollection(name))])
            }
            ("security/user", "get", Status::NotFound) => self.user(),
            (_, _, Status::NotFound) => passed_over("failed (backend status 404)"),
            ("accounts/global-account", "get", Status::Done) => self.global_account(),
            ("accounts/directory", _, Status::Done) => self.directory(verb),
            ("accounts/subaccount", _, Status::Done) => self.subaccount(verb),
            ("security/role-collection", _, Status::Done) => self.role_collection(verb),
            ("security/role", _, Status::Done) => self.role(verb),
            ("security/user", "get", Status::Done) => self.user(),
            ("security/user", "list", Status::Done) => self.users(),
            ("security/trust", "list" | "get" | "create" | "update", Status::Done) => self.trust(),
            _ => passed_over(NOT_ABOUT),
        }
    }

    fn param(&self, name: &str) -> Option<&str> {
        self.params.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    fn required(&self, name: &str) -> Result<&str, String> {
        self.param(name).ok_or_else(|| format!("the param `{name}` is missing"))
    }

    fn owned(&self, name: &str) -> Result<String, String> {
        self.required(name).map(str::to_owned)
    }

    fn is_true(&self, name: &str) -> bool {
        self.param(name) == Some("true")
    }

    fn only_params(&self, names: &[&str]) -> bool {
        self.params.keys().all(|name| names.contains(&name.as_str()))
    }

    fn list(&self) -> Result<&[Value], String> {
        self.body.as_array().map(Vec::as_slice).ok_or_else(|| "it is not a list".to_owned())
    }

    fn zone(&self) -> Result<Zone, String> {
        let level = |kind, id| Zone::Level(level_text(kind, id));
        let scopes = [
            self.param("globalAccount").map(|name| Zone::GlobalAccount(name.to_owned())),
            self.param("directory").map(|id| level(LevelKind::Directory, id)),
            self.param("subaccount").map(|id| level(LevelKind::Subaccount, id)),
        ];
        let mut scopes = scopes.into_iter().flatten();
        match (scopes.next(), scopes.next()) {
            (Some(zone), None) => Ok(zone),
            _ => Err("the params name not exactly one of `globalAccount`, `directory` and \
                      `subaccount`"
                .to_owned()),
        }
    }

    fn global_account(&self) -> Facts {
        let seen = bodies::level_tree(LevelKind::GlobalAccount, self.body).ok_or_else(no_guid)?;
        let complete = (self.is_true("showHierarchy")
            && self.only_params(&["globalAccount", "showHierarchy"]))
        .then(|| self.owned("globalAccount").ok())
        .flatten()
        .map(|subdomain| Complete { subdomain, directories: true });
        Ok(vec![levels("get", seen, complete)])
    }

    fn directory(&self, verb: &str) -> Facts {
        let seen = bodies::level_tree(LevelKind::Directory, self.body);
        match verb {
            "delete" => {
                let level = level_text(LevelKind::Directory, self.required("directoryID")?);
                Ok(deletion_asked(level, seen.unwrap_or_default()))
            }
            "get" | "create" | "update" | "enable" => {
                Ok(vec![levels(verb, seen.ok_or_else(no_guid)?, None)])
            }
            _ => passed_over(NOT_ABOUT),
        }
    }

    fn subaccount(&self, verb: &str) -> Facts {
        let one = || bodies::level(LevelKind::Subaccount, self.body);
        let named = || self.required("subaccount").map(|id| level_text(LevelKind::Subaccount, id));
        match verb {
            "list" => {
                let rows = self.body.get("value").and_then(Value::as_array);
                let rows = rows.ok_or_else(|| "it has no list `value`".to_owned())?;
                let seen = rows.iter().map(|row| bodies::level(LevelKind::Subaccount, row));
                let seen = seen.collect::<Option<Vec<_>>>().ok_or_else(no_guid)?;
                let complete = self
                    .param("globalAccount")
                    .filter(|_| self.only_params(&["globalAccount"]))
                    .map(|name| Complete { subdomain: name.to_owned(), directories: false });
                Ok(vec![levels(verb, seen, complete)])
            }
            "delete" => Ok(deletion_asked(named()?, one().into_iter().collect())),
            "update" if self.is_true("addMeAsAdmin") => {
                let zone = Zone::Level(named()?);
                if self.actor.is_none() {
                    return passed_over(
                        "whoever asked is an administrator now, but the recording does not say who",
                    );
                }
                let granted = ZoneEvent::AssignedToActor(SUBACCOUNT_ADMINISTRATOR.to_owned());
                Ok(vec![Fact::event(zone, granted)])
            }
            "get" | "create" | "update" | "restore" | "move" => {
                Ok(vec![levels(verb, vec![one().ok_or_else(no_guid)?], None)])
            }
            _ => passed_over(NOT_ABOUT),
        }
    }

    fn role_collection(&self, verb: &str) -> Facts {
        let zone = self.zone()?;
        let name = || self.owned("roleCollectionName");
        let undefined = || "it does not define a role collection".to_owned();
        let fact = match verb {
            "list" => {
                let seen = self.list()?.iter().map(xs::role_collection);
                let seen = seen.collect::<Option<_>>().ok_or_else(undefined)?;
                Fact::observation(zone, ZoneObservation::Collections(seen))
            }
            "get" if self.is_true("showUserAssignments") => {
                let (users, of) =
                    xs::holders(self.body).ok_or_else(|| "it has no `items`".to_owned())?;
                let number = self.param("page").map_or(Ok(1), str::parse);
                let number = number.map_err(|_| "the param `page` is no number".to_owned())?;
                let (collection, page) = (name()?, Some(Page { number, of }));
                Fact::observation(zone, ZoneObservation::Holders { collection, users, page })
            }
            "get" if self.is_true("showAttributeMappings") => {
                let mappings = xs::mappings(self.body)
                    .ok_or_else(|| "a mapping lacks its attribute or value".to_owned())?;
                let defined = xs::role_collection(self.body).map(ZoneObservation::Collection);
                let mapped = ZoneObservation::Mappings { collection: name()?, mappings };
                let both = defined.into_iter().chain([mapped]);
                return Ok(both.map(|seen| Fact::observation(zone.clone(), seen)).collect());
            }
            "get" => {
                let seen = xs::role_collection(self.body).ok_or_else(undefined)?;
                Fact::observation(zone, ZoneObservation::Collection(seen))
            }
            "create" => {
                let seen = xs::role_collection(self.body);
                let created = CollectionSeen {
                    name: name()?,
                    description: self.param("description").map(str::to_owned),
                    read_only: false,
                    roles: seen.map(|seen| seen.roles).unwrap_or_default(),
                };
                Fact::event(zone, ZoneEvent::CollectionCreated(created))
            }
            "delete" => Fact::event(zone, ZoneEvent::CollectionDeleted(name()?)),
            "update" => return passed_over("it changes only a description"),
            "assign" => {
                let held = Held::Collection(name()?);
                return self.assignment(zone, |to| ZoneEvent::Assigned { held, to, until: None });
            }
            "unassign" => {
                let held = Held::Collection(name()?);
                return self.assignment(zone, |from| ZoneEvent::Unassigned { held, from });
            }
            _ => return passed_over(NOT_ABOUT),
        };
        Ok(vec![fact])
    }

    /// An assignment or its end, and what the holder holds after it, where the answer shows that
    fn assignment(&self, zone: Zone, event: impl FnOnce(Holder) -> ZoneEvent) -> Facts {
        let asked = self.holder()?;
        Ok(match xs::user(&asked, self.body) {
            Some(after) => vec![
                Fact::event(zone.clone(), event(after.user.clone())),
                Fact::observation(zone, ZoneObservation::User(after)),
            ],
            None => vec![Fact::event(zone, event(asked))],
        })
    }

    fn holder(&self) -> Result<Holder, String> {
        let (kind, name) =
            match (self.param("userName"), self.param("group"), self.param("attribute")) {
                (Some(name), None, None) => (PrincipalKind::User, name.to_owned()),
                (None, Some(group), None) => (PrincipalKind::Group, group.to_owned()),
                (None, None, Some(attribute)) => {
                    xs::mapped(attribute, self.required("attributeValue")?)
                }
                _ => {
                    return Err(
                        "the params name not exactly one of `userName`, `group` and `attribute`"
                            .to_owned(),
                    );
                }
            };
        let origin = self.param("origin").map(str::to_owned);
        Ok(Holder { kind, origin, name: Some(name), id: None })
    }

    fn role(&self, verb: &str) -> Facts {
        let zone = self.zone()?;
        let named = |application: &str, template: &str| -> Result<RoleSeen, String> {
            let template = self.param(template).map(str::to_owned);
            let application = self.owned(application)?;
            Ok(xs::role_named(application, template, self.owned("roleName")?))
        };
        let undefined = || "it does not define a role".to_owned();
        let fact = match verb {
            "list" => {
                let roles = self.list()?.iter().map(xs::role_definition);
                let roles = roles.collect::<Option<_>>().ok_or_else(undefined)?;
                Fact::observation(zone, ZoneObservation::Roles(roles))
            }
            "get" => {
                let role = xs::role_definition(self.body).ok_or_else(undefined)?;
                Fact::observation(zone, ZoneObservation::Roles(vec![role]))
            }
            "create" => {
                // Older servers answer with an empty body.
                let role = match xs::role_definition(self.body) {
                    Some(role) => role,
                    None => RoleDefinition {
                        role: named("appId", "roleTemplateName")?,
                        scopes: Vec::new(),
                        attributes: BTreeMap::new(),
                    },
                };
                Fact::event(zone, ZoneEvent::RoleCreated(role))
            }
            "delete" => {
                Fact::event(zone, ZoneEvent::RoleDeleted(named("appId", "roleTemplateName")?))
            }
            "add" | "remove" => {
                let collection = self.owned("roleCollectionName")?;
                let role = named("roleTemplateAppID", "roleTemplateName")?;
                let event = match verb {
                    "add" => ZoneEvent::RoleAdded { collection, role },
                    _ => ZoneEvent::RoleRemoved { collection, role },
                };
                Fact::event(zone, event)
            }
            _ => return passed_over(NOT_ABOUT),
        };
        Ok(vec![fact])
    }

    fn user(&self) -> Facts {
        let name = self.param("userName").unwrap_or_default();
        let asked = Holder::user(self.param("origin").map(str::to_owned), name.to_owned());
        let seen = match self.body.get("error") {
            Some(_) => ZoneObservation::NoUser(asked),
            None => ZoneObservation::User(
                xs::user(&asked, self.body)
                    .ok_or_else(|| "it has no `roleCollections`".to_owned())?,
            ),
        };
        let zone = self.zone()?;
        self.required("userName")?;
        Ok(vec![Fact::observation(zone, seen)])
    }

    fn users(&self) -> Facts {
        let names = self.list()?.iter().map(|name| name.as_str().map(str::to_owned));
        let names = names.collect::<Option<_>>().ok_or_else(|| "a name is no text".to_owned())?;
        let origin = self.param("origin").map(str::to_owned);
        Ok(vec![Fact::observation(self.zone()?, ZoneObservation::Users { origin, names })])
    }

    fn trust(&self) -> Facts {
        let rows = match self.body {
            Value::Array(rows) => rows.as_slice(),
            one => std::slice::from_ref(one),
        };
        let trusted = rows.iter().filter_map(xs::identity_provider).collect();
        Ok(vec![Fact::observation(self.zone()?, ZoneObservation::Trust(trusted))])
    }
}

/// Levels were shown, by a command with that verb
fn levels(verb: &str, mut seen: Vec<LevelSeen>, complete: Option<Complete>) -> Fact {
    if verb != "update" {
        // The change that `lastModifiedBy` made came before.
        seen.iter_mut().for_each(|level| level.changed_by = None);
    }
    Fact::Observation(Observation::Levels { seen, complete })
}

fn no_level(kind: LevelKind, id: &str) -> Fact {
    Fact::Observation(Observation::NoLevel(level_text(kind, id)))
}

fn deletion_asked(level: String, seen: Vec<LevelSeen>) -> Vec<Fact> {
    let global_account = seen.first().and_then(|seen| seen.global_account.clone());
    let asked = Event::LevelDeletionAsked { level, global_account };
    vec![levels("delete", seen, None), Fact::Event(asked)]
}

fn no_guid() -> String {
    "a level has no `guid`".to_owned()
}
