//! How do connections become TLS connections?
//!
//! The certificate, its key and the authority of clients are read again when their files change. The private key is
//! in no log and no error.

use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::file::{FileError, certificates, read_secret};
use crate::watched::Watched;

/// How long a handshake may take
const PATIENCE: Duration = Duration::from_secs(10);

/// The files of a server that speaks TLS, all in PEM
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsSettings {
    /// Its certificate, and those between it and an authority
    pub cert: PathBuf,
    /// The private key of the certificate
    pub key: PathBuf,
    /// The authorities whose certificates clients may send
    pub client_ca: Option<PathBuf>,
}

/// A server's end of TLS
#[derive(Clone, Debug)]
pub(crate) struct Tls(Arc<Watched<Arc<ServerConfig>>>);

impl Tls {
    /// Reads the files
    ///
    /// # Errors
    /// Files that cannot be used.
    pub(crate) fn open(settings: &TlsSettings) -> std::result::Result<Self, FileError> {
        let settings = settings.clone();
        let paths = [Some(&settings.cert), Some(&settings.key), settings.client_ca.as_ref()];
        let paths = paths.into_iter().flatten().cloned().collect();
        Ok(Self(Watched::open(paths, move || config(&settings).map(Arc::new))?))
    }

    /// Reads the files again whenever one of them changes, until this is dropped
    pub(crate) fn watch(&self) {
        self.0.watch();
    }

    /// Makes a connection a TLS connection
    ///
    /// # Errors
    /// A client that speaks no TLS, or is too slow, or whose certificate is of no authority of clients.
    pub(super) async fn handshake<S>(&self, stream: S) -> Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let acceptor = TlsAcceptor::from(Arc::clone(&**self.0.now()));
        timeout(PATIENCE, acceptor.accept(stream))
            .await
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::TimedOut, "the handshake is too slow")))
    }
}

fn config(settings: &TlsSettings) -> std::result::Result<ServerConfig, FileError> {
    let TlsSettings { cert, key, client_ca } = settings;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let chain = certificates(cert)?;
    let private = private_key(key)?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| FileError::content(cert, error.to_string()))?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for (n, authority) in certificates(path)?.into_iter().enumerate() {
                let added = roots.add(authority);
                added.map_err(|error| {
                    FileError::content(path, format!("certificate {}: {error}", n + 1))
                })?;
            }
            // A caller may say by a token who it is, so no certificate is asked of all.
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
                .allow_unauthenticated()
                .build()
                .map_err(|error| FileError::content(path, error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain, private).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => FileError::content(
            key,
            format!("it is not the key of the certificate in `{}`", cert.display()),
        ),
        rustls::Error::General(_) => FileError::content(key, "its key is of no kind that is known"),
        other => FileError::content(cert, other.to_string()),
    })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    if client_ca.is_some() {
        // In a session that is resumed nobody looks again whether the certificate of the client has expired.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(config)
}

fn private_key(path: &Path) -> std::result::Result<PrivateKeyDer<'static>, FileError> {
    let none = "it has no private key in PEM, or only one that is encrypted";
    PrivateKeyDer::from_pem_slice(&read_secret(path)?).map_err(|_| FileError::content(path, none))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use rcgen::{CertifiedKey, generate_simple_self_signed};

    use super::*;

    #[test]
    fn files_that_cannot_be_used_are_named_with_what_is_wrong_and_show_no_key() {
        let folder = tempfile::tempdir().unwrap();
        let made = || generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let CertifiedKey { cert, signing_key } = made();
        let (cert, key) = (cert.pem(), signing_key.serialize_pem());
        let settings = TlsSettings {
            cert: folder.path().join("cert.pem"),
            key: folder.path().join("key.pem"),
            client_ca: Some(folder.path().join("ca.pem")),
        };
        let open = |cert: &str, key: &str, ca: &str, mode: u32| {
            let ca_path = settings.client_ca.as_ref().unwrap();
            for (path, text) in [(&settings.cert, cert), (&settings.key, key), (ca_path, ca)] {
                fs::write(path, text).unwrap();
            }
            fs::set_permissions(&settings.key, fs::Permissions::from_mode(mode)).unwrap();
            Tls::open(&settings).map(drop).map_err(|error| error.to_string())
        };
        assert_eq!(open(&cert, &key, &cert, 0o600), Ok(()));
        let other = made().signing_key.serialize_pem();
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let cut = cert.replace("-----END CERTIFICATE-----", "");
        let bad_key = garbage.replace("CERTIFICATE", "PRIVATE KEY");
        let half_key: String = key.lines().take(2).collect::<Vec<_>>().join("\n");
        for (cert, key, ca, mode, parts) in [
            (&*cert, &*key, &*cert, 0o640, ["key.pem", "mode 0640"]),
            (&cert, &other, &cert, 0o600, ["key.pem", "not the key of the certificate"]),
            (&cert, &bad_key, &cert, 0o600, ["key.pem", "no kind"]),
            (&cert, &half_key, &cert, 0o600, ["key.pem", "no private key in PEM"]),
            (&cert, "", &cert, 0o600, ["key.pem", "no private key in PEM"]),
            ("", &key, &cert, 0o600, ["cert.pem", "no certificate in PEM"]),
            (&cut, &key, &cert, 0o600, ["cert.pem", "no PEM"]),
            (garbage, &key, &cert, 0o600, ["cert.pem", "invalid peer certificate"]),
            (&cert, &key, "", 0o600, ["ca.pem", "no certificate in PEM"]),
            (&cert, &key, garbage, 0o600, ["ca.pem", "certificate 1"]),
        ] {
            let said = open(cert, key, ca, mode).unwrap_err();
            assert!(parts.iter().all(|part| said.contains(part)), "{parts:?}: {said}");
            let secret = key.lines().nth(1).unwrap_or("nothing");
            assert!(!said.contains(secret), "{said}");
        }
        fs::remove_file(&settings.key).unwrap();
        let said = Tls::open(&settings).unwrap_err().to_string();
        assert!(said.contains("key.pem") && said.contains("cannot be read"), "{said}");
    }
}
