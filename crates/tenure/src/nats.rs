//! How does the command line say how NATS is reached?

use std::path::PathBuf;

use clap::Args;
use tenure_server::config::NatsPartial;

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
    /// Password of the user; better set in the environment, where other users cannot see it
    #[arg(long, value_name = "PASSWORD", env = "TENURE_NATS_PASSWORD", hide_env_values = true)]
    nats_password: Option<String>,
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
            password: args.nats_password,
            tls_ca: args.nats_tls_ca,
            tls_cert: args.nats_tls_cert,
            tls_key: args.nats_tls_key,
            tls_required: args.nats_tls_required,
            stream_replicas: args.nats_stream_replicas,
        }
    }
}
