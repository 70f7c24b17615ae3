//! `tenure token new`: a bearer token, and the lines that a server's callers' file needs

use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::{Args, Subcommand};
use tenure_core::{Instant, Principal, PrincipalKind};
use tenure_server::hall::token_digest;
use uuid::Uuid;

use crate::door::Wrong;
use crate::output::say;

/// Make bearer tokens, by which callers say who they are
#[derive(Debug, Args)]
pub(crate) struct Token {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(New),
}

/// Make a token. It is printed once, as a comment; the other lines are for the callers' file of the server
#[derive(Debug, Args)]
struct New {
    /// Whose it is, such as user:sap.default/alice@acme.example or client:corp/pipeline
    #[arg(long, value_name = "WHO")]
    principal: String,
    /// When it expires: an instant or a date, as whose day begins it does [default: never]
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
}

impl Token {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let Command::New(new) = self.command;
        new.run()
    }
}

impl New {
    fn run(&self) -> anyhow::Result<ExitCode> {
        let wrong = |why: String| Wrong(format!("--principal: {why}"));
        let principal =
            Principal::parse(&self.principal).map_err(|error| wrong(error.to_string()))?;
        if !matches!(principal.kind(), PrincipalKind::User | PrincipalKind::Client) {
            return Err(wrong("a token is of a user or a client".to_owned()).into());
        }
        let expires = self.expires.as_deref().map(Instant::parse_or_date).transpose();
        let expires = expires.map_err(|error| Wrong(format!("--expires: {error}")))?;
        let token = token();
        say(&format!(
            "# {token}\n# Keep it: it is shown once. Add these lines to the callers' file of the server:\n"
        ))?;
        say(&format!(
            "[[token]]\nsha256 = \"{}\"\nprincipal = {}",
            token_digest(&token),
            toml_text(principal.as_str())
        ))?;
        if let Some(expires) = expires {
            say(&format!("expires = \"{expires}\""))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// 244 bits of chance
fn token() -> String {
    let bytes = [Uuid::new_v4(), Uuid::new_v4()].map(Uuid::into_bytes);
    format!("tenure_{}", URL_SAFE_NO_PAD.encode(bytes.as_flattened()))
}

/// A text as TOML quotes it: names have no control characters
fn toml_text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
