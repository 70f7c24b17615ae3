//! Bytes, numbers and texts from pieces that come one after another

use super::{IndexCheckpointError, IndexPiece};

/// Longest text that is taken for one
const TEXT_BYTES_MAX: u64 = 1 << 24;

/// Reads pieces as if they were one
pub(super) struct Source<I> {
    pieces: I,
    bytes: Vec<u8>,
    place: usize,
}

pub(super) fn content<T, E>(problem: &'static str) -> Result<T, IndexCheckpointError<E>> {
    Err(IndexCheckpointError::Content(problem))
}

impl<E, I: Iterator<Item = Result<IndexPiece, E>>> Source<I> {
    pub(super) fn new(pieces: I) -> Self {
        Self { pieces, bytes: Vec::new(), place: 0 }
    }

    pub(super) fn byte(&mut self) -> Result<u8, IndexCheckpointError<E>> {
        loop {
            if let Some(byte) = self.bytes.get(self.place) {
                self.place += 1;
                return Ok(*byte);
            }
            match self.pieces.next() {
                None => return content("less than it should"),
                Some(piece) => self.bytes = piece.map_err(IndexCheckpointError::Source)?.0,
            }
            self.place = 0;
        }
    }

    /// A number in seven bits a byte, the lowest first
    pub(super) fn number(&mut self) -> Result<u64, IndexCheckpointError<E>> {
        let (mut number, mut shift) = (0_u64, 0_u32);
        loop {
            let byte = self.byte()?;
            let low = u64::from(byte & 0x7f);
            if shift > 63 || (shift == 63 && low > 1) {
                return content("a number that is too large");
            }
            number |= low << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
            shift += 7;
        }
    }

    pub(super) fn small(&mut self) -> Result<u32, IndexCheckpointError<E>> {
        u32::try_from(self.number()?).or_else(|_| content("a number that is too large"))
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], IndexCheckpointError<E>> {
        let mut array = [0; N];
        if let Some(bytes) = self.bytes.get(self.place..self.place + N) {
            array.copy_from_slice(bytes);
            self.place += N;
            return Ok(array);
        }
        for byte in &mut array {
            *byte = self.byte()?;
        }
        Ok(array)
    }

    pub(super) fn text(&mut self) -> Result<String, IndexCheckpointError<E>> {
        let length = self.number()?;
        if length > TEXT_BYTES_MAX {
            return content("a text that is too long");
        }
        let mut bytes = Vec::new();
        for _ in 0..length {
            bytes.push(self.byte()?);
        }
        String::from_utf8(bytes).or_else(|_| content("a text that is none"))
    }

    /// Fails unless everything was read
    pub(super) fn end(mut self) -> Result<(), IndexCheckpointError<E>> {
        match self.byte() {
            Err(IndexCheckpointError::Content(_)) => Ok(()),
            Err(error) => Err(error),
            Ok(_) => content("more than it should"),
        }
    }
}
