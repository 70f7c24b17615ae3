//! What does a command's answer show, given its params?
//!
//! One arm for each command that the ledger has a use for; everything else is nothing to it. Whether a
//! listing is complete is decided here, by the params that it has.

use serde_json::Value;
use tenure_core::LevelKind;

use crate::btp_cli::bodies::{
    CollectionSeen, IdpSeen, LevelSeen, MappingSeen, RoleDefinition, RoleSeen, UserSeen, holders,
    level,
};
use crate::btp_cli::{Assignee, Complete, Named, Params, Status, What, Zone};

const NOT_ABOUT: &str = "not about levels, role collections or who holds them";

/// An exchange whose command and status are known
pub(crate) struct Reader<'a> {
    pub(crate) params: &'a Params,
    pub(crate) body: &'a Value,
}

impl Reader<'_> {
    pub(crate) fn what(&self, cmd: &str, verb: &str, status: &Status) -> Result<What, String> {
        match (cmd, verb, status) {
            (_, _, Status::Failed(reason)) => Ok(What::Nothing(reason.clone())),
            ("accounts/subaccount", "get", Status::NotFound) => self
                .required("subaccount")
                .map(|id| What::LevelGone(level(LevelKind::Subaccount, id))),
            ("accounts/directory", "get", Status::NotFound) => self
                .required("directoryID")
                .map(|id| What::LevelGone(level(LevelKind::Directory, id))),
            ("security/role-collection", "get", Status::NotFound) => {
                Ok(What::CollectionGone(self.zone()?, self.owned("roleCollectionName")?))
            }
            ("security/user", "get", Status::NotFound) => self.user(),
            (_, _, Status::NotFound) => Ok(What::Nothing("failed (backend status 404)".to_owned())),
            ("accounts/global-account", "get", Status::Done) => self.global_account(),
            ("accounts/directory", _, Status::Done) => self.directory(verb),
            ("accounts/subaccount", _, Status::Done) => self.subaccount(verb),
            ("security/role-collection", _, Status::Done) => self.role_collection(verb),
            ("security/role", _, Status::Done) => self.role(verb),
            ("security/user", "get", Status::Done) => self.user(),
            ("security/user", "list", Status::Done) => self.users(),
            ("security/trust", "list" | "get" | "create" | "update", Status::Done) => self.trust(),
            _ => Ok(What::Nothing(NOT_ABOUT.to_owned())),
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
        let scopes = [
            self.param("globalAccount").map(|name| Zone::GlobalAccount(name.to_owned())),
            self.param("directory").map(|id| Zone::Level(level(LevelKind::Directory, id))),
            self.param("subaccount").map(|id| Zone::Level(level(LevelKind::Subaccount, id))),
        ];
        let mut scopes = scopes.into_iter().flatten();
        match (scopes.next(), scopes.next()) {
            (Some(zone), None) => Ok(zone),
            _ => Err("the params name not exactly one of `globalAccount`, `directory` and \
                      `subaccount`"
                .to_owned()),
        }
    }

    fn global_account(&self) -> Result<What, String> {
        let seen = LevelSeen::tree(LevelKind::GlobalAccount, self.body).ok_or_else(no_guid)?;
        let complete = (self.is_true("showHierarchy")
            && self.only_params(&["globalAccount", "showHierarchy"]))
        .then(|| self.owned("globalAccount").ok())
        .flatten()
        .map(|subdomain| Complete { subdomain, directories: true });
        Ok(What::Levels { seen, complete })
    }

    fn directory(&self, verb: &str) -> Result<What, String> {
        let seen = LevelSeen::tree(LevelKind::Directory, self.body);
        match verb {
            "delete" => {
                let level = level(LevelKind::Directory, self.required("directoryID")?);
                Ok(What::DeletionAsked { level, seen: seen.unwrap_or_default() })
            }
            "get" | "create" | "update" | "enable" => {
                let seen = seen.ok_or_else(no_guid)?;
                Ok(What::Levels { seen, complete: None })
            }
            _ => Ok(What::Nothing(NOT_ABOUT.to_owned())),
        }
    }

    fn subaccount(&self, verb: &str) -> Result<What, String> {
        let one = || LevelSeen::of(LevelKind::Subaccount, self.body);
        match verb {
            "list" => {
                let rows = self.body.get("value").and_then(Value::as_array);
                let rows = rows.ok_or_else(|| "it has no list `value`".to_owned())?;
                let seen = rows.iter().map(|row| LevelSeen::of(LevelKind::Subaccount, row));
                let seen = seen.collect::<Option<Vec<_>>>().ok_or_else(no_guid)?;
                let complete = self
                    .param("globalAccount")
                    .filter(|_| self.only_params(&["globalAccount"]))
                    .map(|name| Complete { subdomain: name.to_owned(), directories: false });
                Ok(What::Levels { seen, complete })
            }
            "delete" => {
                let level = level(LevelKind::Subaccount, self.required("subaccount")?);
                Ok(What::DeletionAsked { level, seen: one().into_iter().collect() })
            }
            "update" if self.is_true("addMeAsAdmin") => {
                let id = self.required("subaccount")?;
                Ok(What::AddedMe(level(LevelKind::Subaccount, id)))
            }
            "get" | "create" | "update" | "restore" | "move" => {
                let seen = vec![one().ok_or_else(no_guid)?];
                Ok(What::Levels { seen, complete: None })
            }
            _ => Ok(What::Nothing(NOT_ABOUT.to_owned())),
        }
    }

    fn role_collection(&self, verb: &str) -> Result<What, String> {
        let zone = self.zone()?;
        let name = || self.owned("roleCollectionName");
        let undefined = || "it does not define a role collection".to_owned();
        match verb {
            "list" => {
                let seen = self.list()?.iter().map(CollectionSeen::of);
                let seen = seen.collect::<Option<_>>().ok_or_else(undefined)?;
                Ok(What::Collections(zone, seen))
            }
            "get" if self.is_true("showUserAssignments") => {
                let (users, last) =
                    holders(self.body).ok_or_else(|| "it has no `items`".to_owned())?;
                let first = self.param("page").is_none_or(|page| page == "1");
                Ok(What::Holders { zone, collection: name()?, users, all: first && last })
            }
            "get" if self.is_true("showAttributeMappings") => {
                let mappings = MappingSeen::all(self.body)
                    .ok_or_else(|| "a mapping lacks its attribute or value".to_owned())?;
                let definition = CollectionSeen::of(self.body);
                Ok(What::Mappings { zone, collection: name()?, definition, mappings })
            }
            "get" => {
                let seen = CollectionSeen::of(self.body).ok_or_else(undefined)?;
                Ok(What::Collection(zone, seen))
            }
            "create" => {
                let seen = CollectionSeen {
                    name: name()?,
                    description: self.param("description").map(str::to_owned),
                    read_only: false,
                    roles: CollectionSeen::of(self.body).map(|seen| seen.roles).unwrap_or_default(),
                };
                Ok(What::CollectionCreated(zone, seen))
            }
            "delete" => Ok(What::CollectionDeleted(zone, name()?)),
            "update" => Ok(What::Nothing("it changes only a description".to_owned())),
            "assign" => {
                let (collection, to, after) = (name()?, self.assignee()?, UserSeen::of(self.body));
                Ok(What::Assigned { zone, collection, to, after })
            }
            "unassign" => {
                let (collection, from, after) =
                    (name()?, self.assignee()?, UserSeen::of(self.body));
                Ok(What::Unassigned { zone, collection, from, after })
            }
            _ => Ok(What::Nothing(NOT_ABOUT.to_owned())),
        }
    }

    fn assignee(&self) -> Result<Assignee, String> {
        let named = match (self.param("userName"), self.param("group"), self.param("attribute")) {
            (Some(name), None, None) => Named::User(name.to_owned()),
            (None, Some(group), None) => {
                Named::Mapping { attribute: "Groups".to_owned(), value: group.to_owned() }
            }
            (None, None, Some(attribute)) => Named::Mapping {
                attribute: attribute.to_owned(),
                value: self.owned("attributeValue")?,
            },
            _ => {
                return Err(
                    "the params name not exactly one of `userName`, `group` and `attribute`"
                        .to_owned(),
                );
            }
        };
        Ok(Assignee { origin: self.param("origin").map(str::to_owned), named })
    }

    fn role(&self, verb: &str) -> Result<What, String> {
        let zone = self.zone()?;
        let named = |application: &str, template: &str| -> Result<RoleSeen, String> {
            let template = self.param(template).map(str::to_owned);
            Ok(RoleSeen::new(self.required(application)?, template, self.owned("roleName")?))
        };
        let undefined = || "it does not define a role".to_owned();
        match verb {
            "list" => {
                let roles = self.list()?.iter().map(RoleDefinition::of);
                Ok(What::Roles(zone, roles.collect::<Option<_>>().ok_or_else(undefined)?))
            }
            "get" => {
                let role = RoleDefinition::of(self.body).ok_or_else(undefined)?;
                Ok(What::Roles(zone, vec![role]))
            }
            "create" => {
                // Older servers answer with an empty body.
                let role = match RoleDefinition::of(self.body) {
                    Some(role) => role,
                    None => RoleDefinition {
                        role: named("appId", "roleTemplateName")?,
                        scopes: Vec::new(),
                        attributes: Vec::new(),
                    },
                };
                Ok(What::RoleCreated(zone, role))
            }
            "delete" => Ok(What::RoleDeleted(zone, named("appId", "roleTemplateName")?)),
            "add" => Ok(What::RoleAdded {
                zone,
                collection: self.owned("roleCollectionName")?,
                role: named("roleTemplateAppID", "roleTemplateName")?,
            }),
            "remove" => Ok(What::RoleRemoved {
                zone,
                collection: self.owned("roleCollectionName")?,
                role: named("roleTemplateAppID", "roleTemplateName")?,
            }),
            _ => Ok(What::Nothing(NOT_ABOUT.to_owned())),
        }
    }

    fn user(&self) -> Result<What, String> {
        let seen = match self.body.get("error") {
            Some(_) => None,
            None => Some(
                UserSeen::of(self.body).ok_or_else(|| "it has no `roleCollections`".to_owned())?,
            ),
        };
        let (zone, name) = (self.zone()?, self.owned("userName")?);
        Ok(What::User { zone, origin: self.param("origin").map(str::to_owned), name, seen })
    }

    fn users(&self) -> Result<What, String> {
        let names = self.list()?.iter().map(|name| name.as_str().map(str::to_owned));
        let names = names.collect::<Option<_>>().ok_or_else(|| "a name is no text".to_owned())?;
        Ok(What::Users {
            zone: self.zone()?,
            origin: self.param("origin").map(str::to_owned),
            names,
        })
    }

    fn trust(&self) -> Result<What, String> {
        let rows = match self.body {
            Value::Array(rows) => rows.as_slice(),
            one => std::slice::from_ref(one),
        };
        Ok(What::Trust(self.zone()?, rows.iter().filter_map(IdpSeen::of).collect()))
    }
}

fn no_guid() -> String {
    "a level has no `guid`".to_owned()
}
