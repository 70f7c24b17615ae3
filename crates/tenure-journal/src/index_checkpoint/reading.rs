//! How are the pieces of an index checkpoint read?

use std::path::{Path, PathBuf};

use super::volume::{self, Volume};
use super::{Manifest, Unusable};

/// The pieces of a generation, in order; one volume is open at a time
#[derive(Debug)]
pub(super) struct Reading {
    path: PathBuf,
    generation: u64,
    /// `None` after a failure
    volume: Option<Volume>,
    number: u32,
    volumes: u32,
    next: u32,
    pieces: u32,
}

impl Reading {
    pub(super) fn new(path: &Path, generation: u64, manifest: &Manifest) -> Result<Self, Unusable> {
        Ok(Self {
            path: path.to_owned(),
            generation,
            volume: Some(Volume::open(&volume::folder(path, 0), generation)?),
            number: 0,
            volumes: manifest.volumes,
            next: 0,
            pieces: manifest.pieces,
        })
    }

    /// Whether a piece could not be read
    pub(super) fn failed(&self) -> bool {
        self.volume.is_none()
    }

    fn read(&mut self, piece: u32) -> Result<Vec<u8>, Unusable> {
        loop {
            let volume = self.volume.as_ref().ok_or(Unusable::Piece(piece))?;
            if let Some(found) = volume.get(piece)? {
                return Ok(found);
            }
            if self.number + 1 >= self.volumes {
                return Err(Unusable::Piece(piece));
            }
            self.number += 1;
            // The volume before it is closed first.
            self.volume = None;
            let path = volume::folder(&self.path, self.number);
            self.volume = Some(Volume::open(&path, self.generation)?);
        }
    }
}

impl Iterator for Reading {
    type Item = Result<Vec<u8>, Unusable>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.pieces || self.failed() {
            return None;
        }
        let piece = self.read(self.next);
        self.next += 1;
        if piece.is_err() {
            self.volume = None;
        }
        Some(piece)
    }
}
