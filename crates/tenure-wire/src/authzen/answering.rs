//! How does the ledger's answer become a response?

use super::{Decision, Found, One, PageFound, Told, ToldError};
use crate::api::{Check, Problem, What, Where, Who};
use crate::sentence;

impl Decision {
    /// No, because there is no answer
    pub fn without_answer(told: Told) -> Self {
        Self { decision: false, context: told }
    }
}

impl From<Check> for Decision {
    fn from(check: Check) -> Self {
        let missing = check.missing.iter().map(|missing| {
            ("403".to_owned(), format!("missing: {}", sentence::requirement(missing)))
        });
        Self {
            decision: check.allowed,
            context: Told {
                as_of: Some(check.as_of),
                observed: check.observed,
                elsewhere: Vec::new(),
                because: check.because,
                reason_admin: missing.collect(),
                known: check.known,
                error: None,
            },
        }
    }
}

impl From<Problem> for ToldError {
    fn from(Problem { status, code, detail, .. }: Problem) -> Self {
        Self { status, code, message: detail }
    }
}

/// The id of a principal, as a request takes it: without its origin where that is the default one, and no slash in
/// its name would be taken for the end of an origin
fn id_of(principal: &str, default_origin: &str) -> String {
    let id = principal.split_once(':').map_or(principal, |(_, id)| id);
    match id.split_once('/') {
        Some((origin, name)) if origin == default_origin && !name.contains('/') => name.to_owned(),
        _ => id.to_owned(),
    }
}

fn entity(kind: &str, id: impl Into<String>) -> One {
    One::Entity { kind: kind.to_owned(), id: id.into() }
}

impl Found {
    /// Nothing, because there is no answer
    pub fn without_answer(context: Told) -> Self {
        Self { page: PageFound::default(), context, results: Vec::new() }
    }

    fn of(results: Vec<One>, total: Option<usize>, context: Told) -> Self {
        let page = PageFound { next_token: String::new(), count: results.len(), total };
        Self { page, context, results }
    }

    /// A page of subjects of a type
    pub fn subjects(who: Who, kind: &str, default_origin: &str) -> Self {
        let subjects = who.subjects.iter();
        let results = subjects.map(|one| entity(kind, id_of(&one.principal, default_origin)));
        let context = Told { as_of: Some(who.as_of), observed: who.observed, ..Told::default() };
        Self::of(results.collect(), Some(who.total), context)
    }

    /// A page of resources of a type
    pub fn resources(found: Where, kind: &str) -> Self {
        let id = |level: &str| level.split_once(':').map_or(level, |(_, id)| id).to_owned();
        let results = found.levels.iter().map(|level| entity(kind, id(level)));
        let context = Told {
            as_of: Some(found.as_of),
            observed: found.observed,
            elsewhere: found.elsewhere,
            known: found.known,
            ..Told::default()
        };
        Self::of(results.collect(), None, context)
    }

    /// A page of actions, after those that the pages before have
    pub fn actions(what: What, skip: usize, limit: usize) -> Self {
        let total = what.operations.len();
        let names = what.operations.into_iter().skip(skip).take(limit);
        let results = names.map(|name| One::Action { name });
        let context = Told {
            as_of: Some(what.as_of),
            observed: what.observed,
            elsewhere: what.elsewhere,
            known: what.known,
            ..Told::default()
        };
        Self::of(results.collect(), Some(total), context)
    }
}

#[cfg(test)]
mod tests {
    use tenure_core::Principal;

    use super::*;

    #[test]
    fn an_id_is_read_back_as_the_same_principal() {
        for (text, id) in [
            ("user:corp/alice", "alice"),
            ("user:other/alice", "other/alice"),
            ("user:corp/a/b", "corp/a/b"),
            ("attribute:corp/dept=IT", "dept=IT"),
            ("everyone:corp", "corp"),
        ] {
            assert_eq!(id_of(Principal::parse(text).unwrap().as_str(), "corp"), id);
        }
    }
}
