//! How does the command line say how NATS is reached?

use std::path::PathBuf;

use clap::Args;
use tenure_server::config::NatsPartial;

use crate::door::Wrong;

/// Refuses a URL with a password among the arguments
///
/// # Errors
/// There is one.
pub(crate) fn no_password_in(arguments: impl Iterator<Item = String>) -> Result<(), Wrong> {
    let has_one = |argument: &String| {
        let text = argument.split_once('=').filter(|(flag, _)| flag.starts_with("--"));
        let text = text.map_or(argument.as_str(), |(_, value)| value);
        let is_url = ["nats://", "tls://", "http://", "https://"]
            .iter()
            .any(|scheme| text.starts_with(scheme));
        let host = text.split("://").skip(1).find_map(|rest| rest.split_once('@'));
        is_url
            && host.is_some_and(|(identity, _)| identity.contains(':') && !identity.contains('/'))
    };
    if arguments.into_iter().any(|argument| has_one(&argument)) {
        return Err(Wrong(
            "an argument has a URL with a password, and others on this machine can read arguments: set it in the \
             environment (TENURE_LOG, TENURE_SERVER) or in the configuration file"
                .to_owned(),
        ));
    }
    Ok(())
}

/// How NATS is reached
#[derive(Debug, Args)]
#[command(next_help_heading = "NATS")]
pub(crate) struct NatsArgs {
    /// Credentials file (JWT and seed)
    #[arg(long, value_name = "FILE", env = "TENURE_NATS_CREDENTIALS")]
    nats_credentials: Option<PathBuf>,
    /// File with the seed of an nkey
    #[arg(long, value_name = "FILE", env = "TENURE_NATS_NKEY")]
    nats_nkey: Option<PathBuf>,
    /// User name
    #[arg(long, value_name = "NAME", env = "TENURE_NATS_USER")]
    nats_user: Option<String>,
    /// File with the password of the user (the environment TENURE_NATS_PASSWORD has the password itself)
    #[arg(long, value_name = "FILE", env = "TENURE_NATS_PASSWORD_FILE")]
    nats_password_file: Option<PathBuf>,
    /// Certificates of authorities that are trusted, instead of the system's
    #[arg(long, value_name = "FILE", env = "TENURE_NATS_TLS_CA")]
    nats_tls_ca: Option<PathBuf>,
    /// The certificate of this program
    #[arg(long, value_name = "FILE", env = "TENURE_NATS_TLS_CERT")]
    nats_tls_cert: Option<PathBuf>,
    /// The key of that certificate
    #[arg(long, value_name = "FILE", env = "TENURE_NATS_TLS_KEY")]
    nats_tls_key: Option<PathBuf>,
    /// Refuse a connection without TLS
    #[arg(long, value_name = "BOOL", env = "TENURE_NATS_TLS_REQUIRED", num_args = 0..=1, default_missing_value = "true")]
    nats_tls_required: Option<bool>,
    /// Servers that keep a copy of the stream, when it is made [default: 1]
    #[arg(long, value_name = "N", env = "TENURE_NATS_STREAM_REPLICAS")]
    nats_stream_replicas: Option<usize>,
}

impl From<NatsArgs> for NatsPartial {
    fn from(args: NatsArgs) -> Self {
        Self {
            credentials: args.nats_credentials,
            nkey: args.nats_nkey,
            user: args.nats_user,
            // No argument has it: others on this machine can read arguments.
            password: std::env::var("TENURE_NATS_PASSWORD").ok(),
            password_file: args.nats_password_file,
            tls_ca: args.nats_tls_ca,
            tls_cert: args.nats_tls_cert,
            tls_key: args.nats_tls_key,
            tls_required: args.nats_tls_required,
            stream_replicas: args.nats_stream_replicas,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_an_argument_is_refused_and_not_repeated() {
        let refused = |argument: &str| no_password_in([argument.to_owned()].into_iter()).err();
        for argument in [
            "nats://ledger:hidden@n1:4222",
            "--log=nats://n1:4222,nats://ledger:hidden@n2:4222",
            "https://ann:hidden@ledger.acme.example",
        ] {
            let said = refused(argument).unwrap().to_string();
            assert!(said.contains("TENURE_LOG") && !said.contains("hidden"), "{said}");
        }
        for argument in [
            "nats://n1:4222,nats://n2:4222",
            "http://127.0.0.1:7480",
            "nats://token@n1:4222",
            "user:sap.default/alice@acme.example",
            "--reason=see https://acme.example/a@b:c",
        ] {
            assert!(refused(argument).is_none(), "{argument}");
        }
    }
}
