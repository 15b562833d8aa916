//! Whether clients would take a leaf, asked before they do.

use std::sync::Arc;

use jiff::Timestamp;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, RootCertStore};
use rustls_pki_types::{CertificateDer, DnsName, ServerName};

use crate::certificate::Certificate;
use crate::leaf::{self, Leaf};
use crate::tls;
use crate::validity::{Validity, unix_time};

/// Why a leaf does not take over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It does not cover a name that clients use.
    #[error("failed to accept the serving certificate: it does not cover the name {name}")]
    CoverName {
        /// The name.
        name: String,
    },
    /// It is no longer valid.
    #[error("failed to accept the serving certificate: it expired {not_after}")]
    Expired {
        /// Its last second.
        not_after: Timestamp,
    },
    /// Its key is not its own, or of no supported kind.
    #[error("failed to accept the serving certificate: its key does not fit")]
    FitKey(#[source] leaf::Error),
    /// It is not valid yet: the clocks differ, or it was made ahead of time.
    #[error("failed to accept the serving certificate: it is not valid before {not_before}")]
    NotYetValid {
        /// Its first second.
        not_before: Timestamp,
    },
    /// No authority in the bundle that is itself valid now has signed it.
    #[error("failed to accept the serving certificate: no valid authority in the bundle has signed it")]
    Untrusted,
    /// It fails otherwise.
    #[error("failed to verify the serving certificate")]
    Verify(#[source] rustls::Error),
}

/// Verifies `leaf` as a client does that trusts the authorities in `bundle` (PEM) and calls each of `names`.
pub(crate) fn verify(
    leaf: &Leaf,
    names: &[DnsName<'static>],
    bundle: &str,
    now: Timestamp,
) -> Result<CertifiedKey, Refusal> {
    let key = leaf.certified_key().map_err(Refusal::FitKey)?;
    verify_period(leaf.validity(), now)?;
    let verifier = verifier(bundle, now)?;
    let (certificate, intermediates) = key.cert.split_first().ok_or(Refusal::Untrusted)?;
    for name in names {
        verify_for(&verifier, (certificate, intermediates), name, now)?;
    }
    Ok(key)
}

/// Before rustls does, so that the refusal has our dates and not the bundle's.
fn verify_period(validity: Validity, now: Timestamp) -> Result<(), Refusal> {
    if validity.is_over(now) {
        return Err(Refusal::Expired { not_after: validity.not_after() });
    }
    if !validity.contains(now) {
        return Err(Refusal::NotYetValid { not_before: validity.not_before() });
    }
    Ok(())
}

/// rustls does not ask whether a trusted authority has itself expired; the API server, written in Go, does.
fn verifier(bundle: &str, now: Timestamp) -> Result<Arc<WebPkiServerVerifier>, Refusal> {
    let mut roots = RootCertStore::empty();
    let valid = Certificate::all_in(bundle.as_bytes())
        .filter(|authority| authority.is_authority() && authority.validity().contains(now));
    roots.add_parsable_certificates(valid.map(|authority| authority.der().clone()));
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), tls::provider())
        .build()
        .map_err(|_| Refusal::Untrusted)
}

fn verify_for(
    verifier: &WebPkiServerVerifier,
    (certificate, intermediates): (&CertificateDer<'_>, &[CertificateDer<'_>]),
    name: &DnsName<'static>,
    now: Timestamp,
) -> Result<(), Refusal> {
    let server_name = ServerName::DnsName(name.clone());
    match verifier.verify_server_cert(certificate, intermediates, &server_name, &[], unix_time(now)) {
        Ok(_) => Ok(()),
        Err(error) => Err(refusal(error, name)),
    }
}

fn refusal(error: rustls::Error, name: &DnsName<'_>) -> Refusal {
    let rustls::Error::InvalidCertificate(reason) = &error else { return Refusal::Verify(error) };
    match reason {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Refusal::CoverName { name: name.as_ref().to_owned() }
        }
        // The same subject with another key is a bad signature, and as little trusted.
        CertificateError::BadSignature | CertificateError::UnknownIssuer => Refusal::Untrusted,
        _ => Refusal::Verify(error),
    }
}
