//! Listeners on ports of their own, and clients that speak to them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use crate::webhook::limits::Limits;
use crate::webhook::server::{Bound, Connections, Drained};
use crate::webhook::service::{Reply, Service};
use crate::wire::{Problem, Progress};

/// A listener that serves.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) connections: Connections,
    trust: Option<Arc<ClientConfig>>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<Drained>,
}

/// A connection to it.
pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
    connection: JoinHandle<hyper::Result<()>>,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// An answer that comes line by line.
pub(crate) struct Lines {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    body: Incoming,
    read: Vec<u8>,
    client: Client,
}

/// A service that says when a request has come in, and answers when it is told to.
pub(crate) struct Gated<S> {
    pub(crate) inner: S,
    pub(crate) entered: Arc<Notify>,
    pub(crate) go: Arc<Notify>,
}

/// Serves `service` over TLS.
pub(crate) async fn serve(service: impl Service, limits: Limits) -> Running {
    let (server, client) = certified();
    let bound = Bound::tls(localhost(), server, limits).await.unwrap();
    Running::new(bound, Some(client), service)
}

/// Serves `service` without TLS.
pub(crate) async fn serve_plain(service: impl Service, limits: Limits) -> Running {
    let bound = Bound::plain(localhost(), limits).await.unwrap();
    Running::new(bound, None, service)
}

/// Fails the test if `future` takes longer than any of them should.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("must not take so long")
}

/// Waits until `condition` holds.
pub(crate) async fn eventually(condition: impl Fn() -> bool) {
    soon(async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

fn localhost() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn certified() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(pair.signing_key.serialize_der()).unwrap();
    let certificate = pair.cert.der().clone();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), Arc::new(client))
}

// === impl Running ===

impl Running {
    fn new(bound: Bound, trust: Option<Arc<ClientConfig>>, service: impl Service) -> Self {
        let (address, connections) = (bound.local_addr(), bound.connections());
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(bound.serve(service, async {
            let _ = stopped.await;
        }));
        Self { address, connections, trust, stop, served }
    }

    /// A new connection.
    pub(crate) async fn client(&self) -> Client {
        soon(self.try_client()).await.unwrap()
    }

    async fn try_client(&self) -> std::io::Result<Client> {
        let stream = TcpStream::connect(self.address).await?;
        let Some(trust) = &self.trust else { return Ok(Client::new(stream).await) };
        let name = ServerName::try_from("localhost").unwrap();
        Ok(Client::new(TlsConnector::from(Arc::clone(trust)).connect(name, stream).await?).await)
    }

    /// A request on a connection of its own.
    pub(crate) async fn send(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Answer {
        self.client().await.send(request(method, path, body)).await
    }

    /// A TCP connection, and nothing on it.
    pub(crate) async fn raw(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Shuts it down; the result comes when everything has ended.
    pub(crate) fn stop(self) -> JoinHandle<Drained> {
        self.stop.send(()).unwrap();
        self.served
    }
}

pub(crate) fn request(method: Method, path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(path).header("host", "localhost");
    request.body(Full::new(body.into())).unwrap()
}

/// A request without a body, and with this for its `Authorization`.
pub(crate) fn request_with(method: Method, path: &str, authorization: Option<&str>) -> Request<Full<Bytes>> {
    let mut request = request(method, path, "");
    if let Some(value) = authorization {
        request.headers_mut().insert(AUTHORIZATION, value.parse().unwrap());
    }
    request
}

// === impl Client ===

impl Client {
    async fn new(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        Self { sender, connection: tokio::spawn(connection) }
    }

    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> Answer {
        soon(self.try_send(request)).await.unwrap()
    }

    pub(crate) async fn try_send(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Answer> {
        self.sender.ready().await?;
        let (parts, body) = self.sender.send_request(request).await.map(Response::into_parts)?;
        Ok(Answer { status: parts.status, headers: parts.headers, body: body.collect().await?.to_bytes() })
    }

    /// Sends a request whose answer goes on.
    pub(crate) async fn open(mut self, request: Request<Full<Bytes>>) -> Lines {
        let (parts, body) = soon(self.sender.send_request(request)).await.unwrap().into_parts();
        Lines { status: parts.status, headers: parts.headers, body, read: Vec::new(), client: self }
    }

    /// Waits until the server closes it.
    pub(crate) async fn closed(self) {
        let _kept = self.sender;
        let _ = soon(self.connection).await.unwrap();
    }
}

// === impl Answer ===

impl Answer {
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.headers["content-type"], "application/json");
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The status and message of a refusal.
    pub(crate) fn problem(&self) -> (u16, String) {
        (self.status.as_u16(), serde_json::from_value::<Problem>(self.json()).unwrap().message)
    }

    pub(crate) fn text(&self) -> (u16, &str) {
        (self.status.as_u16(), std::str::from_utf8(&self.body).unwrap())
    }
}

// === impl Lines ===

impl Lines {
    /// The next line with its end, or none once the body has ended as it should.
    pub(crate) async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                return Some(String::from_utf8(self.read.drain(..=end).collect()).unwrap());
            }
            let Some(frame) = soon(self.body.frame()).await else {
                assert_eq!(self.read, b"", "the last line has no end");
                return None;
            };
            self.read.extend(frame.unwrap().into_data().unwrap());
        }
    }

    /// The next line, read.
    pub(crate) async fn progress(&mut self) -> Option<Progress> {
        self.next().await.map(|line| serde_json::from_str(&line).unwrap())
    }

    /// Waits until the server closes the connection.
    pub(crate) async fn closed(self) {
        self.client.closed().await;
    }

    /// Goes away.
    pub(crate) fn abandon(self) {
        self.client.connection.abort();
    }
}

// === impl Gated ===

impl<S> Gated<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self { inner, entered: Arc::default(), go: Arc::default() }
    }
}

impl<S: Service> Service for Gated<S> {
    async fn call(&self, request: Request<Bytes>) -> Reply {
        self.entered.notify_one();
        self.go.notified().await;
        self.inner.call(request).await
    }
}
