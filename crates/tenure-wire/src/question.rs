//! How is a question written as texts, and read from them?
//!
//! A question travels as a name and parameters, which are texts: in a query string, in a JSON map, on a command
//! line. The names are the same at every door, and [`KINDS`] lists them. [`read`] makes an [`Asked`] of
//! texts, [`Texts::of`] makes texts of an [`Asked`].

mod kinds;
mod reading;
mod writing;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Serialize, Serializer};

use tenure_core::{AsOf, PrincipalKind, Question, normalised};

use kinds::CAN;
use reading::Reading;
use writing::Writing;

pub use kinds::{KINDS, Kind, Parameter, kind};

/// Items a page where no `limit` is asked for
pub const LIMIT: usize = 1_000;
/// Most items a page
pub const LIMIT_MAX: usize = 10_000;
/// Names that a search finds where no `limit` is asked for
pub const SEARCH_LIMIT: usize = 20;
/// Most names that a search finds
pub const SEARCH_LIMIT_MAX: usize = 200;
/// Longest text that is searched for, in bytes
pub const SEARCH_BYTES_MAX: usize = 512;
/// Longest that a question waits for an entry, in milliseconds
pub const WAIT_MS_MAX: u64 = 20_000;

/// Parameters by their names, each with its values
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Parameters(BTreeMap<String, Vec<String>>);

impl Parameters {
    /// The value of a parameter, the first of several
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).first().map(String::as_str)
    }

    /// All values of a parameter, in the order in which they were said
    pub fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// Makes this the only value of a parameter
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.insert(name.to_owned(), vec![value.into()]);
    }

    /// Takes a parameter out
    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Each name with each of its values, in order of the names
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let each = self.0.iter();
        each.flat_map(|(name, values)| {
            values.iter().map(move |value| (name.as_str(), value.as_str()))
        })
    }

    /// Adds a value
    ///
    /// # Errors
    /// A second value of a parameter that has one.
    fn add(&mut self, name: String, value: String) -> Result<(), QuestionError> {
        let values = self.0.entry(name.clone()).or_default();
        if !values.is_empty() && name != CAN.name {
            return Err(QuestionError::Bad(format!("the parameter `{name}` stands twice")));
        }
        values.push(value);
        Ok(())
    }
}

/// A parameter with several values is a list of texts, each other one a text
impl Serialize for Parameters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, values)| match values.as_slice() {
            [one] => (name, OneOrMore::One(one)),
            values => (name, OneOrMore::More(values)),
        }))
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum OneOrMore<'a> {
    One(&'a str),
    More(&'a [String]),
}

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
    /// The only kind of principals that a door wants of *who*, sets of that kind in pages too
    pub only: Option<PrincipalKind>,
    /// Items before the page, where a door pages by coordinates that it keeps itself
    pub skip: usize,
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
            only: None,
            skip: 0,
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

/// Parameters from pairs, as a query string has them
///
/// # Errors
/// A name that stands twice.
pub fn parameters(
    pairs: impl IntoIterator<Item = (String, String)>,
) -> Result<Parameters, QuestionError> {
    let mut parameters = Parameters::default();
    for (name, value) in pairs {
        parameters.add(name, value)?;
    }
    Ok(parameters)
}

/// Parameters from a JSON map, whose numbers and truth values are taken as their texts; `can` may be a list of texts
///
/// # Errors
/// A value that is none of these.
pub fn parameters_of_json(
    map: &serde_json::Map<String, serde_json::Value>,
) -> Result<Parameters, QuestionError> {
    use serde_json::Value;
    let text = |name: &str, value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(truth) => Ok(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            let why = format!("the parameter `{name}` is a text, a number or a truth value");
            Err(QuestionError::Bad(why))
        }
    };
    let mut parameters = Parameters::default();
    for (name, value) in map {
        match value {
            Value::Array(values) if name == CAN.name => {
                for value in values {
                    parameters.add(name.clone(), text(name, value)?)?;
                }
            }
            value => parameters.add(name.clone(), text(name, value)?)?,
        }
    }
    Ok(parameters)
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
    if let Some(name) = parameters.0.keys().find(|name| !known().any(|known| known == *name)) {
        let (name, known) = (name.clone(), known().collect());
        return Err(QuestionError::UnknownParameter { name, known });
    }
    let in_normal_form = |texts: Vec<String>| texts.iter().map(|text| normalised(text)).collect();
    let parameters = parameters.0.into_iter().map(|(name, texts)| (name, in_normal_form(texts)));
    let parameters = Parameters(parameters.collect());
    let read = Reading { parameters: &parameters, default_origin };
    Ok(Asked {
        limit: read.limit()?,
        question: read.question(kind.name)?,
        min_position: read.min_position()?,
        wait: read.wait()?,
        page_token: parameters.get("page_token").map(str::to_owned),
        full: read.explain()? && read.get("explain") == Some("full"),
        only: None,
        skip: 0,
    })
}

/// What parameters say beside a question about one moment
pub(crate) struct Manner {
    pub(crate) as_of: AsOf,
    pub(crate) min_position: Option<MinPosition>,
    pub(crate) full: bool,
}

/// Reads `at`, `known_at`, `min_position` and `explain`
///
/// # Errors
/// A text that cannot be read.
pub(crate) fn manner(parameters: &Parameters) -> Result<Manner, QuestionError> {
    let read = Reading { parameters, default_origin: "" };
    Ok(Manner {
        as_of: read.as_of()?,
        min_position: read.min_position()?,
        full: read.explain()? && read.get("explain") == Some("full"),
    })
}

impl Texts {
    /// A question of that name without parameters
    pub fn named(name: &'static str) -> Self {
        Self { name, parameters: Parameters::default() }
    }

    /// The same with a parameter
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.parameters.set(name, value);
        self
    }

    /// The same with these values of a parameter
    #[must_use]
    pub fn with_all(
        mut self,
        name: &str,
        values: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        self.parameters.0.insert(name.to_owned(), values);
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
            Question::Search { .. } => "search",
            Question::Diff { .. } | Question::PowerDiff { .. } => "diff",
            Question::Sources { .. } => "sources",
            Question::Levels { .. } => "levels",
            Question::RoleCollections { .. } => "role-collections",
            Question::Catalog { .. } => "catalog",
            Question::History { .. } => "history",
            Question::Entry { .. } => "entry",
        }
    }

    /// The texts of a question alone, with names and moments in full
    pub fn of_question(question: &Question) -> Self {
        let mut texts = Writing::default();
        texts.question(question);
        Self { name: Self::name_of(question), parameters: texts.parameters }
    }

    /// The same with how it is asked
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
            of(p(Texts::named("check")).with("on", LEVEL).with("explain", "full"))
                .with_all("can", ["op", "scope:s", "op2"]),
            during(p(Texts::named("timeline")).with("on", LEVEL)),
            of(p(Texts::named("where")).with("under", LEVEL)).with("kind", "application"),
            of(Texts::named("assignments").with("role_collection", "Admins")),
            during(Texts::named("diff").with("known_from", "1").with("known_until", "2"))
                .with("under", LEVEL)
                .with("principal", "client:corp/c")
                .with("limit", "3"),
            during(Texts::named("diff").with("can", "scope:read")).with("under", LEVEL),
            Texts::named("diff").with("can", "op").with("on", LEVEL).with("page_token", "t"),
            Texts::named("holdings")
                .with("role", "app/A%2FB")
                .with("from", "2025-03-01T00:00:00Z")
                .with("explain", "full"),
            of(Texts::named("members").with("set", "group:corp/g")),
            of(Texts::named("principals").with("kind", "client"))
                .with("origin", "corp")
                .with("holding", "false"),
            of(Texts::named("search").with("q", "zoë  Prod")),
            of(Texts::named("search").with("q", "x").with("kind", "cf-org").with("limit", "7")),
            of(Texts::named("sources").with("on", LEVEL).with("source", "Nightly listing"))
                .with("limit", "7"),
            of(Texts::named("sources").with("under", LEVEL)).with("page_token", "t"),
            of(Texts::named("levels").with("under", LEVEL)).with("kind", "cf-org"),
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
        assert_eq!(written.parameters.get("principal"), Some("user:corp/p@x"));
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
                Texts::named("diff").with("can", "op"),
                "say one of `on` (a level) and `under` (a subtree)",
            ),
            (
                Texts::named("diff").with("on", LEVEL),
                "`on` goes with `can`: say `under`, or what one could do there",
            ),
            (
                Texts::named("diff").with("can", "op").with("on", LEVEL).with("principal", "p@x"),
                "`can` asks who gained or lost a power, `principal` about the holdings of one: say one of \
                 the two",
            ),
            (
                Texts::named("sources").with("on", LEVEL).with("under", LEVEL),
                "`on` is a level, `under` a subtree: say at most one of the two",
            ),
            (
                Texts::named("entry").with("entry", "x"),
                "`entry`: it is a position (digits alone) or an id (a UUID)",
            ),
            (
                Texts::named("search").with("q", " \u{301}"),
                "`q`: it has no word: say a part of a name",
            ),
            (Texts::named("search").with("q", "x").with("limit", "201"), "`limit`: it is 1 to 200"),
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
