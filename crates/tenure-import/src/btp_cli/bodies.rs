//! What does a body of the btp CLI server show?
//!
//! Levels, role collections, roles, users, mappings and identity providers, each as far as the ledger
//! has a use for it. Absent keys are common and mean different things; where that is so, it is said
//! beside the field. Names of people in published recordings are masked: what is masked names nobody.

use serde_json::Value;
use tenure_core::{Instant, LevelKind};
use tenure_wire::v1;

use crate::btp_cli::dates;

/// What stands where a name was masked
const MASKED: &str = "redacted";

/// The attribute whose mappings are mappings of groups
const GROUPS: &str = "Groups";

/// A text at a key, if it is one and not empty
pub(crate) fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The items of a list, or none
pub(crate) fn items<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A user name that is not masked
fn user_name(value: &Value) -> Option<String> {
    let unmasked = |name: &String| name != MASKED;
    text(value, "username").filter(unmasked).or_else(|| text(value, "email").filter(unmasked))
}

/// The text of a level
pub(crate) fn level(kind: LevelKind, id: &str) -> String {
    format!("{}:{id}", kind.as_str())
}

/// A level as a body describes it
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct LevelSeen {
    pub(crate) level: String,
    pub(crate) kind: LevelKind,
    /// Of a directory or subaccount, where the body says it
    pub(crate) parent: Option<String>,
    /// The global account that it lies in, or that it is
    pub(crate) global_account: Option<String>,
    pub(crate) name: Option<String>,
    /// Of a directory
    pub(crate) authorizations: Option<bool>,
    /// Of a subaccount
    pub(crate) region: Option<String>,
    pub(crate) created: Option<Instant>,
    pub(crate) created_by: Option<String>,
    pub(crate) modified_by: Option<String>,
    /// Whether its deletion is under way: it is still there
    pub(crate) dying: bool,
}

impl LevelSeen {
    pub(crate) fn of(kind: LevelKind, body: &Value) -> Option<Self> {
        let global_account = match kind {
            LevelKind::GlobalAccount => text(body, "guid"),
            _ => text(body, "globalAccountGUID"),
        };
        let global_account = global_account.map(|guid| level(LevelKind::GlobalAccount, &guid));
        let parent_guid = text(body, "parentGUID").or_else(|| text(body, "parentGuid"));
        let parent = parent_guid.filter(|_| kind != LevelKind::GlobalAccount).map(|guid| {
            let root = level(LevelKind::GlobalAccount, &guid);
            let at_root = match text(body, "parentType") {
                Some(parent_type) => parent_type == "ROOT",
                None => global_account.as_ref() == Some(&root),
            };
            if at_root { root } else { level(LevelKind::Directory, &guid) }
        });
        let state = text(body, "entityState").or_else(|| text(body, "state"));
        let features = body.get("directoryFeatures").and_then(Value::as_array);
        Some(Self {
            level: level(kind, &text(body, "guid")?),
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
            modified_by: text(body, "lastModifiedBy"),
            dying: state.is_some_and(|state| state == "DELETING"),
        })
    }

    /// A directory or global account with all that lies in it, from the root down
    pub(crate) fn tree(kind: LevelKind, body: &Value) -> Option<Vec<Self>> {
        let mut found = vec![Self::of(kind, body)?];
        let mut nodes = vec![body];
        while let Some(node) = nodes.pop() {
            for subaccount in items(node, "subaccounts") {
                found.push(Self::of(LevelKind::Subaccount, subaccount)?);
            }
            for child in items(node, "children") {
                found.push(Self::of(LevelKind::Directory, child)?);
                nodes.push(child);
            }
        }
        Some(found)
    }
}

/// A role as a role collection or a listing names it
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct RoleSeen {
    /// Without the suffix that differs from landscape to landscape (`cis-local!b2` is `cis-local`)
    pub(crate) application: String,
    pub(crate) template: String,
    pub(crate) name: String,
}

impl RoleSeen {
    pub(crate) fn new(application: &str, template: Option<String>, name: String) -> Self {
        let application = application.split('!').next().unwrap_or(application).to_owned();
        Self { application, template: template.unwrap_or_else(|| name.clone()), name }
    }

    pub(crate) fn of(body: &Value) -> Option<Self> {
        let application = text(body, "roleTemplateAppId")?;
        Some(Self::new(&application, text(body, "roleTemplateName"), text(body, "name")?))
    }

    /// As the ledger names it
    pub(crate) fn text(&self) -> String {
        format!("{}/{}", self.application, self.name)
    }

    /// Whether the ledger can name it: a slash parts an application from a role
    pub(crate) fn can_be_named(&self) -> bool {
        !self.application.is_empty()
            && !self.name.is_empty()
            && !self.application.contains('/')
            && !self.name.contains('/')
    }
}

/// A role with what it gives
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct RoleDefinition {
    pub(crate) role: RoleSeen,
    /// Without the application's id before them
    pub(crate) scopes: Vec<String>,
    /// By the attribute's name, as recorded
    pub(crate) attributes: Vec<(String, Value)>,
}

impl RoleDefinition {
    pub(crate) fn of(body: &Value) -> Option<Self> {
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
                Some((name, Value::Object(row)))
            })
            .collect();
        Some(Self { role: RoleSeen::of(body)?, scopes, attributes })
    }
}

/// A scope's name without the id of its application (`cis-local!b2.job.read` is `job.read`)
fn local_scope(name: &str) -> &str {
    match name.split_once('!') {
        Some((_, rest)) => rest.split_once('.').map_or(name, |(_, local)| local),
        None => name,
    }
}

/// A role collection as a body defines it
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct CollectionSeen {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    /// Delivered by SAP or an application
    pub(crate) read_only: bool,
    /// None where the key is absent
    pub(crate) roles: Vec<RoleSeen>,
}

impl CollectionSeen {
    /// `None` if the body does not define it: answers to `showAttributeMappings` and
    /// `showUserAssignments` can lack `isReadOnly`, and then absent roles say nothing
    pub(crate) fn of(body: &Value) -> Option<Self> {
        let read_only = body.get("isReadOnly")?.as_bool()?;
        let roles = items(body, "roleReferences").iter().map(RoleSeen::of);
        Some(Self {
            name: text(body, "name")?,
            description: text(body, "description"),
            read_only,
            roles: roles.collect::<Option<_>>()?,
        })
    }
}

/// A user with all role collections that it holds directly in one zone
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct UserSeen {
    pub(crate) origin: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) collections: Vec<String>,
    /// One more with every write to the user, whoever writes
    pub(crate) version: Option<u64>,
}

impl UserSeen {
    pub(crate) fn of(body: &Value) -> Option<Self> {
        let collections = body.get("roleCollections")?.as_array()?;
        let collections = collections.iter().map(|name| name.as_str().map(str::to_owned));
        Some(Self {
            origin: text(body, "origin"),
            name: user_name(body),
            collections: collections.collect::<Option<_>>()?,
            version: body.get("version").and_then(Value::as_u64),
        })
    }
}

/// The origin and the name of a user, where a body says them
pub(crate) type UserText = (Option<String>, Option<String>);

/// Who holds a role collection, on a page of users, and whether the page is the only one
pub(crate) fn holders(body: &Value) -> Option<(Vec<UserText>, bool)> {
    let users = body.get("items")?.as_array()?;
    let users = users.iter().map(|user| (text(user, "origin"), user_name(user))).collect();
    let pages = body.get("totalPages").and_then(Value::as_u64);
    Some((users, pages.is_none_or(|pages| pages <= 1)))
}

/// A group or an attribute value that a role collection is mapped to
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct MappingSeen {
    pub(crate) attribute: String,
    pub(crate) value: String,
    /// The identity provider: never its origin, in doubt its display name
    pub(crate) display_name: Option<String>,
    pub(crate) entity_id: Option<String>,
}

impl MappingSeen {
    /// All mappings of a role collection; `groupReferences` repeats some of them
    pub(crate) fn all(body: &Value) -> Option<Vec<Self>> {
        items(body, "samlAttributeAssignment").iter().map(Self::of).collect()
    }

    fn of(row: &Value) -> Option<Self> {
        let attribute = text(row, "attributeName").or_else(|| text(row, "samlAttrName"))?;
        let value = text(row, "attributeValue")
            .or_else(|| text(row, "samlAttributeValue"))
            .or_else(|| text(row, "samlAttrValue"))?;
        let (display_name, entity_id) = (text(row, "idpDisplayName"), text(row, "samlEntityId"));
        Some(Self { attribute, value, display_name, entity_id })
    }
}

/// The name of a mapping as a principal, without the origin: its kind and what follows the origin
pub(crate) fn mapped(attribute: &str, value: &str) -> (&'static str, String) {
    if attribute == GROUPS {
        ("group", value.to_owned())
    } else {
        ("attribute", format!("{attribute}={value}"))
    }
}

/// An identity provider that a zone trusts
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct IdpSeen {
    pub(crate) origin: String,
    pub(crate) name: Option<String>,
    pub(crate) host: Option<String>,
}

impl IdpSeen {
    pub(crate) fn of(body: &Value) -> Option<Self> {
        let address = text(body, "identityProvider").or_else(|| text(body, "iasTenantUrl"));
        Some(Self {
            origin: text(body, "originKey")?,
            name: text(body, "name"),
            host: address.as_deref().map(host),
        })
    }

    pub(crate) fn is(&self, mapping: &MappingSeen) -> bool {
        let named = mapping.display_name.as_ref();
        let entity = mapping.entity_id.as_deref().map(host);
        named.is_some_and(|named| *named == self.origin || Some(named) == self.name.as_ref())
            || (entity.is_some() && entity == self.host)
    }
}

/// An address without scheme and trailing slash: trust lists and entity ids differ in these
fn host(address: &str) -> String {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    rest.trim_end_matches('/').to_ascii_lowercase()
}

/// The values of a role's attributes, as the ledger keeps them
pub(crate) fn attributes(
    definition: &RoleDefinition,
) -> Option<std::collections::BTreeMap<String, Value>> {
    (!definition.attributes.is_empty()).then(|| definition.attributes.iter().cloned().collect())
}

/// What is granted, as a change says it
pub(crate) fn grant(level: &str, role_collection: &str, to: &str) -> v1::Change {
    v1::Change::Grant {
        level: level.to_owned(),
        role_collection: Some(role_collection.to_owned()),
        role: None,
        to: to.to_owned(),
        until: None,
        expect: None,
    }
}

/// What is revoked, whether or not it is held
pub(crate) fn revoke(level: &str, role_collection: &str, from: &str) -> v1::Change {
    v1::Change::Revoke {
        level: level.to_owned(),
        role_collection: Some(role_collection.to_owned()),
        role: None,
        from: from.to_owned(),
        expect: Some(v1::RevokeExpects::Any),
    }
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
            LevelSeen::of(LevelKind::Subaccount, &body).unwrap().parent.unwrap()
        };
        assert_eq!(subaccount("ROOT", "g"), "global-account:g");
        assert_eq!(subaccount("FOLDER", "d"), "directory:d");
        assert_eq!(subaccount("PROJECT", "d"), "directory:d");
        let other_spelling = json!({"guid": "d", "globalAccountGUID": "g", "parentGuid": "g"});
        let directory = LevelSeen::of(LevelKind::Directory, &other_spelling).unwrap();
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
        let tree = LevelSeen::tree(LevelKind::GlobalAccount, &body).unwrap();
        let levels: Vec<_> = tree.iter().map(|level| level.level.as_str()).collect();
        assert_eq!(levels, ["global-account:g", "directory:a", "subaccount:s", "directory:b"]);
        assert_eq!(tree[1].authorizations, Some(true));
        assert_eq!(tree[3].authorizations, Some(false));
        let without_guid = json!({"guid": "g", "subaccounts": [{}]});
        assert_eq!(LevelSeen::tree(LevelKind::GlobalAccount, &without_guid), None);
    }

    #[test]
    fn suffixes_of_applications_are_dropped_in_roles_and_scopes() {
        let body = json!({"name": "Viewer", "roleTemplateName": "Viewer_T",
                          "roleTemplateAppId": "orders!t7", "scopes": [
                              {"name": "orders!t7.item.read"}, {"name": "xs_user.read"}],
                          "attributeList": [{"attributeName": "country", "attributeValues": ["DE"]}]});
        let definition = RoleDefinition::of(&body).unwrap();
        assert_eq!(definition.role.text(), "orders/Viewer");
        assert_eq!(definition.scopes, ["item.read", "xs_user.read"]);
        let expected = ("country".to_owned(), json!({"attributeValues": ["DE"]}));
        assert_eq!(definition.attributes, [expected]);
    }

    #[test]
    fn a_body_without_is_read_only_defines_nothing() {
        assert_eq!(CollectionSeen::of(&json!({"name": "x"})), None);
        let empty = CollectionSeen::of(&json!({"name": "x", "isReadOnly": false})).unwrap();
        assert!(empty.roles.is_empty());
    }

    #[test]
    fn masked_names_name_nobody() {
        let name = |body| UserSeen::of(&body).unwrap().name;
        let masked = json!({"username": "redacted", "email": "a@b.test", "roleCollections": []});
        assert_eq!(name(masked).as_deref(), Some("a@b.test"));
        assert_eq!(name(json!({"username": "redacted", "roleCollections": []})), None);
    }

    #[test]
    fn an_identity_provider_is_found_by_name_origin_or_address() {
        let idp = IdpSeen::of(&json!({"originKey": "corp-platform", "name": "Corp",
                                      "identityProvider": "Login.corp.test"}))
        .unwrap();
        let mapping = |display: Option<&str>, entity: Option<&str>| MappingSeen {
            attribute: "Groups".into(),
            value: "x".into(),
            display_name: display.map(str::to_owned),
            entity_id: entity.map(str::to_owned),
        };
        assert!(idp.is(&mapping(Some("Corp"), None)));
        assert!(idp.is(&mapping(Some("corp-platform"), None)));
        assert!(idp.is(&mapping(Some("other"), Some("https://login.corp.test/"))));
        assert!(!idp.is(&mapping(Some("other"), None)));
    }
}
