//! A certificate as this crate needs to know it.

use std::fmt;

use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::validity::Validity;

/// An X.509 certificate, parsed. Two are equal when they are the same certificate, byte for byte.
#[derive(Clone)]
pub struct Certificate {
    der: CertificateDer<'static>,
    subject: Vec<u8>,
    subject_text: String,
    public_key: Vec<u8>,
    validity: Validity,
    is_authority: bool,
}

/// Why something is not one certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no PEM section of that kind, or it is not base64.
    #[error("failed to find a PEM certificate")]
    FindPem,
    /// More than one certificate where one was asked for.
    #[error("failed to choose among several certificates: give exactly one")]
    Several,
    /// The section does not hold an X.509 certificate.
    #[error("failed to parse the certificate: it is not X.509")]
    Parse,
}

// === impl Certificate ===

impl Certificate {
    /// Reads the only certificate in `pem`; sections of other kinds are passed over.
    pub fn from_pem(pem: &[u8]) -> Result<Self, Error> {
        let mut sections = CertificateDer::pem_slice_iter(pem);
        let der = sections.next().and_then(Result::ok).ok_or(Error::FindPem)?;
        if sections.next().is_some() {
            return Err(Error::Several);
        }
        Self::from_der(der)
    }

    /// Reads every certificate in `pem` that can be read, in order, and passes over everything else.
    pub fn all_in(pem: &[u8]) -> impl Iterator<Item = Self> {
        CertificateDer::pem_slice_iter(pem).flatten().filter_map(|der| Self::from_der(der).ok())
    }

    pub(crate) fn from_der(der: CertificateDer<'static>) -> Result<Self, Error> {
        let (rest, parsed) = X509Certificate::from_der(&der).map_err(|_| Error::Parse)?;
        if !rest.is_empty() {
            return Err(Error::Parse);
        }
        let subject = parsed.subject().as_raw().to_vec();
        let subject_text = parsed.subject().to_string();
        let public_key = parsed.public_key().raw.to_vec();
        let validity = Validity::read(parsed.validity());
        let is_authority = parsed.is_ca() && may_sign(&parsed);
        Ok(Self { der, subject, subject_text, public_key, validity, is_authority })
    }

    /// The certificate as a PEM section that ends with a line feed.
    #[must_use]
    pub fn to_pem(&self) -> String {
        let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        pem::encode_config(&pem::Pem::new("CERTIFICATE", self.der.as_ref()), config)
    }

    /// The subject for people: `CN=flyte-dataservice admission`.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject_text
    }

    /// Whether `other` was issued to the same subject, byte for byte.
    #[must_use]
    pub fn has_subject_of(&self, other: &Self) -> bool {
        self.subject == other.subject
    }

    /// When it may be used.
    #[must_use]
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// The last second in which it is valid.
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.validity.not_after()
    }

    /// Whether it may sign other certificates: its constraints say CA, and its key usage does not forbid it.
    #[must_use]
    pub fn is_authority(&self) -> bool {
        self.is_authority
    }

    pub(crate) fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    pub(crate) fn has_public_key(&self, subject_public_key_info: &[u8]) -> bool {
        self.public_key == subject_public_key_info
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("subject", &self.subject_text)
            .field("validity", &self.validity)
            .field("is_authority", &self.is_authority)
            .finish_non_exhaustive()
    }
}

fn may_sign(parsed: &X509Certificate<'_>) -> bool {
    match parsed.key_usage() {
        Ok(Some(usage)) => usage.value.key_cert_sign(),
        Ok(None) => true,
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixture::{NOW, mk_authority, mk_leaf};

    #[test]
    fn what_was_written_reads_back_the_same() {
        let made = mk_authority("a").certificate().clone();
        let read = Certificate::from_pem(made.to_pem().as_bytes()).unwrap();
        assert_eq!(read, made);
        assert_eq!(read.subject(), "CN=a");
        assert_eq!(read.validity(), made.validity());
        assert!(read.validity().contains(NOW) && read.is_authority());
    }

    #[test]
    fn leaf_is_no_authority() {
        let leaf = mk_leaf(&mk_authority("a"));
        let certificate = Certificate::from_der(leaf.chain()[0].clone()).unwrap();
        assert!(!certificate.is_authority());
    }

    #[test]
    fn asks_for_exactly_one() {
        let one = mk_authority("a").certificate_pem();
        let two = format!("{one}{one}");
        assert_eq!(Certificate::from_pem(two.as_bytes()), Err(Error::Several));
        assert_eq!(Certificate::from_pem(b""), Err(Error::FindPem));
        let message = Error::Several.to_string();
        assert_eq!(message, "failed to choose among several certificates: give exactly one");
        assert_eq!(Error::FindPem.to_string(), "failed to find a PEM certificate");
    }

    #[test]
    fn refuses_a_section_that_is_not_x509() {
        let nothing = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let error = Certificate::from_pem(nothing).unwrap_err();
        assert_eq!(error.to_string(), "failed to parse the certificate: it is not X.509");
    }

    #[test]
    fn passes_over_garbage_between_certificates() {
        let (a, b) = (mk_authority("a"), mk_authority("b"));
        let broken = "-----BEGIN CERTIFICATE-----\n!?\n-----END CERTIFICATE-----\n";
        let text = format!("# ours\n{}{broken}\0\n{}", a.certificate_pem(), b.certificate_pem());
        let found: Vec<_> = Certificate::all_in(text.as_bytes()).collect();
        assert_eq!(found, [a.certificate().clone(), b.certificate().clone()]);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Certificate::from_pem(&bytes);
            let _ = Certificate::from_der(bytes.into());
        }

        #[test]
        fn a_damaged_certificate_never_panics(at in any::<proptest::sample::Index>(), byte in any::<u8>()) {
            let mut der = mk_authority("a").certificate().der().to_vec();
            let at = at.index(der.len());
            der[at] = byte;
            let _ = Certificate::from_der(der.into());
        }
    }
}
