//! Which source do the settings describe, and can it be used?

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use tenure_core::Level;
use ureq::Agent;

use super::{Kind, NAME_BYTES_MAX, Settings, SettingsError};
use crate::period::Period;
use crate::retry::Limits;
use crate::secret::Secret;
use crate::service_key::ServiceKey;
use crate::source::{Access, Grant, GrantKind, Source};
use crate::tls;
use crate::url::Base;

/// The shortest time between two collections of a server, and the longest, in seconds
const EVERY_SECONDS: RangeInclusive<u64> = 60..=30 * 86_400;
/// The longest overlap of two windows, in seconds
const OVERLAP_SECONDS_MAX: u64 = 30 * 86_400;

impl Settings {
    /// The source, with its secrets as they are in their files now
    ///
    /// Open it anew for each collection: then a secret that was changed is taken.
    ///
    /// # Errors
    /// A key that is missing, that contradicts another or does not fit the kind; a file or a variable that cannot be
    /// used. Nothing was asked of any server. No secret is in the error.
    ///
    /// # Cost
    /// Reads the files that are named, each of at most 1 MiB.
    pub fn open(&self) -> Result<Source, SettingsError> {
        self.open_within(Limits::STANDARD)
    }

    /// The same, with other bounds
    pub(crate) fn open_within(&self, limits: Limits) -> Result<Source, SettingsError> {
        self.check_name()?;
        self.check_times()?;
        let on = self.on.as_deref().map(Level::parse).transpose();
        let on = on.map_err(|error| self.wrong("on", error))?;
        let (base, access) = match self.kind {
            Kind::Scim => self.scim()?,
            Kind::Cf | Kind::Xsuaa | Kind::AuditLog => self.oauth()?,
        };
        Ok(Source {
            name: self.name.clone(),
            kind: self.kind,
            on,
            origin: self.origin.clone(),
            every: self.every.map(Period::duration),
            overlap: self.overlap.duration(),
            agent: self.agent(&base, &access, &limits)?,
            base,
            access,
            limits,
        })
    }

    fn check_name(&self) -> Result<(), SettingsError> {
        let lawful = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let fits = (1..=NAME_BYTES_MAX).contains(&self.name.len());
        match fits && self.name.bytes().all(lawful) {
            true => Ok(()),
            false => Err(self.wrong("name", "it is 1 to 64 letters, digits, `.`, `_` and `-`")),
        }
    }

    fn check_times(&self) -> Result<(), SettingsError> {
        let seconds = |period: Period| period.duration().as_secs();
        if self.every.is_some_and(|every| !EVERY_SECONDS.contains(&seconds(every))) {
            return Err(self.wrong("every", "it is a minute to 30 days"));
        }
        if seconds(self.overlap) > OVERLAP_SECONDS_MAX {
            return Err(self.wrong("overlap", "it is at most 30 days"));
        }
        Ok(())
    }

    /// Refuses keys that are there although something else says the same, or nothing reads them
    fn refuse(&self, keys: &[(&str, bool)], why: &str) -> Result<(), SettingsError> {
        match keys.iter().find(|(_, is_there)| *is_there) {
            Some((key, _)) => Err(self.wrong(key, why)),
            None => Ok(()),
        }
    }

    fn base(&self, key: &str, text: Option<&str>) -> Result<Base, SettingsError> {
        let text = text.ok_or_else(|| self.error(format!("`{key}` is missing")))?;
        Base::parse(text).map_err(|problem| self.wrong(key, problem))
    }

    /// A secret that is in a file or in the environment, if it is in one of them
    fn secret(
        &self,
        (file_key, file): (&str, Option<&Path>),
        (variable_key, variable): (&str, Option<&str>),
    ) -> Result<Option<Secret>, SettingsError> {
        match (file, variable) {
            (None, None) => Ok(None),
            (Some(path), None) => {
                Secret::of_file(path).map(Some).map_err(|error| self.wrong(file_key, error))
            }
            (None, Some(name)) => Secret::of_environment(name)
                .map(Some)
                .map_err(|problem| self.wrong(variable_key, problem)),
            (Some(_), Some(_)) => {
                Err(self.wrong(variable_key, format!("`{file_key}` says it already")))
            }
        }
    }

    fn password(&self) -> Result<Option<Secret>, SettingsError> {
        self.secret(
            ("password-file", self.password_file.as_deref()),
            ("password-env", self.password_env.as_deref()),
        )
    }

    /// An identity provider: a user and a password, or a certificate
    fn scim(&self) -> Result<(Base, Access), SettingsError> {
        self.refuse(
            &[
                ("token-url", self.token_url.is_some()),
                ("client-id", self.client_id.is_some()),
                ("client-secret-file", self.client_secret_file.is_some()),
                ("client-secret-env", self.client_secret_env.is_some()),
                ("login-origin", self.login_origin.is_some()),
                ("refresh-token-file", self.refresh_token_file.is_some()),
                ("service-key-file", self.service_key_file.is_some()),
            ],
            "a source of the kind `scim` is asked with `username` and a password, or with a certificate",
        )?;
        let base = self.base("url", self.url.as_deref())?;
        let access = match (&self.username, self.password()?) {
            (Some(username), Some(password)) if !username.contains(':') => {
                self.refuse(
                    &[
                        ("certificate-file", self.certificate_file.is_some()),
                        ("key-file", self.key_file.is_some()),
                    ],
                    "`username` says already who asks",
                )?;
                Access::Basic { username: username.clone(), password }
            }
            (Some(_), Some(_)) => {
                return Err(self.wrong("username", "it has no `:`, where the password would begin"));
            }
            (None, None) => match (&self.certificate_file, &self.key_file) {
                (Some(certificate), Some(key)) => {
                    Access::Certificate { certificate: certificate.clone(), key: key.clone() }
                }
                _ => {
                    let both =
                        "`username` with `password-file`, or `certificate-file` with `key-file`";
                    return Err(self.error(format!("say who asks: {both}")));
                }
            },
            _ => {
                let both =
                    "`username` and a password go together: `password-file` or `password-env`";
                return Err(self.error(both));
            }
        };
        if matches!(access, Access::Certificate { .. }) && !base.origin().is_encrypted() {
            return Err(self.wrong("url", "a certificate is shown over https alone"));
        }
        Ok((base, access))
    }

    /// An API that is asked with a token
    fn oauth(&self) -> Result<(Base, Access), SettingsError> {
        self.refuse(
            &[
                ("certificate-file", self.certificate_file.is_some()),
                ("key-file", self.key_file.is_some()),
                ("origin", self.origin.is_some()),
            ],
            "it belongs to sources of the kind `scim`",
        )?;
        if let Some(path) = &self.service_key_file {
            return self.of_service_key(path);
        }
        let base = self.base("url", self.url.as_deref())?;
        let token_base = self.base("token-url", self.token_url.as_deref())?;
        let kind = self.grant_kind()?;
        let secret = self.secret(
            ("client-secret-file", self.client_secret_file.as_deref()),
            ("client-secret-env", self.client_secret_env.as_deref()),
        )?;
        let of_a_user = !matches!(kind, GrantKind::Client);
        let (client_id, client_secret) = match (&self.client_id, secret) {
            (Some(id), Some(secret)) => (id.clone(), secret),
            // The client of the cf command line has no secret.
            (None, None) if of_a_user && self.kind == Kind::Cf => {
                ("cf".to_owned(), Secret::new(""))
            }
            (Some(id), None) if of_a_user => (id.clone(), Secret::new("")),
            _ => {
                let both =
                    "`client-id` and its secret: `client-secret-file` or `client-secret-env`";
                return Err(self.error(format!("say which client asks for tokens: {both}")));
            }
        };
        Ok((base, Access::Token(Grant { base: token_base, client_id, client_secret, kind })))
    }

    fn grant_kind(&self) -> Result<GrantKind, SettingsError> {
        let refresh = match &self.refresh_token_file {
            Some(path) => Some(
                Secret::of_file(path).map_err(|error| self.wrong("refresh-token-file", error))?,
            ),
            None => None,
        };
        let has_login_origin = [("login-origin", self.login_origin.is_some())];
        match (&self.username, self.password()?, refresh) {
            (Some(username), Some(password), None) => Ok(GrantKind::Password {
                username: username.clone(),
                password,
                origin: self.login_origin.clone(),
            }),
            (None, None, refresh) => {
                self.refuse(&has_login_origin, "it belongs to `username`")?;
                Ok(refresh.map_or(GrantKind::Client, GrantKind::Refresh))
            }
            (_, _, Some(_)) => {
                Err(self.wrong("refresh-token-file", "`username` says already who asks"))
            }
            _ => {
                let both =
                    "`username` and a password go together: `password-file` or `password-env`";
                Err(self.error(both))
            }
        }
    }

    fn of_service_key(&self, path: &Path) -> Result<(Base, Access), SettingsError> {
        if self.kind == Kind::Cf {
            let problem = "Cloud Foundry has no service key: name a user or a client";
            return Err(self.wrong("service-key-file", problem));
        }
        self.refuse(
            &[
                ("url", self.url.is_some()),
                ("token-url", self.token_url.is_some()),
                ("client-id", self.client_id.is_some()),
                ("client-secret-file", self.client_secret_file.is_some()),
                ("client-secret-env", self.client_secret_env.is_some()),
                ("username", self.username.is_some()),
                ("password-file", self.password_file.is_some()),
                ("password-env", self.password_env.is_some()),
                ("login-origin", self.login_origin.is_some()),
                ("refresh-token-file", self.refresh_token_file.is_some()),
            ],
            "`service-key-file` says it already",
        )?;
        let wrong = |problem: &dyn std::fmt::Display| self.wrong("service-key-file", problem);
        let key = ServiceKey::read(path).map_err(|error| wrong(&error))?;
        let parse = |which: &str, text: &str| {
            Base::parse(text).map_err(|problem| wrong(&format!("{which} in it: {problem}")))
        };
        let grant = Grant {
            base: parse("the URL of tokens", &key.token_url)?,
            client_id: key.client_id,
            client_secret: key.client_secret,
            kind: GrantKind::Client,
        };
        Ok((parse("the URL of the API", &key.url)?, Access::Token(grant)))
    }

    /// What asks the servers of this source
    fn agent(&self, base: &Base, access: &Access, limits: &Limits) -> Result<Agent, SettingsError> {
        let client = match access {
            Access::Certificate { certificate, key } => {
                Some((certificate.as_path(), key.as_path()))
            }
            Access::Basic { .. } | Access::Token(_) => None,
        };
        let tls = tls::config(self.ca_file.as_deref(), client)
            .map_err(|(key, problem)| self.wrong(key, problem))?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(limits.connect))
            .timeout_global(Some(limits.answer))
            .max_idle_age(Duration::from_secs(15))
            .user_agent(concat!("tenure-collect/", env!("CARGO_PKG_VERSION")))
            .accept("application/json")
            .tls_config(tls);
        // A proxy of the environment does not stand between this machine and itself.
        let config = if base.origin().is_loopback() { config.proxy(None) } else { config };
        Ok(config.build().into())
    }
}
