//! A text that is never shown

use std::fmt;
use std::path::Path;

use crate::file::{FileError, read_secret};

/// A password, a token or the secret of a client; no debug output has it
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// What a file has that its owner alone may open, without the ends of its lines
    pub(crate) fn of_file(path: &Path) -> Result<Self, FileError> {
        let text = String::from_utf8(read_secret(path)?)
            .map_err(|_| FileError::content(path, "it is no text in UTF-8"))?;
        match text.trim_end_matches(['\r', '\n']) {
            "" => Err(FileError::content(path, "it is empty")),
            text => Ok(Self(text.to_owned())),
        }
    }

    /// What a variable of the environment has
    ///
    /// The name is shown only if it looks like one: a secret may stand in its place.
    pub(crate) fn of_environment(name: &str) -> Result<Self, String> {
        let lawful = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        if name.is_empty() || !name.bytes().all(lawful) {
            let names = "capital letters, digits and `_`";
            return Err(format!("it is the name of a variable of the environment: {names}"));
        }
        match std::env::var(name) {
            Ok(text) if !text.is_empty() => Ok(Self(text)),
            Ok(_) => Err(format!("the variable `{name}` of the environment is empty")),
            Err(std::env::VarError::NotPresent) => {
                Err(format!("the environment has no variable `{name}`"))
            }
            Err(std::env::VarError::NotUnicode(_)) => {
                Err(format!("the variable `{name}` of the environment is no text in UTF-8"))
            }
        }
    }

    /// The secret itself, to be sent and never to be shown
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
