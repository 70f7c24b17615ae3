//! Which header blocks of a message can be read?
//!
//! A server stores any bytes as headers. The client reads them as it does here, and where it cannot, it gives its connection
//! up, ends (a carriage return in a value), or takes the message for one of the server (a status). Every replica
//! decides by the bytes alone, so this reading is the same as the client's, or says that there is none.

use std::str::FromStr;

use async_nats::{HeaderMap, HeaderName, HeaderValue};

/// What the first line of a block is
const VERSION: &str = "NATS/1.0";

/// The headers of a block, or `None` if it cannot be read
pub(crate) fn parse(block: &[u8]) -> Option<HeaderMap> {
    let mut lines = std::str::from_utf8(block).ok()?.lines().peekable();
    if !lines.next()?.strip_prefix(VERSION)?.trim().is_empty() {
        return None;
    }
    let mut headers = HeaderMap::new();
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let (name, value) = line.split_once(':')?;
        let name = HeaderName::from_str(name).ok()?;
        let mut value = value.trim_start().to_owned();
        while let Some(more) = lines.next_if(|line| line.starts_with(char::is_whitespace)) {
            value.push_str(more);
        }
        headers.append(name, HeaderValue::from_str(value.trim_end()).ok()?);
    }
    Some(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(block: &[u8], name: &str) -> Vec<String> {
        let headers = parse(block).unwrap();
        headers.get_all(name).map(ToString::to_string).collect()
    }

    #[test]
    fn a_block_is_read_as_the_client_reads_it() {
        assert!(parse(b"NATS/1.0\r\n\r\n").unwrap().is_empty());
        assert!(parse(b"NATS/1.0").unwrap().is_empty());
        let block = b"NATS/1.0 \r\na:  x \r\na: y\r\n\tz\r\n\r\n: empty\r\nb:\r\r\n";
        assert_eq!(values(block, "a"), ["x", "y\tz"]);
        assert_eq!(
            (values(block, ""), values(block, "b")),
            (vec!["empty".into()], vec!["".into()])
        );
        assert!(values(block, "A").is_empty());
    }

    #[test]
    fn a_block_that_no_connection_outlives_is_none() {
        let refused: [&[u8]; 11] = [
            b"",
            b"no version\r\n\r\n",
            b"NATS/1.0\r\nno colon\r\n\r\n",
            b"NATS/1.0\r\na name: x\r\n\r\n",
            b"NATS/1.0\r\n\xc3\xa9: x\r\n\r\n",
            b"NATS/1.0\r\na: \xff\xfe\r\n\r\n",
            b"NATS/1.0\r\na: x\ry\r\n\r\n",
            b"NATS/1.0\r\n folded: x\r\n\r\n",
            b"NATS/1.0 abc\r\n\r\n",
            b"NATS/1.0 100\r\n\r\n",
            b"NATS/1.0 503 gone\r\n\r\n",
        ];
        for block in refused {
            assert!(parse(block).is_none(), "{}", block.escape_ascii());
        }
    }
}
