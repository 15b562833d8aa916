//! Serving certificates.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::ResolvesServerCert;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::tls;
use crate::unloggable::Unloggable;
use crate::validity::Validity;

/// A serving certificate, the chain up to but without the authority, and its key.
#[derive(Debug)]
pub struct Leaf {
    chain: Vec<CertificateDer<'static>>,
    key: Unloggable<PrivateKeyDer<'static>>,
    validity: Validity,
}

/// Why a leaf cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The key is of no supported kind, or not the certificate's.
    #[error("failed to load the key of the serving certificate")]
    LoadKey(#[source] rustls::Error),
}

// === impl Leaf ===

impl Leaf {
    pub(crate) fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        validity: Validity,
    ) -> Self {
        Self { chain, key: key.into(), validity }
    }

    /// The certificate first, then any that lead up to its authority.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// When it may be used.
    #[must_use]
    pub fn validity(&self) -> Validity {
        self.validity
    }

    #[cfg(test)]
    pub(crate) fn key(&self) -> &Unloggable<PrivateKeyDer<'static>> {
        &self.key
    }

    /// The pair as rustls serves it; fails when the key is not the certificate's.
    pub fn certified_key(&self) -> Result<CertifiedKey, Error> {
        let key = self.key.expose().clone_key();
        CertifiedKey::from_der(self.chain.clone(), key, &tls::provider()).map_err(Error::LoadKey)
    }
}

/// A server that presents `leaf` for as long as it runs. [`crate::Resolver`] can change it.
pub fn server_config(leaf: &Leaf) -> Result<Arc<ServerConfig>, Error> {
    let resolver: Arc<dyn ResolvesServerCert> = Arc::new(SingleCertAndKey::from(leaf.certified_key()?));
    Ok(tls::server_config(resolver))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{mk_authority, mk_leaf};

    #[test]
    fn refuses_a_key_that_is_another_leafs() {
        let authority = mk_authority("a");
        let (one, two) = (mk_leaf(&authority), mk_leaf(&authority));
        let mixed = Leaf::new(one.chain().to_vec(), two.key().expose().clone_key(), one.validity());
        let error = server_config(&mixed).unwrap_err();
        assert_eq!(error.to_string(), "failed to load the key of the serving certificate");
        assert!(matches!(error, Error::LoadKey(rustls::Error::InconsistentKeys(_))), "{error:?}");
    }

    #[test]
    fn what_rustls_holds_never_shows_the_key() {
        let leaf = mk_leaf(&mk_authority("a"));
        let shown = format!("{:?} {:?}", leaf.certified_key().unwrap(), server_config(&leaf).unwrap());
        let secret = leaf.key().expose().secret_der();
        let as_list = format!("{secret:?}");
        assert!(!shown.contains(&as_list[1..as_list.len() - 1]), "{shown}");
    }
}
