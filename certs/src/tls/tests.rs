use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection};

use super::*;
use crate::authority::Authority;
use crate::fixture::{mk_authority, mk_leaf};
use crate::leaf;

const PINNED_SUITES: [&str; 9] = [
    "TLS13_AES_256_GCM_SHA384",
    "TLS13_AES_128_GCM_SHA256",
    "TLS13_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
];

fn suites(provider: &CryptoProvider) -> Vec<String> {
    provider.cipher_suites.iter().map(|suite| format!("{:?}", suite.suite())).collect()
}

fn groups(provider: &CryptoProvider) -> Vec<String> {
    provider.kx_groups.iter().map(|group| format!("{:?}", group.name())).collect()
}

fn server(authority: &Authority) -> ServerConnection {
    ServerConnection::new(leaf::server_config(&mk_leaf(authority)).unwrap()).unwrap()
}

fn mk_client(authority: &Authority, provider: CryptoProvider, alpn: &[&str]) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate().der().clone()).unwrap();
    let provider = Arc::new(provider);
    let mut config = ClientConfig::builder_with_details(provider, Arc::new(crate::fixture::StoppedClock))
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    ClientConnection::new(Arc::new(config), ServerName::try_from("web.ns-0.svc").unwrap()).unwrap()
}

/// Carries bytes to and fro until both sides are content; the refusal if one of them is not.
fn shake(client: &mut ClientConnection, server: &mut ServerConnection) -> Option<rustls::Error> {
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut wire.as_slice()).unwrap();
        let refusal = server.process_new_packets().err();
        let mut wire = Vec::new();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut wire.as_slice()).unwrap();
        if let Some(refusal) = refusal.or_else(|| client.process_new_packets().err()) {
            return Some(refusal);
        }
    }
    None
}

#[test]
fn suites_and_groups_are_pinned_in_order() {
    assert_eq!(suites(&provider()), PINNED_SUITES);
    assert_eq!(groups(&provider()), ["X25519MLKEM768", "X25519", "secp256r1", "secp384r1"]);
}

#[test]
fn rustls_still_chooses_what_it_did_when_the_policy_was_written() {
    let default = aws_lc_rs::default_provider();
    assert_eq!(suites(&default), PINNED_SUITES);
    assert_eq!(groups(&default), ["X25519", "secp256r1", "secp384r1", "X25519MLKEM768"]);
    let versions: Vec<_> = rustls::DEFAULT_VERSIONS.iter().map(|v| format!("{:?}", v.version)).collect();
    assert_eq!(versions, ["TLSv1_3", "TLSv1_2"]);
}

#[test]
fn every_pinned_suite_can_be_had_with_its_version() {
    let authority = mk_authority("a");
    for suite in SUITES {
        let name = format!("{:?}", suite.suite());
        if name.contains("_RSA_") {
            continue;
        }
        let (mut client, mut server) = (
            mk_client(
                &authority,
                CryptoProvider { cipher_suites: vec![suite], ..(*provider()).clone() },
                &[],
            ),
            server(&authority),
        );
        assert_eq!(shake(&mut client, &mut server), None);
        assert_eq!(format!("{:?}", server.negotiated_cipher_suite().unwrap().suite()), name);
        let expected = if name.starts_with("TLS13_") { "TLSv1_3" } else { "TLSv1_2" };
        assert_eq!(format!("{:?}", server.protocol_version().unwrap()), expected);
    }
}

#[test]
fn serves_http_1_1_and_refuses_clients_that_speak_only_http_2() {
    let authority = mk_authority("a");
    let alpn = |names: &[&str]| {
        let (mut client, mut server) =
            (mk_client(&authority, (*provider()).clone(), names), server(&authority));
        let refusal = shake(&mut client, &mut server);
        (refusal, server.alpn_protocol().map(<[u8]>::to_vec))
    };
    assert_eq!(alpn(&["h2", "http/1.1"]), (None, Some(b"http/1.1".to_vec())));
    assert_eq!(alpn(&[]), (None, None));
    assert_eq!(alpn(&["h2"]).0, Some(rustls::Error::NoApplicationProtocol));
}

#[test]
fn refuses_tls_1_1() {
    let mut server = server(&mk_authority("a"));
    server.read_tls(&mut hello_of_tls_1_1().as_slice()).unwrap();
    let refusal = server.process_new_packets().unwrap_err();
    let expected = rustls::PeerIncompatible::Tls12NotOffered;
    assert_eq!(refusal, rustls::Error::PeerIncompatible(expected));
    let mut answer = Vec::new();
    server.write_tls(&mut answer).unwrap();
    // A fatal alert (2): protocol_version (70).
    assert_eq!(answer.split_at(5), (&[21, 3, 3, 0, 2][..], &[2, 70][..]));
}

#[test]
fn no_early_data_and_no_client_certificates() {
    let config = leaf::server_config(&mk_leaf(&mk_authority("a"))).unwrap();
    assert_eq!(config.max_early_data_size, 0);
    assert_eq!(suites(config.crypto_provider()), PINNED_SUITES);
    assert!(!config.enable_secret_extraction);
    assert!(!config.key_log.will_log("CLIENT_RANDOM"));
}

/// A `ClientHello` of version 3.2 that offers one suite and the signature algorithms rustls asks for.
fn hello_of_tls_1_1() -> Vec<u8> {
    let extensions: [u8; 22] = [
        0, 13, 0, 4, 0, 2, 4, 3, // signature_algorithms: ecdsa_secp256r1_sha256
        0, 10, 0, 4, 0, 2, 0, 23, // supported_groups: secp256r1
        0, 11, 0, 2, 1, 0, // ec_point_formats: uncompressed
    ];
    let mut body = vec![3, 2];
    body.extend([7; 32]); // random
    body.extend([0, 0, 2, 0xc0, 0x2b, 1, 0]); // no session, one suite, no compression
    body.extend([0, 22]);
    body.extend(extensions);
    let length = u8::try_from(body.len()).unwrap();
    let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend(body);
    record
}
