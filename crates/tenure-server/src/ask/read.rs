//! What do the texts of parameters mean?

use std::sync::Arc;

use tenure_core::{Ability, EffectiveAt, Instant, Level, OutcomeKind, Principal, plain_name};
use tenure_wire::api::Problem;
use uuid::Uuid;

use super::Context;
use crate::problem::{Code, problem};

/// Items a page where none are asked for
const LIMIT: usize = 1_000;
/// Most items a page
const LIMIT_MAX: usize = 10_000;

/// The second coordinate, as a text says it
pub(super) enum Known {
    /// Once that position had been folded
    Position(u64),
    /// At that recorded time
    Time(Instant),
}

/// Reads the texts of parameters
pub(super) struct Read<'a> {
    pub(super) context: Context<'a>,
}

fn bad(name: &str, error: impl ToString) -> Problem {
    problem(Code::BadRequest, format!("`{name}`: {}", error.to_string()))
}

impl Read<'_> {
    pub(super) fn required<'t>(
        &self,
        name: &str,
        text: Option<&'t String>,
    ) -> Result<&'t str, Problem> {
        text.map(String::as_str)
            .ok_or_else(|| problem(Code::BadRequest, format!("the parameter `{name}` is missing")))
    }

    pub(super) fn level(&self, name: &str, text: Option<&String>) -> Result<Level, Problem> {
        Level::parse(self.required(name, text)?).map_err(|error| bad(name, error))
    }

    pub(super) fn optional_level(
        &self,
        name: &str,
        text: Option<&String>,
    ) -> Result<Option<Level>, Problem> {
        text.map(|text| self.level(name, Some(text))).transpose()
    }

    pub(super) fn principal(
        &self,
        name: &str,
        text: Option<&String>,
    ) -> Result<Principal, Problem> {
        let text = self.required(name, text)?;
        Principal::parse_short(text, self.context.default_origin).map_err(|error| bad(name, error))
    }

    pub(super) fn optional_principal(
        &self,
        name: &str,
        text: Option<&String>,
    ) -> Result<Option<Principal>, Problem> {
        text.map(|text| self.principal(name, Some(text))).transpose()
    }

    pub(super) fn ability(&self, name: &str, text: Option<&String>) -> Result<Ability, Problem> {
        Ability::parse(self.required(name, text)?).map_err(|error| bad(name, error))
    }

    pub(super) fn optional_name(
        &self,
        name: &str,
        text: Option<&String>,
    ) -> Result<Option<Arc<str>>, Problem> {
        text.map(|text| plain_name("name", text).map_err(|error| bad(name, error))).transpose()
    }

    pub(super) fn optional_instant(
        &self,
        name: &str,
        text: Option<&String>,
    ) -> Result<Option<EffectiveAt>, Problem> {
        let Some(text) = text else { return Ok(None) };
        let time = |error: String| problem(Code::BadTime, format!("`{name}`: {error}"));
        let instant = Instant::parse_or_date(text).map_err(|error| time(error.to_string()))?;
        EffectiveAt::try_from(instant).map(Some).map_err(|error| time(error.to_string()))
    }

    pub(super) fn instant_or(
        &self,
        name: &str,
        text: Option<&String>,
        absent: EffectiveAt,
    ) -> Result<EffectiveAt, Problem> {
        Ok(self.optional_instant(name, text)?.unwrap_or(absent))
    }

    pub(super) fn known(&self, name: &str, text: &str) -> Result<Known, Problem> {
        if text.is_empty() {
            let detail = format!("`{name}` is empty: say a position or a recorded time");
            return Err(problem(Code::BadRequest, detail));
        }
        if text.bytes().all(|b| b.is_ascii_digit()) {
            // Digits beyond what a position can be are a position that does not exist yet.
            return Ok(Known::Position(text.parse().unwrap_or(u64::MAX)));
        }
        Instant::parse_or_date(text)
            .map(Known::Time)
            .map_err(|error| problem(Code::BadTime, format!("`{name}`: {error}, nor a position")))
    }

    pub(super) fn truth(&self, name: &str, text: Option<&String>) -> Result<bool, Problem> {
        match text.map(String::as_str) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(bad(name, "it is `true` or `false`")),
        }
    }

    pub(super) fn number(&self, name: &str, text: Option<&String>) -> Result<Option<u64>, Problem> {
        let read = |text: &String| {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| text.parse().unwrap_or(u64::MAX))
        };
        text.map(|text| read(text).ok_or_else(|| bad(name, "it is a number, digits alone")))
            .transpose()
    }

    pub(super) fn limit(&self, text: Option<&String>) -> Result<usize, Problem> {
        match self.number("limit", text)? {
            None => Ok(LIMIT),
            Some(number) => usize::try_from(number)
                .ok()
                .filter(|limit| (1..=LIMIT_MAX).contains(limit))
                .ok_or_else(|| bad("limit", format!("it is 1 to {LIMIT_MAX}"))),
        }
    }

    pub(super) fn outcome(
        &self,
        name: &str,
        text: Option<&String>,
    ) -> Result<Option<OutcomeKind>, Problem> {
        let read = |text: &String| {
            OutcomeKind::parse(text)
                .ok_or_else(|| bad(name, "it is `applied`, `refused` or `duplicate`"))
        };
        text.map(read).transpose()
    }

    pub(super) fn uuid(&self, name: &str, text: &str) -> Result<Uuid, Problem> {
        (text.len() == 36)
            .then(|| Uuid::try_parse(text).ok())
            .flatten()
            .ok_or_else(|| bad(name, "it is a position (digits alone) or an id (a UUID)"))
    }
}
