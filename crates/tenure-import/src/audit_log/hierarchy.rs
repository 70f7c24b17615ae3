//! What does a record of the account hierarchy say?
//!
//! It has an `entity` (`GlobalAccount`, `Directory` or `Subaccount`) and a `type` (`CREATE`, `UPDATE` or `DELETE`). SAP
//! documents no other key. A level that was created is taken over only if the record says what it lies in.

use serde_json::Value;
use tenure_core::{Instant, LevelKind};

use super::Said;
use super::objects::at;
use crate::fact::{Event, Fact, LevelSeen, Observation};

/// `None` if the message is not about the hierarchy
pub(super) fn read(message: &Value, now: Instant) -> Option<Result<Said, String>> {
    let places = [message.get("object"), message.get("data"), Some(message)];
    let body = places.into_iter().flatten().find(|place| at(place, &["entity"]).is_some())?;
    let entity = at(body, &["entity"])?;
    let kind = match entity.as_str() {
        "GlobalAccount" => LevelKind::GlobalAccount,
        "Directory" => LevelKind::Directory,
        "Subaccount" => LevelKind::Subaccount,
        _ => return None,
    };
    let verb = at(body, &["type", "crudType"]).unwrap_or_default();
    Some(change(body, kind, &entity, &verb, now))
}

fn change(
    body: &Value,
    kind: LevelKind,
    entity: &str,
    verb: &str,
    now: Instant,
) -> Result<Said, String> {
    let named = format!("{entity} {verb}");
    let nothing = |reason: &str| Ok(Said::Nothing(named.clone(), reason.to_owned()));
    let own = match kind {
        LevelKind::GlobalAccount => "globalAccountGUID",
        LevelKind::Directory => "directoryGUID",
        _ => "subaccountGUID",
    };
    let id = at(body, &["guid", "entityId", "entityGUID", own, "id"]);
    let level = id.map(|id| format!("{}:{id}", kind.as_str()));
    let level = level.ok_or_else(|| format!("the record of a {entity} does not say its id"));
    let fact = match verb {
        "DELETE" => Fact::Event(Event::LevelDeleted(level?)),
        "UPDATE" => return nothing("a change of a level's properties, and it does not say which"),
        "CREATE" => {
            let global_account = at(body, &["globalAccountGUID"]);
            let root =
                global_account.map(|id| format!("{}:{id}", LevelKind::GlobalAccount.as_str()));
            let parent = at(body, &["parentGUID", "parentId"]).map(|parent| {
                let as_root = format!("{}:{parent}", LevelKind::GlobalAccount.as_str());
                let at_root = match at(body, &["parentType"]) {
                    Some(of) => ["ROOT", "GlobalAccount"].contains(&of.as_str()),
                    None => root.as_ref() == Some(&as_root),
                };
                if at_root {
                    as_root
                } else {
                    format!("{}:{parent}", LevelKind::Directory.as_str())
                }
            });
            if parent.is_none() && kind != LevelKind::GlobalAccount {
                return nothing("a level was created, and the record does not say what it lies in");
            }
            let level = level?;
            let root = if kind == LevelKind::GlobalAccount { Some(level.clone()) } else { root };
            let seen = LevelSeen {
                level,
                kind,
                parent: parent.filter(|_| kind != LevelKind::GlobalAccount),
                global_account: root,
                name: at(body, &["displayName", "name"]),
                authorizations: None,
                region: None,
                created: Some(now),
                created_by: None,
                changed_by: None,
                dying: false,
            };
            Fact::Observation(Observation::Levels { seen: vec![seen], complete: None })
        }
        other => return Err(format!("`{other}` is none of CREATE, UPDATE and DELETE")),
    };
    Ok(Said::Facts(named, vec![fact]))
}
