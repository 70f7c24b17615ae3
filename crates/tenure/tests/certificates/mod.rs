//! Authorities and certificates for a test
#![expect(
    clippy::unwrap_used,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, SanType, date_time_ymd,
};

use crate::common::write_secret;

/// An authority
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key in PEM
pub(crate) struct Identity {
    pub(crate) cert: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut asked = CertificateParams::default();
        asked.distinguished_name.push(DnType::CommonName, name);
        asked.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(asked, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// The certificate of a server on this machine
    pub(crate) fn server(&self) -> Identity {
        let names = ["localhost", "127.0.0.1"].map(str::to_owned);
        self.issue(CertificateParams::new(names).unwrap())
    }

    /// The certificate of a client with this common name
    pub(crate) fn client(&self, name: &str) -> Identity {
        self.client_with(name, |_| {})
    }

    pub(crate) fn client_with(
        &self,
        name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Identity {
        let mut asked = CertificateParams::default();
        asked.distinguished_name.push(DnType::CommonName, name);
        asked.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut asked);
        self.issue(asked)
    }

    fn issue(&self, asked: CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let cert = asked.signed_by(&key, &self.0).unwrap();
        Identity { cert: cert.pem(), key: key.serialize_pem() }
    }
}

/// Makes a certificate one that expired long ago
pub(crate) fn expired(asked: &mut CertificateParams) {
    asked.not_after = date_time_ymd(2020, 1, 1);
}

/// Makes a certificate one that expires so many seconds from now
pub(crate) fn expires_in(seconds: u64) -> impl FnOnce(&mut CertificateParams) {
    let end = UNIX_EPOCH.elapsed().unwrap() + Duration::from_secs(seconds);
    move |asked| asked.not_after = date_time_ymd(1970, 1, 1) + end
}

pub(crate) fn with_uri(uri: &str) -> impl FnOnce(&mut CertificateParams) {
    let name = SanType::URI(uri.try_into().unwrap());
    |asked| asked.subject_alt_names.push(name)
}

pub(crate) fn with_email(email: &str) -> impl FnOnce(&mut CertificateParams) {
    let name = SanType::Rfc822Name(email.try_into().unwrap());
    |asked| asked.subject_alt_names.push(name)
}

impl Identity {
    /// Writes both to a folder, under a name
    pub(crate) fn write(&self, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let (cert, key) =
            (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key.pem")));
        write_secret(&key, &self.key);
        write_secret(&cert, &self.cert);
        (cert, key)
    }
}
