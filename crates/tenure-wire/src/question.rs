//! Which questions are there, and what are their parameters called?
//!
//! The names are the same at every door. Values are texts, as a query string has them; what they mean
//! is read where they are answered.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Why parameters are not those of a question
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParameterError {
    /// A name that the question does not have
    #[error("`{name}` is no parameter of this question; it has {}", known.join(", "))]
    Unknown {
        /// The name
        name: String,
        /// The names that it has
        known: &'static [&'static str],
    },
    /// A name that stands twice
    #[error("the parameter `{0}` stands twice")]
    Repeated(String),
    /// A value that is no text, number or truth value
    #[error("the parameter `{0}` is a text, a number or a truth value")]
    Value(String),
}

/// Parameters by their names
pub type Parameters = BTreeMap<String, String>;

/// Reads pairs as a query string has them
///
/// # Errors
/// A name that stands twice.
pub fn parameters(
    pairs: impl IntoIterator<Item = (String, String)>,
) -> Result<Parameters, ParameterError> {
    let mut parameters = Parameters::new();
    for (name, value) in pairs {
        if parameters.insert(name.clone(), value).is_some() {
            return Err(ParameterError::Repeated(name));
        }
    }
    Ok(parameters)
}

/// Reads a JSON map, whose numbers and truth values are taken as their texts
///
/// # Errors
/// A value that is none of these.
pub fn parameters_of_json(
    map: &serde_json::Map<String, serde_json::Value>,
) -> Result<Parameters, ParameterError> {
    use serde_json::Value;
    map.iter()
        .map(|(name, value)| match value {
            Value::String(text) => Ok((name.clone(), text.clone())),
            Value::Number(number) => Ok((name.clone(), number.to_string())),
            Value::Bool(truth) => Ok((name.clone(), truth.to_string())),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                Err(ParameterError::Value(name.clone()))
            }
        })
        .collect()
}

macro_rules! questions {
    ($($(#[$doc:meta])* $name:ident $path:literal {
        $($(#[$field_doc:meta])* $field:ident,)*
    })*) => {
        $(
            #[derive(
                Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, IntoParams, ToSchema,
            )]
            $(#[$doc])*
            #[into_params(parameter_in = Query)]
            pub struct $name {
                $(
                    $(#[$field_doc])*
                    #[serde(default, skip_serializing_if = "Option::is_none")]
                    pub $field: Option<String>,
                )*
            }

            impl $name {
                /// The names of its parameters
                pub const PARAMETERS: &'static [&'static str] = &[$(stringify!($field)),*];

                /// Takes its parameters
                ///
                /// # Errors
                /// A name that it does not have.
                pub fn take(mut parameters: Parameters) -> Result<Self, ParameterError> {
                    let question = Self { $($field: parameters.remove(stringify!($field)),)* };
                    match parameters.into_keys().next() {
                        None => Ok(question),
                        Some(name) => {
                            Err(ParameterError::Unknown { name, known: Self::PARAMETERS })
                        }
                    }
                }
            }
        )*

        /// A question, with its parameters as texts
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub enum Question {
            $(
                #[doc = concat!("The question `", $path, "`")]
                $name($name),
            )*
        }

        impl Question {
            /// The names of all questions
            pub const NAMES: &'static [&'static str] = &[$($path),*];

            /// Its name
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => $path,)*
                }
            }

            /// The question of that name
            ///
            /// `None` if there is none.
            pub fn take(
                name: &str,
                parameters: Parameters,
            ) -> Option<Result<Self, ParameterError>> {
                match name {
                    $($path => Some($name::take(parameters).map(Self::$name)),)*
                    _ => None,
                }
            }

            /// Its parameters
            pub fn parameters(&self) -> Parameters {
                match self {
                    $(Self::$name(question) => [
                        $((stringify!($field), &question.$field),)*
                    ]
                    .into_iter()
                    .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)))
                    .collect(),)*
                }
            }
        }
    };
}

questions! {
    /// Who could X on a level, on any level under one, or during a stretch of time
    Who "who" {
        /// What: `operation:<id>` or the id alone, `role:<name>`, `scope:<name>`, `role-collection:<name>`
        can,
        /// On this level; exactly one of `on` and `under`
        on,
        /// On any level of the subtree of this one
        under,
        /// Valid time: an instant or a date; now if absent
        at,
        /// The start of a stretch of time, with `on`
        from,
        /// Its end
        until,
        /// A position, or a recorded time; the newest if absent
        known_at,
        /// `true` for the holdings that make it true
        explain,
        /// Subjects a page, 1 to 10,000; 1,000 if absent
        limit,
        /// The next page of an earlier answer
        page_token,
        /// Wait until this position is known here
        min_position,
    }
    /// What could a principal do on a level
    What "what" {
        /// Who
        principal,
        /// On this level
        on,
        /// Valid time
        at,
        /// A position, or a recorded time
        known_at,
        /// Wait until this position is known here
        min_position,
    }
    /// Could a principal do X on a level
    #[schema(as = CheckParameters)]
    Check "check" {
        /// Who
        principal,
        /// What
        can,
        /// On this level
        on,
        /// Valid time
        at,
        /// A position, or a recorded time
        known_at,
        /// Wait until this position is known here
        min_position,
    }
    /// When could a principal do X on a level
    Timeline "timeline" {
        /// Who
        principal,
        /// What
        can,
        /// On this level
        on,
        /// The start; 1970 if absent
        from,
        /// The end; none if absent
        until,
        /// A position, or a recorded time
        known_at,
        /// Wait until this position is known here
        min_position,
    }
    /// Where could a principal do X
    Where "where" {
        /// Who
        principal,
        /// What
        can,
        /// In the subtree of this level
        under,
        /// Valid time
        at,
        /// A position, or a recorded time
        known_at,
        /// Levels a page, 1 to 10,000; 1,000 if absent
        limit,
        /// The next page of an earlier answer
        page_token,
        /// Wait until this position is known here
        min_position,
    }
    /// What changed between two coordinates
    Diff "diff" {
        /// Valid time of the first
        from,
        /// Valid time of the second
        until,
        /// What was known at the first
        known_from,
        /// What was known at the second
        known_until,
        /// In the subtree of this level, at each
        under,
        /// Of this principal
        principal,
        /// Wait until this position is known here
        min_position,
    }
    /// Who holds what
    Assignments "assignments" {
        /// At this level
        on,
        /// Of this principal
        principal,
        /// Of a role collection of this name
        role_collection,
        /// Valid time
        at,
        /// A position, or a recorded time
        known_at,
        /// Holdings a page, 1 to 10,000; 1,000 if absent
        limit,
        /// The next page of an earlier answer
        page_token,
        /// Wait until this position is known here
        min_position,
    }
    /// Which levels exist
    Levels "levels" {
        /// Valid time
        at,
        /// A position, or a recorded time
        known_at,
        /// Wait until this position is known here
        min_position,
    }
    /// Which role collections exist at a level
    RoleCollections "role-collections" {
        /// At this level
        on,
        /// Valid time
        at,
        /// A position, or a recorded time
        known_at,
        /// Wait until this position is known here
        min_position,
    }
    /// Which catalogue is in force
    Catalog "catalog" {
        /// Valid time
        at,
        /// A position, or a recorded time
        known_at,
        /// Wait until this position is known here
        min_position,
    }
    /// Which entries name something
    History "history" {
        /// After this position
        after,
        /// Entries a page, 1 to 10,000; 1,000 if absent
        limit,
        /// That name this principal in a change
        principal,
        /// Of this actor
        actor,
        /// That name this level in a change, as parent too
        level,
        /// That name this role collection in a change
        role_collection,
        /// `applied`, `refused` or `duplicate`
        outcome,
        /// Wait until this position is known here
        min_position,
    }
    /// One entry
    Entry "entry" {
        /// Its id or position
        entry,
        /// Wait for it so many milliseconds, at most 20,000, if it is not there yet
        wait,
        /// Wait until this position is known here
        min_position,
    }
}
