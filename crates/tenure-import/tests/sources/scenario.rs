//! Short words for exchanges, and for what the ledger says after an import

use serde_json::{Value, json};
use tenure_core::{EffectiveAt, Instant, Level, LevelKind};
use tenure_import::{ImportError, Input, Options, Source, Summary, import};
use tenure_wire::api::{LevelRow, RoleCollectionRow};

use crate::memory::Memory;

/// A recording and the ledger that it is imported into
pub(crate) struct Scenario {
    pub(crate) memory: Memory,
    pub(crate) lines: Vec<String>,
}

/// Imports a recording
pub(crate) fn btp_cli(
    mut recording: &[u8],
    options: &Options,
    memory: &mut Memory,
) -> Result<Summary, ImportError> {
    let input = Input { name: "recording".to_owned(), read: &mut recording };
    import(Source::BtpCli, vec![input], options, memory, &mut |_| {})
}

/// A moment of the made-up day
pub(crate) fn at(time: &str) -> String {
    format!("2026-03-01T{time}Z")
}

/// A line of a recording
pub(crate) fn line(
    time: &str,
    command: &str,
    params: Value,
    status: (u64, &str),
    body: Value,
) -> String {
    let (cmd, verb) = command.split_once(' ').unwrap();
    json!({"t": at(time), "cmd": cmd, "verb": verb, "params": params, "http": status.0,
           "backend_status": status.1, "body": body, "cassette": "ignored"})
    .to_string()
}

/// A subaccount in a body
pub(crate) fn subaccount(guid: &str, parent: &str, more: Value) -> Value {
    let parent_type = if parent == "ga-1" { "ROOT" } else { "PROJECT" };
    let mut body = json!({"guid": guid, "displayName": guid, "globalAccountGUID": "ga-1",
        "parentGUID": parent, "parentType": parent_type, "region": "xx10", "state": "OK",
        "createdDate": "Feb 1, 2026, 1:00:00 AM"});
    merge(&mut body, more);
    body
}

/// A directory in a body
pub(crate) fn directory(guid: &str, managed: bool, more: Value) -> Value {
    let mut features = vec!["ENTITLEMENTS", "DEFAULT"];
    features.extend(managed.then_some("AUTHORIZATIONS"));
    let mut body = json!({"guid": guid, "displayName": guid, "globalAccountGUID": "ga-1",
        "parentGUID": "ga-1", "parentType": "ROOT", "directoryFeatures": features,
        "entityState": "OK", "createdDate": "Jan 15, 2026, 12:00:00 PM"});
    merge(&mut body, more);
    body
}

/// A hierarchy of the one global account there is
pub(crate) fn hierarchy(children: Value, subaccounts: Value) -> Value {
    json!({"guid": "ga-1", "displayName": "Acme", "subdomain": "acme",
           "createdDate": "Jan 2, 2026, 3:04:05 AM", "children": children,
           "subaccounts": subaccounts})
}

/// A user in a body
pub(crate) fn user(origin: &str, version: u64, collections: &[&str]) -> Value {
    json!({"username": "redacted", "origin": origin, "zoneId": "any", "version": version,
           "roleCollections": collections})
}

/// A role collection in a body
pub(crate) fn collection(name: &str, read_only: bool, roles: &[(&str, &str)]) -> Value {
    let roles: Vec<Value> = roles
        .iter()
        .map(|(app, role)| {
            json!({"roleTemplateAppId": app, "roleTemplateName": role.replace(' ', "_"),
                   "name": role})
        })
        .collect();
    let mut body = json!({"name": name, "description": "made up", "isReadOnly": read_only});
    if !roles.is_empty() {
        merge(&mut body, json!({"roleReferences": roles}));
    }
    body
}

pub(crate) fn merge(body: &mut Value, more: Value) {
    let Value::Object(more) = more else { return };
    for (key, value) in more {
        body[key] = value;
    }
}

impl Scenario {
    /// With the built-in catalogues
    pub(crate) fn new() -> Self {
        Self { memory: Memory::with_catalogs().unwrap(), lines: Vec::new() }
    }

    /// With the global account, a managed directory with a subaccount, and one beside it, at 00:00:01
    pub(crate) fn landscape() -> Self {
        let inner = subaccount("sub-2", "dir-1", json!({}));
        let managed = directory("dir-1", true, json!({"subaccounts": [inner]}));
        let body = hierarchy(json!([managed]), json!([subaccount("sub-1", "ga-1", json!({}))]));
        let mut scenario = Self::new();
        scenario.hierarchy("00:00:01", body);
        scenario
    }

    /// An exchange that was done
    pub(crate) fn done(&mut self, time: &str, command: &str, params: Value, body: Value) {
        self.lines.push(line(time, command, params, (200, "200"), body));
    }

    /// An exchange that failed
    pub(crate) fn failed(&mut self, time: &str, command: &str, params: Value, code: &str) {
        let body = json!({"error": "made up"});
        self.lines.push(line(time, command, params, (200, code), body));
    }

    pub(crate) fn hierarchy(&mut self, time: &str, body: Value) {
        let params = json!({"globalAccount": "acme", "showHierarchy": "true"});
        self.done(time, "accounts/global-account get", params, body);
    }

    pub(crate) fn run(&mut self) -> Summary {
        self.run_with(&Options::default())
    }

    pub(crate) fn reconcile(&mut self) -> Summary {
        self.run_with(&Options { reconcile: true, ..Options::default() })
    }

    pub(crate) fn run_with(&mut self, options: &Options) -> Summary {
        let text = self.lines.join("\n");
        let summary = btp_cli(text.as_bytes(), options, &mut self.memory).unwrap();
        assert_eq!(summary.bad.total, 0, "{:?}", summary.bad);
        assert!(summary.entries.refused.is_empty(), "{:?}", summary.entries.refusals);
        self.unchanged_by_another(options);
        summary
    }

    /// The same lines again, in this order and the other way round, change nothing
    fn unchanged_by_another(&mut self, options: &Options) {
        let before: Vec<String> = self.facts();
        let mut reversed = self.lines.clone();
        // Lines of one second keep their order, which is all that tells what came first.
        reversed.sort_by_key(|line| std::cmp::Reverse(line_time(line)));
        for lines in [self.lines.clone(), reversed] {
            let text = lines.join("\n");
            let again = btp_cli(text.as_bytes(), options, &mut self.memory).unwrap();
            assert_eq!(again.entries.applied, 0, "{:?}", self.memory.log().last());
            assert_eq!(again.entries.sent, again.entries.duplicate);
            assert_eq!(self.facts(), before);
        }
    }

    fn facts(&self) -> Vec<String> {
        let applied = self.memory.log().filter(|(_, result)| result.outcome == "applied");
        applied.map(|(entry, _)| serde_json::to_string(entry).unwrap()).collect()
    }

    /// Applied changes, as `time change`, in order
    pub(crate) fn changes(&self) -> Vec<(String, Value)> {
        let applied = self.memory.log().filter(|(_, result)| result.outcome == "applied");
        applied
            .flat_map(|(entry, _)| {
                let time = entry.effective_at.clone().unwrap();
                entry.changes.iter().map(move |c| (time.clone(), serde_json::to_value(c).unwrap()))
            })
            .collect()
    }

    /// The applied changes of a type
    pub(crate) fn changes_of(&self, name: &str) -> Vec<(String, Value)> {
        self.changes().into_iter().filter(|(_, change)| change["type"] == name).collect()
    }

    /// The levels that exist at a time of the day, or at a whole instant, but for the ledger's own
    pub(crate) fn levels(&self, time: &str) -> Vec<LevelRow> {
        let levels = self.memory.view().levels(instant(time));
        let imported = levels.iter().filter(|then| then.level.kind() != LevelKind::Ledger);
        imported.map(LevelRow::from).collect()
    }

    pub(crate) fn level_names(&self, time: &str) -> Vec<String> {
        self.levels(time).into_iter().map(|row| row.level).collect()
    }

    pub(crate) fn collections(&self, level: &str, time: &str) -> Vec<RoleCollectionRow> {
        let level = Level::parse(level).unwrap();
        let found = self.memory.view().role_collections(&level, instant(time)).unwrap();
        found.iter().map(RoleCollectionRow::from).collect()
    }

    /// The roles of a role collection, or `None` if it does not exist
    pub(crate) fn roles(&self, level: &str, name: &str, time: &str) -> Option<Vec<String>> {
        let mut found = self.collections(level, time).into_iter();
        found.find(|row| row.role_collection == name).map(|row| row.roles)
    }

    pub(crate) fn held(&self, principal: &str, level: &str, time: &str) -> Vec<String> {
        let time = if time.contains('T') { time.to_owned() } else { at(time) };
        self.memory.held(principal, level, &time).unwrap()
    }
}

fn line_time(line: &str) -> String {
    serde_json::from_str::<Value>(line).unwrap()["t"].as_str().unwrap().to_owned()
}

fn instant(time: &str) -> EffectiveAt {
    let text = if time.contains('T') { time.to_owned() } else { at(time) };
    EffectiveAt::try_from(Instant::parse(&text).unwrap()).unwrap()
}
