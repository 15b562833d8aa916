//! The lifecycle API: `POST /v1/release`.
//!
//! A pod speaks only for itself, by its own token: its name and uid are taken from the API server's review of the
//! token, never from the request. What it can do is mark itself as released; the controller does the rest.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use kube::Client;
use tokio::sync::Semaphore;

use crate::api_server::ApiServer;
use crate::core::consumer::PodRef;
use crate::identity;
use crate::refusal::Refusal;
use crate::reply;
use crate::route::{self, Route};
use crate::service::{Reply, Service};
use crate::token::Token;
use crate::wire::RELEASE_PATH;

/// Answers the sidecars.
#[derive(Clone)]
pub struct Lifecycle {
    api_server: ApiServer,
    slots: Arc<Semaphore>,
    limits: LifecycleLimits,
}

/// What all releases together may take of the API server.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LifecycleLimits {
    /// Releases that are worked on at the same time. Others wait, for at most the deadline.
    pub concurrency: usize,
    /// How long a release may take. A sidecar has a grace of its own, and tries again.
    pub deadline: Duration,
}

/// What can be asked of the lifecycle API.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Endpoint {
    /// Give the pod's data services back.
    Release,
}

/// What the lifecycle API answers.
pub const ROUTES: [Route<Endpoint>; 1] =
    [Route { method: Method::POST, path: RELEASE_PATH, endpoint: Endpoint::Release }];

// === impl LifecycleLimits ===

impl Default for LifecycleLimits {
    fn default() -> Self {
        Self { concurrency: 64, deadline: Duration::from_secs(5) }
    }
}

// === impl Lifecycle ===

impl Lifecycle {
    /// The lifecycle API before the API server of `client`, which must be allowed to create `tokenreviews` and to
    /// patch `pods`.
    #[must_use]
    pub fn new(client: Client, limits: LifecycleLimits) -> Self {
        let slots = Arc::new(Semaphore::new(limits.concurrency));
        Self { api_server: ApiServer::new(client), slots, limits }
    }

    async fn release(&self, headers: &HeaderMap) -> Reply {
        match self.try_release(headers).await {
            Ok(pod) => {
                tracing::info!(namespace = pod.namespace, pod = pod.name, uid = pod.uid, "Released");
                reply::empty(StatusCode::NO_CONTENT)
            }
            Err(refusal) => {
                tracing::info!(reason = %refusal, "Refused a release");
                refusal.reply()
            }
        }
    }

    async fn try_release(&self, headers: &HeaderMap) -> Result<PodRef, Refusal> {
        let token = Token::of(headers).ok_or(Refusal::NoToken)?;
        let deadline = tokio::time::Instant::now() + self.limits.deadline;
        let slot = tokio::time::timeout_at(deadline, self.slots.acquire()).await;
        let _slot = slot.map_err(|_| Refusal::Busy)?.map_err(|_| Refusal::Busy)?;
        let released = tokio::time::timeout_at(deadline, self.mark(token)).await;
        released.map_err(|_| Refusal::Slow(self.limits.deadline))?
    }

    async fn mark(&self, token: Token) -> Result<PodRef, Refusal> {
        let pod = identity::of(&self.api_server.review(token).await?)?;
        self.api_server.mark_released(&pod).await?;
        Ok(pod)
    }
}

impl Service for Lifecycle {
    async fn call(&self, request: Request<Bytes>) -> Reply {
        match route::find(&ROUTES, &request) {
            Ok(Endpoint::Release) => self.release(request.headers()).await,
            Err(reply) => *reply,
        }
    }
}
