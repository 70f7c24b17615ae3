//! How is a question written as texts, and read from them?
//!
//! A question travels as a name and parameters, which are texts: in a query string, in a JSON map, on a command
//! line. The names are the same at every door, and [`KINDS`] lists them. [`read`] makes an [`Asked`] of
//! texts, [`Texts::of`] makes texts of an [`Asked`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tenure_core::{
    Ability, AsOf, AssignmentFilter, EffectiveAt, EntryId, EntryName, Instant, Known, KnownAt,
    Level, Mention, OutcomeKind, Principal, PrincipalFilter, PrincipalKind, Question, RoleText,
    normalised, plain_name,
};
use uuid::Uuid;

/// Items a page where no `limit` is asked for
pub const LIMIT: usize = 1_000;
/// Most items a page
pub const LIMIT_MAX: usize = 10_000;
/// Longest that a question waits for an entry, in milliseconds
pub const WAIT_MS_MAX: u64 = 20_000;

/// A kind of question, as documents describe it
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its name at every door
    pub name: &'static str,
    /// What it asks
    pub title: &'static str,
    /// The parameters that it takes
    pub parameters: &'static [Parameter],
}

/// A parameter of a question, as documents describe it
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name
    pub name: &'static str,
    /// What it says
    pub title: &'static str,
}

/// Every question
pub const KINDS: &[Kind] = &[
    Kind {
        name: "who",
        title: "Who could X on a level or on any level under one, at a moment or during a stretch of time",
        parameters: &[
            Parameter {
                name: "can",
                title: "What one could do: `operation:<id>` or the id alone, `role:<name>`, `scope:<name>`, `role-collection:<name>`",
            },
            Parameter { name: "on", title: "On this level; exactly one of `on` and `under`" },
            Parameter { name: "under", title: "On any level of the subtree of this one" },
            Parameter { name: "at", title: "Valid time: an instant or a date; now if absent" },
            Parameter { name: "from", title: "The start of a stretch of time; 1970 if absent" },
            Parameter {
                name: "until",
                title: "The end of the stretch, not included; none if absent",
            },
            Parameter {
                name: "known_at",
                title: "A position, or a recorded time; the newest if absent",
            },
            Parameter {
                name: "explain",
                title: "`true` for the holdings that make it true, `full` also for who gave each, when and why",
            },
            Parameter { name: "limit", title: "Subjects a page, 1 to 10,000; 1,000 if absent" },
            Parameter { name: "page_token", title: "The next page of an earlier answer" },
            Parameter { name: "min_position", title: "Wait until this position is known here" },
        ],
    },
    Kind {
        name: "what",
        title: "What could a principal do on a level",
        parameters: &[
            Parameter { name: "principal", title: "The principal" },
            Parameter { name: "on", title: "On this level" },
            Parameter { name: "at", title: "Valid time: an instant or a date; now if absent" },
            Parameter {
                name: "known_at",
                title: "A position, or a recorded time; the newest if absent",
            },
            Parameter { name: "min_position", title: "Wait until this position is known here" },
        ],
    },
    Kind {
        name: "check",
        title: "Could a principal do X on a level",
        parameters: &[
            Parameter { name: "principal", title: "The principal" },
            Parameter {
                name: "can",
                title: "What one could do: `operation:<id>` or the id alone, `role:<name>`, `scope:<name>`, `role-collection:<name>`",
            },
            Parameter { name: "on", title: "On this level" },
            Parameter { name: "at", title: "Valid time: an instant or a date; now if absent" },
            Parameter {
                name: "known_at",
                title: "A position, or a recorded time; the newest if absent",
            },
            Parameter { name: "explain", title: "`full` for who gave each holding, when and why" },
            Parameter { name: "min_position", title: "Wait until this position is known here" },
        ],
    },
    Kind {
        name: "timeline",
        title: "When could a principal do X on a level",
        parameters: &[
            Parameter { name: "principal", title: "The principal" },
            Parameter {
                name: "can",
                title: "What one could do: `operation:<id>` or the id alone, `role:<name>`, `scope:<name>`, `role-collection:<name>`",
            },
            Parameter { name: "on", title: "On this level" },
            Parameter { name: "from", title: "The start of the stretch; 1970 if absent" },
            Parameter {
                name: "until",
                title: "The end of the stretch, not included; none if absent",
            },
            Parameter {
                name: "known_at",
                title: "A position, or a recorded time; the newest if absent",
            },
            Parameter { name: "explain", title: "`full` for who gave each holding, when and why" },
            Parameter { name: "min_position", title: "Wait until this position is known here" },
        ],
    },
    Kind {
        name: "where",
        title: "Where could a principal do X",
        parameters: &[
            Parameter { name: "principal", title: "The principal" },
            Parameter {
                name: "can",
                title: "What one could do: `operation:<id>` or the id alone, `role:<name>`, `scope:<name>`, `role-collection:<name>`",
            },
            Parameter { name: "under", title: "In the subtree of this level" },
            Parameter { name: "at", title: "Valid time: an instant or a date; now if absent" },
            Parameter {
                name: "known_at",
                title: "A position, or a recorded time; the newest if absent",
            },
            Parameter { name: "limit", title: "Levels a page, 1 to 10,000; 1,000 if absent" },
            Parameter { name: "page_token", title: "The next page of an earlier answer" },
            Parameter { name: "min_position", title: "Wait until this position is known here" },
        ],
    },
    Kind {
        name: "diff",
        title: "What changed between two coordinates",
        parameters: &[
            Parameter {
                name: "from",
                title: "Valid time of the first: an instant or a date; now if absent",
            },
            Parameter {
                name: "until",
                title: "Valid time of the second: an instant or a date; now if absent",
            },
            Parameter {
                name: "known_from",
                title: "What was known at the first: a position or a recorded time; the newest if absent",
            },
            Parameter {
                name: "known_until",
                title: "What was known at the second: a position or a recorded time; the newest if absent",
            },
            Parameter {
                name: "under",
                title: "Only in the subtree of this level, taken at each of the two",
            },
            Parameter { name: "principal", title: "Only holdings of this principal" },
            Parameter { name: "min_position", title: "Wait until this position is known here" },
        ],
    },
    Kind {
        name: "assignments",
        title: "Who holds what",
        parameters: &[
            Parameter { name: "on", title: "Only at this level" },
            Parameter {
                name: "principal",
                title: "Only what this principal holds, by itself or through a set",
            },
            Parameter { name: "role_collection", title: "Only of role collections with this name" },
            Parameter {
                name: "role",
                title: "Only of this single role: a name, or `application/name`",
            },
            Parameter { name: "at", title: "Valid time: an instant or a date; now if absent" },
            Parameter {
                name: "known_at",
                title: "A position, or a recorded time; the newest if absent",
            },
            Parameter { name: "limit", title: "Holdings a page, 1 to 10,000; 1,000 if absent" },
            Parameter { name: "page_token", title: "The next page of an earlier answer" },
            Parameter { name: "explain", title: "`full` for who gave each holding, when and why" },
            Parameter { name: "min_position", title: "Wait until this position is known here" },
        ],
    },
    Kind {
        name: "holdings",
        title: "Who held what during a stretch of time, and how each holding ended",
        parameters: &[
            Parameter { name: "on", title: "Only at this level" },
            Parameter {
                name: "principal",
                title: "Only what this principal held, by itself or through a set",
            },
            Parameter { name: "role_collection", title: "Only of role collections with this name" },
            Parameter {
                name: "role",
                title: "Only of this single role: a name, or `application/name`",
            },
            Parameter { name: "from", title: "The start of the stretch; 1970 if absent" },
            Parameter {
                name: "until",
                title: "The end of the stretch, not included; none if absent",
            },
            Parameter {
                name: "known_at",
                title: "A position, or a recorded time; the newest if absent",
            },
            Parameter { name: "explain", title: "`full` for who gave each holding, when and why" },
            Parameter { name: "limit", title: "Holdings a page, 1 to 10,000; 1,000 if absent" },
            Parameter { name: "page_token", title: "The next page of an earlier answer" },
            Parameter { name: "min_position", title: "Wait until this position is known here" },
        ],
    },
    Kind {
        name: "members",
        title: "Who is a member of a group or an attribute",
        parameters: &[
            Parameter { name: "set", title: "The group or attribute" },
            Parameter { name: "at", title: "Valid time: an instant or a date; now if absent" },
            Parameter {
                name: "known_at",
                title: "A position, or a recorded time; the newest if absent",
            },
            Parameter { name: "limit", title: "Members a page, 1 to 10,000; 1,000 if absent" },
            Parameter { name: "page_token", title: "The next page of an earlier answer" },
            Parameter { name: "min_position", title: "Wait until this position is known here" },
        ],
    },
    Kind {
        name: "principals",
        title: "Which principals are known, and how much each holds",
        parameters: &[
            Parameter {
                name: "kind",
                title: "Only of this kind: `user`, `client`, `group`, `attribute` or `everyone`",
            },
            Parameter { name: "origin", title: "Only of this origin" },
            Parameter {
                name: "holding",
                title: "`true`: only those that hold something that counts; `false`: only the others",
            },
            Parameter { name: "at", title: "Valid time: an instant or a date; now if absent" },
            Parameter {
                name: "known_at",
                title: "A position, or a recorded time; the newest if absent",
            },
            Parameter { name: "limit", title: "Principals a page, 1 to 10,000; 1,000 if absent" },
            Parameter { name: "page_token", title: "The next page of an earlier answer" },
            Parameter { name: "min_position", title: "Wait until this position is known here" },
        ],
    },
    Kind {
        name: "levels",
        title: "Which levels exist",
        parameters: &[
            Parameter { name: "at", title: "Valid time: an instant or a date; now if absent" },
            Parameter {
                name: "known_at",
                title: "A position, or a recorded time; the newest if absent",
            },
            Parameter { name: "min_position", title: "Wait until this position is known here" },
        ],
    },
    Kind {
        name: "role-collections",
        title: "Which role collections exist at a level",
        parameters: &[
            Parameter { name: "on", title: "Only at this level" },
            Parameter { name: "at", title: "Valid time: an instant or a date; now if absent" },
            Parameter {
                name: "known_at",
                title: "A position, or a recorded time; the newest if absent",
            },
            Parameter { name: "min_position", title: "Wait until this position is known here" },
        ],
    },
    Kind {
        name: "catalog",
        title: "Which catalogue is in force",
        parameters: &[
            Parameter { name: "at", title: "Valid time: an instant or a date; now if absent" },
            Parameter {
                name: "known_at",
                title: "A position, or a recorded time; the newest if absent",
            },
            Parameter { name: "min_position", title: "Wait until this position is known here" },
        ],
    },
    Kind {
        name: "history",
        title: "Which entries name something",
        parameters: &[
            Parameter { name: "after", title: "Only entries after this position" },
            Parameter { name: "limit", title: "Entries a page, 1 to 10,000; 1,000 if absent" },
            Parameter { name: "principal", title: "Entries that name this principal in a change" },
            Parameter { name: "actor", title: "Entries of this actor" },
            Parameter { name: "submitter", title: "Entries that this principal handed in" },
            Parameter {
                name: "level",
                title: "Entries that name this level in a change, also as a parent",
            },
            Parameter {
                name: "role_collection",
                title: "Entries that name this role collection in a change",
            },
            Parameter {
                name: "outcome",
                title: "Entries with this outcome: `applied`, `refused` or `duplicate`",
            },
            Parameter { name: "min_position", title: "Wait until this position is known here" },
        ],
    },
    Kind {
        name: "entry",
        title: "One entry",
        parameters: &[
            Parameter { name: "entry", title: "The id or the position of the entry" },
            Parameter {
                name: "wait",
                title: "If the entry is not there yet, wait for it so many milliseconds, at most 20,000",
            },
            Parameter { name: "min_position", title: "Wait until this position is known here" },
        ],
    },
];

/// The kind of question with a name
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// Parameters by their names
pub type Parameters = BTreeMap<String, String>;

/// A question as texts
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Texts {
    /// The name of its [`Kind`]
    pub name: &'static str,
    /// Its parameters
    pub parameters: Parameters,
}

/// A question, and how its answer is to be given
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// The question
    pub question: Question,
    /// Items a page
    pub limit: usize,
    /// Where the page begins, if it is not the first
    pub page_token: Option<String>,
    /// What the answer must know at least
    pub min_position: Option<MinPosition>,
    /// How long to wait for the entry that is asked for
    pub wait: Option<Duration>,
    /// Whether each holding says who gave it, when and why
    pub full: bool,
}

/// A position that an answer must know at least: one of the log, or a revision that a ledger gave
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MinPosition {
    /// The name of the ledger, where a revision says it
    pub ledger: Option<String>,
    /// The position
    pub position: u64,
}

impl From<Question> for Asked {
    fn from(question: Question) -> Self {
        Self {
            question,
            limit: LIMIT,
            page_token: None,
            min_position: None,
            wait: None,
            full: false,
        }
    }
}

/// Why texts are no question
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum QuestionError {
    /// A name that no question has
    #[error("there is no question `{0}`; there are {names}", names = names())]
    NoQuestion(String),
    /// A parameter that the question does not have
    #[error("`{name}` is no parameter of this question; it has {}", known.join(", "))]
    UnknownParameter {
        /// The name
        name: String,
        /// The names that it has
        known: Vec<&'static str>,
    },
    /// A text that is no instant
    #[error("`{name}`: {why}")]
    BadTime {
        /// The name of the parameter
        name: &'static str,
        /// What is wrong with it
        why: String,
    },
    /// Parameters that do not go together, or one that cannot be read
    #[error("{0}")]
    Bad(String),
}

fn names() -> String {
    let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    names.join(", ")
}

fn bad(name: &str, why: impl ToString) -> QuestionError {
    QuestionError::Bad(format!("`{name}`: {}", why.to_string()))
}

fn usage(why: &str) -> QuestionError {
    QuestionError::Bad(why.to_owned())
}

/// Parameters from pairs, as a query string has them
///
/// # Errors
/// A name that stands twice.
pub fn parameters(
    pairs: impl IntoIterator<Item = (String, String)>,
) -> Result<Parameters, QuestionError> {
    let mut parameters = Parameters::new();
    for (name, value) in pairs {
        if parameters.contains_key(&name) {
            return Err(QuestionError::Bad(format!("the parameter `{name}` stands twice")));
        }
        parameters.insert(name, value);
    }
    Ok(parameters)
}

/// Parameters from a JSON map, whose numbers and truth values are taken as their texts
///
/// # Errors
/// A value that is none of these.
pub fn parameters_of_json(
    map: &serde_json::Map<String, serde_json::Value>,
) -> Result<Parameters, QuestionError> {
    use serde_json::Value;
    map.iter()
        .map(|(name, value)| match value {
            Value::String(text) => Ok((name.clone(), text.clone())),
            Value::Number(number) => Ok((name.clone(), number.to_string())),
            Value::Bool(truth) => Ok((name.clone(), truth.to_string())),
            Value::Null | Value::Array(_) | Value::Object(_) => Err(QuestionError::Bad(format!(
                "the parameter `{name}` is a text, a number or a truth value"
            ))),
        })
        .collect()
}

/// Reads a question; a user name alone is of the default origin, texts are brought into normal form C
///
/// # Errors
/// A name that no question has, a parameter that the question does not have, or a text that cannot be read.
pub fn read(
    name: &str,
    parameters: Parameters,
    default_origin: &str,
) -> Result<Asked, QuestionError> {
    let kind = kind(name).ok_or_else(|| QuestionError::NoQuestion(name.to_owned()))?;
    let known = || kind.parameters.iter().map(|parameter| parameter.name);
    if let Some(name) = parameters.keys().find(|name| !known().any(|known| known == *name)) {
        let (name, known) = (name.clone(), known().collect());
        return Err(QuestionError::UnknownParameter { name, known });
    }
    let parameters = parameters.into_iter().map(|(name, text)| (name, normalised(&text))).collect();
    let read = Reading { parameters: &parameters, default_origin };
    Ok(Asked {
        limit: read.limit()?,
        question: read.question(kind.name)?,
        min_position: read.min_position()?,
        wait: read.wait()?,
        page_token: parameters.get("page_token").cloned(),
        full: read.explain()? && read.get("explain") == Some("full"),
    })
}

/// Parameters that are being read
struct Reading<'a> {
    parameters: &'a Parameters,
    default_origin: &'a str,
}

impl Reading<'_> {
    fn question(&self, kind: &str) -> Result<Question, QuestionError> {
        Ok(match kind {
            "who" => return self.who(),
            "what" => Question::What {
                principal: self.principal("principal")?,
                on: self.level("on")?,
                as_of: self.as_of()?,
            },
            "check" => Question::Check {
                principal: self.principal("principal")?,
                can: self.can()?,
                on: self.level("on")?,
                as_of: self.as_of()?,
            },
            "timeline" => Question::Timeline {
                principal: self.principal("principal")?,
                can: self.can()?,
                on: self.level("on")?,
                from: self.instant("from")?.unwrap_or(EffectiveAt::FIRST),
                until: self.instant("until")?,
                known_at: self.known("known_at")?,
            },
            "where" => Question::Where {
                principal: self.principal("principal")?,
                can: self.can()?,
                under: self.level("under")?,
                as_of: self.as_of()?,
            },
            "diff" => Question::Diff {
                from: AsOf { at: self.instant("from")?, known_at: self.known("known_from")? },
                until: AsOf { at: self.instant("until")?, known_at: self.known("known_until")? },
                under: self.optional_level("under")?,
                principal: self.optional_principal("principal")?,
            },
            "assignments" => {
                let filter = self.filter()?;
                Question::Assignments { filter, as_of: self.as_of()? }
            }
            "holdings" => Question::Holdings {
                filter: self.filter()?,
                from: self.instant("from")?.unwrap_or(EffectiveAt::FIRST),
                until: self.instant("until")?,
                known_at: self.known("known_at")?,
            },
            "members" => {
                let set = self.principal("set")?;
                if !matches!(set.kind(), PrincipalKind::Group | PrincipalKind::Attribute) {
                    let why = format!("it is a group or an attribute, `{set}` is neither");
                    return Err(bad("set", why));
                }
                Question::Members { set, as_of: self.as_of()? }
            }
            "principals" => {
                let filter = PrincipalFilter {
                    kind: self.kind()?,
                    origin: self.origin()?,
                    holding: self.has("holding").then(|| self.truth("holding")).transpose()?,
                };
                Question::Principals { filter, as_of: self.as_of()? }
            }
            "levels" => Question::Levels { as_of: self.as_of()? },
            "role-collections" => {
                Question::RoleCollections { on: self.level("on")?, as_of: self.as_of()? }
            }
            "catalog" => Question::Catalog { as_of: self.as_of()? },
            "history" => self.history()?,
            "entry" => Question::Entry { entry: self.entry()? },
            _ => return Err(QuestionError::NoQuestion(kind.to_owned())),
        })
    }

    fn who(&self) -> Result<Question, QuestionError> {
        let can = self.can()?;
        let explain = self.explain()?;
        let over_time = self.has("from") || self.has("until");
        match (self.has("on"), self.has("under")) {
            (true, true) | (false, false) => {
                return Err(usage("say one of `on` (a level) and `under` (a subtree)"));
            }
            _ => {}
        }
        if over_time && self.has("at") {
            return Err(usage(
                "`at` is a moment, `from` and `until` are a stretch of time: say one of the two",
            ));
        }
        if self.has("under") && over_time {
            return Ok(Question::WhoDuringAnywhere {
                can,
                under: self.level("under")?,
                from: self.instant("from")?.unwrap_or(EffectiveAt::FIRST),
                until: self.instant("until")?,
                known_at: self.known("known_at")?,
                explain,
            });
        }
        if self.has("under") {
            let under = self.level("under")?;
            return Ok(Question::WhoAnywhere { can, under, as_of: self.as_of()?, explain });
        }
        let on = self.level("on")?;
        if !over_time {
            return Ok(Question::Who { can, on, as_of: self.as_of()?, explain });
        }
        Ok(Question::WhoDuring {
            can,
            on,
            from: self.instant("from")?.unwrap_or(EffectiveAt::FIRST),
            until: self.instant("until")?,
            known_at: self.known("known_at")?,
            explain,
        })
    }

    fn history(&self) -> Result<Question, QuestionError> {
        let mut mentions = Vec::new();
        mentions.extend(self.optional_principal("principal")?.map(Mention::Principal));
        mentions.extend(self.optional_principal("actor")?.map(Mention::Actor));
        mentions.extend(self.optional_principal("submitter")?.map(Mention::Submitter));
        mentions.extend(self.optional_level("level")?.map(Mention::Level));
        mentions.extend(self.optional_name("role_collection")?.map(Mention::RoleCollection));
        Ok(Question::History {
            mentions,
            outcome: self.outcome()?,
            after: KnownAt(self.number("after")?.unwrap_or(0)),
            limit: Some(self.limit()?),
        })
    }

    fn entry(&self) -> Result<EntryName, QuestionError> {
        let text = self.required("entry")?;
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            // Digits beyond what a position can be are the position of no entry.
            return Ok(EntryName::Position(text.parse().unwrap_or(0)));
        }
        (text.len() == 36)
            .then(|| Uuid::try_parse(text).ok())
            .flatten()
            .map(|id| EntryName::Id(EntryId(id)))
            .ok_or_else(|| bad("entry", "it is a position (digits alone) or an id (a UUID)"))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    fn has(&self, name: &str) -> bool {
        self.parameters.contains_key(name)
    }

    fn required(&self, name: &str) -> Result<&str, QuestionError> {
        self.get(name)
            .ok_or_else(|| QuestionError::Bad(format!("the parameter `{name}` is missing")))
    }

    fn can(&self) -> Result<Ability, QuestionError> {
        Ability::parse(self.required("can")?).map_err(|error| bad("can", error))
    }

    fn level(&self, name: &str) -> Result<Level, QuestionError> {
        Level::parse(self.required(name)?).map_err(|error| bad(name, error))
    }

    fn optional_level(&self, name: &str) -> Result<Option<Level>, QuestionError> {
        self.has(name).then(|| self.level(name)).transpose()
    }

    fn principal(&self, name: &str) -> Result<Principal, QuestionError> {
        let text = self.required(name)?;
        Principal::parse_short(text, self.default_origin).map_err(|error| bad(name, error))
    }

    fn optional_principal(&self, name: &str) -> Result<Option<Principal>, QuestionError> {
        self.has(name).then(|| self.principal(name)).transpose()
    }

    fn optional_name(&self, name: &str) -> Result<Option<Arc<str>>, QuestionError> {
        let text = self.get(name);
        text.map(|text| plain_name("name", text).map_err(|error| bad(name, error))).transpose()
    }

    fn filter(&self) -> Result<AssignmentFilter, QuestionError> {
        let role = self.get("role").map(RoleText::parse).transpose();
        let filter = AssignmentFilter {
            on: self.optional_level("on")?,
            principal: self.optional_principal("principal")?,
            role_collection: self.optional_name("role_collection")?,
            role: role.map_err(|error| bad("role", error))?,
        };
        if filter == AssignmentFilter::default() {
            let why = "say at least one of `on`, `principal`, `role_collection` and `role`";
            return Err(usage(why));
        }
        Ok(filter)
    }

    fn kind(&self) -> Result<Option<PrincipalKind>, QuestionError> {
        let why = "it is `user`, `client`, `group`, `attribute` or `everyone`";
        let read = |text| PrincipalKind::parse(text).ok_or_else(|| bad("kind", why));
        self.get("kind").map(read).transpose()
    }

    fn origin(&self) -> Result<Option<Arc<str>>, QuestionError> {
        let read = |text| Principal::everyone(text).map(|everyone| everyone.origin().into());
        let origin = self.get("origin").map(read).transpose();
        origin.map_err(|error| bad("origin", error))
    }

    fn as_of(&self) -> Result<AsOf, QuestionError> {
        Ok(AsOf { at: self.instant("at")?, known_at: self.known("known_at")? })
    }

    fn instant(&self, name: &'static str) -> Result<Option<EffectiveAt>, QuestionError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let bad_time = |why: String| QuestionError::BadTime { name, why };
        let instant = Instant::parse_or_date(text).map_err(|error| bad_time(error.to_string()))?;
        EffectiveAt::try_from(instant).map(Some).map_err(|error| bad_time(error.to_string()))
    }

    fn known(&self, name: &'static str) -> Result<Known, QuestionError> {
        let Some(text) = self.get(name) else { return Ok(Known::Newest) };
        if text.is_empty() {
            let why = format!("`{name}` is empty: say a position or a recorded time");
            return Err(QuestionError::Bad(why));
        }
        if text.bytes().all(|b| b.is_ascii_digit()) {
            // Digits beyond what a position can be are a position that does not exist yet.
            return Ok(Known::At(KnownAt(text.parse().unwrap_or(u64::MAX))));
        }
        Instant::parse_or_date(text).map(Known::By).map_err(|error| {
            let why = format!("{error}, nor a position");
            QuestionError::BadTime { name, why }
        })
    }

    fn truth(&self, name: &str) -> Result<bool, QuestionError> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(bad(name, "it is `true` or `false`")),
        }
    }

    /// Whether evidence is wanted
    fn explain(&self) -> Result<bool, QuestionError> {
        match self.get("explain") {
            Some("full") => Ok(true),
            Some("true" | "false") | None => self.truth("explain"),
            Some(_) => Err(bad("explain", "it is `false`, `true` or `full`")),
        }
    }

    fn number(&self, name: &str) -> Result<Option<u64>, QuestionError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(bad(name, "it is a number, digits alone"));
        }
        Ok(Some(text.parse().unwrap_or(u64::MAX)))
    }

    fn limit(&self) -> Result<usize, QuestionError> {
        let Some(number) = self.number("limit")? else { return Ok(LIMIT) };
        usize::try_from(number)
            .ok()
            .filter(|limit| (1..=LIMIT_MAX).contains(limit))
            .ok_or_else(|| bad("limit", format!("it is 1 to {LIMIT_MAX}")))
    }

    fn outcome(&self) -> Result<Option<OutcomeKind>, QuestionError> {
        let why = "it is `applied`, `refused` or `duplicate`";
        let read = |text| OutcomeKind::parse(text).ok_or_else(|| bad("outcome", why));
        self.get("outcome").map(read).transpose()
    }

    fn min_position(&self) -> Result<Option<MinPosition>, QuestionError> {
        let Some(text) = self.get("min_position") else { return Ok(None) };
        let (ledger, digits) = match text.split_once('@') {
            Some((ledger, digits)) => (Some(ledger.to_owned()), digits),
            None => (None, text),
        };
        let position = digits.parse().map_err(|_| {
            let why = "`min_position` is a position or a revision of this ledger, `";
            QuestionError::Bad(format!("{why}{text}` is neither"))
        })?;
        Ok(Some(MinPosition { ledger, position }))
    }

    fn wait(&self) -> Result<Option<Duration>, QuestionError> {
        let why = || {
            let why = format!("`wait` is a number of milliseconds, at most {WAIT_MS_MAX}");
            QuestionError::Bad(why)
        };
        let ms = self.number("wait").map_err(|_| why())?;
        match ms {
            Some(ms) if ms > WAIT_MS_MAX => Err(why()),
            ms => Ok(ms.map(Duration::from_millis)),
        }
    }
}

impl Texts {
    /// A question of that name without parameters
    pub fn named(name: &'static str) -> Self {
        Self { name, parameters: Parameters::new() }
    }

    /// The same with a parameter
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.parameters.insert(name.to_owned(), value.into());
        self
    }

    /// The same with a parameter, if there is a value
    #[must_use]
    pub fn with_if(self, name: &str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The name of the kind of a question
    pub fn name_of(question: &Question) -> &'static str {
        match question {
            Question::Who { .. }
            | Question::WhoAnywhere { .. }
            | Question::WhoDuring { .. }
            | Question::WhoDuringAnywhere { .. } => "who",
            Question::What { .. } => "what",
            Question::Check { .. } => "check",
            Question::Timeline { .. } => "timeline",
            Question::Where { .. } => "where",
            Question::Assignments { .. } => "assignments",
            Question::Holdings { .. } => "holdings",
            Question::Members { .. } => "members",
            Question::Principals { .. } => "principals",
            Question::Diff { .. } => "diff",
            Question::Levels { .. } => "levels",
            Question::RoleCollections { .. } => "role-collections",
            Question::Catalog { .. } => "catalog",
            Question::History { .. } => "history",
            Question::Entry { .. } => "entry",
        }
    }

    /// The texts of a question, with names and moments in full
    pub fn of(asked: &Asked) -> Self {
        let mut texts = Writing::default();
        texts.question(&asked.question);
        if asked.full {
            texts.put("explain", "full");
        }
        if asked.limit != LIMIT {
            texts.put("limit", asked.limit);
        }
        texts.put_if("page_token", asked.page_token.as_ref());
        texts.put_if("wait", asked.wait.map(|wait| wait.as_millis()));
        texts.put_if(
            "min_position",
            asked.min_position.as_ref().map(|min| match &min.ledger {
                Some(ledger) => format!("{ledger}@{}", min.position),
                None => min.position.to_string(),
            }),
        );
        Self { name: Self::name_of(&asked.question), parameters: texts.parameters }
    }
}

/// Parameters that are being written
#[derive(Default)]
struct Writing {
    parameters: Parameters,
}

impl Writing {
    fn put(&mut self, name: &str, value: impl ToString) {
        self.parameters.insert(name.to_owned(), value.to_string());
    }

    fn put_if(&mut self, name: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    fn known(&mut self, name: &str, known: Known) {
        match known {
            Known::Newest => {}
            Known::At(known_at) => self.put(name, known_at.0),
            Known::By(time) => self.put(name, time),
        }
    }

    fn as_of(&mut self, as_of: AsOf) {
        self.put_if("at", as_of.at);
        self.known("known_at", as_of.known_at);
    }

    fn explain(&mut self, explain: bool) {
        self.put_if("explain", explain.then_some(true));
    }

    fn filter(&mut self, filter: &AssignmentFilter) {
        self.put_if("on", filter.on.as_ref());
        self.put_if("principal", filter.principal.as_ref());
        self.put_if("role_collection", filter.role_collection.as_ref());
        self.put_if("role", filter.role.as_ref());
    }

    /// Writes the question's own parameters
    fn question(&mut self, question: &Question) {
        match question {
            Question::Who { can, on, as_of, explain } => {
                self.put("can", can);
                self.put("on", on);
                self.as_of(*as_of);
                self.explain(*explain);
            }
            Question::WhoAnywhere { can, under, as_of, explain } => {
                self.put("can", can);
                self.put("under", under);
                self.as_of(*as_of);
                self.explain(*explain);
            }
            Question::WhoDuring { can, on, from, until, known_at, explain } => {
                self.put("can", can);
                self.explain(*explain);
                self.put("on", on);
                // Without it the question would be about a moment.
                self.put("from", from);
                self.put_if("until", *until);
                self.known("known_at", *known_at);
            }
            Question::WhoDuringAnywhere { can, under, from, until, known_at, explain } => {
                self.put("can", can);
                self.put("under", under);
                self.explain(*explain);
                self.put("from", from);
                self.put_if("until", *until);
                self.known("known_at", *known_at);
            }
            Question::What { principal, on, as_of } => {
                self.put("principal", principal);
                self.put("on", on);
                self.as_of(*as_of);
            }
            Question::Check { principal, can, on, as_of } => {
                self.put("principal", principal);
                self.put("can", can);
                self.put("on", on);
                self.as_of(*as_of);
            }
            Question::Timeline { principal, can, on, from, until, known_at } => {
                self.put("principal", principal);
                self.put("can", can);
                self.put("on", on);
                self.put("from", from);
                self.put_if("until", *until);
                self.known("known_at", *known_at);
            }
            Question::Where { principal, can, under, as_of } => {
                self.put("principal", principal);
                self.put("can", can);
                self.put("under", under);
                self.as_of(*as_of);
            }
            Question::Assignments { filter, as_of } => {
                self.filter(filter);
                self.as_of(*as_of);
            }
            Question::Holdings { filter, from, until, known_at } => {
                self.filter(filter);
                self.put_if("from", Some(from).filter(|from| **from > EffectiveAt::FIRST));
                self.put_if("until", *until);
                self.known("known_at", *known_at);
            }
            Question::Members { set, as_of } => {
                self.put("set", set);
                self.as_of(*as_of);
            }
            Question::Principals { filter, as_of } => {
                self.put_if("kind", filter.kind.map(PrincipalKind::as_str));
                self.put_if("origin", filter.origin.as_ref());
                self.put_if("holding", filter.holding);
                self.as_of(*as_of);
            }
            Question::Diff { from, until, under, principal } => {
                self.put_if("from", from.at);
                self.put_if("until", until.at);
                self.known("known_from", from.known_at);
                self.known("known_until", until.known_at);
                self.put_if("under", under.as_ref());
                self.put_if("principal", principal.as_ref());
            }
            Question::Levels { as_of } => {
                self.as_of(*as_of);
            }
            Question::RoleCollections { on, as_of } => {
                self.put("on", on);
                self.as_of(*as_of);
            }
            Question::Catalog { as_of } => {
                self.as_of(*as_of);
            }
            Question::History { mentions, outcome, after, limit } => {
                for mention in mentions {
                    match mention {
                        Mention::Principal(principal) => self.put("principal", principal),
                        Mention::Actor(actor) => self.put("actor", actor),
                        Mention::Submitter(submitter) => self.put("submitter", submitter),
                        Mention::Level(level) => self.put("level", level),
                        Mention::RoleCollection(name) => self.put("role_collection", name),
                    }
                }
                self.put_if("outcome", outcome.map(OutcomeKind::as_str));
                self.put_if("after", (after.0 > 0).then_some(after.0));
                self.put_if("limit", *limit);
            }
            Question::Entry { entry } => {
                self.put("entry", entry);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEVEL: &str = "subaccount:dev";

    fn asked(texts: &Texts) -> Result<Asked, QuestionError> {
        read(texts.name, texts.parameters.clone(), "corp")
    }

    /// Texts of each kind with every parameter that goes with the others
    fn every_kind() -> Vec<Texts> {
        let who = || Texts::named("who").with("can", "role:app/Reader");
        let of = |texts: Texts| {
            texts
                .with("at", "2025-03-01T00:00:00Z")
                .with("known_at", "7")
                .with("min_position", "a@3")
        };
        let during = |texts: Texts| {
            texts.with("from", "1970-01-01T00:00:00Z").with("until", "2025-03-02T00:00:00Z")
        };
        let p = |texts: Texts| texts.with("principal", "user:corp/p@x").with("can", "op");
        vec![
            of(who().with("on", LEVEL).with("explain", "true")).with("limit", "7"),
            of(who().with("under", LEVEL)).with("page_token", "t"),
            during(who().with("on", LEVEL).with("known_at", "2025-01-01T00:00:00Z"))
                .with("explain", "full"),
            during(who().with("under", LEVEL)),
            of(Texts::named("what").with("principal", "everyone:corp").with("on", LEVEL)),
            of(p(Texts::named("check")).with("on", LEVEL).with("explain", "full")),
            during(p(Texts::named("timeline")).with("on", LEVEL)),
            of(p(Texts::named("where")).with("under", LEVEL)),
            of(Texts::named("assignments").with("role_collection", "Admins")),
            during(Texts::named("diff").with("known_from", "1").with("known_until", "2"))
                .with("under", LEVEL)
                .with("principal", "client:corp/c"),
            Texts::named("holdings")
                .with("role", "app/A%2FB")
                .with("from", "2025-03-01T00:00:00Z")
                .with("explain", "full"),
            of(Texts::named("members").with("set", "group:corp/g")),
            of(Texts::named("principals").with("kind", "client"))
                .with("origin", "corp")
                .with("holding", "false"),
            of(Texts::named("levels")),
            of(Texts::named("role-collections").with("on", LEVEL)),
            of(Texts::named("catalog")),
            Texts::named("history")
                .with("after", "3")
                .with("limit", "5")
                .with("principal", "user:corp/p@x")
                .with("actor", "user:corp/q@x")
                .with("submitter", "client:nats/hr")
                .with("level", LEVEL)
                .with("role_collection", "Admins")
                .with("outcome", "refused"),
            Texts::named("entry").with("entry", "12").with("wait", "5"),
            Texts::named("entry").with("entry", "01930f0e-7c1e-7d2a-9b1a-0d9f6f1c2b3a"),
        ]
    }

    #[test]
    fn what_is_read_is_written_as_it_was() {
        let mut kinds = std::collections::BTreeSet::new();
        for texts in every_kind() {
            let read = asked(&texts).unwrap();
            assert_eq!(Texts::of(&read), texts);
            kinds.insert(texts.name);
        }
        assert_eq!(kinds.len(), KINDS.len(), "every kind is tried");
    }

    #[test]
    fn an_operation_with_a_colon_stays_one() {
        let texts = Texts::named("check")
            .with("can", "operation:role:x")
            .with("principal", "user:corp/p@x")
            .with("on", LEVEL);
        assert_eq!(Texts::of(&asked(&texts).unwrap()), texts);
    }

    #[test]
    fn a_name_alone_is_of_the_default_origin() {
        let texts = Texts::named("what").with("principal", "p@x").with("on", LEVEL);
        let written = Texts::of(&asked(&texts).unwrap());
        assert_eq!(written.parameters["principal"], "user:corp/p@x");
    }

    #[test]
    fn texts_that_are_no_question_are_told_why() {
        let what = || Texts::named("what").with("principal", "p@x").with("on", LEVEL);
        let who = || Texts::named("who").with("can", "op");
        let cases = [
            (who(), "say one of `on` (a level) and `under` (a subtree)"),
            (
                who().with("on", LEVEL).with("at", "2025-01-01").with("until", "2025-01-01"),
                "`at` is a moment, `from` and `until` are a stretch of time: say one of the two",
            ),
            (what().with("known_at", ""), "`known_at` is empty: say a position or a recorded time"),
            (Texts::named("what").with("on", LEVEL), "the parameter `principal` is missing"),
            (
                Texts::named("assignments"),
                "say at least one of `on`, `principal`, `role_collection` and `role`",
            ),
            (
                Texts::named("entry").with("entry", "x"),
                "`entry`: it is a position (digits alone) or an id (a UUID)",
            ),
            (
                what().with("cann", "x"),
                "`cann` is no parameter of this question; it has principal, on, at, known_at, \
                 min_position",
            ),
        ];
        for (texts, why) in cases {
            assert_eq!(asked(&texts).unwrap_err().to_string(), why);
        }
    }
}
