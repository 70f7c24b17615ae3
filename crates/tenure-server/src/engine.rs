//! How does an entry become a fact that can be asked about?
//!
//! One thread takes messages from the log, lets the fold decide, writes the rows to the journal, and
//! then shows a snapshot: an entry is seen and acknowledged once it is on the disk. A question takes the
//! snapshot that is shown; neither waits for the other.

mod appender;
mod begin_again;
mod beginning;
mod checkpointer;
mod checkpoints;
mod clock_guard;
mod clock_watch;
mod compare;
mod deciding;
mod digest;
mod disk;
mod error;
mod following;
mod green;
mod options;
mod others;
mod peers;
mod replay;
mod replica;
mod running;
mod shared;
mod steady_clock;
#[cfg(test)]
mod tests;
mod writing;

pub use begin_again::open_or_begin_again;
pub use checkpointer::write_checkpoint;
pub use checkpoints::Checkpointing;
pub use clock_watch::ClockReport;
pub use compare::{CompareError, Compared, compare_checkpoint};
pub(crate) use deciding::Contents;
pub use deciding::record;
pub use error::{StartError, chain};
pub use options::{Genesis, Options};
pub use replay::{Progress, rebuild, verify};
pub use replica::{Obstacle, Report};
pub use running::{Engine, Writer};
