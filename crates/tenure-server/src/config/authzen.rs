//! What is AuthZEN told of this server's names?
//!
//! The table `[authzen]` of the configuration file. The paths are served without it too.

use std::collections::BTreeMap;

use axum::http::Uri;
use serde::{Deserialize, Serialize};
use tenure_core::{LevelKind, PrincipalKind};
use tenure_wire::authzen::{TimeRule, Words};

use super::ConfigError;
use crate::http::Host;

/// The settings of AuthZEN, as far as a file says them
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct AuthzenPartial {
    /// Where clients reach this server; without it there is no discovery
    pub base_url: Option<String>,
    /// Other names of the kinds of principals
    pub subject_types: BTreeMap<String, String>,
    /// Other names of the kinds of levels
    pub resource_types: BTreeMap<String, String>,
    /// What becomes of the time that a request says: `heed`, `not-later-than-now` or `ignore`
    pub time: Option<String>,
}

/// The settings of AuthZEN
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Authzen {
    /// Where clients reach this server
    pub base_url: Option<BaseUrl>,
    /// What clients call things
    pub words: Words,
}

/// An address with `https`, without a slash at its end
// INVARIANT (base URL): `of` alone makes one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BaseUrl {
    url: String,
    path_at: usize,
}

impl BaseUrl {
    /// Reads an address; `None` for one without `https` or a host, with a user, a query or a fragment
    fn of(text: &str) -> Option<Self> {
        let url = text.trim_end_matches('/');
        let uri: Uri = url.parse().ok()?;
        let authority = uri.authority()?;
        let lawful = uri.scheme_str() == Some("https")
            && authority.as_str().parse::<Host>().is_ok()
            && uri.query().is_none()
            && !url.contains('#');
        let path_at = "https://".len() + authority.as_str().len();
        lawful.then(|| Self { url: url.to_owned(), path_at })
    }

    /// Its text
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// Its path, empty if it has none
    pub fn path(&self) -> &str {
        self.url.get(self.path_at..).unwrap_or_default()
    }
}

impl AuthzenPartial {
    /// These settings, and where they say nothing those
    #[must_use]
    pub(super) fn over(self, other: Self) -> Self {
        let or = |own: BTreeMap<_, _>, other| if own.is_empty() { other } else { own };
        Self {
            base_url: self.base_url.or(other.base_url),
            subject_types: or(self.subject_types, other.subject_types),
            resource_types: or(self.resource_types, other.resource_types),
            time: self.time.or(other.time),
        }
    }

    /// The settings, with defaults where nothing says them
    ///
    /// # Errors
    /// A value that cannot be used.
    pub(super) fn settle(self) -> Result<Authzen, ConfigError> {
        let wrong = |key, problem: &str| ConfigError::Value { key, problem: problem.to_owned() };
        let base_url = self.base_url.map(|text| {
            let why = "it is where clients reach this server, such as `https://ledger.acme.example`, without a query";
            BaseUrl::of(&text).ok_or_else(|| wrong("authzen.base-url", why))
        });
        let time = match self.time.as_deref() {
            None | Some("not-later-than-now") => TimeRule::NotLaterThanNow,
            Some("heed") => TimeRule::Heed,
            Some("ignore") => TimeRule::Ignore,
            Some(_) => {
                let why = "it is `not-later-than-now`, `heed` or `ignore`";
                return Err(wrong("authzen.time", why));
            }
        };
        let words = Words {
            subject_types: aliases(
                "authzen.subject-types",
                self.subject_types,
                PrincipalKind::parse,
            )?,
            resource_types: aliases(
                "authzen.resource-types",
                self.resource_types,
                LevelKind::parse,
            )?,
            time,
        };
        Ok(Authzen { base_url: base_url.transpose()?, words })
    }
}

/// Aliases of kinds; an alias that is itself a kind would never be looked up
fn aliases<T>(
    key: &'static str,
    said: BTreeMap<String, String>,
    kind: impl Fn(&str) -> Option<T>,
) -> Result<BTreeMap<String, T>, ConfigError> {
    let wrong = |problem: String| ConfigError::Value { key, problem };
    let one = |(alias, name): (String, String)| {
        if kind(&alias).is_some() {
            return Err(wrong(format!(
                "`{alias}` is a kind already, so it is no other name of one"
            )));
        }
        let kind = kind(&name).ok_or_else(|| {
            wrong(format!("`{alias}` stands for `{name}`, which is no kind: see docs/authzen.md"))
        })?;
        Ok((alias, kind))
    };
    said.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(text: &str) -> Result<Authzen, ConfigError> {
        toml::from_str::<AuthzenPartial>(text).unwrap().settle()
    }

    #[test]
    fn a_base_url_is_where_clients_come_by_https() {
        for (text, url, path) in [
            ("https://pdp.example", "https://pdp.example", ""),
            ("https://pdp.example/", "https://pdp.example", ""),
            ("https://pdp.example:8443/a/b", "https://pdp.example:8443/a/b", "/a/b"),
        ] {
            let settings = settled(&format!("base-url = \"{text}\"")).unwrap();
            let base = settings.base_url.unwrap();
            assert_eq!((base.as_str(), base.path()), (url, path));
        }
        for text in [
            "",
            "pdp.example",
            "http://pdp.example",
            "https://",
            "https://u@h",
            "https://h/?q",
            "https://h:abc",
            "https://h:99999",
            "https://h:",
            "https://h/#f",
        ] {
            let error = settled(&format!("base-url = \"{text}\"")).unwrap_err().to_string();
            assert!(error.starts_with("the setting `authzen.base-url` is wrong: "), "{error}");
        }
    }

    #[test]
    fn an_alias_stands_for_a_kind_and_is_none() {
        let settings = settled(
            "subject-types = { identity = \"user\" }\nresource-types.record = \"application\"",
        );
        let words = settings.unwrap().words;
        assert_eq!(words.subject_types.get("identity"), Some(&PrincipalKind::User));
        assert_eq!(words.resource_types.get("record"), Some(&LevelKind::Application));
        for wrong in [
            "subject-types = { user = \"client\" }",
            "subject-types = { identity = \"person\" }",
            "resource-types = { subaccount = \"directory\" }",
            "resource-types = { record = \"user\" }",
            "time = \"later\"",
        ] {
            let error = settled(wrong).unwrap_err().to_string();
            assert!(error.starts_with("the setting `authzen."), "{error}");
        }
        assert!(toml::from_str::<AuthzenPartial>("url = \"https://x\"").is_err());
    }
}
