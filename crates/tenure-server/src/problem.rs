//! Which errors are there, and what status has each?
//!
//! The one place where a code meets its HTTP status. `docs/errors.md` has a paragraph for each.

use tenure_core::answer::{AskError, Gone, Hint};
use tenure_wire::api::Problem;
use tenure_wire::question::QuestionError;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident $code:literal $status:literal $title:literal,)*) => {
        /// A stable code of an error
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// Every code
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its text
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// The HTTP status
            pub fn status(self) -> u16 {
                match self {
                    $(Self::$name => $status,)*
                }
            }

            fn title(self) -> &'static str {
                match self {
                    $(Self::$name => $title,)*
                }
            }
        }
    };
}

codes! {
    /// A request that cannot be read
    BadRequest "bad_request" 400 "The request cannot be read",
    /// A text that is no instant, or one outside 1970 to 9999
    BadTime "bad_time" 400 "An instant cannot be read",
    /// An interval without a moment in it
    EmptyInterval "empty_interval" 400 "The interval is empty",
    /// A parameter that the question does not have
    UnknownParameter "unknown_parameter" 400 "The parameter is unknown",
    /// A page token that is none, or of another question
    BadPageToken "bad_page_token" 400 "The page token does not fit",
    /// A caller that does not say who it is, or cannot prove it
    Unauthenticated "unauthenticated" 401 "It is not known who asks",
    /// A caller that may not read this
    Forbidden "forbidden" 403 "The caller may not do this",
    /// A request of a web page that is not this server's
    ForeignOrigin "foreign_origin" 403 "A web page of a stranger may not do this",
    /// A level that does not exist then
    UnknownLevel "unknown_level" 404 "The level is unknown",
    /// An operation that no catalogue in force defines there
    UnknownOperation "unknown_operation" 404 "The operation is unknown",
    /// A role that nothing ever defined
    UnknownRole "unknown_role" 404 "The role is unknown",
    /// A role collection that nothing ever defined
    UnknownRoleCollection "unknown_role_collection" 404 "The role collection is unknown",
    /// A scope that nothing ever defined
    UnknownScope "unknown_scope" 404 "The scope is unknown",
    /// A permission that the application never had
    UnknownPermission "unknown_permission" 404 "The permission is unknown",
    /// A type of subjects or resources, over AuthZEN, that is neither a kind nor a configured alias of one
    UnknownType "unknown_type" 404 "The type is unknown",
    /// A subject, over AuthZEN, with a name that no principal can have
    UnknownPrincipal "unknown_principal" 404 "The principal is unknown",
    /// An entry that is not in the log
    UnknownEntry "unknown_entry" 404 "The entry is unknown",
    /// A path that leads nowhere
    NotFound "not_found" 404 "There is nothing here",
    /// A method that the path does not take
    MethodNotAllowed "method_not_allowed" 405 "The method is not allowed",
    /// A body that comes too slowly
    SlowBody "slow_body" 408 "The body comes too slowly",
    /// Something that the ledger does not see decides on the roles there
    DecidedElsewhere "decided_elsewhere" 409 "It is decided elsewhere",
    /// A position that does not exist yet
    NotYet "not_yet" 409 "The position does not exist yet",
    /// This replica does not know the position yet
    Behind "behind" 409 "This replica is behind",
    /// A body over the limit
    TooLarge "too_large" 413 "The body is too large",
    /// An answer that does not fit a message of NATS
    AnswerTooLarge "answer_too_large" 413 "The answer is too large for a message",
    /// More entries or checks than are taken at once
    TooMany "too_many" 413 "Too many at once",
    /// A body of a media type, or with an encoding, that is not taken
    UnsupportedMediaType "unsupported_media_type" 415 "The media type is not taken",
    /// A host that is not this server
    BadHost "bad_host" 421 "The host is not this server",
    /// Something failed here
    Internal "internal" 500 "Something failed here",
    /// The ledger is starting, or has stopped
    NotReady "not_ready" 503 "The ledger is not ready",
    /// Nothing can be appended
    LogUnavailable "log_unavailable" 503 "The log is unavailable",
    /// The stream can forget or rewrite, or is another ledger's
    LogUnfit "log_unfit" 503 "The stream is no log of this ledger",
    /// The stream has lost what is known here
    LogLostTail "log_lost_tail" 503 "The stream has lost entries",
    /// The stream has something else than what is known here, or a hole
    LogDiverged "log_diverged" 503 "The stream has something else",
    /// The log needs newer rules than this program has
    NeedsUpgrade "needs_upgrade" 503 "The log needs a newer program",
    /// Another replica made something else of the same log
    ReplicaDiffers "replica_differs" 503 "The replicas do not agree",
    /// A caller that takes more than its share
    TooManyRequests "too_many_requests" 429 "The caller asks for too much at once",
    /// More requests at once than are served
    Overloaded "overloaded" 503 "Too many requests at once",
    /// A request that took too long
    Timeout "timeout" 503 "The request took too long",
}

/// The problem of a code, with a sentence
pub fn problem(code: Code, detail: impl Into<String>) -> Problem {
    Problem {
        kind: format!("urn:tenure:error:{}", code.as_str()),
        title: code.title().to_owned(),
        status: code.status(),
        code: code.as_str().to_owned(),
        detail: detail.into(),
        similar: Box::default(),
    }
}

/// The problem of a question without an answer, with what helps whoever asked
pub(crate) fn of_question(error: &AskError, hint: &Hint) -> Problem {
    let code = match error {
        AskError::UnknownLevel(_) => Code::UnknownLevel,
        AskError::UnknownOperation(_) => Code::UnknownOperation,
        AskError::UnknownRole(_) => Code::UnknownRole,
        AskError::UnknownRoleCollection(_) => Code::UnknownRoleCollection,
        AskError::UnknownScope(_) => Code::UnknownScope,
        AskError::UnknownPermission(_) => Code::UnknownPermission,
        AskError::DecidedElsewhere(_) => Code::DecidedElsewhere,
        AskError::NotYet { .. } => Code::NotYet,
        AskError::UnknownEntry(_) => Code::UnknownEntry,
        AskError::EmptyInterval => Code::EmptyInterval,
    };
    let mut detail = error.to_string();
    if let Some(Gone { since, by }) = &hint.gone {
        detail.push_str(&format!("; it is gone since {since}, by entry #{by}"));
    }
    if !hint.similar.is_empty() {
        let names: Vec<String> = hint.similar.iter().map(|name| format!("`{name}`")).collect();
        detail.push_str(&format!("; did you mean {}?", names.join(" or ")));
    }
    Problem { similar: hint.similar.as_slice().into(), ..problem(code, detail) }
}

/// The problem of texts that are no question
pub fn of_texts(error: &QuestionError) -> Problem {
    let code = match error {
        QuestionError::NoQuestion(_) => Code::NotFound,
        QuestionError::UnknownParameter { .. } => Code::UnknownParameter,
        QuestionError::BadTime { .. } => Code::BadTime,
        QuestionError::Bad(_) => Code::BadRequest,
    };
    problem(code, error.to_string())
}
