//! What does a body of the btp CLI server show of levels?
//!
//! Each function gives `None` if the body does not have the shape of the thing that it reads. Role collections, roles
//! and users have the shapes of XSUAA, see [`crate::xs`].

use serde_json::Value;
use tenure_core::LevelKind;

use super::dates;
use crate::fact::LevelSeen;
use crate::json::{items, text};

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
}
