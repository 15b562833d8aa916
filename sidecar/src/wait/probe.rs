//! Whether a server answers: its name has an address, and the address lets us connect, from where the task will run.
//!
//! The name server is asked directly, each time: a resolver remembers for half a minute that a name was missing.

use std::fmt;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::gate::{Gate, Server};
use super::survey::{Scope, Survey};
use crate::dns::{self, Resolver};
use crate::log::Chain;

/// Asks servers round by round, few at once.
pub(crate) struct Probes {
    began_at: Instant,
    edition: u32,
    gate: Arc<Gate>,
    last: Option<Server>,
    nameservers: Arc<[SocketAddr]>,
    pause: Duration,
    running: JoinSet<Report>,
    scope: Scope,
}

/// What one server did.
#[derive(Debug)]
pub(crate) struct Report {
    /// Which.
    pub(crate) server: Server,
    /// Whether it answered.
    pub(crate) found: Result<(), Cause>,
}

/// Why a server does not answer.
#[derive(Debug)]
pub(crate) enum Cause {
    /// Its address does not let us connect.
    Connect { address: SocketAddr, source: io::Error },
    /// Its name has no address that we can learn of.
    Resolve(dns::Error),
}

// === impl Probes ===

impl Probes {
    /// Probes of those in scope. Nothing is sent before the first [`Probes::next`].
    pub(crate) fn new(survey: &Survey, scope: Scope, nameservers: Arc<[SocketAddr]>) -> Self {
        Self {
            began_at: Instant::now(),
            edition: survey.edition(),
            gate: Arc::clone(survey.gate()),
            last: None,
            nameservers,
            pause: FIRST_PAUSE,
            running: JoinSet::new(),
            scope,
        }
    }

    /// Begins anew where the survey has, or the scope is another, and says so. What is under way is dropped: an answer
    /// from before must not count after.
    pub(crate) fn follow(&mut self, survey: &Survey, scope: Scope) -> bool {
        let anew = (self.edition, self.scope) != (survey.edition(), scope);
        if anew {
            *self = Self::new(survey, scope, Arc::clone(&self.nameservers));
        }
        anew
    }

    /// What one of those that are missing did. It may be dropped at any time, and loses nothing.
    pub(crate) async fn next(&mut self, survey: &Survey) -> Report {
        loop {
            self.ask_more(survey);
            match self.running.join_next().await {
                Some(Ok(report)) => return report,
                // Only a panic, which ends the process.
                Some(Err(_)) => {}
                None => self.begin_again(survey).await,
            }
        }
    }

    /// Waits for the next round, if there is anybody to ask.
    async fn begin_again(&mut self, survey: &Survey) {
        match survey.count_missing(self.scope) {
            0 => pending().await,
            missing => sleep_until(self.began_at + self.pause.max(LEAST_PAUSE_EACH * missing)).await,
        }
        self.pause = MOST_PAUSE.min(self.pause * 2);
        self.began_at = Instant::now();
        self.last = None;
    }

    fn ask_more(&mut self, survey: &Survey) {
        while self.running.len() < MOST_AT_ONCE
            && let Some(server) = survey.missing(self.scope, self.last)
        {
            self.last = Some(server);
            let probe = probe(Arc::clone(&self.gate), Arc::clone(&self.nameservers), server);
            self.running.spawn(async move { Report { server, found: probe.await } });
        }
    }
}

async fn probe(gate: Arc<Gate>, nameservers: Arc<[SocketAddr]>, server: Server) -> Result<(), Cause> {
    let (name, port) = gate.address(server);
    let resolver = Resolver::of_the_pod(&nameservers).map_err(Cause::Resolve)?;
    let addresses = resolver.lookup(&name, Instant::now() + LIMIT).await.map_err(Cause::Resolve)?;
    let until = Instant::now() + LIMIT;
    let mut failed = None;
    for address in addresses {
        let address = SocketAddr::new(address, port);
        match timeout_at(until, TcpStream::connect(address)).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(source)) => failed = Some(Cause::Connect { address, source }),
            Err(_) => {
                return Err(Cause::Connect { address, source: io::ErrorKind::TimedOut.into() });
            }
        }
    }
    Err(failed.expect("a lookup must not succeed without an address"))
}

// === impl Cause ===

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect { address, source } => match source.kind() {
                io::ErrorKind::ConnectionRefused => write!(f, "connection refused at {address}"),
                io::ErrorKind::TimedOut => write!(f, "no answer from {address}"),
                _ => write!(f, "{source} at {address}"),
            },
            Self::Resolve(dns::Error::NoAddress { .. } | dns::Error::NoSuchName { .. }) => {
                f.write_str("it has no address yet")
            }
            Self::Resolve(error) => write!(f, "{}", Chain(error)),
        }
    }
}

/// Of a lookup, and of a connection: both take a millisecond within a cluster.
const LIMIT: Duration = Duration::from_secs(1);
/// Each takes a socket and some kilobytes.
const MOST_AT_ONCE: usize = 64;
/// From the start of one round to the next, doubled up to [`MOST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const MOST_PAUSE: Duration = Duration::from_secs(1);
/// For each server that is missing: a thousand questions a second are enough for one pod. Each of them takes a place in the
/// node's connection tracking for half a minute.
const LEAST_PAUSE_EACH: Duration = Duration::from_millis(1);
