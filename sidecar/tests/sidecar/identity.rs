//! Who a server says it is, and who says so.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::crypto::aws_lc_rs;
use rustls::version::TLS12;
use rustls::{ALL_VERSIONS, ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::PrivatePkcs8KeyDer;

/// A server's certificate, and the authority that a sidecar is given for it.
pub(crate) struct Identity {
    /// In PEM.
    pub(crate) authority: String,
    /// What the server speaks TLS with.
    pub(crate) tls: Arc<ServerConfig>,
}

type Authority = CertifiedIssuer<'static, KeyPair>;

// === impl Identity ===

impl Identity {
    /// One that is as it should be: for this name or address.
    pub(crate) fn of(name: &str) -> Self {
        let authority = mk_authority();
        Self { authority: authority.pem(), tls: mk_server(&mk_leaf(name), &authority) }
    }

    /// It is as it should be, and speaks TLS 1.2 at best.
    pub(crate) fn of_old_tls() -> Self {
        let authority = mk_authority();
        Self { authority: authority.pem(), tls: mk_server_of(&[&TLS12], &mk_leaf(LOCALHOST), &authority) }
    }

    /// The certificate is good in all but its end, which is long ago.
    pub(crate) fn expired() -> Self {
        let authority = mk_authority();
        let mut leaf = mk_leaf(LOCALHOST);
        leaf.not_after = date_time_ymd(2021, 1, 1);
        Self { authority: authority.pem(), tls: mk_server(&leaf, &authority) }
    }

    /// The certificate is good, and from an authority that only has the name of the one that the sidecar is given.
    pub(crate) fn of_another_authority() -> Self {
        Self { authority: mk_authority().pem(), ..Self::of(LOCALHOST) }
    }

    /// The sidecar is given an old authority beside the one that counts.
    pub(crate) fn of_the_second_authority() -> Self {
        let identity = Self::of(LOCALHOST);
        Self { authority: mk_authority().pem() + &identity.authority, ..identity }
    }
}

impl Default for Identity {
    fn default() -> Self {
        Self::of(LOCALHOST)
    }
}

fn mk_authority() -> Authority {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.distinguished_name.push(DnType::CommonName, "lifecycle");
    Authority::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn mk_leaf(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params
}

fn mk_server(leaf: &CertificateParams, authority: &Authority) -> Arc<ServerConfig> {
    mk_server_of(ALL_VERSIONS, leaf, authority)
}

fn mk_server_of(
    versions: &[&'static SupportedProtocolVersion],
    leaf: &CertificateParams,
    authority: &Authority,
) -> Arc<ServerConfig> {
    let key = KeyPair::generate().unwrap();
    let certificate = leaf.signed_by(&key, authority).unwrap();
    let config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
        .unwrap();
    Arc::new(config)
}

/// Where the servers listen, as a certificate names it.
pub(crate) const LOCALHOST: &str = "127.0.0.1";
