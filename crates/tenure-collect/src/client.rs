//! How is a source asked until it answers?

use std::thread;
use std::time::{Duration, Instant};

use crate::error::CollectError;
use crate::exchange::{Answer, Failure, LOOK, Request, exchange};
use crate::fetched::What;
use crate::source::{Access, Source};
use crate::token::{Tokens, basic};

/// What asks one source during one collection
pub(crate) struct Client<'a> {
    pub(crate) source: &'a Source,
    given_up: &'a dyn Fn() -> bool,
    tokens: Option<Tokens<'a>>,
}

impl<'a> Client<'a> {
    pub(crate) fn new(source: &'a Source, given_up: &'a dyn Fn() -> bool) -> Self {
        let tokens = match &source.access {
            Access::Token(grant) => Some(Tokens::new(grant)),
            Access::Basic { .. } | Access::Certificate { .. } => None,
        };
        Self { source, given_up, tokens }
    }

    /// Ends a collection that was given up
    pub(crate) fn go_on(&self) -> Result<(), CollectError> {
        match (self.given_up)() {
            true => Err(CollectError::GivenUp),
            false => Ok(()),
        }
    }

    /// A page, whole: its status is 200 or 204
    ///
    /// A token that is refused is renewed once.
    pub(crate) fn page(&mut self, what: What, url: &str) -> Result<Answer, CollectError> {
        let mut renewed = false;
        loop {
            let authorization = self.authorization()?;
            let request = Request { url: url.to_owned(), authorization, form: None };
            let answer = self.asked(&request, self.source.limits.page_bytes_max, Some(what))?;
            match (answer.status, &mut self.tokens) {
                (200 | 204, _) => return Ok(answer),
                (401, Some(tokens)) if !renewed => {
                    tokens.forget();
                    renewed = true;
                }
                (status, _) => {
                    let advice = advice(what, status).to_owned();
                    return Err(CollectError::Refused { asked: shown(url), status, advice });
                }
            }
        }
    }

    fn authorization(&mut self) -> Result<Option<String>, CollectError> {
        if let Access::Basic { username, password } = &self.source.access {
            return Ok(Some(basic(username, password.reveal())));
        }
        let Some(mut tokens) = self.tokens.take() else { return Ok(None) };
        let token = tokens.current(self);
        self.tokens = Some(tokens);
        token.map(|token| Some(format!("Bearer {}", token.reveal())))
    }

    /// An answer of any status that another try would not change
    pub(crate) fn asked(
        &self,
        request: &Request,
        bytes_max: u64,
        what: Option<What>,
    ) -> Result<Answer, CollectError> {
        let limits = &self.source.limits;
        let asked = shown(&request.url);
        let mut tries = 0;
        loop {
            self.go_on()?;
            let Some(outcome) =
                exchange(&self.source.agent, request.clone(), bytes_max, self.given_up)
            else {
                return Err(CollectError::GivenUp);
            };
            tries += 1;
            let last = tries > limits.tries_again_max;
            let wait = match outcome {
                Ok(answer) => match answer.status {
                    status @ (429 | 500 | 502 | 503 | 504) if last => {
                        return Err(CollectError::Busy { asked, status, tries });
                    }
                    429 | 500 | 502 | 503 | 504 => answer.wait,
                    _ => return Ok(answer),
                },
                Err(Failure::Broken(source)) if last => {
                    return Err(CollectError::Unreachable { asked, tries, source });
                }
                Err(Failure::Broken(_)) => None,
                Err(Failure::Lasting(source)) => {
                    return Err(CollectError::Connection { asked, source });
                }
                Err(Failure::TooLarge) => {
                    let bound = format!("{bytes_max} bytes in a page");
                    return Err(match what {
                        Some(what) => CollectError::TooLarge { what, bound },
                        None => CollectError::Shape {
                            asked,
                            problem: format!("it has more than {bound}"),
                        },
                    });
                }
                Err(Failure::NoJson) => {
                    let problem = "it is no JSON: is the address that of the API, and not of a page for people?";
                    return Err(CollectError::Shape { asked, problem: problem.to_owned() });
                }
            };
            if let Some(wait) = wait.filter(|wait| *wait > limits.wait_asked_max) {
                return Err(CollectError::Wait { asked, seconds: wait.as_secs() });
            }
            let usual = limits.wait(tries);
            self.sleep(wait.filter(|wait| !wait.is_zero()).unwrap_or(usual))?;
        }
    }

    /// Waits, unless the collection is given up
    fn sleep(&self, wait: Duration) -> Result<(), CollectError> {
        let begun = Instant::now();
        loop {
            self.go_on()?;
            let rest = wait.saturating_sub(begun.elapsed());
            if rest.is_zero() {
                return Ok(());
            }
            thread::sleep(rest.min(LOOK));
        }
    }
}

/// A URL for a sentence: without its query, which may have what is of nobody's business
pub(crate) fn shown(url: &str) -> String {
    url.split('?').next().unwrap_or_default().to_owned()
}

/// What to do about a status
fn advice(what: What, status: u16) -> &'static str {
    match status {
        300..=399 => {
            "the server sends us elsewhere, and redirects are not followed: write the address of the API itself into `url`"
        }
        400 => {
            "the server does not take this question: is `url` the address of an API of this kind?"
        }
        401 => {
            "the server does not accept who asks: is the secret still valid, and are `url` and `token-url` of one landscape?"
        }
        403 => needed(what),
        404 => "the server has nothing there: is `url` the address of an API of this kind?",
        _ => "this status is not expected here: ask the operator of that server",
    }
}

/// Which right a listing needs
fn needed(what: What) -> &'static str {
    match what {
        What::CfOrganizations
        | What::CfSpaces
        | What::CfUsers
        | What::CfRoles
        | What::CfServiceCredentialBindings
        | What::CfAuditEvents => {
            "ask with the scope `cloud_controller.global_auditor`, or as a user who is manager of the organizations"
        }
        What::XsuaaRoleCollections => {
            "the client needs the scope `xs_authorization.read`: use a service key of `xsuaa` with the plan `apiaccess`"
        }
        What::XsuaaUsers => {
            "the client needs the scope `xs_user.read`: use a service key of `xsuaa` with the plan `apiaccess`"
        }
        What::XsuaaIdentityProviders => {
            "the client needs the scope `xs_idp.read`: use a service key of `xsuaa` with the plan `apiaccess`"
        }
        What::AuditLogRecords => {
            "the client needs the right to read the audit log: use a service key of `auditlog-management`"
        }
        What::ScimUsers => {
            "the administrator who asks needs the right to read users (`Read Users`)"
        }
        What::ScimGroups => {
            "the administrator who asks needs the right to read groups (`Read Groups`)"
        }
    }
}
