//! How we speak TLS, and whom we trust.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// The authorities that the lifecycle API's certificate is checked against; no others are trusted.
#[derive(Clone, Debug)]
pub(crate) struct Authority(Arc<RootCertStore>);

/// Why a text is not an authority.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidAuthority {
    #[error("it holds no certificate")]
    Empty,
    #[error("it is not PEM")]
    Pem(#[source] rustls_pki_types::pem::Error),
    #[error("its certificate cannot be used")]
    Certificate(#[source] rustls::Error),
}

// === impl Authority ===

impl Authority {
    /// Reads one or more certificates in PEM.
    pub(crate) fn from_pem(pem: &str) -> Result<Self, InvalidAuthority> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            roots.add(certificate.map_err(InvalidAuthority::Pem)?).map_err(InvalidAuthority::Certificate)?;
        }
        if roots.is_empty() {
            return Err(InvalidAuthority::Empty);
        }
        Ok(Self(roots.into()))
    }

    /// A client that trusts this authority. TLS 1.3 only, as the other end is ours; made for one short connection.
    pub(crate) fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_protocol_versions(&[&TLS13])
            .expect("aws-lc must support TLS 1.3")
            .with_root_certificates(Arc::clone(&self.0))
            .with_no_client_auth();
        client.resumption = Resumption::disabled();
        client
    }
}
