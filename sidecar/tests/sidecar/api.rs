//! The lifecycle API's half, as good or bad as a test wants it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::StatusCode;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsAcceptor;

use crate::identity::Identity;

/// A server on a port of its own, until it is dropped.
pub(crate) struct Api {
    pub(crate) address: SocketAddr,
    /// What a sidecar checks it against, in PEM.
    pub(crate) authority: String,
    seen: Arc<Mutex<Seen>>,
    _serving: JoinSet<()>,
}

/// What has come in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) connections: usize,
    pub(crate) requests: Vec<Request>,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) at: Instant,
    /// In lower case but for the values, without the line breaks.
    pub(crate) head: Vec<String>,
}

/// What a request is answered with.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// These bytes, and the end of the connection.
    Bytes(String),
    /// A start, and then the same for ever, as fast as it is taken.
    Endless(String, &'static str),
    /// This answer, after a while.
    Late(Duration, Box<Self>),
    /// These bytes, and the connection stays.
    Open(String),
    /// Nothing, and the connection stays.
    Silence,
}

/// What connections are met with.
enum Front {
    /// They are closed at once.
    HangUp,
    /// Requests are answered, without TLS.
    Plain,
    /// They are accepted, and that is all.
    Silent,
    Tls(TlsAcceptor),
}

/// Answers each request in turn; the last answer serves all that follow.
struct Script {
    front: Front,
    answers: Vec<Answer>,
    seen: Arc<Mutex<Seen>>,
}

// === impl Api ===

impl Api {
    /// One that is as it should be, but for its answers.
    pub(crate) async fn answering<const N: usize>(answers: [Answer; N]) -> Self {
        Self::with(Identity::default(), answers).await
    }

    /// One with that certificate.
    pub(crate) async fn with<const N: usize>(identity: Identity, answers: [Answer; N]) -> Self {
        let Identity { authority, tls } = identity;
        Self::start(Front::Tls(tls.into()), authority, answers.into()).await
    }

    /// One that closes every connection at once.
    pub(crate) async fn hanging_up() -> Self {
        Self::start(Front::HangUp, Identity::default().authority, Vec::new()).await
    }

    /// One that forgot about TLS.
    pub(crate) async fn without_tls() -> Self {
        Self::start(Front::Plain, Identity::default().authority, vec![Answer::of(204)]).await
    }

    /// One that accepts connections and says nothing.
    pub(crate) async fn silent() -> Self {
        Self::start(Front::Silent, Identity::default().authority, Vec::new()).await
    }

    async fn start(front: Front, authority: String, answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::default());
        let script = Script { front, answers, seen: Arc::clone(&seen) };
        let mut serving = JoinSet::new();
        serving.spawn(script.serve(listener));
        Self { address, authority, seen, _serving: serving }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    /// The requests, which must be as many as these.
    pub(crate) fn requests<const N: usize>(&self) -> [Request; N] {
        let requests = self.seen().requests;
        requests.try_into().unwrap_or_else(|requests| panic!("not {N} requests: {requests:#?}"))
    }
}

// === impl Script ===

impl Script {
    async fn serve(self, listener: TcpListener) {
        let script = Arc::new(self);
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            script.seen.lock().unwrap().connections += 1;
            let script = Arc::clone(&script);
            connections.spawn(async move { script.meet(stream).await });
        }
    }

    /// That the peer goes away early is for the test to notice, at the other end.
    async fn meet(&self, stream: TcpStream) -> io::Result<()> {
        match &self.front {
            Front::HangUp => Ok(()),
            Front::Plain => self.converse(stream).await,
            Front::Silent => silence(stream).await,
            Front::Tls(tls) => self.converse(tls.accept(stream).await?).await,
        }
    }

    async fn converse(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
        let request = Request::read(&mut stream).await?;
        let answer = {
            let mut seen = self.seen.lock().unwrap();
            seen.requests.push(request);
            self.answers.get(seen.requests.len() - 1).or_else(|| self.answers.last()).cloned()
        };
        let mut answer = answer.expect("a test that is asked must have an answer");
        if let Answer::Late(after, then) = answer {
            sleep(after).await;
            answer = *then;
        }
        answer.send(stream).await
    }
}

// === impl Request ===

impl Request {
    async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let head = String::from_utf8(head).unwrap();
        Ok(Self { at: Instant::now(), head: head.trim_end().lines().map(str::to_owned).collect() })
    }

    /// The value of a header that is there once.
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut values = self.head.iter().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let value = values.next().unwrap_or_else(|| panic!("no {name} in {:#?}", self.head));
        assert_eq!(values.next(), None, "{name} is there twice");
        value
    }
}

// === impl Answer ===

impl Answer {
    /// A status without a body.
    pub(crate) fn of(status: u16) -> Self {
        Self::Bytes(format!("{}content-length: 0\r\n\r\n", status_line(status)))
    }

    /// A refusal as the webhook writes it.
    pub(crate) fn problem(status: u16, message: &str) -> Self {
        Self::with_body(status, &serde_json::json!({ "message": message }).to_string())
    }

    pub(crate) fn with_body(status: u16, body: &str) -> Self {
        Self::Bytes(format!("{}content-length: {}\r\n\r\n{body}", status_line(status), body.len()))
    }

    pub(crate) fn after(self, pause: Duration) -> Self {
        Self::Late(pause, Box::new(self))
    }

    async fn send(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
        match self {
            Self::Bytes(bytes) => {
                stream.write_all(bytes.as_bytes()).await?;
                stream.shutdown().await
            }
            Self::Endless(start, more) => {
                stream.write_all(start.as_bytes()).await?;
                loop {
                    stream.write_all(more.as_bytes()).await?;
                    stream.flush().await?;
                }
            }
            Self::Late(..) => unreachable!("an answer is late once"),
            Self::Open(bytes) => {
                stream.write_all(bytes.as_bytes()).await?;
                stream.flush().await?;
                silence(stream).await
            }
            Self::Silence => silence(stream).await,
        }
    }
}

/// The first line of an answer, with its break.
pub(crate) fn status_line(status: u16) -> String {
    format!("HTTP/1.1 {}\r\n", StatusCode::from_u16(status).unwrap())
}

/// Holds the connection until the other end lets go.
async fn silence(mut stream: impl AsyncRead + Unpin) -> io::Result<()> {
    while stream.read_u8().await.is_ok() {}
    Ok(())
}
