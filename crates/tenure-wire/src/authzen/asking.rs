//! Which question of the ledger does a request ask?
//!
//! A request that lacks something, or has a value of another type, is an error. A name that nothing in a ledger can
//! have is none: the ledger does not know it, and says so ([`NoSuch`]).

use serde_json::{Value, json};
use tenure_core::{
    Ability, AsOf, EffectiveAt, Instant, Level, LevelKind, Principal, PrincipalKind, Question,
    Reading, normalised, shown,
};

use super::{Action, Context, Entity, Evaluation, Evaluations, Search, TimeRule, Words};
use crate::question::{self, Asked, LIMIT, LIMIT_MAX, Manner, QuestionError};

/// Longest text that is read, in bytes: names are much shorter, before they are in normal form too
const TEXT_BYTES_MAX: usize = 4_096;

/// What is searched for
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sought {
    /// Who could
    Subjects,
    /// Where one could
    Resources,
    /// What one could do
    Actions,
}

/// A name that is none of anything in a ledger, with the sentence that says why
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NoSuch {
    /// The type of a subject or of a resource
    Type(String),
    /// The id of a subject
    Principal(String),
    /// The name of an action
    Operation(String),
    /// The id of a resource
    Level(String),
}

/// What a request asks, as of which coordinates
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Put {
    /// The coordinates
    pub as_of: AsOf,
    /// The question
    pub asked: Result<Asked, NoSuch>,
}

/// What is needed to make questions of requests
#[derive(Clone, Copy, Debug)]
pub struct Translation<'a> {
    /// What clients call things
    pub words: &'a Words,
    /// The origin of a name without one
    pub default_origin: &'a str,
    /// The level of the ledger itself, below which all others are
    pub root: &'a Level,
    /// What the clock shows
    pub now: EffectiveAt,
}

fn bad(why: impl Into<String>) -> QuestionError {
    QuestionError::Bad(why.into())
}

fn required<T>(field: Option<T>, name: &str) -> Result<T, QuestionError> {
    field.ok_or_else(|| bad(format!("`{name}` is missing")))
}

/// A text of a request, if it is no longer than one that could mean something
///
/// A thousand evaluations may share a text of their request, and each of them reads it.
fn text<'t>(field: Option<&'t String>, name: &str) -> Result<&'t str, QuestionError> {
    let text = required(field, name)?;
    match text.len() <= TEXT_BYTES_MAX {
        true => Ok(text),
        false => Err(bad(format!("`{name}` has more than {TEXT_BYTES_MAX} bytes"))),
    }
}

/// The type of a subject or a resource
fn kind_of<'t>(entity: Option<&'t Entity>, name: &str) -> Result<&'t str, QuestionError> {
    text(required(entity, name)?.kind.as_ref(), &format!("{name}.type"))
}

/// Both names of a subject or a resource
fn both<'t>(entity: Option<&'t Entity>, name: &str) -> Result<(&'t str, &'t str), QuestionError> {
    let kind = kind_of(entity, name)?;
    Ok((kind, text(entity.and_then(|entity| entity.id.as_ref()), &format!("{name}.id"))?))
}

fn name_of(action: Option<&Action>) -> Result<&str, QuestionError> {
    text(required(action, "action")?.name.as_ref(), "action.name")
}

/// A value of the context as a text, unless it is absent
fn value_of(value: Option<&Value>, name: &str) -> Result<Option<String>, QuestionError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(said)) => Ok(Some(text(Some(said), name)?.to_owned())),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(Some(value.to_string())),
        Some(_) => Err(bad(format!("`{name}` is a text or a number"))),
    }
}

impl Search {
    /// The type of what is found; actions have none
    pub fn kind(&self, sought: Sought) -> &str {
        let entity = match sought {
            Sought::Subjects => &self.subject,
            Sought::Resources => &self.resource,
            Sought::Actions => &None,
        };
        entity.as_ref().and_then(|entity| entity.kind.as_deref()).unwrap_or_default()
    }

    /// How many results its pages have, if the request says it
    pub fn limit(&self) -> Option<u64> {
        self.page.as_ref()?.limit
    }

    /// The token of its page; that of the first page is empty or absent
    pub fn token(&self) -> Option<&str> {
        let page = self.page.as_ref()?;
        page.token.as_deref().filter(|token| !token.is_empty())
    }

    /// A text that is the same for all pages of one search
    pub fn key(&self, sought: Sought) -> String {
        let name = |entity: &Option<Entity>, found: bool| {
            let entity = entity.clone().unwrap_or_default();
            let under = entity.properties.filter(|_| found);
            json!([entity.kind, entity.id.filter(|_| !found), under.as_ref().and_then(under_of)])
        };
        let context = self.context.clone().unwrap_or_default();
        let action = self.action.as_ref().and_then(|action| action.name.as_deref());
        json!([
            format!("{sought:?}"),
            name(&self.subject, sought == Sought::Subjects),
            action.filter(|_| sought != Sought::Actions),
            name(&self.resource, sought == Sought::Resources),
            [context.time.map(Value::from), context.known_at],
        ])
        .to_string()
    }
}

fn under_of(properties: &Value) -> Option<&Value> {
    properties.get("under").filter(|under| !under.is_null())
}

/// Results a page, where so many are asked for
pub fn limit(asked: Option<u64>) -> usize {
    asked.map_or(LIMIT, |limit| usize::try_from(limit).unwrap_or(LIMIT_MAX).min(LIMIT_MAX))
}

impl Translation<'_> {
    /// The question of an evaluation; what it leaves out is taken, as a whole, from the request that it is of
    ///
    /// # Errors
    /// A subject, an action or a resource that is missing or incomplete, or coordinates that cannot be read.
    pub fn evaluation(&self, own: &Evaluation, of: &Evaluations) -> Result<Put, QuestionError> {
        let subject = both(own.subject.as_ref().or(of.subject.as_ref()), "subject")?;
        let action = name_of(own.action.as_ref().or(of.action.as_ref()))?;
        let resource = both(own.resource.as_ref().or(of.resource.as_ref()), "resource")?;
        self.put(own.context.as_ref().or(of.context.as_ref()), |as_of| {
            Ok(Question::Check {
                principal: self.principal(subject)?,
                can: ability(action)?.into(),
                on: self.level(resource)?,
                as_of,
                reading: Reading::Assigned,
            })
        })
    }

    /// The question of a search, with the first page of its answer
    ///
    /// # Errors
    /// As [`Translation::evaluation`]; what is searched for needs no id, and an action that is searched for no name.
    pub fn search(&self, sought: Sought, search: &Search) -> Result<Put, QuestionError> {
        let (subject, resource) = (search.subject.as_ref(), search.resource.as_ref());
        let context = search.context.as_ref();
        let mut put = match sought {
            Sought::Subjects => {
                let kind = kind_of(subject, "subject")?;
                let action = name_of(search.action.as_ref())?;
                let resource = both(resource, "resource")?;
                let mut put = self.put(context, |as_of| {
                    let (can, on) = (ability(action)?.into(), self.level(resource)?);
                    Ok(Question::Who { can, on, as_of, reading: Reading::Assigned, explain: false })
                })?;
                put.asked = put.asked.and_then(|asked| {
                    Ok(Asked { only: Some(self.principal_kind(kind)?), ..asked })
                });
                put
            }
            Sought::Resources => {
                let subject = both(subject, "subject")?;
                let action = name_of(search.action.as_ref())?;
                let kind = kind_of(resource, "resource")?;
                let under = self.under(resource)?;
                self.put(context, |as_of| {
                    Ok(Question::Where {
                        principal: self.principal(subject)?,
                        can: ability(action)?.into(),
                        under: under?,
                        kind: Some(self.level_kind(kind)?),
                        as_of,
                        reading: Reading::Assigned,
                    })
                })?
            }
            Sought::Actions => {
                let (subject, resource) = (both(subject, "subject")?, both(resource, "resource")?);
                self.put(context, |as_of| {
                    let (principal, on) = (self.principal(subject)?, self.level(resource)?);
                    Ok(Question::What { principal, on, as_of })
                })?
            }
        };
        put.asked = put.asked.map(|asked| Asked { limit: limit(search.limit()), ..asked });
        Ok(put)
    }

    fn put(
        &self,
        context: Option<&Context>,
        question: impl FnOnce(AsOf) -> Result<Question, NoSuch>,
    ) -> Result<Put, QuestionError> {
        let Manner { as_of, min_position, full } = self.manner(context)?;
        let asked =
            question(as_of).map(|question| Asked { min_position, full, ..Asked::from(question) });
        Ok(Put { as_of, asked })
    }

    fn manner(&self, context: Option<&Context>) -> Result<Manner, QuestionError> {
        let Some(context) = context else {
            return Ok(Manner { as_of: AsOf::default(), min_position: None, full: false });
        };
        let time = context.time.as_ref().map(|time| text(Some(time), "context.time"));
        let at = time.transpose()?.map(instant).transpose()?;
        let at = match self.words.time {
            TimeRule::Heed => at,
            TimeRule::NotLaterThanNow => at.filter(|at| *at <= self.now),
            TimeRule::Ignore => None,
        };
        // These are read as at the other doors.
        let mut said = Vec::new();
        for (name, value) in [
            ("known_at", &context.known_at),
            ("min_position", &context.min_position),
            ("explain", &context.explain),
        ] {
            let value = value_of(value.as_ref(), &format!("context.{name}"))?;
            said.extend(value.map(|value| (name.to_owned(), value)));
        }
        let said = question::parameters(said)?;
        let Manner { as_of, min_position, full } = question::manner(&said)?;
        Ok(Manner { as_of: AsOf { at, ..as_of }, min_position, full })
    }

    /// The kind of principals that a type of subjects is
    fn principal_kind(&self, kind: &str) -> Result<PrincipalKind, NoSuch> {
        let alias = || self.words.subject_types.get(kind).copied();
        PrincipalKind::parse(kind).or_else(alias).ok_or_else(|| {
            let kinds = "`user`, `client`, `group`, `attribute` and `everyone`";
            NoSuch::Type(format!("`{}` is no type of subjects: there are {kinds}", shown(kind)))
        })
    }

    fn level_kind(&self, kind: &str) -> Result<LevelKind, NoSuch> {
        let alias = || self.words.resource_types.get(kind).copied();
        LevelKind::parse(kind).or_else(alias).ok_or_else(|| {
            let kinds = LevelKind::ALL.map(|kind| format!("`{kind}`")).join(", ");
            NoSuch::Type(format!("`{}` is no type of resources: there are {kinds}", shown(kind)))
        })
    }

    /// The principal of a type and an id: an id without a slash is of the default origin
    fn principal(&self, (kind, id): (&str, &str)) -> Result<Principal, NoSuch> {
        let kind = self.principal_kind(kind)?;
        let id = normalised(id);
        let text = match kind {
            PrincipalKind::Everyone => format!("everyone:{id}"),
            _ if id.contains('/') => format!("{}:{id}", kind.as_str()),
            _ => format!("{}:{}/{id}", kind.as_str(), self.default_origin),
        };
        Principal::parse(&text).map_err(|error| NoSuch::Principal(error.to_string()))
    }

    fn level(&self, (kind, id): (&str, &str)) -> Result<Level, NoSuch> {
        let kind = self.level_kind(kind)?;
        level(&format!("{kind}:{id}"))
    }

    /// Where resources are searched for; the whole landscape where the request does not say
    fn under(&self, resource: Option<&Entity>) -> Result<Result<Level, NoSuch>, QuestionError> {
        let properties = resource.and_then(|resource| resource.properties.as_ref());
        match properties.and_then(under_of) {
            None => Ok(Ok(self.root.clone())),
            Some(Value::String(said)) => Ok(level(text(Some(said), "resource.properties.under")?)),
            Some(_) => Err(bad("`resource.properties.under` is a text, such as `subaccount:dev`")),
        }
    }
}

fn level(text: &str) -> Result<Level, NoSuch> {
    Level::parse(text).map_err(|error| NoSuch::Level(error.to_string()))
}

fn ability(name: &str) -> Result<Ability, NoSuch> {
    Ability::parse(&normalised(name)).map_err(|error| NoSuch::Operation(error.to_string()))
}

/// Reads a moment as AuthZEN's own examples write it: its seconds may be left out
fn instant(text: &str) -> Result<EffectiveAt, QuestionError> {
    let bad_time = |why: String| QuestionError::BadTime { name: "context.time", why };
    let minutes = text.split_at_checked("2026-03-01T00:00".len());
    let full = match minutes {
        Some((minutes, offset)) if offset.starts_with(['Z', 'z', '+', '-']) => {
            format!("{minutes}:00{offset}")
        }
        _ => text.to_owned(),
    };
    let instant = Instant::parse_or_date(&full).map_err(|error| bad_time(error.to_string()))?;
    EffectiveAt::try_from(instant).map_err(|error| bad_time(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-01-01T00:00:00Z";

    fn at(text: &str) -> EffectiveAt {
        instant(text).unwrap()
    }

    fn translated(words: &Words, request: Value) -> Result<Put, QuestionError> {
        let root = Level::of_ledger("acme");
        let translation = Translation { words, default_origin: "corp", root: &root, now: at(NOW) };
        translation.evaluation(&super::super::read(request)?, &Evaluations::default())
    }

    fn evaluation(change: impl FnOnce(&mut Value)) -> Value {
        let mut request = json!({ "subject": { "type": "user", "id": "alice" },
            "action": { "name": "op" }, "resource": { "type": "subaccount", "id": "dev" } });
        change(&mut request);
        request
    }

    fn asked(request: Value) -> Asked {
        translated(&Words::default(), request).unwrap().asked.unwrap()
    }

    #[test]
    fn a_time_may_leave_its_seconds_out() {
        for text in ["2025-06-27T18:03-07:00", "2025-06-28T01:03Z", "2025-06-28T01:03:00.0Z"] {
            assert_eq!(at(text), at("2025-06-28T01:03:00Z"), "{text}");
        }
        assert_eq!(at("1985-10-26"), at("1985-10-26T00:00:00Z"));
        for text in
            ["", "Z", "2025-06-27T18:03", "2025-06-27T1803Z", "1969-12-31", "soon", "ééééééééé"]
        {
            assert!(matches!(instant(text), Err(QuestionError::BadTime { .. })), "{text}");
        }
    }

    #[test]
    fn a_name_is_of_its_origin_or_of_the_default_one() {
        for (kind, id, principal) in [
            ("user", "Alice", "user:corp/alice"),
            ("user", "ldap/alice@x", "user:sap.default/alice@x"),
            ("user", "corp/a/b", "user:corp/a/b"),
            ("client", "ci", "client:corp/ci"),
            ("group", "other/Ops", "group:other/Ops"),
            ("attribute", "dept=IT", "attribute:corp/dept=IT"),
            ("everyone", "other", "everyone:other"),
        ] {
            let request = evaluation(|r| r["subject"] = json!({ "type": kind, "id": id }));
            let Question::Check { principal: found, .. } = asked(request).question else {
                panic!()
            };
            assert_eq!(found.as_str(), principal);
        }
    }

    #[test]
    fn a_type_may_have_another_name() {
        let words = Words {
            subject_types: [("identity".to_owned(), PrincipalKind::User)].into(),
            resource_types: [("account".to_owned(), LevelKind::Subaccount)].into(),
            ..Words::default()
        };
        let request = || {
            evaluation(|r| {
                r["subject"]["type"] = "identity".into();
                r["resource"]["type"] = "account".into();
            })
        };
        let Put { asked: found, .. } = translated(&words, request()).unwrap();
        assert_eq!(found.unwrap(), asked(evaluation(|_| ())));
        let Put { asked: found, .. } = translated(&Words::default(), request()).unwrap();
        assert!(matches!(found, Err(NoSuch::Type(_))), "{found:?}");
    }

    #[test]
    fn names_that_nothing_has_are_no_errors_and_what_is_missing_is() {
        for (pointer, value) in [
            ("/subject/type", "spaceship"),
            ("/subject/id", " "),
            ("/subject/id", "no origin/x"),
            ("/action/name", ""),
            ("/resource/type", "user"),
            ("/resource/id", "a/b"),
        ] {
            let request = evaluation(|r| *r.pointer_mut(pointer).unwrap() = value.into());
            let put = translated(&Words::default(), request).unwrap();
            assert!(put.asked.is_err(), "{pointer}");
            for wrong in [Value::Null, json!(7), json!(["x"]), "x".repeat(5_000).into()] {
                let request = evaluation(|r| *r.pointer_mut(pointer).unwrap() = wrong);
                let error = translated(&Words::default(), request).unwrap_err().to_string();
                assert!(
                    error.contains(&pointer.trim_start_matches('/').replace('/', ".")),
                    "{error}"
                );
            }
        }
        for list in [json!([]), json!(["user", "alice"]), json!("alice")] {
            for field in ["subject", "action", "resource", "context"] {
                let request = evaluation(|r| r[field] = list.clone());
                let error = translated(&Words::default(), request).unwrap_err().to_string();
                assert!(error.contains(field) && !error.contains("struct"), "{error}");
            }
        }
    }

    #[test]
    fn the_context_says_the_coordinates_and_the_rule_what_becomes_of_the_time() {
        let request = |time: &str| {
            evaluation(|r| {
                r["context"] = json!({ "time": time, "known_at": 7, "min_position": "acme@3",
                    "explain": "full", "ip": { "v": 4.5 } });
            })
        };
        let (past, future) = ("2025-06-27T18:03-07:00", "2027-01-01");
        for (time, in_past, in_future) in [
            (TimeRule::Heed, Some(at(past)), Some(at(future))),
            (TimeRule::NotLaterThanNow, Some(at(past)), None),
            (TimeRule::Ignore, None, None),
        ] {
            let words = Words { time, ..Words::default() };
            for (text, at) in [(past, in_past), (future, in_future)] {
                let put = translated(&words, request(text)).unwrap();
                let known_at = tenure_core::KnownAt(7).into();
                assert_eq!(put.as_of, AsOf { at, known_at }, "{time:?} {text}");
                let asked = put.asked.unwrap();
                assert!(asked.full);
                assert_eq!(asked.min_position.unwrap().position, 3);
            }
        }
        for (field, wrong) in [
            ("time", json!(7)),
            ("time", json!("noon")),
            ("known_at", json!("x")),
            ("known_at", json!([7])),
            ("min_position", json!("x")),
            ("explain", json!("some")),
        ] {
            let request = evaluation(|r| r["context"] = json!({ field: wrong }));
            let error = translated(&Words::default(), request).unwrap_err().to_string();
            assert!(error.contains(field), "{error}");
        }
    }

    #[test]
    fn pages_of_one_search_have_one_key() {
        let search = |value: Value| super::super::read::<Search>(value).unwrap();
        let first = || {
            json!({ "subject": { "type": "user", "id": "x" }, "action": { "name": "op" },
                "resource": { "type": "subaccount", "id": "dev" }, "context": { "ip": "1" } })
        };
        let key = |value: Value| search(value).key(Sought::Subjects);
        for (same, pointer, value) in [
            (true, "/subject/id", "y"),
            (true, "/context/ip", "2"),
            (false, "/subject/type", "client"),
            (false, "/action/name", "op2"),
            (false, "/resource/id", "prod"),
        ] {
            let mut other = first();
            *other.pointer_mut(pointer).unwrap() = value.into();
            assert_eq!(key(other) == key(first()), same, "{pointer}");
        }
        let mut later = first();
        later["context"]["time"] = "2025-01-01".into();
        assert_ne!(key(later), key(first()));
        assert_ne!(search(first()).key(Sought::Resources), key(first()));
    }
}
