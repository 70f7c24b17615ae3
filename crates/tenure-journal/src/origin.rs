//! In which message of a stream did a row come?
//!
//! The first row of a message has the message's origin. The rows after it that have none came in the same message.
//! So the newest origin says where to read on in the stream, and it is written in the same batch as its rows.

use tenure_core::Position;
use tenure_wire::message::{ENTRIES_MAX, Origin};

use crate::journal::{ANCHOR, Error};
use crate::store::Reader;

/// The message of the stream with which a journal ends
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor {
    /// The position of the message's last row
    pub position: Position,
    /// The message
    pub origin: Origin,
}

pub(crate) fn anchor_value(position: Position, origin: Origin) -> Vec<u8> {
    let mut value = Vec::with_capacity(32);
    value.extend(position.get().to_be_bytes());
    value.extend(origin.sequence.to_be_bytes());
    value.extend(origin.digest);
    value
}

fn anchor_of(value: &[u8]) -> Option<Cursor> {
    let (position, rest) = value.split_at_checked(8)?;
    let (sequence, digest) = rest.split_at_checked(8)?;
    let position = Position::new(u64::from_be_bytes(position.try_into().ok()?))?;
    let sequence = u64::from_be_bytes(sequence.try_into().ok()?);
    Some(Cursor { position, origin: Origin { sequence, digest: digest.try_into().ok()? } })
}

impl Reader {
    /// The message of the stream that holds the newest row; `None` if the row did not come from a stream
    ///
    /// # Errors
    /// As [`Reader::row`].
    pub fn cursor(&self) -> Result<Option<Cursor>, Error> {
        let Some(newest) = self.newest() else { return Ok(None) };
        if let Some(anchor) = self.anchored()?.filter(|anchor| anchor.position == newest) {
            return Ok(Some(anchor));
        }
        let found = self.message_of(newest)?;
        Ok(found.map(|(_, origin)| Cursor { position: newest, origin }))
    }

    /// The position of the first row of the message in which a row came, and the origin of that message
    ///
    /// # Errors
    /// As [`Reader::row`].
    pub fn message_of(&self, position: Position) -> Result<Option<(Position, Origin)>, Error> {
        let mut at = position;
        for _ in 0..ENTRIES_MAX {
            if let Some(origin) = self.row(at)?.origin {
                return Ok(Some((at, origin)));
            }
            match Position::new(at.get() - 1) {
                Some(before) => at = before,
                None => break,
            }
        }
        Ok(None)
    }

    /// The position that was last matched with the stream, if there is one; see [`crate::Journal::anchor`]
    ///
    /// # Errors
    /// sled cannot read.
    pub fn anchored(&self) -> Result<Option<Cursor>, Error> {
        Ok(self.meta(ANCHOR)?.as_deref().and_then(anchor_of))
    }
}
