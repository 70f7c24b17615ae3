//! What do SCIM users and groups of an identity provider say?
//!
//! A group lists its members by their ids; the users say the names. The ledger has no groups in groups. So the members
//! of a group are those of the groups in it too.
//!
//! A listing has no time: the options say when it was made. Members are all members only if the pages together have as
//! many groups as they say, since another group may have the same name, or lie in this one.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::{Value, json};
use tenure_core::PrincipalKind;
use uuid::Uuid;

use crate::document::Document;
use crate::fact::{Fact, Holder, Observation, UserId};
use crate::found::Found;
use crate::json::{Totals, items, text};
use crate::record::{Place, Record, RecordId};
use crate::{ImportError, Options};

/// Most members and groups that are looked at while groups in groups are flattened: a long chain of groups has as many
/// as its square
const FLATTENED_MAX: usize = 2_000_000;

const NAME: &str = "SCIM";

/// The namespace of the ids of records
const NAMESPACE: Uuid = Uuid::from_u128(0x9d41_e6b2_58c7_5fa0_93b1_7c2e_04d8_6f15);

/// SAP's extension, which has the other name of a group
const EXTENSION: &str = "urn:sap:cloud:scim:schemas:extension:custom:2.0:Group";

/// A group as it is listed
struct Group {
    place: Place,
    name: String,
    users: Vec<String>,
    groups: Vec<String>,
}

pub(crate) fn read(
    documents: Vec<Document>,
    options: &Options,
    found: &mut Found<'_>,
) -> Result<(), ImportError> {
    let Some(at) = options.at else {
        return Err(ImportError::Options(
            "say with `--at` when the file was made: it does not say it itself".to_owned(),
        ));
    };
    let origin = options.default_origin.as_str();
    let record = |place, kind: &str, content: Value, facts, reason: Option<&str>| Record {
        source: NAME,
        kind: kind.to_owned(),
        place,
        at,
        version: None,
        id: RecordId::of(&NAMESPACE, [&kind.into(), &origin.into(), &content].into_iter()),
        actor: None,
        facts,
        passed_over: reason.map(str::to_owned),
    };
    let mut totals = Totals::default();
    let mut read: HashMap<String, Value> = HashMap::new();
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    let mut shows_members = false;
    let mut gaps = false;
    for document in documents {
        let rows = document.records(&["Resources", "resources", "value", "entries"]);
        if rows.iter().any(is_group) {
            totals.add(&document.value);
        }
        for (index, row) in rows.iter().enumerate() {
            let place = document.place(index);
            let group = is_group(row);
            let kind = if group { "group" } else { "user" };
            if !group && row.get("userName").is_none() {
                // A page without a list has no records.
                if row.get("totalResults").is_none() {
                    found.bad(place, "it is neither a user nor a group".to_owned())?;
                }
                continue;
            }
            let Some(id) = text(row, "id") else {
                gaps |= group;
                found.bad(place, format!("the {kind} has no `id`"))?;
                continue;
            };
            match read.get(&id) {
                Some(before) if before == row => {
                    let reason = Some("the same was read before: pages overlap");
                    found.record(record(place, kind, row.clone(), Vec::new(), reason));
                    continue;
                }
                Some(_) => {
                    gaps |= group;
                    let problem = format!(
                        "the {kind} `{id}` was read before with other content: files of two moments need an import each"
                    );
                    found.bad(place, problem)?;
                    continue;
                }
                None => read.insert(id.clone(), row.clone()),
            };
            if !group {
                // An inactive user cannot log on, and is still a member.
                match user_name(row) {
                    Some(name) => {
                        let user = user(origin, id.clone(), Some(name));
                        let known = Fact::Observation(Observation::Known(vec![user]));
                        found.record(record(place, kind, row.clone(), vec![known], None));
                    }
                    None => found.bad(place, "the user has no `userName`".to_owned())?,
                }
                continue;
            }
            shows_members |= row.get("members").is_some();
            let name = if options.group_by_name {
                row.get(EXTENSION).and_then(|extension| text(extension, "name"))
            } else {
                text(row, "displayName")
            };
            let Some(name) = name else {
                gaps = true;
                let key =
                    if options.group_by_name { "name` in SAP's extension" } else { "displayName`" };
                found.bad(place, format!("the group `{id}` has no `{key}"))?;
                continue;
            };
            let (mut users, mut inner) = (Vec::new(), Vec::new());
            for member in items(row, "members") {
                let Some(value) = text(member, "value") else {
                    gaps = true;
                    continue;
                };
                if is_group_member(member) { inner.push(value) } else { users.push(value) }
            }
            groups.insert(id, Group { place, name, users, groups: inner });
        }
    }
    // Without the key in any group, nobody asked for members.
    let whole =
        shows_members && !gaps && totals.prove(read.values().filter(|row| is_group(row)).count());
    let mut by_name: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
    for (id, group) in &groups {
        by_name.entry(&group.name).or_default().push(id);
    }
    let mut work = FLATTENED_MAX;
    for (name, ids) in by_name {
        let (members, missing) = flattened(&groups, &ids, &mut work).ok_or_else(|| {
            ImportError::Options(format!(
                "groups that lie in other groups have more than {FLATTENED_MAX} members and groups in all: import them \
                 in parts",
            ))
        })?;
        let all = whole && !missing;
        let mut facts = Vec::new();
        if shows_members {
            let members = members.iter().map(|id| user(origin, (*id).to_owned(), None)).collect();
            let group = Holder {
                kind: PrincipalKind::Group,
                origin: Some(origin.to_owned()),
                name: Some(name.to_owned()),
                id: None,
            };
            facts.push(Fact::Observation(Observation::Members { group, members, all }));
        }
        let content = json!([name, members, all]);
        let mut reason = match (shows_members, missing) {
            (false, _) => Some("no group of the files shows its members"),
            (true, true) => {
                Some("a group in it was not read, so it may have more members: read all groups")
            }
            (true, false) => None,
        };
        for place in ids.iter().filter_map(|id| groups.get(*id)).map(|group| group.place.clone()) {
            let facts = std::mem::take(&mut facts);
            found.record(record(place, "group", content.clone(), facts, reason));
            reason = Some(
                "another group has the same name: the ledger has the members of both under it",
            );
        }
    }
    Ok(())
}

fn is_group(row: &Value) -> bool {
    let of_type = row.get("meta").and_then(|meta| text(meta, "resourceType"));
    match of_type {
        Some(of) => of == "Group",
        None => {
            row.get("userName").is_none()
                && (row.get("members").is_some() || row.get("displayName").is_some())
        }
    }
}

/// Whether a member is a group; some servers say it only in the address
fn is_group_member(member: &Value) -> bool {
    match text(member, "type") {
        Some(of) => of == "Group",
        None => text(member, "$ref").is_some_and(|address| address.contains("/Groups/")),
    }
}

fn user_name(row: &Value) -> Option<String> {
    let emails = items(row, "emails");
    let primary = |email: &&Value| email.get("primary").and_then(Value::as_bool) == Some(true);
    let email = || emails.iter().find(primary).or_else(|| emails.first());
    text(row, "userName").or_else(|| text(email()?, "value"))
}

fn user(origin: &str, id: String, name: Option<String>) -> Holder {
    let id = Some(UserId { space: origin.to_owned(), id });
    Holder { kind: PrincipalKind::User, origin: Some(origin.to_owned()), name, id }
}

/// The users in groups and in the groups in them, and whether one of these was not read; `None` if `work` is used up
///
/// # Cost
/// O(groups and members below).
fn flattened<'g>(
    groups: &'g BTreeMap<String, Group>,
    of: &[&'g String],
    work: &mut usize,
) -> Option<(BTreeSet<&'g str>, bool)> {
    let (mut users, mut missing) = (BTreeSet::new(), false);
    // Groups can lie in each other.
    let mut seen: HashSet<&str> = of.iter().map(|id| id.as_str()).collect();
    let mut rest: Vec<&str> = seen.iter().copied().collect();
    while let Some(id) = rest.pop() {
        let Some(group) = groups.get(id) else {
            missing = true;
            continue;
        };
        *work = work.checked_sub(1 + group.users.len() + group.groups.len())?;
        users.extend(group.users.iter().map(String::as_str));
        rest.extend(group.groups.iter().map(String::as_str).filter(|inner| seen.insert(inner)));
    }
    Some((users, missing))
}
