//! The accept loop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::body::Budget;
use crate::connection::{self, Shared};
use crate::limits::Limits;
use crate::service::Service;

/// A listener that is bound, so that its address is known and clients may queue, but serves nobody yet.
#[must_use = "clients wait until it serves"]
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    limits: Limits,
    connections: Connections,
}

/// How many connections a listener has.
#[derive(Clone, Debug)]
pub struct Connections {
    slots: Arc<Semaphore>,
    open: Arc<AtomicUsize>,
}

/// A connection's place among them, until it is dropped.
struct Slot {
    open: Arc<AtomicUsize>,
    _permit: OwnedSemaphorePermit,
}

/// How serving ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Drained {
    /// Every request that had begun was answered.
    Clean,
    /// So many connections were still busy at the end of the grace, and were cut off.
    CutOff(usize),
}

/// A listener cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address is taken, not ours, or not permitted.
    #[error("failed to listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// Where connections come from.
trait Accept {
    /// A connection.
    type Stream;
    /// The next one.
    async fn accept(&self) -> io::Result<Self::Stream>;
}

// === impl Bound ===

impl Bound {
    /// Binds `address` for HTTP over TLS.
    pub async fn tls(address: SocketAddr, config: Arc<ServerConfig>, limits: Limits) -> Result<Self, Error> {
        Self::bind(address, Some(config), limits).await
    }

    /// Binds `address` for plain HTTP.
    pub async fn plain(address: SocketAddr, limits: Limits) -> Result<Self, Error> {
        Self::bind(address, None, limits).await
    }

    async fn bind(
        address: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
        limits: Limits,
    ) -> Result<Self, Error> {
        let failed = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, tls, limits, connections: Connections::at_most(limits.connections) })
    }

    /// Where it listens, with the port that port 0 became.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Counts its connections, also while it serves.
    #[must_use]
    pub fn connections(&self) -> Connections {
        self.connections.clone()
    }

    /// Serves until `shutdown` is ready; then accepts no more, answers what is in flight, and ends at the latest
    /// after [`Limits::grace`]. Dropped before, it takes its connections with it.
    pub async fn serve(self, service: impl Service, shutdown: impl Future<Output = ()>) -> Drained {
        let shared = Arc::new(Shared {
            tls: self.tls.map(TlsAcceptor::from),
            service,
            limits: self.limits,
            budget: Budget::new(self.limits.bodies),
        });
        let (draining, drain) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let (slot, stream) = tokio::select! {
                biased;
                () = shutdown.as_mut() => break,
                accepted = self.connections.accept(&self.listener, self.limits.accept_pause) => accepted,
            };
            while let Some(ended) = tasks.try_join_next() {
                note_panic(ended);
            }
            let serving = connection::serve(stream, Arc::clone(&shared), drain.clone());
            tasks.spawn(async move {
                serving.await;
                drop(slot);
            });
        }
        drop(self.listener);
        draining.send_replace(true);
        finish(tasks, self.limits.grace).await
    }
}

// === impl Connections ===

impl Connections {
    fn at_most(most: usize) -> Self {
        Self { slots: Arc::new(Semaphore::new(most)), open: Arc::default() }
    }

    /// How many are open now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// The next connection, once there is a slot for it: until then it waits in the kernel's queue.
    async fn accept<A: Accept>(&self, listener: &A, pause: Duration) -> (Slot, A::Stream) {
        // Nobody closes the semaphore.
        let Ok(permit) = Arc::clone(&self.slots).acquire_owned().await else {
            return std::future::pending().await;
        };
        loop {
            match listener.accept().await {
                Ok(stream) => return (Slot::new(permit, &self.open), stream),
                Err(error) if is_clients(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, ?pause, "Failed to accept a connection");
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }
}

// === impl Slot ===

impl Slot {
    fn new(permit: OwnedSemaphorePermit, open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self { open: Arc::clone(open), _permit: permit }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

// === impl TcpListener ===

impl Accept for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<TcpStream> {
        Self::accept(self).await.map(|(stream, _)| stream)
    }
}

/// Whether the client went away while it waited: no reason to pause.
fn is_clients(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}

async fn finish(mut tasks: JoinSet<()>, grace: Duration) -> Drained {
    let all = async {
        while let Some(ended) = tasks.join_next().await {
            note_panic(ended);
        }
    };
    if tokio::time::timeout(grace, all).await.is_ok() {
        return Drained::Clean;
    }
    let left = tasks.len();
    tasks.shutdown().await;
    tracing::warn!(left, "Cut off connections that were still busy");
    Drained::CutOff(left)
}

fn note_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        // Not the error itself: a panic's message may quote what a client sent.
        tracing::error!(is_panic = error.is_panic(), "A connection's task failed");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use tokio::time::Instant;

    use super::*;

    /// Fails so many times, then gives connections.
    struct Failing(AtomicU32, i32);

    impl Accept for Failing {
        type Stream = ();

        async fn accept(&self) -> io::Result<()> {
            match self.0.load(Ordering::Relaxed) {
                0 => Ok(()),
                left => {
                    self.0.store(left - 1, Ordering::Relaxed);
                    Err(io::Error::from_raw_os_error(self.1))
                }
            }
        }
    }

    async fn accepts_after(failures: u32, errno: i32) -> Duration {
        let connections = Connections::at_most(1);
        let started = Instant::now();
        connections.accept(&Failing(AtomicU32::new(failures), errno), Duration::from_millis(100)).await;
        started.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn accept_errors_back_off() {
        const EMFILE: i32 = 24;
        assert_eq!(accepts_after(3, EMFILE).await.as_millis(), 300);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_went_away_delays_nobody() {
        const ECONNABORTED: i32 = 103;
        assert_eq!(accepts_after(3, ECONNABORTED).await.as_millis(), 0);
    }
}
