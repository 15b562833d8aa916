//! One HTTPS request to the lifecycle API.

use std::error::Error as StdError;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use dataservice_wire::Problem;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONNECTION, HOST, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::config::Api;
use crate::dns::{self, Name, Resolver};
use crate::endpoint::{Endpoint, Host};
use crate::token;

/// Speaks to the lifecycle API as this pod.
pub(crate) struct Client {
    endpoint: Endpoint,
    nameservers: Vec<SocketAddr>,
    tls: Arc<ClientConfig>,
    token_file: PathBuf,
}

/// A success, and what follows its head; the connection lives as long as this does.
pub(crate) struct Answer {
    /// The body, as it comes.
    pub(crate) body: Incoming,
    _connection: JoinSet<hyper::Result<()>>,
}

/// Why a request has not succeeded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("failed to get an answer from {address}")]
    Answer { address: SocketAddr, source: Box<dyn StdError + Send + Sync> },
    #[error("failed to connect to {address}")]
    Connect { address: SocketAddr, source: io::Error },
    #[error("failed to set up TLS with {address}")]
    Handshake { address: SocketAddr, source: io::Error },
    #[error("failed to resolve {name}")]
    Resolve { name: Name, source: dns::Error },
    #[error("{endpoint} answered {status}{}", reason(message.as_deref()))]
    Status { endpoint: Endpoint, status: StatusCode, message: Option<String> },
    #[error(transparent)]
    Token(#[from] token::Error),
}

// === impl Client ===

impl Client {
    /// Prepares TLS; nothing is sent.
    pub(crate) fn new(api: &Api) -> Self {
        Self {
            endpoint: api.endpoint.clone(),
            nameservers: api.nameservers.clone(),
            tls: api.authority.client().into(),
            token_file: api.token_file.clone(),
        }
    }

    /// Posts to a path, without a body, and waits for a success. None of its steps outlasts the deadline.
    pub(crate) async fn post(&self, path: &'static str, deadline: Instant) -> Result<(), Error> {
        self.send(Method::POST, path, deadline).await.map(drop)
    }

    /// Gets a path, and waits for a success. None of its steps outlasts the deadline; the body may.
    pub(crate) async fn get(&self, path: &'static str, deadline: Instant) -> Result<Answer, Error> {
        self.send(Method::GET, path, deadline).await
    }

    async fn send(&self, method: Method, path: &'static str, deadline: Instant) -> Result<Answer, Error> {
        let authorization = token::authorization(&self.token_file)?;
        let (address, stream) = self.connect(deadline).await?;
        let handshake =
            TlsConnector::from(Arc::clone(&self.tls)).connect(self.endpoint.server_name(), stream);
        let stream =
            within(deadline, handshake).await.map_err(|source| Error::Handshake { address, source })?;
        // Dropped with the answer, and with it the connection, whatever still runs on it.
        let mut connection = JoinSet::new();
        let response = send(self.request(method, path, authorization), stream, &mut connection);
        let response =
            within(deadline, response).await.map_err(|source| Error::Answer { address, source })?;
        let body = self.judge(response, deadline).await?;
        Ok(Answer { body, _connection: connection })
    }

    /// Connects to the first address that lets us; each gets its share of the time.
    async fn connect(&self, deadline: Instant) -> Result<(SocketAddr, TcpStream), Error> {
        let addresses = self.addresses(deadline).await?;
        let mut failed = None;
        for (untried, address) in (1..=addresses.len()).rev().zip(addresses) {
            let address = SocketAddr::new(address, self.endpoint.port());
            let now = Instant::now();
            let share = deadline.saturating_duration_since(now) / u32::try_from(untried).unwrap_or(u32::MAX);
            match within(now + share, TcpStream::connect(address)).await {
                Ok(stream) => {
                    // Else the request waits for the acknowledgement of the handshake's end. Slower is all it is.
                    let _ = stream.set_nodelay(true);
                    return Ok((address, stream));
                }
                Err(source) => failed = Some(Error::Connect { address, source }),
            }
        }
        Err(failed.expect("a lookup must not succeed without an address"))
    }

    async fn addresses(&self, deadline: Instant) -> Result<Vec<IpAddr>, Error> {
        match self.endpoint.host() {
            Host::Address(address) => Ok(vec![*address]),
            Host::Name(name) => self
                .lookup(name, deadline)
                .await
                .map_err(|source| Error::Resolve { name: name.clone(), source }),
        }
    }

    async fn lookup(&self, name: &Name, deadline: Instant) -> Result<Vec<IpAddr>, dns::Error> {
        Resolver::of_the_pod(&self.nameservers)?.lookup(name, deadline).await
    }

    fn request(
        &self,
        method: Method,
        path: &'static str,
        authorization: HeaderValue,
    ) -> Request<Empty<Bytes>> {
        Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.endpoint.authority())
            .header(AUTHORIZATION, authorization)
            // One request is all: the server need not wait for us to hang up.
            .header(CONNECTION, "close")
            .body(Empty::new())
            .expect("a constant path and a checked host must make a request")
    }

    /// A success is one by its head. Of anything else the body may say why.
    async fn judge(&self, response: Response<Incoming>, deadline: Instant) -> Result<Incoming, Error> {
        let status = response.status();
        if status.is_success() {
            return Ok(response.into_body());
        }
        let message = timeout_at(deadline, problem(response.into_body())).await.ok().flatten();
        Err(Error::Status { endpoint: self.endpoint.clone(), status, message })
    }
}

/// Sends the request, and gives the head of the response; the connection goes on as the set's task.
async fn send(
    request: Request<Empty<Bytes>>,
    stream: TlsStream<TcpStream>,
    connection: &mut JoinSet<hyper::Result<()>>,
) -> Result<Response<Incoming>, Box<dyn StdError + Send + Sync>> {
    let (mut sender, task) =
        http1::Builder::new().max_buf_size(MAX_HEAD).handshake(TokioIo::new(stream)).await?;
    connection.spawn(task);
    Ok(sender.send_request(request).await?)
}

async fn problem(body: Incoming) -> Option<String> {
    let body = Limited::new(body, MAX_PROBLEM).collect().await.ok()?;
    serde_json::from_slice(&body.to_bytes()).ok().map(|Problem { message }| message)
}

async fn within<T, E: From<io::Error>>(
    deadline: Instant,
    step: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    timeout_at(deadline, step).await.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
}

// === impl Error ===

impl Error {
    /// Whether the same request may succeed a little later.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Answer { .. } | Self::Connect { .. } | Self::Handshake { .. } | Self::Resolve { .. } => {
                true
            }
            Self::Status { status, .. } => {
                status.is_server_error()
                    || matches!(*status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
            }
            Self::Token(_) => false,
        }
    }
}

fn reason(message: Option<&str>) -> String {
    message.map_or_else(String::new, |message| format!(": {message}"))
}

/// Of a response's head, in bytes: ours takes a hundred.
const MAX_HEAD: usize = 8 * 1024;
/// Of a body that says why, in bytes.
const MAX_PROBLEM: usize = 4 * 1024;
