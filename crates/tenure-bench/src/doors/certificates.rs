//! By what certificates do servers and clients know each other?
//!
//! One authority signs that of the server and that of a client. Their keys are on the curve P-256.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::server::{Arguments, write};

/// The common name of the client
pub(super) const CLIENT: &str = "the client";

/// A certificate and its key in PEM
struct Identity {
    cert: String,
    key: String,
}

/// The certificates of one authority
pub(super) struct Certificates {
    authority: String,
    client: Identity,
    folder: PathBuf,
}

fn named(name: &str) -> CertificateParams {
    let mut asked = CertificateParams::default();
    asked.distinguished_name.push(DnType::CommonName, name);
    asked
}

fn issue(
    authority: &CertifiedIssuer<'_, KeyPair>,
    asked: &CertificateParams,
) -> anyhow::Result<Identity> {
    let key = KeyPair::generate()?;
    Ok(Identity { cert: asked.signed_by(&key, authority)?.pem(), key: key.serialize_pem() })
}

impl Certificates {
    /// Makes them, and writes what servers read to a folder
    pub(super) fn make(folder: &Path) -> anyhow::Result<Self> {
        let mut asked = named("the authority");
        asked.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(asked, KeyPair::generate()?)?;
        let server = issue(&authority, &CertificateParams::new(["localhost".to_owned()])?)?;
        let mut asked = named(CLIENT);
        asked.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let client = issue(&authority, &asked)?;
        let authority = authority.pem();
        write(&folder.join("ca.pem"), &authority)?;
        write(&folder.join("server.pem"), &server.cert)?;
        write(&folder.join("server.key.pem"), &server.key)?;
        Ok(Self { authority, client, folder: folder.to_owned() })
    }

    /// What a server is told so that it speaks TLS
    pub(super) fn of_server(&self) -> Arguments {
        let file = |name| self.folder.join(name);
        vec![("--tls-cert", file("server.pem")), ("--tls-key", file("server.key.pem"))]
    }

    /// What it is told so that it takes certificates of clients
    pub(super) fn of_clients(&self) -> Arguments {
        vec![("--client-ca", self.folder.join("ca.pem"))]
    }

    /// How a client speaks TLS: every handshake is a whole one, with its certificate or without
    pub(super) fn client(&self, with_certificate: bool) -> anyhow::Result<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.as_bytes())?)?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let mut config = if with_certificate {
            let cert = CertificateDer::from_pem_slice(self.client.cert.as_bytes())?;
            let key = PrivateKeyDer::from_pem_slice(self.client.key.as_bytes())?;
            config.with_client_auth_cert(vec![cert], key)?
        } else {
            config.with_no_client_auth()
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }
}
