//! What does an operator say of a source that is collected?

mod open;

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize};

use crate::period::Period;

/// Longest name of a source, in bytes
const NAME_BYTES_MAX: usize = 64;

/// Which API a source speaks
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// Cloud Foundry, version 3
    Cf,
    /// The authorization API of a subaccount: role collections and users
    Xsuaa,
    /// The audit log of a subaccount, retrieval version 2
    AuditLog,
    /// An identity provider that speaks SCIM 2.0
    Scim,
}

/// A source that is collected, a table `[[collect]]` of the configuration
///
/// It has no secret, but says where each one is: in a file that its owner alone may open, or in the environment.
///
/// ```toml
#[doc = include_str!("settings/example.toml")]
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// Its name, 1 to 64 letters, digits, `.`, `_` and `-`
    pub name: String,
    /// Which API it speaks
    pub kind: Kind,
    /// Where the API is; the paths of the API are added to it
    pub url: Option<String>,
    /// Where tokens are made; `/oauth/token` is added to it
    pub token_url: Option<String>,
    /// The OAuth client; without it `cf` with an empty secret, if a user of Cloud Foundry is named
    pub client_id: Option<String>,
    /// A file with the client's secret
    pub client_secret_file: Option<PathBuf>,
    /// A variable of the environment with the client's secret
    pub client_secret_env: Option<String>,
    /// The user in whose name tokens are made, or who asks with a password
    pub username: Option<String>,
    /// A file with the user's password
    pub password_file: Option<PathBuf>,
    /// A variable of the environment with the user's password
    pub password_env: Option<String>,
    /// The identity provider that knows the user's password, if it is not the usual one
    pub login_origin: Option<String>,
    /// A file with a refresh token
    pub refresh_token_file: Option<PathBuf>,
    /// A certificate by which we show who we are, in PEM
    pub certificate_file: Option<PathBuf>,
    /// The private key of that certificate, in PEM
    pub key_file: Option<PathBuf>,
    /// A service key in JSON, which says `url`, `token-url`, `client-id` and the client's secret
    pub service_key_file: Option<PathBuf>,
    /// Certificates of the authorities that are trusted, in PEM; by default those of the system
    pub ca_file: Option<PathBuf>,
    /// The level that the listings are of, as `subaccount:<id>`
    pub on: Option<String>,
    /// The origin key of the users of an identity provider
    pub origin: Option<String>,
    /// How often a server collects it: a minute to 30 days, as `1h`
    pub every: Option<Period>,
    /// How much of the window before is asked again, since events appear late: up to 30 days
    #[serde(default = "usual_overlap")]
    pub overlap: Period,
    /// No secret is here. It is a key, so that somebody who writes one is told where it belongs.
    #[serde(
        default,
        skip_serializing,
        rename = "secret",
        alias = "client-secret",
        alias = "client_secret",
        alias = "password",
        alias = "refresh-token",
        alias = "refresh_token",
        alias = "token",
        alias = "key"
    )]
    secret: NoSecret,
}

/// Why a source cannot be used
#[derive(Debug, thiserror::Error)]
#[error("the collected source `{name}` cannot be used: {problem}")]
pub struct SettingsError {
    name: String,
    problem: String,
}

fn usual_overlap() -> Period {
    Period::HOUR
}

/// What stands where somebody might write a secret: nothing
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct NoSecret;

impl<'de> Deserialize<'de> for NoSecret {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom(
            "a secret does not stand in the configuration, where it is read and copied: write it into a file that only \
             its owner may open, and name that file by `client-secret-file`, `password-file`, `refresh-token-file` or \
             `key-file`, or name a variable of the environment by `client-secret-env` or `password-env`",
        ))
    }
}

impl Settings {
    fn error(&self, problem: impl Into<String>) -> SettingsError {
        let name: String = self.name.chars().take(NAME_BYTES_MAX).collect();
        SettingsError { name, problem: problem.into() }
    }

    fn wrong(&self, key: &str, problem: impl std::fmt::Display) -> SettingsError {
        self.error(format!("`{key}`: {problem}"))
    }
}
