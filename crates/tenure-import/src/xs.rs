//! What do XSUAA and the btp CLI, which passes its answers on, show of role collections and users?
//!
//! Each function reads one thing, as far as the ledger can use it, and gives `None` if the body does not have the shape
//! of that thing. Absent keys are common and mean different things; each function says what they mean there. Published
//! recordings mask the names of people: a masked name names nobody.

use serde_json::Value;
use tenure_core::PrincipalKind;

use crate::fact::{
    CollectionSeen, Holder, IdpSeen, MappingSeen, RoleDefinition, RoleSeen, UserId, UserSeen,
};
use crate::json::{items, text};

/// The text in place of a masked name
const MASKED: &str = "redacted";

/// The attribute whose mappings are mappings of groups
pub(crate) const GROUPS: &str = "Groups";

/// A role by its names
pub(crate) fn role_named(application: String, template: Option<String>, name: String) -> RoleSeen {
    RoleSeen { application, template: template.unwrap_or_else(|| name.clone()), name }
}

fn role(body: &Value) -> Option<RoleSeen> {
    let application = text(body, "roleTemplateAppId")?;
    Some(role_named(application, text(body, "roleTemplateName"), text(body, "name")?))
}

pub(crate) fn role_definition(body: &Value) -> Option<RoleDefinition> {
    let mut scopes: Vec<String> = items(body, "scopes")
        .iter()
        .filter_map(|scope| text(scope, "name"))
        .map(|name| local_scope(&name).to_owned())
        .collect();
    scopes.sort();
    scopes.dedup();
    let attributes = items(body, "attributeList")
        .iter()
        .filter_map(|row| {
            let mut row = row.as_object()?.clone();
            let name = row.remove("attributeName")?.as_str()?.to_owned();
            Some((name, Value::Object(row).into()))
        })
        .collect();
    Some(RoleDefinition { role: role(body)?, scopes, attributes })
}

/// A scope's name without the id of its application (`cis-local!b2.job.read` becomes `job.read`)
fn local_scope(name: &str) -> &str {
    match name.split_once('!') {
        Some((_, rest)) => rest.split_once('.').map_or(name, |(_, local)| local),
        None => name,
    }
}

/// A role collection; `None` if the body does not define it
///
/// Answers to `showAttributeMappings` and `showUserAssignments` can lack `isReadOnly`. Such an answer
/// may also lack roles that the role collection has. In all others absent roles mean that it has none.
pub(crate) fn role_collection(body: &Value) -> Option<CollectionSeen> {
    let read_only = body.get("isReadOnly")?.as_bool()?;
    let roles = items(body, "roleReferences").iter().map(role);
    Some(CollectionSeen {
        name: text(body, "name")?,
        description: text(body, "description"),
        read_only,
        roles: roles.collect::<Option<_>>()?,
    })
}

/// The id of a user in an identity zone
fn user_id(body: &Value) -> Option<UserId> {
    Some(UserId { space: text(body, "zoneId")?, id: text(body, "id")? })
}

/// What the holder that was asked for holds; its origin is what the body says, else what was asked
pub(crate) fn user(asked: &Holder, body: &Value) -> Option<UserSeen> {
    let collections = body.get("roleCollections")?.as_array()?;
    let collections = collections.iter().map(|name| name.as_str().map(str::to_owned));
    let origin = text(body, "origin").or_else(|| asked.origin.clone());
    Some(UserSeen {
        user: Holder { origin, id: user_id(body), ..asked.clone() },
        collections: collections.collect::<Option<_>>()?,
        version: body.get("version").and_then(Value::as_u64),
    })
}

/// A user in a listing; `None` if its name is masked
pub(crate) fn holder(row: &Value) -> Option<Holder> {
    let unmasked = |name: &String| name != MASKED;
    let name = text(row, "username").filter(unmasked);
    let name = name.or_else(|| text(row, "email").filter(unmasked))?;
    Some(Holder { id: user_id(row), ..Holder::user(text(row, "origin"), name) })
}

/// The users who hold a role collection, on a page of users, and how many pages there are
pub(crate) fn holders(body: &Value) -> Option<(Vec<Option<Holder>>, u64)> {
    let users = body.get("items")?.as_array()?.iter().map(holder).collect();
    Some((users, body.get("totalPages").and_then(Value::as_u64).unwrap_or(1).max(1)))
}

/// All mappings of a role collection; `groupReferences` repeats some of them
pub(crate) fn mappings(body: &Value) -> Option<Vec<MappingSeen>> {
    items(body, "samlAttributeAssignment").iter().map(mapping).collect()
}

fn mapping(row: &Value) -> Option<MappingSeen> {
    let attribute = text(row, "attributeName").or_else(|| text(row, "samlAttrName"))?;
    let value = text(row, "attributeValue")
        .or_else(|| text(row, "samlAttributeValue"))
        .or_else(|| text(row, "samlAttrValue"))?;
    let (kind, name) = mapped(&attribute, &value);
    let (idp_name, idp_host) = (text(row, "idpDisplayName"), text(row, "samlEntityId").map(host));
    Some(MappingSeen { kind, name, idp_name, idp_host })
}

/// The kind of principal that a mapping is for, and its name without the origin
pub(crate) fn mapped(attribute: &str, value: &str) -> (PrincipalKind, String) {
    if attribute == GROUPS {
        (PrincipalKind::Group, value.to_owned())
    } else {
        (PrincipalKind::Attribute, format!("{attribute}={value}"))
    }
}

pub(crate) fn identity_provider(body: &Value) -> Option<IdpSeen> {
    let address = text(body, "identityProvider").or_else(|| text(body, "iasTenantUrl"));
    Some(IdpSeen {
        origin: text(body, "originKey")?,
        name: text(body, "name"),
        host: address.map(host),
    })
}

/// An address without scheme and trailing slash, since trust lists and entity ids differ in these
pub(crate) fn host(address: String) -> String {
    let rest = address.split_once("://").map_or(address.as_str(), |(_, rest)| rest);
    rest.trim_end_matches('/').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn suffixes_of_applications_are_dropped_in_scopes() {
        let body = json!({"name": "Viewer", "roleTemplateName": "Viewer_T",
                          "roleTemplateAppId": "orders!t7", "scopes": [
                              {"name": "orders!t7.item.read"}, {"name": "xs_user.read"}],
                          "attributeList": [{"attributeName": "country", "attributeValues": ["DE"]}]});
        let definition = role_definition(&body).unwrap();
        assert_eq!(definition.role.text(), "orders!t7/Viewer");
        assert_eq!(definition.scopes, ["item.read", "xs_user.read"]);
        assert_eq!(json!(definition.attributes), json!({"country": {"attributeValues": ["DE"]}}));
    }

    #[test]
    fn a_body_without_is_read_only_defines_nothing() {
        assert_eq!(role_collection(&json!({"name": "x"})), None);
        let empty = role_collection(&json!({"name": "x", "isReadOnly": false})).unwrap();
        assert!(empty.roles.is_empty());
    }

    #[test]
    fn masked_names_name_nobody() {
        let page = json!({"items": [{"username": "redacted", "email": "a@b.test"},
                                    {"username": "redacted"}]});
        let expected = vec![Some(Holder::user(None, "a@b.test".to_owned())), None];
        assert_eq!(holders(&page), Some((expected, 1)));
    }

    #[test]
    fn an_identity_provider_is_found_by_name_origin_or_address() {
        let idp = identity_provider(&json!({"originKey": "corp-platform", "name": "Corp",
                                            "identityProvider": "Login.corp.test"}))
        .unwrap();
        let found = |name: &str, entity: Value| {
            idp.is_of(
                &mapping(&json!({"attributeName": "Groups", "attributeValue": "x",
                                       "idpDisplayName": name, "samlEntityId": entity}))
                .unwrap(),
            )
        };
        assert!(found("Corp", json!(null)));
        assert!(found("corp-platform", json!(null)));
        assert!(found("other", json!("https://login.corp.test/")));
        assert!(!found("other", json!(null)));
    }
}
