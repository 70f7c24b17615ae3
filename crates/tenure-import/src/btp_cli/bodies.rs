//! What does a body of the btp CLI server show?
//!
//! Each function reads one thing, as far as the ledger can use it, and gives `None` if the body does not
//! have the shape of that thing. Absent keys are common and mean different things; each function says
//! what they mean there. Published recordings mask the names of people: a masked name names nobody.

use serde_json::Value;
use tenure_core::{LevelKind, PrincipalKind};

use super::dates;
use crate::fact::{
    CollectionSeen, Holder, IdpSeen, LevelSeen, MappingSeen, RoleDefinition, RoleSeen, UserSeen,
};

/// The text in place of a masked name
const MASKED: &str = "redacted";

/// The attribute whose mappings are mappings of groups
const GROUPS: &str = "Groups";

/// A text at a key, if it is one and not empty
pub(crate) fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The items of a list, or none
fn items<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The text of a level
pub(crate) fn level_text(kind: LevelKind, id: &str) -> String {
    format!("{}:{id}", kind.as_str())
}

pub(crate) fn level(kind: LevelKind, body: &Value) -> Option<LevelSeen> {
    let global_account = match kind {
        LevelKind::GlobalAccount => text(body, "guid"),
        _ => text(body, "globalAccountGUID"),
    };
    let global_account = global_account.map(|guid| level_text(LevelKind::GlobalAccount, &guid));
    let parent_guid = text(body, "parentGUID").or_else(|| text(body, "parentGuid"));
    let parent = parent_guid.filter(|_| kind != LevelKind::GlobalAccount).map(|guid| {
        let root = level_text(LevelKind::GlobalAccount, &guid);
        let at_root = match text(body, "parentType") {
            Some(parent_type) => parent_type == "ROOT",
            None => global_account.as_ref() == Some(&root),
        };
        if at_root { root } else { level_text(LevelKind::Directory, &guid) }
    });
    let state = text(body, "entityState").or_else(|| text(body, "state"));
    let features = body.get("directoryFeatures").and_then(Value::as_array);
    Some(LevelSeen {
        level: level_text(kind, &text(body, "guid")?),
        kind,
        parent,
        global_account,
        name: text(body, "displayName"),
        authorizations: features
            .filter(|_| kind == LevelKind::Directory)
            .map(|features| features.iter().any(|feature| feature == "AUTHORIZATIONS")),
        region: text(body, "region").filter(|_| kind == LevelKind::Subaccount),
        created: body.get("createdDate").and_then(dates::instant),
        created_by: text(body, "createdBy"),
        changed_by: text(body, "lastModifiedBy"),
        // A deletion that is only announced (`PENDING_FORCED_DELETION`) can be taken back.
        dying: state.is_some_and(|state| state == "DELETING"),
    })
}

/// A directory or global account with all that lies in it, parents before children
pub(crate) fn level_tree(kind: LevelKind, body: &Value) -> Option<Vec<LevelSeen>> {
    let mut found = vec![level(kind, body)?];
    let mut nodes = vec![body];
    while let Some(node) = nodes.pop() {
        for subaccount in items(node, "subaccounts") {
            found.push(level(LevelKind::Subaccount, subaccount)?);
        }
        for child in items(node, "children") {
            found.push(level(LevelKind::Directory, child)?);
            nodes.push(child);
        }
    }
    Some(found)
}

/// A role by its names; the application loses its suffix (`cis-local!b2` becomes `cis-local`)
pub(crate) fn role_named(application: &str, template: Option<String>, name: String) -> RoleSeen {
    let application = application.split('!').next().unwrap_or(application).to_owned();
    RoleSeen { application, template: template.unwrap_or_else(|| name.clone()), name }
}

fn role(body: &Value) -> Option<RoleSeen> {
    let application = text(body, "roleTemplateAppId")?;
    Some(role_named(&application, text(body, "roleTemplateName"), text(body, "name")?))
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

pub(crate) fn user_named(origin: Option<String>, name: String) -> Holder {
    Holder { kind: PrincipalKind::User, origin, name }
}

/// What the holder that was asked for holds; its origin is what the body says, else what was asked
pub(crate) fn user(asked: &Holder, body: &Value) -> Option<UserSeen> {
    let collections = body.get("roleCollections")?.as_array()?;
    let collections = collections.iter().map(|name| name.as_str().map(str::to_owned));
    let origin = text(body, "origin").or_else(|| asked.origin.clone());
    Some(UserSeen {
        user: Holder { origin, ..asked.clone() },
        collections: collections.collect::<Option<_>>()?,
        version: body.get("version").and_then(Value::as_u64),
    })
}

/// The users who hold a role collection, on a page of users, and whether the page is the only one
pub(crate) fn holders(body: &Value) -> Option<(Vec<Option<Holder>>, bool)> {
    let unmasked = |name: &String| name != MASKED;
    let holder = |row: &Value| {
        let name = text(row, "username").filter(unmasked);
        let name = name.or_else(|| text(row, "email").filter(unmasked))?;
        Some(user_named(text(row, "origin"), name))
    };
    let users = body.get("items")?.as_array()?.iter().map(holder).collect();
    let pages = body.get("totalPages").and_then(Value::as_u64);
    Some((users, pages.is_none_or(|pages| pages <= 1)))
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
fn host(address: String) -> String {
    let rest = address.split_once("://").map_or(address.as_str(), |(_, rest)| rest);
    rest.trim_end_matches('/').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_level_below_the_root_lies_in_a_directory() {
        let subaccount = |parent_type: &str, parent: &str| {
            let body = json!({"guid": "s", "globalAccountGUID": "g", "parentGUID": parent,
                              "parentType": parent_type});
            level(LevelKind::Subaccount, &body).unwrap().parent.unwrap()
        };
        assert_eq!(subaccount("ROOT", "g"), "global-account:g");
        assert_eq!(subaccount("FOLDER", "d"), "directory:d");
        assert_eq!(subaccount("PROJECT", "d"), "directory:d");
        let other_spelling = json!({"guid": "d", "globalAccountGUID": "g", "parentGuid": "g"});
        let directory = level(LevelKind::Directory, &other_spelling).unwrap();
        assert_eq!(directory.parent.as_deref(), Some("global-account:g"));
    }

    #[test]
    fn a_tree_lists_parents_before_children() {
        let body = json!({"guid": "g", "children": [
            {"guid": "a", "globalAccountGUID": "g", "parentGUID": "g", "parentType": "ROOT",
             "directoryFeatures": ["DEFAULT", "AUTHORIZATIONS"],
             "children": [{"guid": "b", "globalAccountGUID": "g", "parentGUID": "a",
                           "parentType": "PROJECT", "directoryFeatures": ["DEFAULT"]}],
             "subaccounts": [{"guid": "s", "parentGUID": "a", "parentType": "PROJECT"}]}]});
        let tree = level_tree(LevelKind::GlobalAccount, &body).unwrap();
        let levels: Vec<_> = tree.iter().map(|level| level.level.as_str()).collect();
        assert_eq!(levels, ["global-account:g", "directory:a", "subaccount:s", "directory:b"]);
        assert_eq!(tree[1].authorizations, Some(true));
        assert_eq!(tree[3].authorizations, Some(false));
        let without_guid = json!({"guid": "g", "subaccounts": [{}]});
        assert_eq!(level_tree(LevelKind::GlobalAccount, &without_guid), None);
    }

    #[test]
    fn suffixes_of_applications_are_dropped_in_roles_and_scopes() {
        let body = json!({"name": "Viewer", "roleTemplateName": "Viewer_T",
                          "roleTemplateAppId": "orders!t7", "scopes": [
                              {"name": "orders!t7.item.read"}, {"name": "xs_user.read"}],
                          "attributeList": [{"attributeName": "country", "attributeValues": ["DE"]}]});
        let definition = role_definition(&body).unwrap();
        assert_eq!(definition.role.text(), "orders/Viewer");
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
        let expected = vec![Some(user_named(None, "a@b.test".to_owned())), None];
        assert_eq!(holders(&page), Some((expected, true)));
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
