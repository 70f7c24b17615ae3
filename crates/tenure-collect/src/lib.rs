//! What do the live sources of a BTP landscape answer?
//!
//! [`collect`] asks one [`Source`] for its listings and hands over each answer as it came, as JSON. A source is opened
//! from its [`Settings`], a table `[[collect]]` of the configuration.
//!
//! - A listing is handed over only whole: all its pages are read before the first one is handed over. A listing that
//!   changes while it is read is read again.
//! - It keeps no state. The caller says from when until when events are asked for, and remembers how far it came.
//! - It does not interpret an answer. Who holds what is found by `tenure-import`, which reads the same JSON from files.
//!
//! Everything blocks: a server calls it on a thread of its own. A collection that is given up ends within a second.

mod client;
mod clock;
mod collect;
mod error;
mod exchange;
mod fetched;
mod file;
mod listing;
mod listings;
mod pager;
mod period;
mod retry;
mod secret;
mod service_key;
mod settings;
mod source;
mod tls;
mod token;
mod url;
mod window;

#[cfg(test)]
mod tests;

pub use collect::{Collected, collect};
pub use error::{CollectError, SinkError};
pub use fetched::{Fetched, What};
pub use period::{ParsePeriodError, Period};
pub use settings::{Kind, Settings, SettingsError};
pub use source::Source;
pub use window::Window;
