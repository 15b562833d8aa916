//! Nobody needs the service, as far as is known.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Action, Claim, Knowledge, Object, Observed, keep};
use crate::ask::OnFailure;
use crate::record::{Record, later};
use crate::standing::{Ending, Standing};

/// What is known of the controller that the pods of a job share.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Job {
    /// It is finished or gone, or the pods share no controller.
    Over,
    /// It is there, and may make more pods.
    Unfinished,
    /// It cannot be read: a kind that nobody here knows, or may look at.
    Unreadable,
}

/// For how long a service waits for another pod of a job that cannot be read.
pub const HELD_FOR_UNREADABLE: Duration = Duration::from_mins(5);

/// Deletes what is there, as soon as nothing holds it any more.
pub(super) fn close(
    claims: &[Claim<'_>],
    observed: &Observed,
    knowledge: Knowledge,
    now: Timestamp,
) -> Vec<Action> {
    if let Some(set) = observed.stateful_set.as_deref().filter(|set| !set.deleting) {
        return close_set(set, claims, observed, knowledge, now);
    }
    // What said how long it is kept is gone; the rest goes too.
    let rest: Vec<_> = observed.others().filter_map(|(kind, object)| delete_loose(kind, object)).collect();
    let is_unsure = knowledge == Knowledge::Watched && !are_known(claims, observed);
    if is_unsure && !rest.is_empty() { vec![Action::Confirm] } else { rest }
}

fn close_set(
    set: &Object,
    claims: &[Claim<'_>],
    observed: &Observed,
    knowledge: Knowledge,
    now: Timestamp,
) -> Vec<Action> {
    let record = &set.record;
    let wanted = with_lifetimes(record, claims, now);
    if record.key.is_one_pods() {
        return close_one_pods(set, wanted, claims, observed, knowledge, now);
    }
    let idle_since = wanted.idle_since.unwrap_or(now);
    let wanted = Record { idle_since: Some(idle_since), ..wanted };
    let wait_until = |until: Timestamp, record: Record| {
        keep::update(set, record, &[]).into_iter().chain([Action::Revisit(until)]).collect()
    };
    if let Some(until) = wanted.kept_until().filter(|until| now < *until) {
        return wait_until(until, Record { closing: false, ..wanted });
    }
    let Knowledge::Confirmed(job) = knowledge else { return first_phase(set, wanted, claims) };
    match job_holds_until(job, idle_since, now).filter(|_| may_make_more(record, claims)) {
        Some(until) => wait_until(until, Record { closing: false, ..wanted }),
        None if record.closing => vec![delete_set(set)],
        None => keep::update(set, Record { closing: true, ..wanted }, &[]).into_iter().collect(),
    }
}

/// Whether those whom the objects were made for are among the claims: watches may be behind each other, and who has met
/// the same name by another key says nothing of them.
fn are_known(claims: &[Claim<'_>], observed: &Observed) -> bool {
    observed.objects().all(|(_, object)| claims.iter().any(|claim| claim.service.key == object.record.key))
}

/// Nobody else can come for it: no phases.
fn close_one_pods(
    set: &Object,
    wanted: Record,
    claims: &[Claim<'_>],
    observed: &Observed,
    knowledge: Knowledge,
    now: Timestamp,
) -> Vec<Action> {
    if let Some(until) = wanted.retain_until.filter(|until| now < *until) {
        return keep::update(set, wanted, &[]).into_iter().chain([Action::Revisit(until)]).collect();
    }
    if knowledge == Knowledge::Watched && !are_known(claims, observed) {
        return vec![Action::Confirm];
    }
    delete_making(set, observed)
}

/// The mark, where nothing but consumers can hold the service; else a look at what may.
fn first_phase(set: &Object, wanted: Record, claims: &[Claim<'_>]) -> Vec<Action> {
    if set.record.closing || may_make_more(&set.record, claims) {
        return vec![Action::Confirm];
    }
    keep::update(set, Record { closing: true, ..wanted }, &[]).into_iter().collect()
}

/// Whether the pods share a controller that may make more of them: a batch Job has none for 8–18 s between two
/// attempts (measured). A job whose leader has ended is over, whatever its controller says.
fn may_make_more(record: &Record, claims: &[Claim<'_>]) -> bool {
    record.key.controller().is_some() && !claims.iter().any(|claim| claim.consumer.concluded)
}

/// When to look at the job again, if it holds the service.
fn job_holds_until(job: Job, idle_since: Timestamp, now: Timestamp) -> Option<Timestamp> {
    match job {
        Job::Over => None,
        Job::Unfinished => Some(now + pause(now.duration_since(idle_since))),
        Job::Unreadable => {
            let until = idle_since.checked_add(HELD_FOR_UNREADABLE).unwrap_or(Timestamp::MAX);
            Some(until).filter(|until| now < *until)
        }
    }
}

/// Often at first: a Job's status follows its last pod's by a second. Then less: it may pause for minutes.
fn pause(idle: SignedDuration) -> SignedDuration {
    (idle / 4).clamp(SignedDuration::from_millis(500), SignedDuration::from_secs(10))
}

/// The second phase: only the version that was marked, before anybody was listed.
fn delete_set(set: &Object) -> Action {
    Action::Delete {
        kind: super::Kind::StatefulSet,
        uid: set.uid.clone(),
        resource_version: Some(set.resource_version.clone()),
    }
}

/// All objects of one making, whose only pod has ended.
fn delete_making(set: &Object, observed: &Observed) -> Vec<Action> {
    let is_of_it = |object: &Object| object.record.instance == set.record.instance;
    let mut there: Vec<_> =
        observed.objects().filter(|(_, object)| !object.deleting && is_of_it(object)).collect();
    // The servers first, while they still have names.
    there.reverse();
    there
        .into_iter()
        .map(|(kind, object)| Action::Delete { kind, uid: object.uid.clone(), resource_version: None })
        .collect()
}

/// Deletes an object that no StatefulSet has, if none has taken it since.
pub(super) fn delete_loose(kind: super::Kind, object: &Object) -> Option<Action> {
    (object.attached_to.is_none() && !object.deleting).then(|| Action::Delete {
        kind,
        uid: object.uid.clone(),
        resource_version: Some(object.resource_version.clone()),
    })
}

/// The record with the longest that any of its consumers asks for, the failed ones' retention among it.
pub(super) fn with_lifetimes(record: &Record, claims: &[Claim<'_>], now: Timestamp) -> Record {
    let mut wanted = record.clone();
    for claim in claims.iter().filter(|claim| claim.refusal(record).is_none()) {
        let asked = claim.service.lifetime;
        wanted.lifetime.keep_warm = wanted.lifetime.keep_warm.max(asked.keep_warm);
        wanted.lifetime.on_failure = wanted.lifetime.on_failure.max(asked.on_failure);
        if let (Standing::Ended(Ending::Failed), OnFailure::Retain(span)) =
            (claim.consumer.standing, asked.on_failure)
        {
            // Without a time in its status the clock starts at the first look, which the record keeps.
            let failed_at = claim.consumer.ended_at.or_else(|| wanted.retain_until.is_none().then_some(now));
            wanted.retain_until = wanted.retain_until.max(failed_at.map(|at| later(at, span)));
        }
    }
    wanted
}

/// The pods whose job is over because its leader has ended, and that have not been told yet (design §3). An absent
/// leader says nothing, nor does one that has a successor.
pub(super) fn released_by_their_leader(claims: &[Claim<'_>], now: Timestamp) -> Vec<Action> {
    let is_live = |claim: &&Claim<'_>| claim.consumer.standing.is_live(now);
    let is_over = claims.iter().any(|claim| claim.consumer.concluded)
        && !claims.iter().filter(is_live).any(|claim| claim.consumer.plan.leads);
    let of_the_job = |claim: &&Claim<'_>| is_over && claim.service.scope == crate::key::Scope::Task;
    let told = claims.iter().filter(is_live).filter(of_the_job);
    told.map(|claim| Action::Release(claim.consumer.pod.clone())).collect()
}
