//! A policy that also knows what is there.
//!
//! The module decides from the pod alone, so that its answer is the same everywhere and nothing that grows is handed to
//! it; which services a pod means is in that answer, and only those are looked up (docs/decisions/0004).

use std::sync::Arc;

use dataservice_controller::index::ServiceRef;
use dataservice_controller::known::Known;
use jiff::Timestamp;

use crate::core::annotation::PLAN;
use crate::core::contradiction::contradictions;
use crate::core::inject::{Decision, DenyReason, Refusal, Request};
use crate::core::injection::Injection;
use crate::core::plan::Plan;
use crate::policy::{Policy, PolicyError};

/// Refuses what `inner` would let in though it is known that it cannot work.
#[derive(Debug)]
pub struct Informed<P> {
    inner: P,
    known: Arc<Known>,
}

// === impl Informed ===

impl<P> Informed<P> {
    /// Decides by `inner`, and by what is `known`.
    #[must_use]
    pub const fn new(inner: P, known: Arc<Known>) -> Self {
        Self { inner, known }
    }

    fn contradiction(&self, request: Request<'_>, injection: &Injection) -> Option<Refusal> {
        let plan = injection.annotations.get(PLAN).and_then(|plan| Plan::read(plan).ok())?;
        let service = |object: &_| {
            let service =
                ServiceRef { namespace: request.namespace.to_owned(), object: Clone::clone(object) };
            self.known.service(&service)
        };
        // Before all has been seen, what is not known may be there all the same.
        let has_template =
            |name: &str| !self.known.is_complete() || self.known.has_template(request.namespace, name);
        let problems = contradictions(&plan, service, has_template, Timestamp::now());
        let refusal = Refusal { code: 422, reason: DenyReason::Contradiction, problems };
        (!refusal.problems.is_empty()).then_some(refusal)
    }
}

impl<P: Policy> Policy for Informed<P> {
    fn decide(&self, request: Request<'_>) -> Result<Decision, PolicyError> {
        let decision = self.inner.decide(request)?;
        let Decision::Inject { injection, .. } = &decision else { return Ok(decision) };
        Ok(self.contradiction(request, injection).map_or(decision, Decision::Deny))
    }
}
