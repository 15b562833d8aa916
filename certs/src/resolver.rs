//! The leaf that is being served, and its replacement between two handshakes.

use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::DnsName;

use crate::leaf::Leaf;
pub use crate::refusal::Refusal;
use crate::refusal::verify;
use crate::tls;
use crate::validity::Validity;

/// Presents one leaf to every client, whatever name it asks for: the client decides whether it fits.
///
/// A leaf is verified before it takes over, as a client would: its key is its own, it covers every name that
/// clients use, an authority of the bundle has signed it, and it is valid now. One that fails is refused
/// with the reason, and the one before it stays.
#[derive(Debug)]
pub struct Resolver {
    served: ArcSwap<Served>,
    names: Vec<DnsName<'static>>,
}

#[derive(Debug)]
struct Served {
    key: Arc<CertifiedKey>,
    validity: Validity,
}

// === impl Resolver ===

impl Resolver {
    /// Starts with `leaf`, which must cover `names` and be trusted under `bundle`.
    ///
    /// For a webhook `bundle` is what the API server was seen to have, [`crate::bundle::Published::bundle`].
    pub fn new(
        leaf: &Leaf,
        names: Vec<DnsName<'static>>,
        bundle: &str,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let served = Served::verified(leaf, &names, bundle, now)?;
        Ok(Self { served: ArcSwap::from_pointee(served), names })
    }

    /// Serves `leaf` from the next handshake on. After a refusal the old one is served as before.
    pub fn replace(&self, leaf: &Leaf, bundle: &str, now: Timestamp) -> Result<(), Refusal> {
        let served = Served::verified(leaf, &self.names, bundle, now)?;
        self.served.store(Arc::new(served));
        Ok(())
    }

    /// When the leaf that is being served may be used.
    pub fn validity(&self) -> Validity {
        self.served.load().validity
    }

    /// A server that presents whatever this resolver holds at each handshake.
    pub fn server_config(self: &Arc<Self>) -> Arc<ServerConfig> {
        let resolver: Arc<dyn ResolvesServerCert> = self.clone();
        tls::server_config(resolver)
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.served.load().key.clone())
    }
}

// === impl Served ===

impl Served {
    fn verified(
        leaf: &Leaf,
        names: &[DnsName<'static>],
        bundle: &str,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let key = Arc::new(verify(leaf, names, bundle, now)?);
        Ok(Self { key, validity: leaf.validity() })
    }
}

#[cfg(test)]
mod tests;
