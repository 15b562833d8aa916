//! Names to addresses, by queries of our own: a static glibc binary has no `getaddrinfo`.
//!
//! `A` is asked for first and `AAAA` only where there is none: two queries at once from one socket are what the
//! kernel's connection tracking is known to lose one of. Answers come by UDP only; what does not fit a datagram is
//! not a Service's address.

mod message;
mod name;
mod resolv_conf;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

pub(crate) use self::name::Name;

use self::message::{Answer, Kind, Question, Unusable};
use crate::backoff;

/// Where name servers listen.
pub(crate) const PORT: u16 = 53;

/// The name servers to ask, in order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Resolver {
    nameservers: Vec<SocketAddr>,
}

/// Why a name has no address.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("failed to ask the name server {server}")]
    Ask { server: SocketAddr, source: io::Error },
    #[error("the name has no address, says the name server {server}")]
    NoAddress { server: SocketAddr },
    #[error("there is no name server to ask: resolv.conf names none")]
    NoNameserver,
    #[error(
        "there is no such name, says the name server {server} (a full one is wanted, with the cluster's domain)"
    )]
    NoSuchName { server: SocketAddr },
    #[error("failed to read {}", path.display())]
    ReadResolvConf { path: PathBuf, source: io::Error },
    #[error("the name server {server} did not answer")]
    Silent { server: SocketAddr },
    #[error("the name server {server} gave no usable answer")]
    Unusable { server: SocketAddr, source: Unusable },
}

// === impl Resolver ===

impl Resolver {
    /// A resolver that asks these name servers, or the pod's own where there are none.
    pub(crate) fn of_the_pod(nameservers: &[SocketAddr]) -> Result<Self, Error> {
        match nameservers {
            [] => Self::from_file(Path::new(RESOLV_CONF)),
            nameservers => Ok(Self { nameservers: nameservers.to_vec() }),
        }
    }

    /// A resolver that asks the name servers of a `resolv.conf`.
    fn from_file(path: &Path) -> Result<Self, Error> {
        let text =
            std::fs::read(path).map_err(|source| Error::ReadResolvConf { path: path.into(), source })?;
        Ok(Self { nameservers: resolv_conf::nameservers(&String::from_utf8_lossy(&text)) })
    }

    /// The addresses of a full name: at least one.
    pub(crate) async fn lookup(&self, name: &Name, deadline: Instant) -> Result<Vec<IpAddr>, Error> {
        match self.ask(name, Kind::A, deadline).await {
            Err(Error::NoAddress { .. }) => self.ask(name, Kind::Aaaa, deadline).await,
            other => other,
        }
    }

    /// Asks the servers in turn until one knows, with more patience in each round.
    async fn ask(&self, name: &Name, kind: Kind, deadline: Instant) -> Result<Vec<IpAddr>, Error> {
        let mut failed = Error::NoNameserver;
        for patience in PATIENCE {
            for &server in &self.nameservers {
                let until = deadline.min(Instant::now() + patience);
                let answer = timeout_at(until, ask_one(server, name, kind)).await;
                match answer.unwrap_or(Err(Error::Silent { server })) {
                    Err(error) if error.is_of_the_server() => failed = error,
                    known => return known,
                }
            }
        }
        Err(failed)
    }
}

/// Asks one server once, and listens until it answers.
async fn ask_one(server: SocketAddr, name: &Name, kind: Kind) -> Result<Vec<IpAddr>, Error> {
    let [low, high, ..] = backoff::random().to_le_bytes();
    let question = Question { id: u16::from_le_bytes([low, high]), kind, name };
    match exchange(server, &question).await.map_err(|source| Error::Ask { server, source })? {
        Ok(Answer::Addresses(addresses)) if addresses.is_empty() => Err(Error::NoAddress { server }),
        Ok(Answer::Addresses(addresses)) => Ok(addresses),
        Ok(Answer::NoSuchName) => Err(Error::NoSuchName { server }),
        Err(source) => Err(Error::Unusable { server, source }),
    }
}

/// Sends the question from a port of its own, and passes over what does not answer it.
async fn exchange(server: SocketAddr, question: &Question<'_>) -> io::Result<Result<Answer, Unusable>> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(&question.to_bytes()).await?;
    let mut datagram = [0; MAX_DATAGRAM];
    loop {
        let length = socket.recv(&mut datagram).await?;
        match question.answer(datagram.get(..length).unwrap_or_default()) {
            Err(Unusable::Foreign) => {}
            answer => return Ok(answer),
        }
    }
}

// === impl Error ===

impl Error {
    /// Whether another server may know more.
    fn is_of_the_server(&self) -> bool {
        match self {
            Self::Ask { .. } | Self::Silent { .. } | Self::Unusable { .. } => true,
            Self::NoAddress { .. }
            | Self::NoNameserver
            | Self::NoSuchName { .. }
            | Self::ReadResolvConf { .. } => false,
        }
    }
}

/// For each server, round by round. `CoreDNS` answers within a millisecond; a lost datagram is asked again soon.
const PATIENCE: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_millis(400), Duration::from_millis(800)];
/// Servers answer with at most 512 bytes where no more was offered; what is longer is cut, and then malformed.
const MAX_DATAGRAM: usize = 1_232;
/// What the kubelet mounts into every container.
const RESOLV_CONF: &str = "/etc/resolv.conf";
