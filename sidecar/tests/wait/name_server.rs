//! A name server that knows what its test tells it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;

/// A name server on a port of its own.
pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    known: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    addresses: BTreeMap<String, Ipv4Addr>,
    asked: BTreeMap<String, usize>,
    silent: bool,
}

// === impl NameServer ===

impl NameServer {
    /// It knows no name.
    pub(crate) fn start() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (address, known) = (socket.local_addr().unwrap(), Arc::<Mutex<Known>>::default());
        let answers = Arc::clone(&known);
        thread::spawn(move || serve(&socket, &answers));
        Self { address, known }
    }

    pub(crate) fn knows(&self, name: String, address: Ipv4Addr) {
        self.known.lock().unwrap().addresses.insert(name, address);
    }

    /// Answers no more.
    pub(crate) fn falls_silent(&self) {
        self.known.lock().unwrap().silent = true;
    }

    /// How many queries came for a name.
    pub(crate) fn asked(&self, name: &str) -> usize {
        self.known.lock().unwrap().asked.get(name).copied().unwrap_or_default()
    }

    /// How many names were asked for.
    pub(crate) fn asked_names(&self) -> usize {
        self.known.lock().unwrap().asked.len()
    }
}

fn serve(socket: &UdpSocket, known: &Mutex<Known>) {
    let mut query = [0; 512];
    while let Ok((length, peer)) = socket.recv_from(&mut query) {
        if let Some(answer) = known.lock().unwrap().answer(&query[..length]) {
            // A peer that has gone is no concern of a name server.
            let _ = socket.send_to(&answer, peer);
        }
    }
}

// === impl Known ===

impl Known {
    /// The answer with the query's id and question, and a record where the name has one (RFC 1035).
    fn answer(&mut self, query: &[u8]) -> Option<Vec<u8>> {
        let name = name(query);
        let address = self.addresses.get(&name).copied();
        *self.asked.entry(name).or_default() += 1;
        let mut message = query.to_vec();
        message[2] |= 0x80;
        message[3] = if address.is_some() { 0x80 } else { 0x83 };
        message[7] = address.is_some().into();
        if let Some(address) = address {
            // A pointer to the question's name, A, IN, 30 s, four bytes.
            message.extend(b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x1e\x00\x04");
            message.extend(address.octets());
        }
        (!self.silent).then_some(message)
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

/// In bytes; the question follows it.
const HEADER: usize = 12;
