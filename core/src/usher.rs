//! What has to be done with a pod that waits for its services, beside what its own gate does.
//!
//! A scheduling gate is lifted when there is nothing to wait for any more: the wait gate then says why. A pod whose
//! wait gate cannot say it (its image cannot be pulled, or it runs again for ever) is ended.

use jiff::{SignedDuration, Timestamp};

use crate::consumer::Consumer;
use crate::progress::{Progress, State};
use crate::record::later;
use crate::waiting::Waiting;

/// What has to be done with a waiting pod.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// End it: it has waited in vain, and cannot say so itself.
    End {
        /// Why, for its event.
        cause: String,
    },
    /// Lift its scheduling gate.
    Lift,
    /// Ask again then, though nothing has changed.
    Revisit(Timestamp),
}

/// What has to be done with `consumer`, whose services are so far, at `now`.
#[must_use]
pub fn usher(consumer: &Consumer, progress: &Progress, now: Timestamp) -> Option<Step> {
    if !consumer.standing.is_live(now) {
        return None;
    }
    let deadline = progress.deadline(consumer);
    match &consumer.wait {
        // Where no node takes the pod, it is not our service that it waits for.
        Waiting::Over | Waiting::Gate { placed_at: None, .. } => None,
        // Its user's own init containers run first, for as long as they like.
        Waiting::Gate { trouble: None, runs_again: false, .. } if progress.state == State::Ready => None,
        Waiting::Held => Some(match deadline {
            Some(deadline) if progress.state == State::Waiting && now < deadline => Step::Revisit(deadline),
            Some(_) | None => Step::Lift,
        }),
        Waiting::Gate { placed_at: Some(placed_at), trouble, runs_again, .. } => {
            let own_time = later(*placed_at, consumer.plan.wait?);
            let end_at = deadline?.max(own_time).checked_add(MARGIN).unwrap_or(Timestamp::MAX);
            let is_in_vain = progress.state == State::Failed && *runs_again;
            if now < end_at && !is_in_vain {
                return Some(Step::Revisit(end_at));
            }
            let gate =
                trouble.as_ref().map_or_else(String::new, |trouble| format!("; its wait gate: {trouble}"));
            Some(Step::End { cause: format!("{}{gate}", progress.message) })
        }
    }
}

/// How much longer than its gate a pod is given: the gate's own message is the better one.
const MARGIN: SignedDuration = SignedDuration::from_secs(30);

#[cfg(test)]
mod tests;
