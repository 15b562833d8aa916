//! Admission: `POST /mutate--v1-pod`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, StatusCode};

use crate::answer::Answer;
use crate::policy::{Policy, PolicyError};
use crate::reply;
use crate::review::Review;
use crate::route::{self, Route};
use crate::service::{Reply, Service};

/// Answers the API server's reviews.
///
/// Every review that has a uid gets an answer with that uid and HTTP 200, a refusal included; what has none gets
/// HTTP 400. Nothing comes of a review but its answer, so that a dry run is answered like any other.
#[derive(Clone)]
pub struct Admission {
    policy: Arc<dyn Policy>,
}

/// What can be asked of admission.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Endpoint {
    /// What becomes of a pod.
    Mutate,
}

/// What admission answers.
pub const ROUTES: [Route<Endpoint>; 1] =
    [Route { method: Method::POST, path: "/mutate--v1-pod", endpoint: Endpoint::Mutate }];

// === impl Admission ===

impl Admission {
    /// Admission that decides by `policy`.
    #[must_use]
    pub fn new(policy: Arc<dyn Policy>) -> Self {
        Self { policy }
    }

    fn mutate(&self, body: &[u8]) -> Reply {
        let review = match Review::read(body) {
            Ok(review) => review,
            Err(unreadable) => {
                tracing::warn!(reason = %unreadable, "Refused a request that is no review");
                return reply::problem(StatusCode::BAD_REQUEST, unreadable.to_string());
            }
        };
        let answer = self.answer(&review);
        tracing::info!(
            uid = review.uid(),
            namespace = review.namespace(),
            pod = review.pod_name(),
            dry_run = review.is_dry_run(),
            decision = answer.decision,
            reason = answer.reason,
            "Decided"
        );
        reply::json(StatusCode::OK, &answer.to_review(review.uid()))
    }

    fn answer(&self, review: &Review) -> Answer {
        if !review.is_pod_creation() {
            return Answer::not_a_pod_creation();
        }
        match review.pod() {
            Err(malformed) => Answer::malformed(malformed),
            Ok(request) => {
                // The policy keeps nothing between two requests that a panic could leave half-done.
                let decided = catch_unwind(AssertUnwindSafe(|| self.policy.decide(request)));
                Answer::of(request.pod, decided.unwrap_or(Err(PolicyError::Trapped)))
            }
        }
    }
}

impl Service for Admission {
    async fn call(&self, request: Request<Bytes>) -> Reply {
        match route::find(&ROUTES, &request) {
            Ok(Endpoint::Mutate) => self.mutate(request.body()),
            Err(reply) => *reply,
        }
    }
}
