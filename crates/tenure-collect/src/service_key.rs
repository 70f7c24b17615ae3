//! What does a service key of BTP say?
//!
//! Read are the keys `clientid`, `clientsecret`, `url` (where tokens are made) and `apiurl`, each in the object `uaa` or,
//! if there is none, at the top. With `uaa`, the `url` at the top is the API: so it is in keys of `auditlog-management`.
//! Keys of `xsuaa` with the plan `apiaccess` say `apiurl`. Everything else is ignored.

use std::path::Path;

use serde::Deserialize;

use crate::file::{FileError, read_secret};
use crate::secret::Secret;

/// The part of a key that is used
pub(crate) struct ServiceKey {
    /// The API
    pub(crate) url: String,
    /// Where tokens are made, without `/oauth/token`
    pub(crate) token_url: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: Secret,
}

/// One object of a key
#[derive(Deserialize)]
struct Object {
    url: Option<String>,
    apiurl: Option<String>,
    clientid: Option<String>,
    clientsecret: Option<String>,
    uaa: Option<Box<Object>>,
}

impl ServiceKey {
    /// Reads the key of a file that its owner alone may open
    pub(crate) fn read(path: &Path) -> Result<Self, FileError> {
        let bytes = read_secret(path)?;
        Self::parse(&bytes).map_err(|problem| FileError::content(path, problem))
    }

    /// Reads a key; no error repeats any of it
    fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let top: Object = serde_json::from_slice(bytes)
            .map_err(|_| "it is no JSON object with the texts of a service key")?;
        let Object { url, apiurl, clientid, clientsecret, uaa } = top;
        let (api, uaa) = match uaa {
            Some(uaa) => (apiurl.or(url).or(uaa.apiurl), (uaa.url, uaa.clientid, uaa.clientsecret)),
            None => (apiurl, (url, clientid, clientsecret)),
        };
        let (token_url, client_id, client_secret) = uaa;
        Ok(Self {
            url: api.ok_or("it names no API: `apiurl`, or `url` beside an object `uaa`")?,
            token_url: token_url.ok_or("it does not say by `url` where tokens are made")?,
            client_id: client_id.ok_or("it has no `clientid`")?,
            client_secret: client_secret.map(Secret::new).ok_or(
                "it has no `clientsecret`: create a service key with a secret, not with a certificate",
            )?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<[String; 4], &'static str> {
        let key = ServiceKey::parse(text.as_bytes())?;
        Ok([key.url, key.token_url, key.client_id, key.client_secret.reveal().to_owned()])
    }

    #[test]
    fn each_form_of_a_key_is_read() {
        let audit_log = r#"{"url": "A", "uaa": {"url": "T", "clientid": "C", "clientsecret": "S", "verificationkey": "x"}}"#;
        let flat = r#"{"apiurl": "A", "url": "T", "clientid": "C", "clientsecret": "S", "uaadomain": "x"}"#;
        let nested =
            r#"{"uaa": {"apiurl": "A", "url": "T", "clientid": "C", "clientsecret": "S"}}"#;
        for text in [audit_log, flat, nested] {
            assert_eq!(read(text).unwrap(), ["A", "T", "C", "S"], "{text}");
        }
    }

    #[test]
    fn what_a_key_lacks_is_said_without_the_key() {
        for (text, lacks) in [
            (r#"{"url": "T", "clientid": "hidden", "clientsecret": "hidden"}"#, "apiurl"),
            (r#"{"apiurl": "A", "clientid": "hidden", "clientsecret": "hidden"}"#, "`url`"),
            (r#"{"apiurl": "A", "url": "T", "clientsecret": "hidden"}"#, "clientid"),
            (r#"{"apiurl": "A", "url": "T", "clientid": "hidden"}"#, "clientsecret"),
            (r#"{"apiurl": "A", "clientsecret": 987654321}"#, "JSON"),
        ] {
            let said = read(text).unwrap_err();
            assert!(
                said.contains(lacks) && !said.contains("hidden") && !said.contains("987"),
                "{said}"
            );
        }
    }
}
