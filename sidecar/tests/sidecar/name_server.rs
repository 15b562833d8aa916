//! A name server, as good or bad as a test wants it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;
use tokio::task::JoinSet;

/// A name server on a port of its own, until it is dropped.
pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    _serving: JoinSet<()>,
}

/// What a query is answered with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reply {
    /// The name has these addresses.
    Addresses(&'static [Ipv4Addr]),
    /// A response code, and nothing more.
    Code(u8),
    /// First an answer to another question, with an address that leads nowhere; then this one.
    Forged(&'static [Ipv4Addr]),
    /// Nothing.
    Silence,
}

// === impl NameServer ===

impl NameServer {
    /// Replies to each query in turn; the last reply serves all that follow.
    pub(crate) async fn replying<const N: usize>(replies: [Reply; N]) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (address, asked) = (socket.local_addr().unwrap(), Arc::default());
        let mut serving = JoinSet::new();
        serving.spawn(serve(socket, replies.into(), Arc::clone(&asked)));
        Self { address, asked, _serving: serving }
    }

    /// The names that were asked for, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(socket: UdpSocket, replies: Vec<Reply>, asked: Arc<Mutex<Vec<String>>>) {
    let mut query = [0; 512];
    while let Ok((length, peer)) = socket.recv_from(&mut query).await {
        let query = &query[..length];
        let count = {
            let mut asked = asked.lock().unwrap();
            asked.push(name(query));
            asked.len()
        };
        for datagram in replies[count.min(replies.len()) - 1].datagrams(query) {
            // A peer that has gone is no concern of a name server.
            let _ = socket.send_to(&datagram, peer).await;
        }
    }
}

/// The name in a query with one question.
fn name(query: &[u8]) -> String {
    let (mut labels, mut rest) = (Vec::new(), &query[HEADER..]);
    while rest[0] != 0 {
        let (label, after) = rest[1..].split_at(rest[0].into());
        labels.push(std::str::from_utf8(label).unwrap());
        rest = after;
    }
    labels.join(".")
}

// === impl Reply ===

impl Reply {
    fn datagrams(self, query: &[u8]) -> Vec<Vec<u8>> {
        match self {
            Self::Addresses(addresses) => vec![answer(query, 0, addresses)],
            Self::Code(code) => vec![answer(query, code, &[])],
            Self::Forged(addresses) => {
                let mut forged = answer(query, 0, &[Ipv4Addr::new(192, 0, 2, 1)]);
                forged[0] ^= 1;
                vec![forged, answer(query, 0, addresses)]
            }
            Self::Silence => Vec::new(),
        }
    }
}

/// An answer with the query's id and question, and a record of its name for each address (RFC 1035).
fn answer(query: &[u8], code: u8, addresses: &[Ipv4Addr]) -> Vec<u8> {
    let mut message = query.to_vec();
    message[2] |= 0x80;
    message[3] = 0x80 | code;
    message[7] = addresses.len().try_into().unwrap();
    for address in addresses {
        // A pointer to the question's name, A, IN, 30 s, four bytes.
        message.extend(b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x1e\x00\x04");
        message.extend(address.octets());
    }
    message
}

/// In bytes; the question follows it.
const HEADER: usize = 12;
