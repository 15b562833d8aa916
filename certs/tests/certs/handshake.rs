//! Handshakes over loopback sockets, with the client's clock stopped at [`NOW`] or set by the test.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use dataservice_certs::{Authority, Certificate, Resolver, leaf, tls};
use jiff::Timestamp;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{CertificateError, ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::fixture::{HOUR, NAME, NOW, YEAR, dns, mk_authority, mk_leaf};

#[derive(Debug)]
struct Clock(Timestamp);

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.as_second()).unwrap();
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// A client: whom it trusts, whom it calls, when, and what it speaks.
struct Caller {
    trusts: String,
    calls: &'static str,
    now: Timestamp,
    versions: &'static [&'static SupportedProtocolVersion],
}

// === impl Caller ===

impl Caller {
    fn who_trusts(authority: &Authority) -> Self {
        let trusts = authority.certificate_pem();
        Self { trusts, calls: NAME, now: NOW, versions: rustls::ALL_VERSIONS }
    }

    fn config(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(self.trusts.as_bytes()).flatten());
        let config = ClientConfig::builder_with_details(tls::provider(), Arc::new(Clock(self.now)))
            .with_protocol_versions(self.versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    }

    async fn connect(&self, server: &Server) -> io::Result<TlsStream<TcpStream>> {
        let socket = TcpStream::connect(server.0.local_addr()?).await?;
        let name = ServerName::try_from(self.calls).unwrap();
        TlsConnector::from(self.config()).connect(name, socket).await
    }

    /// One call, one answer. What the server presented.
    async fn call(&self, server: &Server, config: &Arc<ServerConfig>) -> Result<Certificate, rustls::Error> {
        let (_, outcome) = tokio::join!(server.echo_once(config), async {
            let mut stream = self.connect(server).await?;
            echo(&mut stream).await?;
            Ok::<_, io::Error>(presented(&stream))
        });
        outcome.map_err(|error| match error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) {
            Some(refusal) => refusal.clone(),
            None => panic!("failed for another reason: {error}"),
        })
    }

    async fn refuses(&self, config: &Arc<ServerConfig>) -> CertificateError {
        match self.call(&Server::bind().await, config).await.unwrap_err() {
            rustls::Error::InvalidCertificate(reason) => reason,
            other => panic!("refused for another reason: {other}"),
        }
    }
}

struct Server(TcpListener);

// === impl Server ===

impl Server {
    async fn bind() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    /// Takes one connection and sends back what it is sent until the client has no more.
    async fn echo_once(&self, config: &Arc<ServerConfig>) -> io::Result<()> {
        let (socket, _) = self.0.accept().await?;
        let mut stream = TlsAcceptor::from(config.clone()).accept(socket).await?;
        let mut buffer = [0; 64];
        loop {
            match stream.read(&mut buffer).await? {
                0 => return Ok(()),
                length => stream.write_all(&buffer[..length]).await?,
            }
        }
    }
}

async fn echo(stream: &mut TlsStream<TcpStream>) -> io::Result<()> {
    stream.write_all(b"hello").await?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).await?;
    assert_eq!(&answer, b"hello");
    Ok(())
}

fn presented(stream: &TlsStream<TcpStream>) -> Certificate {
    let chain = stream.get_ref().1.peer_certificates().unwrap();
    let pem = pem::encode(&pem::Pem::new("CERTIFICATE", chain[0].as_ref()));
    Certificate::from_pem(pem.as_bytes()).unwrap()
}

/// The certificate that `leaf` should be seen to present.
fn certificate_of(leaf: &leaf::Leaf) -> Certificate {
    let pem = pem::encode(&pem::Pem::new("CERTIFICATE", leaf.chain()[0].as_ref()));
    Certificate::from_pem(pem.as_bytes()).unwrap()
}

#[tokio::test]
async fn client_that_trusts_the_authority_is_served() {
    let authority = mk_authority();
    let leaf = mk_leaf(&authority);
    let config = leaf::server_config(&leaf).unwrap();
    for version in rustls::ALL_VERSIONS {
        let caller = Caller { versions: std::slice::from_ref(version), ..Caller::who_trusts(&authority) };
        let seen = caller.call(&Server::bind().await, &config).await.unwrap();
        assert_eq!(seen, certificate_of(&leaf), "{version:?}");
    }
}

#[tokio::test]
async fn authority_that_was_read_signs_what_the_one_that_was_made_is_trusted_for() {
    let made = mk_authority();
    let (certificate, key) = (made.certificate_pem(), made.key_pem());
    let read = Authority::from_pem(certificate.as_bytes(), key.expose().as_bytes()).unwrap();
    let config = leaf::server_config(&mk_leaf(&read)).unwrap();
    Caller::who_trusts(&made).call(&Server::bind().await, &config).await.unwrap();
}

#[tokio::test]
async fn client_that_trusts_another_authority_refuses() {
    let config = leaf::server_config(&mk_leaf(&mk_authority())).unwrap();
    let same_name = Caller::who_trusts(&mk_authority());
    assert_eq!(same_name.refuses(&config).await, CertificateError::BadSignature);
    let other = Authority::generate("other", NOW - HOUR, NOW + YEAR).unwrap();
    assert_eq!(Caller::who_trusts(&other).refuses(&config).await, CertificateError::UnknownIssuer);
}

#[tokio::test]
async fn client_refuses_an_expired_or_early_leaf() {
    let authority = mk_authority();
    let config = leaf::server_config(&mk_leaf(&authority)).unwrap();
    let at = |now| Caller { now, ..Caller::who_trusts(&authority) };
    let late = at(NOW + 24 * HOUR + HOUR).refuses(&config).await;
    assert!(matches!(late, CertificateError::ExpiredContext { .. }), "{late}");
    let early = at(NOW - 2 * HOUR).refuses(&config).await;
    assert!(matches!(early, CertificateError::NotValidYetContext { .. }), "{early}");
}

#[tokio::test]
async fn client_refuses_a_wrong_name() {
    let authority = mk_authority();
    let config = leaf::server_config(&mk_leaf(&authority)).unwrap();
    let refusal = Caller { calls: "web.ns-1.svc", ..Caller::who_trusts(&authority) }.refuses(&config).await;
    assert!(matches!(refusal, CertificateError::NotValidForNameContext { .. }), "{refusal}");
}

#[tokio::test]
async fn new_leaf_is_presented_from_the_next_handshake_on() {
    let (old, new) = (mk_authority(), mk_authority());
    let bundle = format!("{}{}", old.certificate_pem(), new.certificate_pem());
    let (first, second) = (mk_leaf(&old), mk_leaf(&new));
    let resolver = Arc::new(Resolver::new(&first, dns(&[NAME]), &bundle, NOW).unwrap());
    let config = resolver.server_config();
    let caller = Caller { trusts: bundle.clone(), ..Caller::who_trusts(&old) };
    let server = Server::bind().await;
    assert_eq!(caller.call(&server, &config).await.unwrap(), certificate_of(&first));
    resolver.replace(&second, &bundle, NOW).unwrap();
    assert_eq!(caller.call(&server, &config).await.unwrap(), certificate_of(&second));
    resolver.replace(&mk_leaf(&mk_authority()), &bundle, NOW).unwrap_err();
    assert_eq!(caller.call(&server, &config).await.unwrap(), certificate_of(&second));
}

#[tokio::test]
async fn connection_outlives_the_leaf_it_was_made_with() {
    let authority = mk_authority();
    let bundle = authority.certificate_pem();
    let resolver = Arc::new(Resolver::new(&mk_leaf(&authority), dns(&[NAME]), &bundle, NOW).unwrap());
    let (server, config) = (Server::bind().await, resolver.server_config());
    let caller = Caller::who_trusts(&authority);
    let (outcome, ()) = tokio::join!(server.echo_once(&config), async {
        let mut stream = caller.connect(&server).await.unwrap();
        echo(&mut stream).await.unwrap();
        resolver.replace(&mk_leaf(&authority), &bundle, NOW).unwrap();
        echo(&mut stream).await.unwrap();
        stream.shutdown().await.unwrap();
    });
    outcome.unwrap();
}
