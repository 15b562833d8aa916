//! A look at the Job of a leader that has failed: a batch Job tries all of its pods again, until it has failed itself.

use std::sync::Arc;

use dataservice_core::consumer::Consumer;
use dataservice_core::key::Scope;
use dataservice_core::standing::{Ending, Standing};
use jiff::{SignedDuration, Timestamp};

use super::{Context, look};
use crate::index::{ServiceRef, Snapshot};

/// What the Job of a leader says.
pub(super) enum Lead {
    /// Nothing that matters, or nobody has to ask it.
    Unchanged,
    /// It tries no more: the same pods, with the leader as one whose job is over.
    Concluded(Snapshot),
    /// It may try again. When to ask it next.
    Undecided(Timestamp),
}

/// Asks the Job of a leader that has failed, where others of the service's pods wait for nothing else.
pub(super) async fn look(
    context: &Context,
    service: &ServiceRef,
    snapshot: &Snapshot,
    now: Timestamp,
) -> Lead {
    let Some(leader) = failed_leader(service, snapshot, now) else { return Lead::Unchanged };
    match look::controller(context, service, &leader.owner).await {
        Ok(Some(job)) if !look::has(&job, "Failed") => Lead::Undecided(now + pause(leader, now)),
        // A Job that is gone tries nothing again.
        Ok(_) => Lead::Concluded(concluded(snapshot, leader)),
        Err(error) => {
            tracing::debug!(%service, pod = leader.pod.name, %error, "The Job of a leader cannot be read");
            Lead::Undecided(now + pause(leader, now))
        }
    }
}

/// The last pod of a batch Job that led its job and has failed: while none has taken its place, or ended for good, and
/// some that it leads go on.
fn failed_leader<'a>(
    service: &ServiceRef,
    snapshot: &'a Snapshot,
    now: Timestamp,
) -> Option<&'a Arc<Consumer>> {
    let claims = snapshot.claims(service);
    let live = || claims.iter().filter(|claim| claim.consumer.standing.is_live(now));
    let is_led = live().any(|claim| claim.service.scope == Scope::Task);
    let is_decided =
        claims.iter().any(|claim| claim.consumer.concluded) || live().any(|claim| claim.consumer.plan.leads);
    let consumers = snapshot.consumers.iter().filter(|_| is_led && !is_decided);
    let failed = consumers.filter(|consumer| {
        consumer.plan.leads
            && consumer.standing == Standing::Ended(Ending::Failed)
            && consumer.owner.kind == "Job"
    });
    failed.max_by_key(|consumer| (consumer.created_at, &consumer.pod.uid))
}

fn concluded(snapshot: &Snapshot, leader: &Arc<Consumer>) -> Snapshot {
    let mut snapshot = snapshot.clone();
    for consumer in &mut snapshot.consumers {
        if consumer.pod.uid == leader.pod.uid {
            *consumer = Arc::new(Consumer { concluded: true, ..Consumer::clone(consumer) });
        }
    }
    snapshot
}

/// Often at first: a Job's status follows its last pod's by a second. Then less: it may pause for minutes.
fn pause(leader: &Consumer, now: Timestamp) -> SignedDuration {
    let since = now.duration_since(leader.ended_at.unwrap_or(leader.created_at));
    (since / 4).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
}

const SHORTEST_PAUSE: SignedDuration = SignedDuration::from_millis(500);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_secs(10);
