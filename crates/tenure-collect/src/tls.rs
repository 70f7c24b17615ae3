//! Whom do we believe, and how do we show who we are?

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use crate::file::{FileError, read, read_secret};

/// TLS that believes these authorities, or those of the system, and shows this certificate
///
/// # Errors
/// The key of the configuration that is wrong, and why.
pub(crate) fn config(
    ca: Option<&Path>,
    client: Option<(&Path, &Path)>,
) -> Result<TlsConfig, (&'static str, String)> {
    let roots = match ca {
        None => RootCerts::PlatformVerifier,
        Some(path) => certificates(path)
            .map_err(|error| ("ca-file", error.to_string()))?
            .iter()
            .map(own)
            .into(),
    };
    let client = client.map(|(certificate, key)| client_cert(certificate, key)).transpose()?;
    Ok(TlsConfig::builder()
        .root_certs(roots)
        .client_cert(client)
        .unversioned_rustls_crypto_provider(Arc::new(default_provider()))
        .build())
}

fn own(certificate: &CertificateDer<'static>) -> Certificate<'static> {
    Certificate::from_der(certificate).to_owned()
}

/// The certificates of a file in PEM, at least one
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(FileError::content(path, "it has no certificate in PEM")),
        Err(_) => Err(FileError::content(path, "a certificate in it is no PEM")),
    }
}

fn client_cert(certificate: &Path, key: &Path) -> Result<ClientCert, (&'static str, String)> {
    let chain =
        certificates(certificate).map_err(|error| ("certificate-file", error.to_string()))?;
    let wrong_key = |problem: String| ("key-file", problem);
    let pem = read_secret(key).map_err(|error| wrong_key(error.to_string()))?;
    let none = |_| FileError::content(key, "it has no private key in PEM").to_string();
    let private = PrivateKeyDer::from_pem_slice(&pem).map_err(none).map_err(wrong_key)?;
    let shown: Vec<_> = chain.iter().map(own).collect();
    // The client takes a wrong pair for a bug, and panics.
    CertifiedKey::from_der(chain, private, &default_provider()).map_err(|_| {
        wrong_key(FileError::content(key, "it is not the key of `certificate-file`").to_string())
    })?;
    let none = |_| FileError::content(key, "it has no private key in PEM").to_string();
    let private = PrivateKey::from_pem(&pem).map_err(none).map_err(wrong_key)?;
    Ok(ClientCert::new_with_certs(&shown, private))
}
