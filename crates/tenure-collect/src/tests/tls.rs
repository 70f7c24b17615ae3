//! Do we believe only the authorities that we are told, and show our certificate?

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;
use tempfile::TempDir;

use super::server::{Reply, Seen};
use super::{all, said, secret_file, settings};
use crate::CollectError;

struct Pair {
    certificate: String,
    key: String,
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn pair(authority: &CertifiedIssuer<'static, KeyPair>) -> Pair {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    Pair { certificate: certificate.pem(), key: key.serialize_pem() }
}

/// An identity provider without users, which wants to see a certificate; its port, and how often somebody connected
fn server(own: &Pair, clients: &CertifiedIssuer<'static, KeyPair>) -> (u16, Arc<AtomicUsize>) {
    let mut roots = RootCertStore::empty();
    roots.add(clients.der().clone()).unwrap();
    let provider = Arc::new(default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let chain = vec![CertificateDer::from_pem_slice(own.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let connected = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connected);
    thread::spawn(move || {
        for stream in listener.incoming() {
            count.fetch_add(1, Ordering::SeqCst);
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            if Seen::read(&mut stream).is_some() {
                Reply::json(&json!({"totalResults": 0})).write(&mut stream);
                stream.conn.send_close_notify();
                drop(std::io::Write::flush(&mut stream));
            }
        }
    });
    (port, connected)
}

#[test]
fn a_certificate_says_who_asks_and_only_a_known_server_is_told() {
    let (ours, others) = (authority(), authority());
    let client = pair(&ours);
    let (port, connected) = server(&pair(&ours), &ours);
    let folder = TempDir::new().unwrap();
    let file = |name, text: &str| secret_file(folder.path(), name, text);
    let table = |ca: &str, certificate: &str, key: &str| {
        format!(
            "name = 'one'\nkind = 'scim'\nurl = 'https://localhost:{port}/scim'\nca-file = '{}'\n\
             certificate-file = '{}'\nkey-file = '{}'",
            file("ca", ca),
            file("certificate", certificate),
            file("key", key),
        )
    };
    let known = settings(&table(&ours.pem(), &client.certificate, &client.key)).unwrap();
    assert_eq!(all(&known.open().unwrap()).1.unwrap().listings, 2);

    // A server of an authority that is not known is asked once, and nothing is sent to it.
    let before = connected.load(Ordering::SeqCst);
    let unknown = settings(&table(&others.pem(), &client.certificate, &client.key)).unwrap();
    let error = all(&unknown.open().unwrap()).1.unwrap_err();
    assert!(matches!(error, CollectError::Connection { .. }), "{}", said(&error));
    assert!(said(&error).contains("certificate"), "{}", said(&error));
    assert_eq!(connected.load(Ordering::SeqCst) - before, 1);

    let other = pair(&ours);
    let wrong = settings(&table(&ours.pem(), &client.certificate, &other.key)).unwrap();
    let error = wrong.open().unwrap_err().to_string();
    assert!(error.contains("`key-file`") && error.contains("not the key"), "{error}");
}
