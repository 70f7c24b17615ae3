//! Which bytes of a file are its text?
//!
//! Reads plain text and gzip: the first two bytes tell the two apart, whatever the file is called. UTF-8 with or
//! without a mark is passed on, UTF-16 with a mark is turned into UTF-8. The bytes that are counted are those of the
//! file on disk, so that a progress bar over a compressed file ends where the file does.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;

use crate::ImportError;
use crate::kind::Source;
use crate::record::Place;

/// Most bytes of a file that is read as a whole, once it is no longer compressed
pub(crate) const WHOLE_BYTES_MAX: u64 = 1_024 * 1_024 * 1_024;

/// Bytes that tell what a file is
const LOOK_BYTES: usize = 64 * 1_024;

/// The first bytes of a gzip member (RFC 1952, section 2.3.1)
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Counts what is consumed of an input
struct Counting<'a> {
    inner: &'a mut dyn BufRead,
    bytes: Rc<Cell<u64>>,
}

impl Read for Counting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes.set(self.bytes.get() + read as u64);
        Ok(read)
    }
}

impl BufRead for Counting<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.bytes.set(self.bytes.get() + amount as u64);
        self.inner.consume(amount);
    }
}

/// The text of an input, in UTF-8 as far as it is text
pub(crate) struct Decoded<'a> {
    pub(crate) read: Box<dyn BufRead + 'a>,
    bytes: Rc<Cell<u64>>,
}

/// Why an input is not read any further
#[derive(Debug)]
pub(crate) enum Unread {
    Io(io::Error),
    OtherKind { looks_like: &'static str, wanted: &'static str },
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Unread {
    /// As an error about the input of that name
    pub(crate) fn of(self, name: &str) -> ImportError {
        let file = name.to_owned();
        match self {
            Self::Io(source) => {
                let place = Place { file: None, is_line: true, number: 0 };
                ImportError::Read { file, place, source }
            }
            Self::OtherKind { looks_like, wanted } => {
                ImportError::OtherKind { file, looks_like, wanted }
            }
        }
    }
}

impl<'a> Decoded<'a> {
    /// # Errors
    /// The input cannot be read, or is UTF-16 of more than [`WHOLE_BYTES_MAX`] bytes.
    pub(crate) fn new(input: &'a mut dyn BufRead) -> Result<Self, Unread> {
        let bytes = Rc::new(Cell::new(0));
        let zipped = input.fill_buf()?.starts_with(&GZIP_MAGIC);
        let counting = Counting { inner: input, bytes: Rc::clone(&bytes) };
        let read: Box<dyn BufRead + 'a> = if zipped {
            Box::new(BufReader::with_capacity(LOOK_BYTES, MultiGzDecoder::new(counting)))
        } else {
            Box::new(BufReader::with_capacity(LOOK_BYTES, counting))
        };
        let mut decoded = Self { read, bytes };
        let first = decoded.read.fill_buf()?;
        if first.starts_with(&[0xef, 0xbb, 0xbf]) {
            decoded.read.consume(3);
        } else if first.starts_with(&[0xff, 0xfe]) || first.starts_with(&[0xfe, 0xff]) {
            let text = utf_16(&decoded.whole()?)?;
            decoded.read = Box::new(Cursor::new(text.into_bytes()));
        }
        Ok(decoded)
    }

    /// Refuses what is surely of another kind than the source reads
    pub(crate) fn check(mut self, source: Source) -> Result<Self, Unread> {
        match source.other_kind(self.read.fill_buf()?) {
            Some(looks_like) => Err(Unread::OtherKind { looks_like, wanted: source.reads() }),
            None => Ok(self),
        }
    }

    /// Bytes of the file consumed so far
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// All of the file of that name
    ///
    /// # Errors
    /// It cannot be read, or has more than [`WHOLE_BYTES_MAX`] bytes.
    pub(crate) fn whole_of(&mut self, name: &str) -> Result<Vec<u8>, ImportError> {
        self.whole().map_err(|error| Unread::Io(error).of(name))
    }

    fn whole(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read.by_ref().take(WHOLE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > WHOLE_BYTES_MAX {
            let problem = format!("it has more than {WHOLE_BYTES_MAX} bytes: split it");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, problem));
        }
        Ok(bytes)
    }
}

/// The text of UTF-16 with a byte order mark
fn utf_16(bytes: &[u8]) -> io::Result<String> {
    let wrong = |problem: &str| io::Error::new(io::ErrorKind::InvalidData, problem.to_owned());
    let little = bytes.starts_with(&[0xff, 0xfe]);
    let units = bytes.chunks(2).map(|pair| match (pair, little) {
        ([low, high], true) | ([high, low], false) => Ok(u16::from(*high) << 8 | u16::from(*low)),
        _ => Err(wrong("it is UTF-16, and its last character is cut off")),
    });
    // The first character is the mark.
    let units: Vec<u16> = units.skip(1).collect::<io::Result<_>>()?;
    String::from_utf16(&units).map_err(|_| wrong("it has the mark of UTF-16, but is not UTF-16"))
}
