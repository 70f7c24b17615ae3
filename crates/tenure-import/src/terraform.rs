//! What does a state of Terraform say?
//!
//! A file is a state of version 4, or what `terraform show -json` prints of one. OpenTofu writes the same. Both have
//! resources with the same attributes; the file's own keys tell them apart.
//!
//! A state says what is meant to be, and no time. So it is compared with the ledger at `--at`, and it takes nothing
//! from anybody. All assignments of a level in all files are one record. Of two states with one lineage, the one with
//! the higher serial counts.

mod state;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::{Value, json};
use tenure_core::{Instant, LevelKind, PrincipalKind};
use uuid::Uuid;

use crate::document::Document;
use crate::fact::{
    CollectionSeen, Fact, Held, Holder, HoldingSeen, LevelSeen, Observation, Zone, ZoneObservation,
};
use crate::found::Found;
use crate::json::{items, text};
use crate::record::{Place, Record, RecordId};
use crate::{ImportError, Options, xs};
use state::{Resource, State};

const NAME: &str = "Terraform";

/// The namespace of the ids of records
const NAMESPACE: Uuid = Uuid::from_u128(0x5f8e_02c7_3b94_5d16_a3d0_91e6_4c7b_f025);

/// The assignments of a level
struct Meant {
    place: Place,
    seen: Vec<HoldingSeen>,
    lineages: BTreeSet<Option<String>>,
}

/// What all states say together
struct Reader<'o> {
    at: Instant,
    options: &'o Options,
    directories: HashSet<String>,
    global_accounts: HashSet<String>,
    meant: BTreeMap<String, Meant>,
}

pub(crate) fn read(
    documents: Vec<Document>,
    options: &Options,
    found: &mut Found<'_>,
) -> Result<(), ImportError> {
    if documents.is_empty() {
        return Ok(());
    }
    let Some(at) = options.at else {
        return Err(ImportError::Options(
            "say with `--at` when the state was so: the file does not say when it was made"
                .to_owned(),
        ));
    };
    let states = states(&documents, at, found)?;
    let resources = || states.iter().flat_map(|state| &state.resources);
    let ids = |type_of: &'static str| {
        resources().filter(move |resource| resource.type_of == type_of).filter_map(|r| r.text("id"))
    };
    let on = options.on.as_ref().and_then(|on| on.strip_prefix("global-account:"));
    let mut reader = Reader {
        at,
        options,
        directories: ids("btp_directory").collect(),
        global_accounts: ids("btp_globalaccount").chain(on.map(str::to_owned)).collect(),
        meant: BTreeMap::new(),
    };
    for state in &states {
        for resource in &state.resources {
            reader.take(state, resource, found)?;
        }
    }
    reader.finish(found);
    Ok(())
}

/// The states that count
fn states<'d>(
    documents: &'d [Document],
    at: Instant,
    found: &mut Found<'_>,
) -> Result<Vec<State<'d>>, ImportError> {
    let mut plain = Vec::new();
    let mut by_lineage: BTreeMap<String, Vec<State<'d>>> = BTreeMap::new();
    for document in documents {
        match state::read(document) {
            Ok(state) => match state.lineage.clone() {
                Some(lineage) => by_lineage.entry(lineage).or_default().push(state),
                None => plain.push(state),
            },
            Err(problem) => found.bad(document.place(0), problem)?,
        }
    }
    for (_, states) in by_lineage {
        let newest = states.iter().map(|state| state.serial).max().flatten();
        let (newest, older): (Vec<_>, Vec<_>) =
            states.into_iter().partition(|state| state.serial == newest);
        for state in older {
            found.record(passed_over(
                "states",
                &state.place,
                at,
                "an older serial of the same state",
            ));
        }
        let mut newest = newest.into_iter();
        let Some(first) = newest.next() else { continue };
        let (same, others): (Vec<_>, Vec<_>) =
            newest.partition(|state| state.document == first.document);
        for state in same {
            found.record(passed_over("states", &state.place, at, "the same state again"));
        }
        if others.is_empty() {
            plain.push(first);
            continue;
        }
        for state in std::iter::once(first).chain(others) {
            let problem = "another state has its lineage and its serial and other content: take the one that counts";
            found.bad(state.place, problem.to_owned())?;
        }
    }
    Ok(plain)
}

fn passed_over(kind: &str, place: &Place, at: Instant, reason: &str) -> Record {
    Record { passed_over: Some(reason.to_owned()), ..record(kind, place, at, &Value::Null) }
}

/// A record without facts
fn record(kind: &str, place: &Place, at: Instant, content: &Value) -> Record {
    Record {
        source: NAME,
        kind: kind.to_owned(),
        place: place.clone(),
        at,
        version: None,
        id: RecordId::of(&NAMESPACE, [&json!(kind), &json!(at.to_string()), content].into_iter()),
        actor: None,
        facts: Vec::new(),
        passed_over: None,
    }
}

const NO_GLOBAL_ACCOUNT: &str =
    "a state does not say which global account it is of: name it with `--on global-account:…`";

impl Reader<'_> {
    fn take(
        &mut self,
        state: &State<'_>,
        resource: &Resource<'_>,
        found: &mut Found<'_>,
    ) -> Result<(), ImportError> {
        let (place, type_of) = (&resource.place, resource.type_of);
        if let Some(reason) = resource.not_read() {
            found.record(passed_over(type_of, place, self.at, reason));
            return Ok(());
        }
        let result = match type_of {
            "btp_subaccount_role_collection_assignment"
            | "btp_directory_role_collection_assignment"
            | "btp_globalaccount_role_collection_assignment" => {
                match self.assignment(state, resource) {
                    // It is in the record of its level.
                    Ok(None) => return Ok(()),
                    Ok(Some(reason)) => Ok(passed_over(type_of, place, self.at, reason)),
                    Err(problem) => Err(problem),
                }
            }
            "btp_subaccount_role_collection"
            | "btp_directory_role_collection"
            | "btp_globalaccount_role_collection"
            | "btp_subaccount"
            | "btp_directory"
                if !self.options.reconcile =>
            {
                let reason = "how a level or a role collection is meant to be; with `--reconcile` it is kept";
                Ok(passed_over(resource.type_of, &resource.place, self.at, reason))
            }
            "btp_subaccount_role_collection"
            | "btp_directory_role_collection"
            | "btp_globalaccount_role_collection" => self.collection(state, resource),
            "btp_subaccount" => self.level(state, LevelKind::Subaccount, resource),
            "btp_directory" => self.level(state, LevelKind::Directory, resource),
            "btp_subaccount_role_collection_base" | "btp_subaccount_role_collection_role" => {
                let reason = "a role collection in parts, which other resources have the rest of";
                Ok(passed_over(type_of, place, self.at, reason))
            }
            _ => Ok(passed_over(type_of, place, self.at, "resources that are not about access")),
        };
        found.result(place, result)
    }

    /// The level that a resource is at; `None` if it is a global account that nobody names
    fn level_of(&self, resource: &Resource<'_>) -> Result<Option<String>, String> {
        let missing = |key: &str| format!("`{}` has no `{key}`", resource.address);
        let id = |key: &str| resource.text(key).ok_or_else(|| missing(key));
        if resource.type_of.starts_with("btp_subaccount_") {
            Ok(Some(format!("subaccount:{}", id("subaccount_id")?)))
        } else if resource.type_of.starts_with("btp_directory_") {
            Ok(Some(format!("directory:{}", id("directory_id")?)))
        } else {
            let on = self.options.on.clone();
            Ok(on.filter(|on| on.starts_with("global-account:")))
        }
    }

    /// Keeps an assignment for the record of its level, or gives the reason why it is passed over
    fn assignment(
        &mut self,
        state: &State<'_>,
        resource: &Resource<'_>,
    ) -> Result<Option<&'static str>, String> {
        let Some(level) = self.level_of(resource)? else { return Ok(Some(NO_GLOBAL_ACCOUNT)) };
        let address = &resource.address;
        let collection = resource
            .text("role_collection_name")
            .ok_or_else(|| format!("`{address}` has no `role_collection_name`"))?;
        let mapped = || Some((resource.text("attribute_name")?, resource.text("attribute_value")?));
        let (kind, name) = match (resource.text("user_name"), resource.text("group_name"), mapped())
        {
            (Some(user), None, None) => (PrincipalKind::User, user),
            (None, Some(group), None) => (PrincipalKind::Group, group),
            (None, None, Some((attribute, value))) => xs::mapped(&attribute, &value),
            _ => {
                return Err(format!(
                    "`{address}` has not exactly one of `user_name`, `group_name` and `attribute_name` with \
                     `attribute_value`"
                ));
            }
        };
        let holder = Holder { kind, origin: resource.text("origin"), name: Some(name), id: None };
        let meant = self.meant.entry(level).or_insert_with(|| Meant {
            place: resource.place.clone(),
            seen: Vec::new(),
            lineages: BTreeSet::new(),
        });
        meant.place = resource.place.clone().min(meant.place.clone());
        meant.seen.push(HoldingSeen { holder, held: Held::Collection(collection), since: None });
        meant.lineages.insert(state.lineage.clone());
        Ok(None)
    }

    fn collection(&self, state: &State<'_>, resource: &Resource<'_>) -> Result<Record, String> {
        let (place, type_of) = (&resource.place, resource.type_of);
        let Some(level) = self.level_of(resource)? else {
            return Ok(passed_over(type_of, place, self.at, NO_GLOBAL_ACCOUNT));
        };
        let missing = |key: &str| format!("`{}` has no `{key}`", resource.address);
        let name = resource.text("name").ok_or_else(|| missing("name"))?;
        let roles = items(resource.attributes, "roles").iter().map(|role| {
            let application = text(role, "role_template_app_id")?;
            Some(xs::role_named(application, text(role, "role_template_name"), text(role, "name")?))
        });
        let roles: Option<Vec<_>> = roles.collect();
        let mut roles = roles.ok_or_else(|| {
            format!("`{}` has a role without `name` and `role_template_app_id`", resource.address)
        })?;
        roles.sort();
        let description = resource.text("description");
        let names: Vec<_> = roles.iter().map(|role| role.text()).collect();
        let content = json!([level, name, description, names]);
        let seen = CollectionSeen { name, description, read_only: false, roles };
        let fact = Fact::observation(Zone::Level(level), ZoneObservation::Collection(seen));
        let record = record(type_of, place, self.at, &content);
        Ok(Record { actor: state.actor(), facts: vec![fact], ..record })
    }

    /// A subaccount or a directory
    fn level(
        &self,
        state: &State<'_>,
        kind: LevelKind,
        resource: &Resource<'_>,
    ) -> Result<Record, String> {
        let id =
            resource.text("id").ok_or_else(|| format!("`{}` has no `id`", resource.address))?;
        let parent = resource.text("parent_id").and_then(|parent| self.parent(resource, &parent));
        let seen = LevelSeen {
            level: format!("{}:{id}", kind.as_str()),
            kind,
            parent,
            global_account: None,
            name: resource.text("name"),
            authorizations: None,
            region: resource.text("region").filter(|_| kind == LevelKind::Subaccount),
            created: resource.text("created_date").and_then(|at| Instant::parse(&at).ok()),
            created_by: resource.text("created_by"),
            changed_by: None,
            dying: false,
        };
        let content = json!([seen.level, seen.parent, seen.name, seen.region]);
        let record = record(resource.type_of, &resource.place, self.at, &content);
        let fact = Fact::Observation(Observation::Levels { seen: vec![seen], complete: None });
        Ok(Record { actor: state.actor(), facts: vec![fact], ..record })
    }

    /// The level with the id of a parent: the id does not say whether it is a directory
    fn parent(&self, resource: &Resource<'_>, id: &str) -> Option<String> {
        // Only what lies in a directory has features of its parent.
        if self.directories.contains(id)
            || !items(resource.attributes, "parent_features").is_empty()
        {
            return Some(format!("directory:{id}"));
        }
        self.global_accounts.contains(id).then(|| format!("global-account:{id}"))
    }

    /// One record for each level that has assignments
    fn finish(self, found: &mut Found<'_>) {
        for (level, meant) in self.meant {
            let Meant { place, mut seen, lineages } = meant;
            let key = |seen: &HoldingSeen| {
                let Holder { kind, origin, name, .. } = &seen.holder;
                json!([seen.held.name(), kind.as_str(), origin, name]).to_string()
            };
            seen.sort_by_cached_key(key);
            seen.dedup();
            let content: Vec<_> = seen.iter().map(key).collect();
            let content = json!([level, content]);
            let mut record = record("role_collection_assignments", &place, self.at, &content);
            // Of several states, nobody says which one acts.
            let mut lineages = lineages.into_iter();
            record.actor = match (lineages.next(), lineages.next()) {
                (Some(Some(lineage)), None) => Some(state::actor(&lineage)),
                _ => None,
            };
            record.facts = vec![Fact::observation(
                Zone::Level(level),
                ZoneObservation::Holdings { seen, all: true, intent: true },
            )];
            found.record(record);
        }
    }
}
