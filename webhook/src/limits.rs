//! What a client may take of a listener.

use std::time::Duration;

/// The limits of one listener.
///
/// The listeners are open to the whole pod network, so each limit answers a way to hold or exhaust it: no client,
/// silent or slow, keeps a connection for longer than these allow without sending a whole request.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Connections at the same time. When that many are open, others wait in the kernel's queue.
    pub connections: usize,
    /// Bytes of one request's body.
    pub body: usize,
    /// Bytes of all bodies that are held at the same time; beyond that requests are answered with 429.
    pub bodies: usize,
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// How long a new connection may take until the headers of its first request are there.
    pub first_request: Duration,
    /// How long a connection may be idle, and how long the headers of a later request may take.
    pub idle: Duration,
    /// How long a request's body may take.
    pub body_within: Duration,
    /// How long a client may leave an answer unread.
    pub stall: Duration,
    /// How long the accept loop pauses when the system cannot give it a connection (out of file descriptors).
    pub accept_pause: Duration,
    /// How long requests may go on after shutdown has begun.
    pub grace: Duration,
}

// === impl Limits ===

impl Limits {
    /// The admission listener's defaults.
    #[must_use]
    pub const fn admission() -> Self {
        Self {
            // Three API servers with 200 mutating requests in flight each, which is their default, and some.
            connections: 1024,
            // The API server takes 3 MiB of a pod; a review may hold it twice, and its JSON is longer than protobuf.
            body: 7 * MIB,
            bodies: 64 * MIB,
            ..Self::lifecycle()
        }
    }

    /// The lifecycle listener's defaults.
    #[must_use]
    pub const fn lifecycle() -> Self {
        Self {
            // 2,000 wait gates, which may hold theirs for an hour (`LifecycleLimits::streams`), and as many again for
            // what is over within seconds: handshakes, releases (a pod's is one request on one connection), and the
            // streams that are refused, whose connections end with the answer. A connection takes 32 KiB.
            connections: 4096,
            // No request has a body.
            body: 4 * KIB,
            bodies: 4 * MIB,
            handshake: Duration::from_secs(5),
            // As long as the API server waits for a webhook by default.
            first_request: Duration::from_secs(10),
            // Go's client closes an idle connection after 90 s. If we were first, a request could cross our close.
            idle: Duration::from_mins(2),
            body_within: Duration::from_secs(10),
            stall: Duration::from_secs(10),
            accept_pause: Duration::from_millis(100),
            grace: Duration::from_secs(10),
        }
    }

    /// The health listener's defaults.
    #[must_use]
    pub const fn health() -> Self {
        Self { connections: 64, bodies: MIB, grace: Duration::from_secs(1), ..Self::lifecycle() }
    }
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
