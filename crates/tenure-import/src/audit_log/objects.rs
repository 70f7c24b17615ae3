//! What does a record say of role collections, who holds them, and users?
//!
//! An assignment names a user by the SCIM id alone. Records about users (`scim user`) and listings say the name.

use serde_json::Value;
use tenure_core::PrincipalKind;

use super::{Said, zone};
use crate::Options;
use crate::fact::{
    CollectionSeen, Fact, Held, Holder, Observation, RoleDefinition, RoleSeen, UserId, ZoneEvent,
};
use crate::json::items;
use crate::xs;

/// The type of the record of a global account's administrator who became one of a subaccount
const SELF_MADE: &str = "Subaccount Administrator assignment";
const SUBACCOUNT_ADMINISTRATOR: &str = "Subaccount Administrator";

/// A text at a key that may be written in one of several ways: `role_name`, `roleName` and `rolename` are one key
pub(super) fn at(value: &Value, keys: &[&str]) -> Option<String> {
    let object = value.as_object()?;
    keys.iter().find_map(|key| {
        let wanted = plain(key);
        let found = object.iter().find(|(name, _)| plain(name) == wanted)?.1;
        found.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
    })
}

fn plain(key: &str) -> String {
    key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// What happened to an object
#[derive(Clone, Copy)]
enum Crud {
    Create,
    Update,
    Delete,
}

/// Whether the message has an object that the ledger can use
pub(super) fn is_one(message: &Value) -> bool {
    let of = message.get("object").and_then(|object| at(object, &["type"]));
    of.is_some_and(|of| TYPES.contains(&of.as_str()))
}

/// `None` if the message has no object with a type
pub(super) fn read(
    message: &Value,
    tenant: &str,
    options: &Options,
) -> Option<Result<Said, String>> {
    let object = message.get("object")?;
    let id = object.get("id").unwrap_or(&Value::Null);
    let (of, table) = (at(object, &["type"]), at(id, &["tableName"]));
    let known = |name: &&String| TYPES.contains(&name.as_str());
    let of = [&of, &table].into_iter().flatten().find(known).or(of.as_ref()).or(table.as_ref())?;
    if !TYPES.contains(&of.as_str()) {
        // A record of the hierarchy has a type too.
        at(object, &["entity"]).is_none().then_some(())?;
        let reason = format!("`{of}` is not about levels, role collections or who holds them");
        return Some(Ok(Said::Nothing(of.clone(), reason)));
    }
    let verb = [id, object, message].into_iter().find_map(|place| at(place, &["crudType"]));
    let verb = verb.unwrap_or_default();
    let crud = match verb.as_str() {
        "CREATE" => Crud::Create,
        "UPDATE" => Crud::Update,
        "DELETE" => Crud::Delete,
        _ => return Some(Err(format!("the `crudType` of `{of}` is `{verb}`, which is unknown"))),
    };
    let change = Change { id, tenant, options, kind: format!("{of} {verb}") };
    Some(match of.as_str() {
        "xs_rolecollection2user" => change.assignment(crud),
        "xsrolecollection2samlattribute" => change.mapping(crud),
        "xsrolecollections" => change.collection(crud),
        "xsrolecollection2role" => change.role_of_collection(crud),
        "xsrole" => change.role(crud),
        SELF_MADE => administrator_of(id, tenant),
        _ => change.user(crud, message),
    })
}

/// The types and tables that the ledger can use
const TYPES: [&str; 8] = [
    "xs_rolecollection2user",
    "xsrolecollection2samlattribute",
    "xsrolecollections",
    "xsrolecollection2role",
    "xsrole",
    "scim user",
    "users",
    SELF_MADE,
];

struct Change<'c> {
    id: &'c Value,
    tenant: &'c str,
    options: &'c Options,
    kind: String,
}

type Answer = Result<Said, String>;

impl Change<'_> {
    fn needed(&self, keys: &[&str]) -> Result<String, String> {
        let first = keys.first().copied().unwrap_or_default();
        at(self.id, keys).ok_or_else(|| format!("`{}` has no `{first}`", self.kind))
    }

    fn collection_name(&self) -> Result<String, String> {
        self.needed(&["rolecollection_name", "name"])
    }

    fn origin(&self) -> Option<String> {
        at(self.id, &["origin_key", "origin"])
    }

    fn event(self, event: ZoneEvent) -> Answer {
        Ok(Said::Facts(self.kind, vec![Fact::event(zone(self.tenant), event)]))
    }

    /// Somebody got a role collection, or lost it
    fn given(self, crud: Crud, collection: String, holder: Holder) -> Answer {
        let held = Held::Collection(collection);
        match crud {
            Crud::Create => self.event(ZoneEvent::Assigned { held, to: holder, until: None }),
            Crud::Delete => self.event(ZoneEvent::Unassigned { held, from: holder }),
            Crud::Update => {
                Err(format!("`{}`: what an update of an assignment means is unknown", self.kind))
            }
        }
    }

    fn assignment(self, crud: Crud) -> Answer {
        let collection = self.collection_name()?;
        let id = UserId { space: self.tenant.to_owned(), id: self.needed(&["user_id"])? };
        let (kind, origin) = (PrincipalKind::User, self.origin());
        self.given(crud, collection, Holder { kind, origin, name: None, id: Some(id) })
    }

    fn mapping(self, crud: Crud) -> Answer {
        let collection = self.collection_name()?;
        let value = self.needed(&["saml_attr_value", "attribute_value"])?;
        // The key of the attribute's name was never seen.
        let attribute = at(self.id, &["saml_attr_name", "attribute_name"]);
        let attribute = attribute.unwrap_or_else(|| xs::GROUPS.to_owned());
        let (kind, name) = xs::mapped(&attribute, &value);
        let idp = at(self.id, &["saml_idp", "identity_provider"]).unwrap_or_default();
        let idps = &self.options.map.idps;
        let mapped = idps.get(&idp.to_ascii_lowercase());
        let mapped = mapped.or_else(|| idps.get(&xs::host(idp.clone())));
        let Some(origin) = self.origin().or_else(|| mapped.cloned()) else {
            return Err(format!(
                "`{collection}` and the {} `{name}`: nothing says the origin of the identity provider `{idp}`: name it \
                 in a map (`--map`, kind `idp`)",
                kind.as_str(),
            ));
        };
        self.given(
            crud,
            collection,
            Holder { kind, origin: Some(origin), name: Some(name), id: None },
        )
    }

    fn collection(self, crud: Crud) -> Answer {
        let name = self.collection_name()?;
        match crud {
            Crud::Create => {
                // Its roles are records of their own.
                let (description, roles) = (None, Vec::new());
                let seen = CollectionSeen { name, description, read_only: false, roles };
                self.event(ZoneEvent::CollectionCreated(seen))
            }
            Crud::Delete => self.event(ZoneEvent::CollectionDeleted(name)),
            Crud::Update => {
                Ok(Said::Nothing(self.kind, "it changes only a description".to_owned()))
            }
        }
    }

    fn role_named(&self) -> Result<RoleSeen, String> {
        let application = self.needed(&[
            "role_template_app_id",
            "roletemplate_appid",
            "app_id",
            "application_id",
        ])?;
        let template = at(self.id, &["role_template_name", "role_template"]);
        Ok(xs::role_named(application, template, self.needed(&["role_name", "name"])?))
    }

    fn role_of_collection(self, crud: Crud) -> Answer {
        let (collection, role) = (self.collection_name()?, self.role_named()?);
        match crud {
            Crud::Create => self.event(ZoneEvent::RoleAdded { collection, role }),
            Crud::Delete => self.event(ZoneEvent::RoleRemoved { collection, role }),
            Crud::Update => {
                Err(format!("`{}`: what an update of an assignment means is unknown", self.kind))
            }
        }
    }

    fn role(self, crud: Crud) -> Answer {
        let role = self.role_named()?;
        match crud {
            Crud::Create => {
                let (scopes, attributes) = (Vec::new(), std::collections::BTreeMap::new());
                self.event(ZoneEvent::RoleCreated(RoleDefinition { role, scopes, attributes }))
            }
            Crud::Delete => self.event(ZoneEvent::RoleDeleted(role)),
            Crud::Update => {
                Ok(Said::Nothing(self.kind, "it changes a role, and not who has it".to_owned()))
            }
        }
    }

    /// A user came, changed or went: this says the name of an id
    ///
    /// The role collections in it are not used: each assignment has a record of its own.
    fn user(self, crud: Crud, message: &Value) -> Answer {
        let complete = items(message, "attributes")
            .iter()
            .find(|row| at(row, &["name"]).is_some_and(|name| name == "complete"));
        let id = at(self.id, &["user_id", "id"]).or_else(|| self.id.as_str().map(str::to_owned));
        let mut users = Vec::new();
        for key in ["old", "new"] {
            let scim = match complete.and_then(|row| row.get(key)) {
                Some(Value::String(written)) if !written.is_empty() => {
                    serde_json::from_str(written)
                        .map_err(|error| format!("`{key}` of the user is not JSON: {error}"))?
                }
                Some(scim @ Value::Object(_)) => scim.clone(),
                _ => continue,
            };
            let own = at(&scim, &["id"]).or_else(|| id.clone());
            let (Some(own), Some(name)) = (own, at(&scim, &["userName"])) else { continue };
            let id = UserId { space: self.tenant.to_owned(), id: own };
            let origin = at(&scim, &["origin"]);
            users.push(Holder { id: Some(id), ..Holder::user(origin, name) });
        }
        let mut facts = Vec::new();
        if let Crud::Delete = crud {
            let by_id = id.map(|id| Holder {
                kind: PrincipalKind::User,
                origin: None,
                name: None,
                id: Some(UserId { space: self.tenant.to_owned(), id }),
            });
            let Some(gone) = users.first().cloned().or(by_id) else {
                return Err(format!("`{}` does not say which user it is", self.kind));
            };
            facts.push(Fact::event(zone(self.tenant), ZoneEvent::UserDeleted(gone)));
        }
        if !users.is_empty() {
            facts.insert(0, Fact::Observation(Observation::Known(users)));
        }
        if facts.is_empty() {
            return Ok(Said::Nothing(
                self.kind,
                "it does not show the name of the user".to_owned(),
            ));
        }
        Ok(Said::Facts(self.kind, facts))
    }
}

/// An administrator of the global account became one of the subaccount; `None` if the event is not about that
pub(super) fn administrator(event: &Value, tenant: &str) -> Option<Result<Said, String>> {
    (at(event, &["type"])? == SELF_MADE).then(|| administrator_of(event, tenant))
}

fn administrator_of(event: &Value, tenant: &str) -> Answer {
    let crud = at(event, &["crudType"]).unwrap_or_default();
    let held = Held::Collection(SUBACCOUNT_ADMINISTRATOR.to_owned());
    let kind = format!("{SELF_MADE} {crud}");
    let inside = ["newUser", "new_user"].iter().find_map(|key| event.get(*key)?.as_object());
    let inside = inside.cloned().map(Value::Object);
    let (name, origin) = match &inside {
        Some(user) => {
            (at(user, &["userName", "name", "email"]), at(user, &["origin", "originKey"]))
        }
        None => (
            at(event, &["newUser", "newUserName", "newUserEmail"]),
            at(event, &["newUserOrigin", "newUserOriginKey", "newOrigin"]),
        ),
    };
    let (Some(name), Some(origin)) = (name, origin) else {
        return Err(format!("`{kind}` does not say the new administrator and its origin"));
    };
    let user = Holder::user(Some(origin), name);
    let event = match crud.as_str() {
        "CREATE" => ZoneEvent::Assigned { held, to: user, until: None },
        "DELETE" => ZoneEvent::Unassigned { held, from: user },
        _ => return Err(format!("the `crudType` of `{SELF_MADE}` is `{crud}`, which is unknown")),
    };
    Ok(Said::Facts(kind, vec![Fact::event(zone(tenant), event)]))
}
