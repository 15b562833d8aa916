//! The lifecycle API: `POST /v1/release` and `GET /v1/services`.
//!
//! A pod speaks only for itself, by its own token: its name and uid are taken from the API server's review of the
//! token, never from the request. What it can do is mark itself as released, where the controller does the rest, and
//! hear how far its own services are.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use kube::Client;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout_at};

use crate::api_server::ApiServer;
use crate::core::consumer::PodRef;
use crate::identity;
use crate::place::Places;
use crate::progress::Follow;
use crate::refusal::Refusal;
use crate::reply;
use crate::route::{self, Route};
use crate::service::{Reply, Service};
use crate::stream::{Bounds, Follower};
use crate::token::Token;
use crate::wire::{HEARTBEAT, RELEASE_PATH, SERVICES_PATH};

/// Answers the sidecars and the wait gates.
#[derive(Clone)]
pub struct Lifecycle {
    api_server: ApiServer,
    follow: Arc<dyn Follow>,
    stop: watch::Receiver<bool>,
    slots: Arc<Semaphore>,
    places: Places,
    limits: LifecycleLimits,
}

/// What all pods together may take of the API server and of us.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LifecycleLimits {
    /// Requests for which the API server is asked at the same time. Others wait, for at most the deadline.
    pub concurrency: usize,
    /// How long a release, or the review before a stream, may take. A pod tries again.
    pub deadline: Duration,
    /// Pods that follow their services at the same time, each on one stream. Others are answered with 429.
    pub streams: usize,
    /// After how long without news a stream's last line is repeated.
    pub heartbeat: Duration,
    /// How long a stream may go on. Then it ends, and a pod that still waits asks again.
    pub stream_for: Duration,
}

/// What can be asked of the lifecycle API.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Endpoint {
    /// Give the pod's data services back.
    Release,
    /// How far the pod's data services are, until they are ready.
    Services,
}

/// What the lifecycle API answers.
pub const ROUTES: [Route<Endpoint>; 2] = [
    Route { method: Method::POST, path: RELEASE_PATH, endpoint: Endpoint::Release },
    Route { method: Method::GET, path: SERVICES_PATH, endpoint: Endpoint::Services },
];

// === impl LifecycleLimits ===

impl Default for LifecycleLimits {
    fn default() -> Self {
        Self {
            concurrency: 64,
            deadline: Duration::from_secs(5),
            // Half of the listener's connections, so that releases find one.
            streams: 2000,
            heartbeat: HEARTBEAT,
            stream_for: Duration::from_hours(1),
        }
    }
}

// === impl Lifecycle ===

impl Lifecycle {
    /// The lifecycle API before the API server of `client`, which must be allowed to create `tokenreviews` and to
    /// patch `pods`. How far services are is known to `follow`. Streams end when `stop` says so, which has to be when
    /// the listener is told to shut down: the pods then ask another replica.
    #[must_use]
    pub fn new(
        client: Client,
        follow: Arc<dyn Follow>,
        stop: watch::Receiver<bool>,
        limits: LifecycleLimits,
    ) -> Self {
        Self {
            api_server: ApiServer::new(client),
            follow,
            stop,
            slots: Arc::new(Semaphore::new(limits.concurrency)),
            places: Places::at_most(limits.streams),
            limits,
        }
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
        let released = async {
            let pod = self.pod_of(token).await?;
            self.api_server.mark_released(&pod).await?;
            Ok(pod)
        };
        self.within_limits(released).await
    }

    async fn services(&self, headers: &HeaderMap) -> Reply {
        let mut reply = match self.try_follow(headers).await {
            Ok(follower) => reply::lines(follower.lines()),
            Err(refusal) => {
                tracing::info!(reason = %refusal, "Refused a stream");
                refusal.reply()
            }
        };
        // A pod that asks again may meet another replica then; and an idle connection of one that was refused would
        // take the place of a release.
        reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        reply
    }

    async fn try_follow(&self, headers: &HeaderMap) -> Result<Follower, Refusal> {
        let token = Token::of(headers).ok_or(Refusal::NoToken)?;
        // For a pod that there is no room for the API server is not asked…
        if self.places.are_taken() {
            return Err(Refusal::Crowded);
        }
        let pod = self.within_limits(self.pod_of(token)).await?;
        // …and a token that nobody knows yet takes no room.
        let place = self.places.take(&pod.uid).ok_or(Refusal::Crowded)?;
        let states = self.follow.follow(&pod);
        let LifecycleLimits { heartbeat, stream_for, .. } = self.limits;
        let bounds = Bounds { heartbeat, ends_after: stream_for, stop: self.stop.clone(), place };
        Ok(Follower::new(pod, states, bounds))
    }

    async fn pod_of(&self, token: Token) -> Result<PodRef, Refusal> {
        identity::of(&self.api_server.review(token).await?)
    }

    /// Does `work`, which asks the API server, when it is its turn and for as long as the limits allow.
    async fn within_limits<T>(&self, work: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
        let deadline = Instant::now() + self.limits.deadline;
        let slot = timeout_at(deadline, self.slots.acquire()).await;
        let _slot = slot.map_err(|_| Refusal::Busy)?.map_err(|_| Refusal::Busy)?;
        timeout_at(deadline, work).await.map_err(|_| Refusal::Slow(self.limits.deadline))?
    }
}

impl Service for Lifecycle {
    async fn call(&self, request: Request<Bytes>) -> Reply {
        match route::find(&ROUTES, &request) {
            Ok(Endpoint::Release) => self.release(request.headers()).await,
            Ok(Endpoint::Services) => self.services(request.headers()).await,
            Err(reply) => *reply,
        }
    }
}
