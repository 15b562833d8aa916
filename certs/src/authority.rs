//! Certificate authorities.

use std::fmt;

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PublicKeyData, SanType,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{DnsName, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::certificate::{self, Certificate};
use crate::leaf::Leaf;
use crate::unloggable::Unloggable;
use crate::validity::{InvalidValidity, Validity};

/// A CA certificate and the key that goes with it.
pub struct Authority {
    certificate: Certificate,
    key_pem: Unloggable<String>,
    issuer: Issuer<'static, KeyPair>,
}

/// Why there is no authority, or it does not sign.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The period asked for is none.
    #[error(transparent)]
    ChooseValidity(#[from] InvalidValidity),
    /// The operating system gave no randomness, or the like.
    #[error("failed to generate a key")]
    GenerateKey(#[source] rcgen::Error),
    /// The CA's own certificate could not be made.
    #[error("failed to sign the certificate of the authority {subject}")]
    SignAuthority {
        /// The subject that was asked for.
        subject: String,
        /// Why.
        source: rcgen::Error,
    },
    /// What was given as a certificate is none.
    #[error("failed to read the authority's certificate")]
    ReadCertificate(#[from] certificate::Error),
    /// The certificate is not a CA's.
    #[error("failed to use the certificate of {subject} as an authority: it is not a CA")]
    UseCertificate {
        /// The certificate's subject.
        subject: String,
    },
    /// The certificate is one that this crate cannot issue from.
    #[error("failed to use the certificate of {subject} as an issuer")]
    UseIssuer {
        /// The certificate's subject.
        subject: String,
        /// Why.
        source: rcgen::Error,
    },
    /// What was given as a key is none. Without the parser's words: they could quote it.
    #[error("failed to read the authority's key: it is not an unencrypted PEM private key")]
    ReadKey,
    /// Key and certificate are of two authorities.
    #[error("failed to match the authority's key with the certificate of {subject}: it is another one's")]
    MatchKey {
        /// The certificate's subject.
        subject: String,
    },
    /// A leaf without a name serves nobody.
    #[error("failed to sign a leaf: it has no name")]
    NameLeaf,
    /// The leaf would be valid longer than the authority.
    #[error("failed to sign a leaf that is valid until {leaf}: its authority {subject} ends {authority}")]
    OutliveAuthority {
        /// The authority's subject.
        subject: String,
        /// When the leaf would end.
        leaf: Timestamp,
        /// When the authority ends.
        authority: Timestamp,
    },
    /// The leaf's certificate could not be made.
    #[error("failed to sign a leaf for {name}")]
    SignLeaf {
        /// The first of its names.
        name: String,
        /// Why.
        source: rcgen::Error,
    },
}

// === impl Authority ===

impl Authority {
    /// Makes a new authority with a fresh ECDSA P-256 key.
    ///
    /// `not_before` should lie some minutes back: the clocks of API servers and pods differ. `subject` is
    /// what [`crate::bundle::merge`] knows our certificates by: never change it.
    pub fn generate(subject: &str, not_before: Timestamp, not_after: Timestamp) -> Result<Self, Error> {
        let validity = Validity::new(not_before, not_after)?;
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(Error::GenerateKey)?;
        let certificate = authority_params(subject, validity)
            .self_signed(&key)
            .map_err(|source| Error::SignAuthority { subject: subject.to_owned(), source })?;
        let key_pem = key.serialize_pem().into();
        Self::assemble(Certificate::from_der(certificate.der().clone())?, key, key_pem)
    }

    /// Reads an authority: exactly one certificate, which must be a CA's, and the key that belongs to it.
    ///
    /// Whether it has expired is the caller's to ask: see [`Self::validity`].
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, Error> {
        let certificate = Certificate::from_pem(certificate)?;
        let key_pem = str::from_utf8(key).map_err(|_| Error::ReadKey)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| Error::ReadKey)?;
        let key = KeyPair::try_from(&key).map_err(|_| Error::ReadKey)?;
        Self::assemble(certificate, key, key_pem.to_owned().into())
    }

    fn assemble(certificate: Certificate, key: KeyPair, key_pem: Unloggable<String>) -> Result<Self, Error> {
        let subject = || certificate.subject().to_owned();
        if !certificate.is_authority() {
            return Err(Error::UseCertificate { subject: subject() });
        }
        if !certificate.has_public_key(&key.subject_public_key_info()) {
            return Err(Error::MatchKey { subject: subject() });
        }
        let issuer = Issuer::from_ca_cert_der(certificate.der(), key)
            .map_err(|source| Error::UseIssuer { subject: subject(), source })?;
        Ok(Self { certificate, key_pem, issuer })
    }

    /// The CA certificate.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The CA certificate in PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> String {
        self.certificate.to_pem()
    }

    /// The key in PEM, for the Secret and for nothing else.
    #[must_use]
    pub fn key_pem(&self) -> &Unloggable<String> {
        &self.key_pem
    }

    /// When it may be used.
    #[must_use]
    pub fn validity(&self) -> Validity {
        self.certificate.validity()
    }

    /// Signs a serving certificate with a fresh ECDSA P-256 key of its own.
    ///
    /// A leaf that would end after this authority is refused: take the earlier of both ends.
    pub fn sign_leaf(
        &self,
        names: &[DnsName<'static>],
        not_before: Timestamp,
        not_after: Timestamp,
    ) -> Result<Leaf, Error> {
        let validity = self.check_leaf(names, Validity::new(not_before, not_after)?)?;
        let refused = |source| Error::SignLeaf { name: text(names.first()), source };
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(Error::GenerateKey)?;
        let params = leaf_params(names, validity).map_err(refused)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(refused)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok(Leaf::new(vec![certificate.der().clone()], key, validity))
    }

    fn check_leaf(&self, names: &[DnsName<'static>], validity: Validity) -> Result<Validity, Error> {
        if names.is_empty() {
            return Err(Error::NameLeaf);
        }
        let (leaf, authority) = (validity.not_after(), self.validity().not_after());
        if leaf > authority {
            let subject = self.certificate.subject().to_owned();
            return Err(Error::OutliveAuthority { subject, leaf, authority });
        }
        Ok(validity)
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("certificate", &self.certificate)
            .field("key_pem", &self.key_pem)
            .finish_non_exhaustive()
    }
}

fn authority_params(subject: &str, validity: Validity) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(subject);
    (params.not_before, params.not_after) = validity.to_rcgen();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn leaf_params(names: &[DnsName<'static>], validity: Validity) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::default();
    // Clients look at the alternative names only; a common name may have no more than 64 characters.
    params.distinguished_name = named("flyte-dataservice");
    params.subject_alt_names = names
        .iter()
        .map(|name| Ok(SanType::DnsName(name.as_ref().try_into()?)))
        .collect::<Result<_, rcgen::Error>>()?;
    (params.not_before, params.not_after) = validity.to_rcgen();
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Names the key that signed: during a rotation two authorities have the same subject.
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn text(name: Option<&DnsName<'_>>) -> String {
    name.map(|name| name.as_ref().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
