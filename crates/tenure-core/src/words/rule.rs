//! Which users are members of a group without being added?
//!
//! Rules: `docs/semantics.md#rule`.

use std::sync::Arc;

use crate::words::name::{NameError, principal_name};
use crate::words::pattern::{Pattern, PatternError};
use crate::words::requirement::Requirement;

/// Most leaves of a rule
pub const RULE_LEAVES_MAX: usize = 64;
/// Deepest nesting of a rule; a leaf alone is 1
pub const RULE_DEPTH_MAX: usize = 8;

/// What a rule looks at: explicit memberships alone
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RuleLeaf {
    /// A member of the attribute with that value; of `Groups`, of the group of that name
    Equals {
        /// The attribute
        attribute: Arc<str>,
        /// The value
        value: Arc<str>,
    },
    /// A member of the attribute with some value that a pattern matches
    Matches {
        /// The attribute
        attribute: Arc<str>,
        /// The pattern
        pattern: Pattern,
    },
    /// Every user of the origin
    Everyone,
}

impl RuleLeaf {
    /// Reads the leaf of one value of an attribute
    ///
    /// # Errors
    /// An attribute or a value that is none.
    pub fn equals(attribute: &str, value: &str) -> Result<Self, RuleError> {
        let attribute = attribute_name(attribute)?;
        principal_name("value of an attribute", value)?;
        Ok(Self::Equals { attribute, value: value.into() })
    }

    /// Reads the leaf of the values that a pattern matches
    ///
    /// # Errors
    /// An attribute or a pattern that is none.
    pub fn matches(attribute: &str, pattern: &str) -> Result<Self, RuleError> {
        Ok(Self::Matches {
            attribute: attribute_name(attribute)?,
            pattern: Pattern::parse(pattern)?,
        })
    }
}

fn attribute_name(attribute: &str) -> Result<Arc<str>, RuleError> {
    principal_name("name of an attribute", attribute)?;
    if attribute.contains('=') { Err(RuleError::Attribute) } else { Ok(attribute.into()) }
}

/// The rule of a group
// INVARIANT (rule): no list is empty; it has at most RULE_LEAVES_MAX leaves, nested at most RULE_DEPTH_MAX deep.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule(Requirement<RuleLeaf>);

/// Why an expression is no rule
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RuleError {
    /// A name that is none
    #[error(transparent)]
    Name(#[from] NameError),
    /// A pattern that is none
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// An attribute whose name has a `=`
    #[error("the name of an attribute has no `=`")]
    Attribute,
    /// A list without a part
    #[error("a list of a rule is empty")]
    Empty,
    /// More leaves than [`RULE_LEAVES_MAX`]
    #[error("a rule has at most {RULE_LEAVES_MAX} leaves, this one has more")]
    Leaves,
    /// Nested deeper than [`RULE_DEPTH_MAX`]
    #[error("a rule is nested at most {RULE_DEPTH_MAX} deep, this one deeper")]
    Depth,
}

impl Rule {
    /// The rule of an expression
    ///
    /// # Errors
    /// An empty list, too many leaves, or too deep a nesting.
    pub fn new(expression: Requirement<RuleLeaf>) -> Result<Self, RuleError> {
        if expression.depth() > RULE_DEPTH_MAX {
            return Err(RuleError::Depth);
        }
        if expression.leaves().len() > RULE_LEAVES_MAX {
            return Err(RuleError::Leaves);
        }
        if expression.has_empty_list() {
            return Err(RuleError::Empty);
        }
        Ok(Self(expression))
    }

    /// Its expression
    pub fn expression(&self) -> &Requirement<RuleLeaf> {
        &self.0
    }
}
