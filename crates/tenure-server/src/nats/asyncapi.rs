//! What is the description of all subjects?
//!
//! AsyncAPI 3, generated from the types that are read and written; checked in as `schemas/asyncapi.json`.
//! Its schemas are those of the OpenAPI document, as the doors speak the same JSON.

use std::collections::BTreeSet;

use async_nats::service::{NATS_SERVICE_ERROR, NATS_SERVICE_ERROR_CODE};
use serde_json::{Map, Value, json};
use tenure_wire::message;
use tenure_wire::question::{KINDS, Kind};

use crate::http::parameters_schema;

use super::subject::QUEUE_GROUP;

/// Formats of a payload: the end of a message's name, and the content type of it and of a problem
const FORMATS: [(&str, &str, &str); 2] = [
    ("Json", "application/json", "application/problem+json"),
    ("MessagePack", "application/msgpack", "application/msgpack"),
];

/// A question as it is described
struct Described {
    name: &'static str,
    summary: &'static str,
    parameters: Value,
    /// The schema of its answer
    answer: &'static str,
}

fn described(kind: &Kind) -> Described {
    let mut parameters = parameters_schema(kind);
    let properties = parameters.get_mut("properties").and_then(Value::as_object_mut);
    for property in properties.into_iter().flat_map(Map::values_mut) {
        // A number or a truth value is taken as its text.
        if property.get("type").is_some() {
            put(property, "type", json!(["string", "number", "boolean"]));
        }
    }
    put(&mut parameters, "additionalProperties", json!(false));
    let (answer, summary) = match kind.name {
        "who" => ("Who", "Who could X on a level, under one, or during a time"),
        "what" => ("What", "What a principal could do on a level"),
        "check" => ("Check", "Whether a principal could, and why"),
        "timeline" => ("Timeline", "When a principal could"),
        "where" => ("Where", "On which levels a principal could"),
        "diff" => {
            ("DiffAnswer", "What changed between two coordinates, or who gained or lost a power")
        }
        "assignments" => ("Assignments", "Counting holdings"),
        "holdings" => ("Holdings", "What was held during a stretch of time, and how it ended"),
        "members" => ("Members", "Members of a group or an attribute"),
        "principals" => ("Principals", "Known principals, and how much each holds"),
        "search" => ("Search", "Names that contain every word of a text, the best first"),
        "sources" => {
            ("Sources", "Which sources observed which levels, since when, and with which gaps")
        }
        "levels" => ("Levels", "Levels that exist"),
        "role-collections" => ("RoleCollections", "Role collections of a level"),
        "catalog" => ("CatalogAnswer", "The catalogue in force"),
        "history" => ("Entries", "Entries in log order, refused ones too"),
        "entry" => (
            "EntryRow",
            "One entry, by id or position; with `wait`, what became of one that was published",
        ),
        // The test below has every reference lead somewhere.
        name => (name, kind.title),
    };
    Described { name: kind.name, summary, parameters, answer }
}

/// `role-collections` as `roleCollections`
fn camel(name: &str) -> String {
    let mut parts = name.split('-');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |name, part| {
        let mut letters = part.chars();
        let upper = letters.next().map(|letter| letter.to_ascii_uppercase());
        name + &upper.into_iter().chain(letters).collect::<String>()
    })
}

fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn message(name: &str) -> Value {
    json!({ "$ref": format!("#/components/messages/{name}") })
}

/// The document, as far as it is written
#[derive(Default)]
struct Document {
    channels: Map<String, Value>,
    operations: Map<String, Value>,
    messages: Map<String, Value>,
    schemas: Map<String, Value>,
}

/// The AsyncAPI document
pub fn document() -> Value {
    let mut document = Document::default();
    document.log();
    for kind in KINDS {
        document.question(described(kind));
    }
    document.problems();
    document.verbs();
    document.whole()
}

impl Document {
    /// Adds a message in both formats, and gives the names of the two
    fn both(
        &mut self,
        name: &str,
        title: &str,
        payload: &Value,
        headers: Option<fn(&str) -> Value>,
    ) -> Vec<String> {
        let add = |(format, content_type, _): (&str, &str, &str)| {
            let name = format!("{name}{format}");
            let headers = headers.unwrap_or(content_type_header)(content_type);
            let message = json!({
                "name": name, "title": title, "contentType": content_type,
                "headers": headers, "payload": payload,
            });
            self.messages.insert(name.clone(), message);
            name
        };
        FORMATS.map(add).into()
    }

    fn channel(&mut self, name: &str, mut channel: Value, messages: &[String]) {
        let messages = messages.iter().map(|name| (name.clone(), message(name)));
        put(&mut channel, "messages", messages.collect::<Map<_, _>>().into());
        self.channels.insert(name.to_owned(), channel);
    }

    fn log(&mut self) {
        let batch = json!({
            "type": "array", "minItems": 1, "maxItems": message::ENTRIES_MAX, "items": schema("Entry"),
        });
        self.schemas.insert("LoggedEntries".to_owned(), json!({
            "description": "One entry, or a batch, which is only packing: each entry stands on its own. \
                Names are written in full. What cannot be decoded becomes an entry refused as `malformed`.",
            "oneOf": [schema("Entry"), schema("LoggedBatch"), batch],
        }));
        self.schemas.insert(
            "LoggedBatch".to_owned(),
            json!({
                "type": "object", "required": ["entries"], "additionalProperties": false,
                "properties": { "entries": batch },
            }),
        );
        let messages = self.both(
            "entries",
            "Entries to append",
            &schema("LoggedEntries"),
            Some(cloud_event_headers),
        );
        let channel = json!({
            "address": "tenure.{ledger}.log.{submitter}",
            "title": "The log",
            "description": "Publish with JetStream: its acknowledgement says that the entries are in the \
                log, whether a ledger is up or not. What became of them says `tenure.{ledger}.ask.entry` \
                with `wait`.",
            "parameters": {
                "ledger": { "description": "Name of the ledger, `[a-z0-9-]{1,32}`" },
                "submitter": { "description": "Who publishes, recorded as `client:nats/<submitter>`; a server may allow each its own alone" },
            },
        });
        self.channel("log", channel, &messages);
        self.operations.insert(
            "takeEntries".to_owned(),
            json!({
                "action": "receive",
                "channel": { "$ref": "#/channels/log" },
                "summary": "Entries are appended, in the order of the stream",
            }),
        );
    }

    fn question(&mut self, question: Described) {
        let name = camel(question.name);
        let schema_name = {
            let mut letters = name.chars();
            let upper = letters.next().map(|letter| letter.to_ascii_uppercase());
            upper.into_iter().chain(letters).collect::<String>() + "Parameters"
        };
        let mut asked = schema(&schema_name);
        self.schemas.insert(schema_name, question.parameters);
        let mut answer = schema(question.answer);
        if question.name == "check" {
            asked = json!({ "oneOf": [asked, schema("ManyChecks")] });
            answer = json!({ "oneOf": [answer, schema("Checks")] });
        }
        let requests = self.both(&format!("{name}Request"), question.summary, &asked, None);
        let mut replies = self.both(&format!("{name}Answer"), question.summary, &answer, None);
        replies.extend(FORMATS.map(|(format, ..)| format!("problem{format}")));
        let channel = json!({
            "address": format!("tenure.{{ledger}}.ask.{}", question.name),
            "title": question.summary,
            "parameters": { "ledger": { "description": "Name of the ledger" } },
        });
        self.channel(&format!("{name}Request"), channel, &requests);
        let channel = json!({ "address": null, "title": "Where the request says" });
        self.channel(&format!("{name}Reply"), channel, &replies);
        self.operations.insert(
            format!("{name}Answer"),
            json!({
                "action": "receive",
                "channel": { "$ref": format!("#/channels/{name}Request") },
                "summary": question.summary,
                "bindings": { "nats": { "queue": QUEUE_GROUP } },
                "reply": { "channel": { "$ref": format!("#/channels/{name}Reply") } },
            }),
        );
    }

    fn problems(&mut self) {
        for (format, _, content_type) in FORMATS {
            let name = format!("problem{format}");
            let headers = json!({
                "type": "object",
                "required": ["content-type", NATS_SERVICE_ERROR, NATS_SERVICE_ERROR_CODE],
                "properties": {
                    "content-type": { "const": content_type },
                    NATS_SERVICE_ERROR: { "type": "string", "description": "The stable code" },
                    NATS_SERVICE_ERROR_CODE: {
                        "type": "string", "pattern": "^[45][0-9][0-9]$", "description": "Its status",
                    },
                },
            });
            let message = json!({
                "name": name, "title": "Why there is no answer", "contentType": content_type,
                "headers": headers, "payload": schema("Problem"),
            });
            self.messages.insert(name, message);
        }
    }

    /// What ADR-32 has every micro service answer
    fn verbs(&mut self) {
        let verbs = [
            ("ping", "Which replicas there are"),
            ("info", "Which questions each takes, and where"),
            ("stats", "How often each question was asked of each replica"),
        ];
        for (verb, summary) in verbs {
            let reply = format!("{verb}Reply");
            let request = format!("{verb}Request");
            self.messages.insert(
                request.clone(),
                json!({
                    "name": request, "title": summary, "payload": { "description": "Anything" },
                }),
            );
            self.messages.insert(
                reply.clone(),
                json!({
                    "name": reply, "title": summary, "contentType": "application/json",
                    "payload": {
                        "type": "object",
                        "required": ["type", "name", "id", "version", "metadata"],
                        "properties": {
                            "type": { "const": format!("io.nats.micro.v1.{verb}_response") },
                            "name": { "const": "tenure" },
                            "id": { "type": "string" },
                            "version": { "type": "string" },
                            "metadata": {
                                "type": "object", "required": ["ledger"],
                                "properties": { "ledger": { "type": "string" } },
                            },
                        },
                    },
                }),
            );
            let address = format!("$SRV.{}.tenure", verb.to_ascii_uppercase());
            let channel = json!({ "address": address, "title": summary });
            self.channel(&request, channel, std::slice::from_ref(&request));
            let channel = json!({ "address": null, "title": "Where the request says" });
            self.channel(&reply, channel, std::slice::from_ref(&reply));
            self.operations.insert(
                verb.to_owned(),
                json!({
                    "action": "receive",
                    "channel": { "$ref": format!("#/channels/{request}") },
                    "summary": format!("{summary} (ADR-32); every replica replies"),
                    "reply": { "channel": { "$ref": format!("#/channels/{reply}") } },
                }),
            );
        }
    }

    fn whole(mut self) -> Value {
        let doors = crate::http::document();
        let found = |name: &str| doors.pointer(&format!("/components/schemas/{name}")).cloned();
        let messages = Value::Object(self.messages);
        let mut missing = BTreeSet::new();
        references(&messages, &mut missing);
        references(&Value::Object(self.schemas.clone()), &mut missing);
        while let Some(name) = missing.pop_first() {
            if self.schemas.contains_key(&name) {
                continue;
            }
            let Some(schema) = found(&name) else { continue };
            references(&schema, &mut missing);
            self.schemas.insert(name, schema);
        }
        json!({
            "asyncapi": "3.0.0",
            "info": {
                "title": "Tenure over NATS",
                "version": env!("CARGO_PKG_VERSION"),
                "description": "Who could do what, at any time, as known at any time: publishing entries to \
                    the log, and asking. Requests and replies are the JSON of the HTTP door, or the same as \
                    MessagePack (named fields) where `content-type` says so.",
                "license": { "name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0" },
            },
            "defaultContentType": "application/json",
            "servers": { "nats": { "host": "localhost:4222", "protocol": "nats" } },
            "channels": self.channels,
            "operations": self.operations,
            "components": { "messages": messages, "schemas": self.schemas },
        })
    }
}

/// Sets a key of a map
fn put(map: &mut Value, key: &str, value: Value) {
    if let Value::Object(map) = map {
        map.insert(key.to_owned(), value);
    }
}

fn content_type_header(content_type: &str) -> Value {
    json!({ "type": "object", "properties": { "content-type": { "const": content_type } } })
}

fn cloud_event_headers(content_type: &str) -> Value {
    json!({
        "type": "object",
        "description": "CloudEvents 1.0 in NATS binary mode. What the ledger reads is required here; others want \
            all of CloudEvents.",
        "required": ["ce-type", "content-type"],
        "properties": {
            "ce-specversion": { "const": "1.0" },
            "ce-id": { "type": "string", "description": "Of the message; entries have ids of their own" },
            "ce-type": { "const": message::CE_TYPE, "description": "Its end is the version of the rules" },
            "ce-source": { "type": "string", "format": "uri-reference" },
            "ce-time": { "type": "string", "format": "date-time" },
            "content-type": { "const": content_type },
            "Tenure-Caller": {
                "type": "string",
                "description": "For whom a door speaks, such as `user:corp/ann@acme.example`; it counts where the \
                    publishing client holds `tenure/Door`",
            },
        },
    })
}

/// The schemas that are referred to
fn references(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            let name = map.get("$ref").and_then(Value::as_str);
            into.extend(
                name.and_then(|name| name.strip_prefix("#/components/schemas/")).map(str::to_owned),
            );
            map.values().for_each(|value| references(value, into));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, into)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_is_described_and_every_reference_leads_somewhere() {
        fn check(document: &Value, value: &Value) {
            match value {
                Value::Object(map) => {
                    if let Some(to) = map.get("$ref").and_then(Value::as_str) {
                        let found = document.pointer(to.strip_prefix('#').unwrap());
                        assert!(found.is_some(), "{to} leads nowhere");
                    }
                    map.values().for_each(|value| check(document, value));
                }
                Value::Array(items) => items.iter().for_each(|value| check(document, value)),
                _ => {}
            }
        }
        let document = document();
        check(&document, &document);
        assert_eq!(
            document["channels"]["roleCollectionsRequest"]["address"],
            "tenure.{ledger}.ask.role-collections"
        );
    }
}
