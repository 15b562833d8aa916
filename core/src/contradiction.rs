//! What can be known at admission: that a pod's promise cannot be kept.
//!
//! Said here, a task fails at once, with the cause. Said by its gate, Flyte runs the pod up to four times.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::annotation::PREFIX;
use crate::key::ServiceObject;
use crate::plan::Plan;
use crate::problem::{Problem, Problems};
use crate::progress::Told;
use crate::reconcile::refusal;
use crate::record::Record;

/// What is there under a service's name.
#[derive(Clone, Debug, Default)]
pub struct There {
    /// What its StatefulSet says of itself.
    pub record: Option<Arc<Record>>,
    /// Why its pods were last told that they would wait in vain.
    pub failure: Option<Told>,
}

/// What of a pod's promise cannot be kept: every problem at once.
pub fn contradictions<T: AsRef<There>>(
    plan: &Plan,
    look_up: impl Fn(&ServiceObject) -> Option<T>,
    has_template: impl Fn(&str) -> bool,
    now: Timestamp,
) -> Vec<Problem> {
    let mut problems = Problems::default();
    for service in &plan.services {
        let place = |key: &str| format!("{PREFIX}{key} of service {:?}", service.name.as_str());
        let found = look_up(&service.object);
        let found = found.as_ref().map(AsRef::as_ref);
        // One that is about to go is in nobody's way; who asks for the same may join it all the same.
        let there = found.and_then(|there| there.record.as_deref());
        let there = there.filter(|record| !record.closing || refusal(service, record).is_none());
        if let Some(refusal) = there.and_then(|record| refusal(service, record)) {
            problems.push(place("name"), refusal.to_string());
        }
        if let Some(told) = found.and_then(|there| there.failure.as_ref()).filter(|told| is_fresh(told, now))
        {
            let reason = format!(
                "has just failed for others that share it: {}; mend that first, then create the pod again \
                 ({FRESH:#} after it last failed it is tried anew)",
                told.text
            );
            problems.push(place("name"), reason);
        }
        let template = service.spec.open().pod_template.filter(|template| !has_template(template.as_str()));
        // Who joins a service that is there needs no template.
        if let Some(template) = template.filter(|_| there.is_none()) {
            let reason = format!(
                "{:?} is not there; create the PodTemplate in the pod's namespace first",
                template.as_str()
            );
            problems.push(place("pod-template"), reason);
        }
    }
    problems.or_else(()).err().unwrap_or_default()
}

fn is_fresh(told: &Told, now: Timestamp) -> bool {
    now.duration_since(told.at) < FRESH
}

/// Long enough for Flyte's next attempt, short enough for somebody who has mended it and tries again.
const FRESH: SignedDuration = SignedDuration::from_secs(15);

#[cfg(test)]
mod tests;
