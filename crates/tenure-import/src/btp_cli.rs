//! What does one line of a recording say?
//!
//! An [`Exchange`] is one request to the btp CLI server with its answer. Its body is reduced at once to
//! [`What`] the ledger has a use for, so a recording is held in a fraction of its size. HTTP says 200
//! for nearly everything: `backend_status` tells whether the request was done. A redirect to the
//! regional server is no answer. Params are texts, also numbers and truth values.
//!
//! A line is bad if it is no exchange, or if an answer that should show something does not have the
//! shape of that answer. A failed exchange is not bad; it says little.

pub(crate) mod bodies;
mod commands;
pub(crate) mod dates;

use std::collections::BTreeMap;

use serde_json::Value;
use tenure_core::{Instant, LevelKind};

use crate::btp_cli::bodies::{
    CollectionSeen, IdpSeen, LevelSeen, MappingSeen, RoleDefinition, RoleSeen, UserSeen, UserText,
    level, text,
};
use crate::btp_cli::commands::Reader;
use crate::record::RecordId;

/// One request with its answer
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) line: u64,
    /// The server's time, to the second
    pub(crate) at: Instant,
    /// `cmd verb`
    pub(crate) kind: String,
    pub(crate) record: RecordId,
    /// Who asked, where the recording says it
    pub(crate) actor: Option<String>,
    /// A global account's subdomain with its level, where the exchange shows both
    pub(crate) global_account: Option<(String, String)>,
    pub(crate) what: What,
}

/// The level that a `security/…` command is about
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Zone {
    /// By its subdomain
    GlobalAccount(String),
    /// By its text
    Level(String),
}

/// Who gets or loses a role collection
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Assignee {
    pub(crate) origin: Option<String>,
    pub(crate) named: Named,
}

/// What an assignee is called
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Named {
    User(String),
    Mapping { attribute: String, value: String },
}

/// What an exchange shows or changes
#[derive(Debug)]
pub(crate) enum What {
    /// These levels are there, and of these kinds no other in that global account
    Levels {
        seen: Vec<LevelSeen>,
        complete: Option<Complete>,
    },
    /// The level is not there
    LevelGone(String),
    /// Its deletion was accepted
    DeletionAsked {
        level: String,
        seen: Vec<LevelSeen>,
    },
    /// These role collections are there, and no other
    Collections(Zone, Vec<CollectionSeen>),
    Collection(Zone, CollectionSeen),
    CollectionGone(Zone, String),
    CollectionCreated(Zone, CollectionSeen),
    CollectionDeleted(Zone, String),
    RoleAdded {
        zone: Zone,
        collection: String,
        role: RoleSeen,
    },
    RoleRemoved {
        zone: Zone,
        collection: String,
        role: RoleSeen,
    },
    RoleCreated(Zone, RoleDefinition),
    RoleDeleted(Zone, RoleSeen),
    /// How roles are defined
    Roles(Zone, Vec<RoleDefinition>),
    Assigned {
        zone: Zone,
        collection: String,
        to: Assignee,
        after: Option<UserSeen>,
    },
    Unassigned {
        zone: Zone,
        collection: String,
        from: Assignee,
        after: Option<UserSeen>,
    },
    /// Users (origin and name) who hold it directly, and whether they are all
    Holders {
        zone: Zone,
        collection: String,
        users: Vec<UserText>,
        all: bool,
    },
    Mappings {
        zone: Zone,
        collection: String,
        definition: Option<CollectionSeen>,
        mappings: Vec<MappingSeen>,
    },
    /// All role collections of a user; none if there is no such user
    User {
        zone: Zone,
        origin: Option<String>,
        name: String,
        seen: Option<UserSeen>,
    },
    /// The users of an origin, and no other
    Users {
        zone: Zone,
        origin: Option<String>,
        names: Vec<String>,
    },
    Trust(Zone, Vec<IdpSeen>),
    /// Whoever asked is a subaccount administrator now
    AddedMe(String),
    /// Nothing for the ledger
    Nothing(String),
}

/// What a listing is complete for
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Complete {
    /// The subdomain of the global account
    pub(crate) subdomain: String,
    pub(crate) directories: bool,
}

/// Whether a request was done
pub(crate) enum Status {
    Done,
    NotFound,
    Failed(String),
}

/// Params by their names
pub(crate) type Params = BTreeMap<String, String>;

impl Exchange {
    /// Reads a line
    ///
    /// # Errors
    /// A sentence that says why it cannot be used.
    pub(crate) fn read(line: u64, bytes: &[u8]) -> Result<Self, String> {
        let value: Value =
            serde_json::from_slice(bytes).map_err(|error| format!("it is not JSON: {error}"))?;
        let Value::Object(record) = &value else {
            return Err("it is JSON, but not an object".to_owned());
        };
        let field =
            |name: &str| text(&value, name).ok_or_else(|| format!("it has no text `{name}`"));
        let at = Instant::parse(&field("t")?).map_err(|error| format!("`t`: {error}"))?;
        if at < Instant::EPOCH {
            return Err("`t` lies before 1970".to_owned());
        }
        let (cmd, verb) = (field("cmd")?, field("verb")?);
        let params = params(record.get("params"))?;
        let status = status(record.get("http"), record.get("backend_status"));
        let body = record.get("body").unwrap_or(&Value::Null);
        let what =
            Reader { params: &params, body }.what(&cmd, &verb, &status).map_err(|error| {
                format!("the answer to `{cmd} {verb}` is not of its shape: {error}")
            })?;
        Ok(Self {
            line,
            at,
            kind: format!("{cmd} {verb}"),
            record: RecordId::of(record),
            actor: text(&value, "actor").or_else(|| text(&value, "user")),
            global_account: global_account(&cmd, &params, body),
            what,
        })
    }
}

fn params(value: Option<&Value>) -> Result<Params, String> {
    let map = match value {
        None | Some(Value::Null) => return Ok(Params::new()),
        Some(Value::Object(map)) => map,
        Some(_) => return Err("`params` is not an object".to_owned()),
    };
    let texts = map.iter().filter_map(|(name, value)| {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Null => return None,
            other => other.to_string(),
        };
        Some((name.clone(), text))
    });
    Ok(texts.collect())
}

fn number(value: Option<&Value>) -> Option<u64> {
    match value? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn status(http: Option<&Value>, backend: Option<&Value>) -> Status {
    match (number(http).unwrap_or(200), number(backend)) {
        (300..=399, _) => Status::Failed("a redirect to another server".to_owned()),
        (200..=299, None | Some(200..=299)) => Status::Done,
        (200..=299, Some(404)) => Status::NotFound,
        (200..=299, Some(code)) => Status::Failed(format!("failed (backend status {code})")),
        (code, _) => Status::Failed(format!("failed (HTTP status {code})")),
    }
}

/// A subdomain beside the GUID that belongs to it
fn global_account(cmd: &str, params: &Params, body: &Value) -> Option<(String, String)> {
    let subdomain = params.get("globalAccount")?;
    let first = |body: &Value| text(body, "globalAccountGUID");
    let guid = match cmd {
        "accounts/global-account" => text(body, "guid"),
        "accounts/directory" => first(body),
        "accounts/subaccount" => {
            first(body).or_else(|| body.get("value")?.as_array()?.iter().find_map(first))
        }
        // The identity zone of a global account has its GUID.
        "security/user" | "security/role-collection" => {
            text(body, "zoneId").or_else(|| text(body, "roleCollectionIdentityZone"))
        }
        _ => None,
    };
    Some((subdomain.clone(), level(LevelKind::GlobalAccount, &guid?)))
}
