//! Health: `GET /healthz` and `GET /readyz`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Method, Request, StatusCode};

use crate::reply;
use crate::route::{self, Route};
use crate::service::{Reply, Service};

/// What has to be there before the process is ready: one [`Latch`] for each component.
///
/// Register every component before health is served: what nobody has registered, nobody waits for.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<State>>);

/// One component's part in readiness. A component that ends drops it, and is missing from then on.
#[must_use = "a component whose latch is dropped is never ready"]
#[derive(Debug)]
pub struct Latch {
    readiness: Readiness,
    name: &'static str,
}

/// What a component that is not ready lacks. It prints as `<component>: <what>`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Missing {
    /// The component.
    pub name: &'static str,
    /// What it lacks.
    pub what: &'static str,
}

/// Answers the kubelet's probes.
#[derive(Clone, Debug)]
pub struct Health(Readiness);

/// What can be asked about health.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Endpoint {
    /// Whether the process lives.
    Alive,
    /// Whether it is of use.
    Ready,
}

/// What health answers.
pub const ROUTES: [Route<Endpoint>; 2] = [
    Route { method: Method::GET, path: "/healthz", endpoint: Endpoint::Alive },
    Route { method: Method::GET, path: "/readyz", endpoint: Endpoint::Ready },
];

#[derive(Debug, Default)]
struct State {
    is_draining: bool,
    /// What each component lacks, if anything.
    components: BTreeMap<&'static str, Option<&'static str>>,
}

// === impl Readiness ===

impl Readiness {
    /// A component, not ready yet because of `lack` ("certificate", "not yet published").
    pub fn register(&self, name: &'static str, lack: &'static str) -> Latch {
        let latch = Latch { readiness: self.clone(), name };
        latch.note(Some(lack));
        latch
    }

    /// From now on the process is not ready, whatever its components say: the first step of going away.
    pub fn drain(&self) {
        self.with(|state| state.is_draining = true);
    }

    /// Everything that is missing; nothing if the process is ready.
    #[must_use]
    pub fn missing(&self) -> Vec<Missing> {
        self.with(|state| {
            let draining = state.is_draining.then_some(Missing { name: "shutdown", what: "in progress" });
            let lacking =
                state.components.iter().filter_map(|(name, lack)| Some(Missing { name, what: (*lack)? }));
            draining.into_iter().chain(lacking).collect()
        })
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        // Every change is one assignment: a panic elsewhere leaves nothing half-done.
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

// === impl Latch ===

impl Latch {
    /// The component is ready.
    pub fn ready(&self) {
        self.note(None);
    }

    /// The component is not ready, because of `lack`.
    pub fn not_ready(&self, lack: &'static str) {
        self.note(Some(lack));
    }

    fn note(&self, lack: Option<&'static str>) {
        self.readiness.with(|state| state.components.insert(self.name, lack));
    }
}

impl Drop for Latch {
    fn drop(&mut self) {
        self.note(Some("ended"));
    }
}

// === impl Missing ===

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.what)
    }
}

// === impl Health ===

impl Health {
    /// Health, as `readiness` has it.
    #[must_use]
    pub const fn new(readiness: Readiness) -> Self {
        Self(readiness)
    }

    fn ready(&self) -> Reply {
        let missing = self.0.missing();
        if missing.is_empty() {
            return reply::text(StatusCode::OK, "ok\n");
        }
        let lines: Vec<_> = missing.iter().map(Missing::to_string).collect();
        reply::text(StatusCode::SERVICE_UNAVAILABLE, lines.join("\n") + "\n")
    }
}

impl Service for Health {
    async fn call(&self, request: Request<Bytes>) -> Reply {
        match route::find(&ROUTES, &request) {
            Ok(Endpoint::Alive) => reply::text(StatusCode::OK, "ok\n"),
            Ok(Endpoint::Ready) => self.ready(),
            Err(reply) => *reply,
        }
    }
}
