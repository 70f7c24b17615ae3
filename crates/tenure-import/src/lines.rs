//! Where does a line end, and what if it never does?
//!
//! A line has at most [`LINE_BYTES_MAX`] bytes; a longer one is passed over up to its end.

use std::io::{self, BufRead as _};

use crate::input::Decoded;

/// Most bytes of a line; a hierarchy of a thousand subaccounts has about one million
pub(crate) const LINE_BYTES_MAX: usize = 16 * 1_024 * 1_024;

/// The lines of an input
pub(crate) struct Lines<'a> {
    input: Decoded<'a>,
    line: Vec<u8>,
}

/// One line
pub(crate) enum Line<'a> {
    /// Without its end
    Bytes(&'a [u8]),
    /// More than [`LINE_BYTES_MAX`]
    TooLong,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(input: Decoded<'a>) -> Self {
        Self { input, line: Vec::new() }
    }

    /// Bytes of the file consumed so far
    pub(crate) fn bytes(&self) -> u64 {
        self.input.bytes()
    }

    pub(crate) fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        let mut any = false;
        let mut too_long = false;
        loop {
            let buffer = match self.input.read.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if buffer.is_empty() {
                break;
            }
            any = true;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let part = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
            if self.line.len() + part.len() > LINE_BYTES_MAX {
                too_long = true;
                self.line = Vec::new();
            }
            if !too_long {
                self.line.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.input.read.consume(used);
            if end.is_some() {
                break;
            }
        }
        Ok(match (any, too_long) {
            (false, _) => None,
            (true, true) => Some(Line::TooLong),
            (true, false) => Some(Line::Bytes(self.line.strip_suffix(b"\r").unwrap_or(&self.line))),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn lines(mut input: &[u8]) -> Vec<Option<String>> {
        let mut lines = Lines::new(Decoded::new(&mut input).unwrap());
        let mut found = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            found.push(match line {
                Line::Bytes(bytes) => Some(String::from_utf8(bytes.to_vec()).unwrap()),
                Line::TooLong => None,
            });
        }
        found
    }

    #[test]
    fn a_line_ends_at_its_end_or_that_of_the_file() {
        let line = |text: &str| Some(text.to_owned());
        assert_eq!(lines(b""), []);
        assert_eq!(lines(b"a\n\r\nb"), [line("a"), line(""), line("b")]);
    }

    #[test]
    fn gzip_is_told_by_its_first_bytes_and_may_have_several_members() {
        let zip = |text: &[u8]| {
            let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            zip.write_all(text).unwrap();
            zip.finish().unwrap()
        };
        let both = [zip(b"a\nb"), zip(b"c\n")].concat();
        assert_eq!(lines(&both), [Some("a".to_owned()), Some("bc".to_owned())]);
        let mut input = both.as_slice();
        let mut counted = Lines::new(Decoded::new(&mut input).unwrap());
        while counted.next_line().unwrap().is_some() {}
        assert_eq!(counted.bytes(), both.len() as u64);
    }

    #[test]
    fn a_line_without_end_is_passed_over() {
        let mut input = vec![b'x'; LINE_BYTES_MAX + 1];
        input.extend_from_slice(b"\nnext");
        assert_eq!(lines(&input), [None, Some("next".to_owned())]);
    }
}
