//! How does a written rule become the core's, and back?

use tenure_core::{Requirement, Rule, RuleLeaf};

use super::EntryProblem;
use crate::v1;

/// The rule in the core's types
pub(super) fn to_core(rule: &v1::Rule) -> Result<Rule, EntryProblem> {
    let expression = expression("rule", rule)?;
    Rule::new(expression).map_err(|error| EntryProblem::new("rule", error))
}

fn expression(path: &str, rule: &v1::Rule) -> Result<Requirement<RuleLeaf>, EntryProblem> {
    let parts = |list: &str, parts: &[v1::Rule]| -> Result<Vec<_>, EntryProblem> {
        let part = |(n, part)| expression(&format!("{path}.{list}[{n}]"), part);
        parts.iter().enumerate().map(part).collect()
    };
    let v1::Rule { any_of, all_of, attribute, equals, matches, everyone } = rule;
    let leaf = match (any_of, all_of, attribute, equals, matches, everyone) {
        (Some(list), None, None, None, None, None) => {
            return Ok(Requirement::AnyOf(parts("any_of", list)?));
        }
        (None, Some(list), None, None, None, None) => {
            return Ok(Requirement::AllOf(parts("all_of", list)?));
        }
        (None, None, Some(attribute), Some(value), None, None) => {
            RuleLeaf::equals(attribute, value)
        }
        (None, None, Some(attribute), None, Some(pattern), None) => {
            RuleLeaf::matches(attribute, pattern)
        }
        (None, None, None, None, None, Some(true)) => Ok(RuleLeaf::Everyone),
        _ => {
            return Err(EntryProblem::new(
                path,
                "a rule is one of `any_of`, `all_of`, `attribute` with one of `equals` and `matches`, and \
                 `everyone: true`",
            ));
        }
    };
    leaf.map(Requirement::Leaf).map_err(|error| EntryProblem::new(path, error))
}

/// A rule as it is written
pub(super) fn from_core(expression: &Requirement<RuleLeaf>) -> v1::Rule {
    let all = |parts: &[Requirement<RuleLeaf>]| Some(parts.iter().map(from_core).collect());
    let written = v1::Rule::default();
    match expression {
        Requirement::AnyOf(parts) => v1::Rule { any_of: all(parts), ..written },
        Requirement::AllOf(parts) => v1::Rule { all_of: all(parts), ..written },
        Requirement::Leaf(RuleLeaf::Equals { attribute, value }) => v1::Rule {
            attribute: Some(attribute.to_string()),
            equals: Some(value.to_string()),
            ..written
        },
        Requirement::Leaf(RuleLeaf::Matches { attribute, pattern }) => v1::Rule {
            attribute: Some(attribute.to_string()),
            matches: Some(pattern.as_str().to_owned()),
            ..written
        },
        Requirement::Leaf(RuleLeaf::Everyone) => v1::Rule { everyone: Some(true), ..written },
    }
}
