//! Does the catalogue of the seeds say what the seed documents say?
//!
//! `seeds/*.json` has the documents' own words, a file for each document. Each rule stands there beside the sentence
//! that it comes from: who holds what may do what. The test gives just that to somebody in a small landscape, asks, and
//! expects yes. Then it leaves out each part in turn, and expects no. Sentences that are no rule stand in `no_rules`,
//! with the reason.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use tenure_core::answer::{Answer, AskError};
use tenure_core::{LedgerInMemory, Outcome, Principal, Recorded, RecordedAt};
use tenure_tests::question::ask;
use tenure_wire::catalogs::genesis;
use tenure_wire::codec::{Encoded, Format, decode_entry};
use tenure_wire::question::{self, Texts};

const LEDGER: &str = "seeds";
/// 2020-01-02: a day after the catalogue of the seeds takes effect
const RECORDED_MICROS: i64 = 1_577_923_200_000_000;

/// What a document says
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Document {
    document: String,
    rules: Vec<Rule>,
    #[serde(default)]
    refused: Vec<Refused>,
    no_rules: Vec<NoRule>,
}

/// Who may do what
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Rule {
    /// The document's words for who it is
    who: String,
    #[serde(default = "both")]
    feature_sets: Vec<String>,
    /// Whom the test asks about
    #[serde(default = "alice", rename = "as")]
    principal: String,
    /// Changes that the sentence takes for granted
    #[serde(default)]
    given: Vec<Value>,
    /// Each of these is enough, and none of its parts can be left out
    either: Vec<Vec<Part>>,
    #[serde(default)]
    may: Vec<Power>,
    #[serde(default)]
    may_not: Vec<Power>,
    /// Where another system decides
    #[serde(default)]
    elsewhere: Vec<Power>,
}

/// Something that is held, in short, or a change
#[derive(Deserialize, Debug)]
#[serde(untagged, deny_unknown_fields)]
enum Part {
    Role { role: String, level: String },
    RoleCollection { role_collection: String, level: String },
    RoleInACollection { role_in_a_collection: String, level: String },
    Scope { scope: String, level: String },
    Change(Value),
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Power {
    /// The document's words
    says: String,
    /// What the words are about, in the catalogue's words: all of them
    can: Vec<String>,
    on: String,
}

/// What nobody may
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Refused {
    says: String,
    #[serde(default = "both")]
    feature_sets: Vec<String>,
    change: Value,
    refused: String,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct NoRule {
    says: String,
    because: String,
}

fn both() -> Vec<String> {
    vec!["A".into(), "B".into()]
}

fn alice() -> String {
    "user:sap.default/alice@acme.example".into()
}

impl Part {
    fn changes(&self, to: &str) -> Vec<Value> {
        match self {
            Self::Change(change) => vec![change.clone()],
            Self::Role { role, level } => {
                vec![json!({ "type": "grant", "level": level, "role": role, "to": to })]
            }
            Self::RoleCollection { role_collection, level } => {
                vec![grant(level, role_collection, to)]
            }
            Self::RoleInACollection { role_in_a_collection: role, level } => {
                let name = format!("With {role}");
                vec![collection(level, &name, role), grant(level, &name, to)]
            }
            Self::Scope { scope, level } => vec![
                json!({ "type": "create_role", "level": level, "role": scope, "application": "own",
                    "template": scope, "scopes": [scope] }),
                collection(level, scope, &format!("own/{scope}")),
                grant(level, scope, to),
            ],
        }
    }
}

fn grant(level: &str, role_collection: &str, to: &str) -> Value {
    json!({ "type": "grant", "level": level, "role_collection": role_collection, "to": to })
}

fn collection(level: &str, name: &str, role: &str) -> Value {
    json!({ "type": "create_role_collection", "level": level, "role_collection": name, "roles": [role] })
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds")
}

fn read<T: DeserializeOwned>(path: &Path) -> T {
    let text = fs::read_to_string(path).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn documents() -> Vec<Document> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder()).unwrap().map(|file| file.unwrap().path()).collect();
    paths.retain(|path| !path.ends_with("landscape.json"));
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

/// The landscape under each feature set, with the catalogue of the seeds
struct Beginning([(&'static str, LedgerInMemory); 2]);

impl Beginning {
    fn new() -> Self {
        let catalog = genesis(LEDGER).unwrap().remove(0);
        Self(["A", "B"].map(|set| {
            let mut ledger = LedgerInMemory::new(LEDGER);
            assert_eq!(apply(&mut ledger, catalog.clone()), Outcome::Applied);
            let mut landscape: Vec<Value> = read(&folder().join("landscape.json"));
            landscape[0]["feature_set"] = set.into();
            let entry = entry(&ledger, &landscape);
            assert_eq!(apply(&mut ledger, entry), Outcome::Applied);
            (set, ledger)
        }))
    }

    /// A ledger of that feature set that goes on for itself
    fn ledger(&self, feature_set: &str) -> LedgerInMemory {
        self.0.iter().find(|(set, _)| *set == feature_set).unwrap().1.trial()
    }
}

fn entry(ledger: &LedgerInMemory, changes: &[Value]) -> Encoded {
    let id = format!("00000000-0000-4000-8000-{:012}", ledger.next_position().get());
    let entry =
        json!({ "id": id, "actor": "user:sap.default/admin@acme.example", "changes": changes });
    decode_entry(Format::Json, entry.to_string().as_bytes())
        .unwrap_or_else(|problem| panic!("{problem}: {entry}"))
}

fn apply(ledger: &mut LedgerInMemory, entry: Encoded) -> Outcome {
    ledger.apply(&Recorded {
        recorded_at: RecordedAt::saturating_from_micros(RECORDED_MICROS),
        submitter: Principal::local(),
        submission: entry.into_submission(),
    })
}

fn could(ledger: &LedgerInMemory, principal: &str, can: &str, on: &str) -> Result<bool, AskError> {
    let texts = Texts::named("check").with("principal", principal).with("can", can).with("on", on);
    let asked = question::read(texts.name, texts.parameters, "sap.default").unwrap();
    match ask(&asked.question, ledger)?.answer {
        Answer::Check(check) => Ok(check.allowed),
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_holds_what_a_sentence_says_may_do_what_it_says_and_without_it_may_not() {
    let beginning = Beginning::new();
    let mut asked = 0;
    for Document { document, rules, .. } in documents() {
        for rule in &rules {
            for (set, parts) in
                rule.feature_sets.iter().flat_map(|set| rule.either.iter().map(move |e| (set, e)))
            {
                for left_out in (0..parts.len()).map(Some).chain([None]) {
                    let mut ledger = beginning.ledger(set);
                    let kept = parts.iter().enumerate().filter(|(n, _)| Some(*n) != left_out);
                    let mut changes = rule.given.clone();
                    changes.extend(kept.flat_map(|(_, part)| part.changes(&rule.principal)));
                    let case = format!("{document}: {} ({set}), {changes:?}", rule.who);
                    if !changes.is_empty() {
                        let entry = entry(&ledger, &changes);
                        assert_eq!(apply(&mut ledger, entry), Outcome::Applied, "{case}");
                    }
                    let whole = left_out.is_none();
                    let mut expect = |powers: &[Power], answer: Result<bool, ()>| {
                        for Power { says, can, on } in powers {
                            for can in can {
                                let found = match could(&ledger, &rule.principal, can, on) {
                                    Ok(allowed) => Ok(allowed),
                                    Err(AskError::DecidedElsewhere(_)) => Err(()),
                                    Err(error) => panic!("{says}: {can} on {on}: {error}. {case}"),
                                };
                                assert_eq!(found, answer, "{says}: {can} on {on}. {case}");
                                asked += 1;
                            }
                        }
                    };
                    expect(&rule.may, Ok(whole));
                    expect(&rule.may_not, Ok(false));
                    expect(&rule.elsewhere, if whole { Err(()) } else { Ok(true) });
                }
            }
        }
    }
    assert!(asked > 2_000, "{asked}");
}

#[test]
fn what_a_sentence_rules_out_is_refused() {
    let beginning = Beginning::new();
    for Document { document, refused, .. } in documents() {
        for Refused { says, feature_sets, change, refused } in refused {
            for set in feature_sets {
                let mut ledger = beginning.ledger(&set);
                let entry = entry(&ledger, std::slice::from_ref(&change));
                match apply(&mut ledger, entry) {
                    Outcome::Refused(refusal) => {
                        assert_eq!(refusal.code().as_str(), refused, "{document}: {says} ({set})")
                    }
                    other => panic!("{document}: {says} ({set}): {other:?}"),
                }
            }
        }
    }
}

#[test]
fn every_sentence_that_is_no_rule_has_a_reason() {
    for Document { document, no_rules, .. } in documents() {
        assert!(!no_rules.is_empty(), "{document}");
        for NoRule { says, because } in no_rules {
            assert!(!says.is_empty() && because.ends_with('.'), "{document}: {says}");
        }
    }
}
