//! The lifecycle API's half, call by call.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use dataservice_wire::Progress;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::version::TLS13;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::PrivatePkcs8KeyDer;

use crate::gate::PATIENCE;

/// A server on a port of its own. It does nothing with a call but hand it to its test.
pub(crate) struct Api {
    pub(crate) address: SocketAddr,
    /// What a gate checks it against, in PEM.
    pub(crate) authority: String,
    calls: Receiver<Call>,
}

/// One request, which its test answers; dropped, its connection is cut.
pub(crate) struct Call {
    /// The request's head.
    pub(crate) head: String,
    stream: StreamOwned<ServerConnection, TcpStream>,
}

// === impl Api ===

impl Api {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (authority, tls) = identity();
        let (sender, calls) = mpsc::channel();
        thread::spawn(move || serve(&listener, &tls, &sender));
        Self { address, authority, calls }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The next call.
    pub(crate) fn call(&self) -> Call {
        self.calls.recv_timeout(PATIENCE).expect("the gate must call")
    }

    /// Nobody calls for so long.
    #[track_caller]
    pub(crate) fn is_left_alone_for(&self, duration: Duration) {
        assert!(self.calls.recv_timeout(duration).is_err(), "a call within {duration:?}");
    }

    /// The next call, answered with the head of a stream.
    pub(crate) fn stream(&self) -> Call {
        let mut call = self.call();
        call.send("HTTP/1.1 200 OK\r\ncontent-type: application/jsonl\r\ntransfer-encoding: chunked\r\n\r\n");
        call
    }
}

/// Takes calls until nobody wants them any more, or for ever.
fn serve(listener: &TcpListener, tls: &Arc<ServerConfig>, calls: &Sender<Call>) {
    for stream in listener.incoming() {
        // That the peer goes away early is for the test to notice, at the other end.
        let Ok(call) = stream.and_then(|stream| Call::accept(stream, tls)) else { continue };
        if calls.send(call).is_err() {
            return;
        }
    }
}

fn identity() -> (String, Arc<ServerConfig>) {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
        .unwrap();
    (authority.pem(), Arc::new(config))
}

// === impl Call ===

impl Call {
    fn accept(stream: TcpStream, tls: &Arc<ServerConfig>) -> io::Result<Self> {
        let connection = ServerConnection::new(Arc::clone(tls)).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, stream);
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte)?;
            head.extend(byte);
        }
        Ok(Self { head: String::from_utf8(head).map_err(io::Error::other)?, stream })
    }

    /// Answers with a status and the reason.
    pub(crate) fn refuse(mut self, status: u16, message: &str) {
        let body = serde_json::json!({ "message": message }).to_string();
        self.send(&format!("HTTP/1.1 {status} .\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
    }

    /// Sends a line of progress.
    pub(crate) fn say(&mut self, progress: &Progress) {
        self.say_text(&format!("{}\n", serde_json::to_string(progress).unwrap()));
    }

    /// Sends a part of the stream, whatever it is.
    pub(crate) fn say_text(&mut self, text: &str) {
        self.send(&format!("{:x}\r\n{text}\r\n", text.len()));
    }

    /// Ends the stream as it should be ended, whether or not it should be now.
    pub(crate) fn end(mut self) {
        self.send("0\r\n\r\n");
    }

    fn send(&mut self, text: &str) {
        self.stream
            .write_all(text.as_bytes())
            .and_then(|()| self.stream.flush())
            .expect("the gate must listen");
    }
}

pub(crate) fn waiting(message: &str, remaining_seconds: u64) -> Progress {
    Progress::Waiting { message: message.to_owned(), remaining_seconds }
}

pub(crate) fn ready(message: &str) -> Progress {
    Progress::Ready { message: message.to_owned() }
}

pub(crate) fn failed(message: &str) -> Progress {
    Progress::Failed { message: message.to_owned() }
}
