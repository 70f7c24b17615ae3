//! Why did a collection end early?

use std::error::Error;

use tenure_core::Instant;

use crate::fetched::What;

/// Why the caller could not take what was handed over
pub type SinkError = Box<dyn Error + Send + Sync>;

/// Why a collection ended early
///
/// Whatever it is: the listings that were handed over with their last page are whole, and collecting the same window
/// again is safe. No secret is in any of them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CollectError {
    /// Nothing was asked
    #[error("events are asked for until {until}, which has not come yet: it is {now}")]
    Future {
        /// The end of the window
        until: Instant,
        /// The time of this machine
        now: Instant,
    },
    /// The caller gave the collection up; the listing that was being handed over is handed over in part
    #[error("the collection was given up")]
    GivenUp,
    /// The caller could not take a page; the listing that it is of is handed over in part
    #[error("what was collected could not be taken over")]
    Sink(#[source] SinkError),
    /// No whole answer came, however often it was asked
    #[error(
        "{asked} was asked {tries} times without a whole answer: is the server there, and is its address right?"
    )]
    Unreachable {
        /// What was asked
        asked: String,
        /// How often, in a row
        tries: u32,
        /// The last failure
        source: SinkError,
    },
    /// No request was sent: the server could not show who it is, or this machine could not send
    #[error("{asked} cannot be asked")]
    Connection {
        /// What would have been asked
        asked: String,
        /// Why
        source: SinkError,
    },
    /// The server is overloaded or broken, however often it was asked
    #[error(
        "{asked} was answered with status {status}, {tries} times in a row: collect again later"
    )]
    Busy {
        /// What was asked
        asked: String,
        /// The last status
        status: u16,
        /// How often, in a row
        tries: u32,
    },
    /// The server asks to wait for longer than an hour
    #[error(
        "{asked} is to be asked again in {seconds} seconds at the earliest: collect again then"
    )]
    Wait {
        /// What was asked
        asked: String,
        /// How long the server asks to wait
        seconds: u64,
    },
    /// The server does not answer this question to us
    #[error("{asked} was answered with status {status}: {advice}")]
    Refused {
        /// What was asked
        asked: String,
        /// The status
        status: u16,
        /// What to do
        advice: String,
    },
    /// The answer is none that this question has
    #[error("the answer of {asked} cannot be used: {problem}")]
    Shape {
        /// What was asked
        asked: String,
        /// What is wrong
        problem: String,
    },
    /// The next page is said to be at another server, which was not asked
    #[error("the next page of {} is said to be at {elsewhere}, which is not the server of `url`: it was not asked", what.as_str())]
    Elsewhere {
        /// The listing
        what: What,
        /// Scheme, host and port of the other server
        elsewhere: String,
    },
    /// The listing changed each time that it was read
    #[error("{} was read {readings} times and never whole, the last time because {problem}: collect again later", what.as_str())]
    Unsteady {
        /// The listing
        what: What,
        /// How often it was read from its beginning
        readings: u32,
        /// What did not fit
        problem: String,
    },
    /// The listing is larger than is read
    #[error("{} has more than {bound}, which is more than is read", what.as_str())]
    TooLarge {
        /// The listing
        what: What,
        /// The bound that it exceeds
        bound: String,
    },
}
