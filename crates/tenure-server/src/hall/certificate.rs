//! Which names does a client certificate have?
//!
//! The handshake has verified the certificate before it is read here.

use tenure_core::Instant;
use x509_parser::error::X509Error;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// A name of a certificate, by which a row of the callers' file finds it
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Name {
    /// A common name of its subject
    Common(String),
    /// A URI among its alternative names
    Uri(String),
    /// An e-mail address among its alternative names
    Email(String),
}

/// A client certificate, as far as it says whose it is
#[derive(Debug)]
pub(crate) struct Certificate {
    pub(super) names: Vec<Name>,
    /// The last moment at which it is valid
    pub(super) not_after: Instant,
}

impl Certificate {
    /// Reads a certificate in DER
    ///
    /// # Errors
    /// Bytes that are no certificate, or names that cannot be read.
    pub(crate) fn read(der: &[u8]) -> Result<Self, X509Error> {
        let (_, certificate) = X509Certificate::from_der(der)?;
        // A common name in another encoding than these texts is the name of nobody.
        let common = certificate.subject().iter_common_name();
        let common = common.filter_map(|name| Some(Name::Common(name.as_str().ok()?.to_owned())));
        let alternative = certificate.subject_alternative_name()?;
        let alternative = alternative.iter().flat_map(|names| &names.value.general_names);
        let alternative = alternative.filter_map(|name| match name {
            GeneralName::URI(uri) => Some(Name::Uri((*uri).to_owned())),
            GeneralName::RFC822Name(email) => Some(Name::Email((*email).to_owned())),
            _ => None,
        });
        let not_after = certificate.validity().not_after.timestamp().saturating_mul(1_000_000);
        Ok(Self {
            names: common.chain(alternative).collect(),
            not_after: Instant::saturating_from_micros(not_after),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_a_certificate_are_kept_apart_by_their_kinds() {
        let mut asked = rcgen::CertificateParams::new(vec!["host.example".to_owned()]).unwrap();
        asked.distinguished_name.push(rcgen::DnType::CommonName, "ci");
        let uri = "spiffe://acme.example/ci".try_into().unwrap();
        let email = "ci@acme.example".try_into().unwrap();
        asked.subject_alt_names.push(rcgen::SanType::URI(uri));
        asked.subject_alt_names.push(rcgen::SanType::Rfc822Name(email));
        asked.not_after = rcgen::date_time_ymd(2031, 2, 3);
        let made = asked.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let read = Certificate::read(made.der()).unwrap();
        let expected = [
            Name::Common("ci".to_owned()),
            Name::Uri("spiffe://acme.example/ci".to_owned()),
            Name::Email("ci@acme.example".to_owned()),
        ];
        assert_eq!(read.names, expected);
        assert_eq!(read.not_after, Instant::parse_or_date("2031-02-03").unwrap());
        assert!(Certificate::read(b"no certificate").is_err());
    }
}
