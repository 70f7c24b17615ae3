//! What does an operator say of an issuer?

use std::path::PathBuf;

use jsonwebtoken::Algorithm;
use serde::{Deserialize, Serialize};
use tenure_core::{Principal, PrincipalKind};
use ureq::http::Uri;

use super::keys::{Source, agent};
use super::logon::{Logon, PageSettings};
use super::mapping::Mapping;
use crate::engine::chain;
use crate::file::read_secret;
use crate::hall::caller::vouched;

/// An issuer of signed tokens, a table `[[issuer]]` of the configuration
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct IssuerSettings {
    /// Its name, which its tokens have as `iss`
    pub issuer: String,
    /// Who its tokens are for: one of these is in `aud`
    pub audiences: Vec<String>,
    /// Where its keys are: the URL of a JSON Web Key Set, or a file with one
    pub jwks: String,
    /// Certificates of the authorities that are trusted for that URL, in PEM; by default those of the system
    pub ca: Option<PathBuf>,
    /// The algorithms by which it signs
    #[serde(default = "usual_algorithms")]
    pub algorithms: Vec<String>,
    /// Origin of its users and clients
    pub origin: String,
    /// The claim that names a user
    pub user: Option<String>,
    /// The claim that says the origin of a user, where that is not always the same
    pub user_origin: Option<String>,
    /// The claim that names a client, in tokens that name no user
    pub client: Option<String>,
    /// Where people log on in a browser, if they may
    pub page: Option<PageSettings>,
}

/// Why an issuer cannot be used
#[derive(Debug, thiserror::Error)]
#[error("the issuer `{issuer}` cannot be used: {problem}")]
pub struct IssuerError {
    issuer: String,
    problem: String,
}

fn usual_algorithms() -> Vec<String> {
    vec!["RS256".to_owned(), "ES256".to_owned()]
}

impl IssuerError {
    pub(super) fn twice(issuer: &str) -> Self {
        Self { issuer: issuer.to_owned(), problem: "it is there twice".to_owned() }
    }
}

impl IssuerSettings {
    fn error(&self, problem: impl Into<String>) -> IssuerError {
        IssuerError { issuer: self.issuer.clone(), problem: problem.into() }
    }

    /// Its algorithms, if everything that it says can be used
    pub(super) fn check(&self) -> Result<Vec<Algorithm>, IssuerError> {
        if self.issuer.is_empty() {
            return Err(self.error("`issuer` is the text that its tokens have as `iss`"));
        }
        if self.audiences.is_empty() || self.audiences.iter().any(String::is_empty) {
            return Err(self.error("`audiences` says who its tokens are for: at least one text"));
        }
        if self.user.is_none() && self.client.is_none() {
            return Err(self.error("say by `user` or `client` which claim names who asks"));
        }
        if self.user_origin.is_some() && self.user.is_none() {
            return Err(
                self.error("`user-origin` is of a user: say by `user` which claim names it")
            );
        }
        let anybody =
            Principal::parse(&format!("{}:{}/x", PrincipalKind::Client.as_str(), self.origin));
        match anybody {
            Ok(anybody) if anybody.name() == Some("x") => {
                vouched(anybody).map_err(|problem| self.error(format!("`origin`: {problem}")))?;
            }
            _ => {
                return Err(
                    self.error("`origin` is an origin key of letters, digits, `.`, `_` and `-`")
                );
            }
        }
        let algorithm = |name: &String| match name.parse() {
            Ok(Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512) | Err(_) => {
                let problem = "`algorithms` are of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 \
                               and EdDSA: with a shared secret whoever can verify a token can make one";
                Err(self.error(problem))
            }
            Ok(algorithm) => Ok(algorithm),
        };
        if self.algorithms.is_empty() {
            return Err(self.error("`algorithms` says by which it signs: at least one"));
        }
        self.algorithms.iter().map(algorithm).collect()
    }

    pub(super) fn mapping(&self) -> Mapping {
        Mapping {
            origin: self.origin.clone(),
            user: self.user.clone(),
            user_origin: self.user_origin.clone(),
            client: self.client.clone(),
        }
    }

    /// Where people log on
    pub(super) fn logon(&self) -> Result<Option<Logon>, IssuerError> {
        let Some(page) = &self.page else { return Ok(None) };
        self.is_url("page.authorize", &page.authorize)?;
        self.is_url("page.token", &page.token)?;
        if page.client_id.is_empty() || self.user.is_none() {
            return Err(self.error("`page` needs `client-id`, and `user`: a person logs on"));
        }
        let secret = page.client_secret_file.as_deref().map(read_secret).transpose();
        let secret = secret
            .map_err(|error| self.error(format!("`page.client-secret-file`: {}", chain(&error))))?;
        let secret = secret.map(|secret| String::from_utf8_lossy(&secret).trim().to_owned());
        let agent = agent(&page.token, self.ca.as_deref())
            .map_err(|problem| self.error(format!("`ca`: {problem}")))?;
        Ok(Some(Logon::new(agent, page, secret)))
    }

    /// Whether nobody stands between this server and a URL
    fn is_url(&self, key: &str, text: &str) -> Result<(), IssuerError> {
        let url: Uri = text.parse().map_err(|_| self.error(format!("`{key}` is no URL")))?;
        let loopback = matches!(url.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
        match url.scheme_str() {
            Some("https") => {}
            Some("http") if loopback => {}
            _ => {
                let why = "whoever stands between could answer in the issuer's place";
                return Err(self.error(format!("`{key}` is an https URL: {why}")));
            }
        }
        if url.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(self.error(format!("`{key}` has a user name: leave it out")));
        }
        Ok(())
    }

    /// Where its keys are
    pub(super) fn source(&self) -> Result<Source, IssuerError> {
        if !self.jwks.contains("://") {
            if self.ca.is_some() && self.page.is_none() {
                return Err(self.error("`ca` is for a URL, and `jwks` is a file"));
            }
            return Ok(Source::File(PathBuf::from(&self.jwks)));
        }
        self.is_url("jwks", &self.jwks)?;
        Source::url(self.jwks.clone(), self.ca.as_deref())
            .map_err(|problem| self.error(format!("`ca`: {problem}")))
    }
}
