//! Whether a pod still needs its services, by its own status (design §3).

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::ask::OnFailure;
use crate::pod;
use crate::release::Released;

/// Whether a pod still needs its services.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// One of its regular containers runs, or may run again.
    Live,
    /// It is being deleted; if it is still there then, its node is taken for lost.
    LiveUntil(Timestamp),
    /// None of its regular containers can run again.
    Ended(Ending),
}

/// How a pod ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// All that counts exited with 0.
    Completed,
    /// Something that counts did not.
    Failed,
    /// It said so itself before its status did, or the leader of its job has ended.
    Released,
}

// === impl Standing ===

impl Standing {
    /// A pod's standing by its own status (design §3).
    ///
    /// A `deletionTimestamp` alone is not the end: the task may be writing its checkpoint, for all of its grace.
    /// `on_failure` is the longest that any of its services stays when it fails.
    #[must_use]
    pub fn of(pod: &Value, on_failure: OnFailure) -> Self {
        match pod::text(pod, "/status/phase") {
            Some("Succeeded") => return Self::Ended(Ending::Completed),
            Some("Failed") => return Self::Ended(Ending::Failed),
            _ => {}
        }
        if let Some(ending) = containers_ended(pod) {
            return Self::Ended(ending);
        }
        if is_released(pod, on_failure) {
            return Self::Ended(Ending::Released);
        }
        // The API server's deletionTimestamp is when the grace ends.
        match pod::timestamp(pod, "/metadata/deletionTimestamp").map(|at| at.checked_add(LOST_AFTER)) {
            Some(Ok(lost_at)) => Self::LiveUntil(lost_at),
            Some(Err(_)) | None => Self::Live,
        }
    }

    /// Whether `pod` has ended so that it will not be tried again, as far as itself can tell: it succeeded, or failed
    /// by an exit code of its own making. (A signal's, 128 and above, is what operators retry; a batch Job retries all.)
    #[must_use]
    pub fn is_for_good(self, pod: &Value) -> bool {
        let is_jobs =
            pod::controller(pod).is_some_and(|controller| pod::text(controller, "/kind") == Some("Job"));
        let failures: Vec<i64> = exits(pod).map(|(_, code)| code).filter(|code| *code != 0).collect();
        match self {
            Self::Ended(Ending::Completed) => true,
            Self::Ended(Ending::Failed) => {
                !is_jobs && !failures.is_empty() && failures.iter().all(|code| *code < SIGNALLED)
            }
            Self::Ended(Ending::Released) | Self::Live | Self::LiveUntil(_) => false,
        }
    }

    /// Whether the pod needs its services at `now`.
    #[must_use]
    pub fn is_live(self, now: Timestamp) -> bool {
        match self {
            Self::Live => true,
            Self::LiveUntil(at) => now < at,
            Self::Ended(_) => false,
        }
    }
}

/// Whether somebody who may has said that the pod needs its services no more.
///
/// Its own word counts only where nothing restarts: otherwise the same pod may run again after its sidecar was told to
/// stop; nor where its service stays when it has failed: that is what only its status says, moments later. That the
/// leader of its job has ended counts always.
fn is_released(pod: &Value, on_failure: OnFailure) -> bool {
    match pod::text(pod, "/metadata/uid").zip(Released::read(pod)) {
        Some((uid, Released::ByItself(released))) => {
            uid == released
                && pod::text(pod, "/spec/restartPolicy") == Some("Never")
                && !has_rules_of_its_own(pod)
                && on_failure == OnFailure::Delete
        }
        Some((uid, Released::ByItsLeader(released))) => uid == released,
        None => false,
    }
}

/// How the pod ended by the status of its regular containers, if none of those that count can run again.
///
/// With restartPolicy `Never` that is all of them, or Flyte's primary container (the rest is ended with it).
fn containers_ended(pod: &Value) -> Option<Ending> {
    if has_rules_of_its_own(pod) {
        return None;
    }
    let names: Vec<_> = pod::list(pod, "/spec/containers").iter().filter_map(pod::name).collect();
    let primary = pod::annotation(pod, PRIMARY).filter(|primary| names.contains(primary));
    let counting = primary.map_or(names, |primary| vec![primary]);
    let codes: Vec<i64> =
        exits(pod).filter(|(name, _)| counting.contains(name)).map(|(_, code)| code).collect();
    if codes.is_empty() || codes.len() < counting.len() {
        return None;
    }
    let succeeded = codes.iter().all(|code| *code == 0);
    match pod::text(pod, "/spec/restartPolicy") {
        Some("Never") => Some(if succeeded { Ending::Completed } else { Ending::Failed }),
        Some("OnFailure") if succeeded && primary.is_none() => Some(Ending::Completed),
        _ => None,
    }
}

/// Whether rules of a container's own may run it again (KEP-5307): then only the pod's phase is certain.
fn has_rules_of_its_own(pod: &Value) -> bool {
    pod::list(pod, "/spec/containers").iter().any(|container| container.get("restartPolicy").is_some())
}

/// The regular containers that have ended, with their exit codes.
fn exits(pod: &Value) -> impl Iterator<Item = (&str, i64)> {
    pod::list(pod, "/status/containerStatuses").iter().filter_map(|status| {
        Some((pod::name(status)?, status.pointer("/state/terminated/exitCode")?.as_i64()?))
    })
}

/// Flyte's annotation of the container whose end is the task's
/// (flyteplugins `flytek8s/pod_helper.go`, `PrimaryContainerKey`).
const PRIMARY: &str = "primary_container_name";
/// How long after the end of its grace a pod that is still there counts as lost with its node.
const LOST_AFTER: SignedDuration = SignedDuration::from_secs(60);
/// Exit codes from here on are a signal's.
const SIGNALLED: i64 = 128;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::annotation;

    fn pod(restart_policy: &str, containers: &[&str], exits: &[(&str, i64)]) -> Value {
        let status =
            |(name, code): &(&str, i64)| json!({"name": name, "state": {"terminated": {"exitCode": code}}});
        json!({
            "metadata": {"name": "p", "namespace": "ns", "uid": "u"},
            "spec": {
                "restartPolicy": restart_policy,
                "containers": containers.iter().map(|name| json!({"name": name})).collect::<Vec<_>>(),
            },
            "status": {
                "phase": "Running",
                "containerStatuses": exits.iter().map(status).collect::<Vec<_>>(),
            },
        })
    }

    fn of(pod: &Value) -> Standing {
        Standing::of(pod, OnFailure::Delete)
    }

    fn with(mut pod: Value, pointer: &str, value: Value) -> Value {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        pod.pointer_mut(parent).unwrap()[key] = value;
        pod
    }

    fn annotated(mut pod: Value, key: &str, value: &str) -> Value {
        pod["metadata"]["annotations"][key] = json!(value);
        pod
    }

    #[test]
    fn a_phase_that_is_final_ends_it() {
        let ended = |phase: &str| of(&with(pod("Always", &["a"], &[]), "/status/phase", json!(phase)));
        assert_eq!(ended("Succeeded"), Standing::Ended(Ending::Completed));
        assert_eq!(ended("Failed"), Standing::Ended(Ending::Failed));
        assert_eq!(ended("Unknown"), Standing::Live);
    }

    #[test]
    fn with_never_the_end_of_all_containers_ends_it() {
        assert_eq!(of(&pod("Never", &["a", "b"], &[("a", 0)])), Standing::Live);
        let of = |b| of(&pod("Never", &["a", "b"], &[("a", 0), ("b", b)]));
        assert_eq!(of(0), Standing::Ended(Ending::Completed));
        assert_eq!(of(137), Standing::Ended(Ending::Failed));
    }

    #[test]
    fn with_never_the_end_of_flytes_primary_ends_it() {
        let primary = |exits| of(&annotated(pod("Never", &["primary", "b"], exits), PRIMARY, "primary"));
        assert_eq!(primary(&[("b", 0)]), Standing::Live);
        assert_eq!(primary(&[("primary", 1)]), Standing::Ended(Ending::Failed));
        let unknown = annotated(pod("Never", &["a"], &[]), PRIMARY, "nobody");
        assert_eq!(of(&unknown), Standing::Live);
    }

    #[test]
    fn with_on_failure_only_success_ends_it() {
        assert_eq!(of(&pod("OnFailure", &["a"], &[("a", 1)])), Standing::Live);
        assert_eq!(of(&pod("OnFailure", &["a"], &[("a", 0)])), Standing::Ended(Ending::Completed));
        assert_eq!(of(&pod("Always", &["a"], &[("a", 0)])), Standing::Live);
    }

    #[test]
    fn a_containers_own_restart_rules_leave_only_the_phase() {
        let mut restarting = pod("Never", &["a"], &[("a", 1)]);
        restarting["spec"]["containers"][0]["restartPolicy"] = json!("OnFailure");
        assert_eq!(of(&restarting), Standing::Live);
        let released = |by: Released<'_>| {
            let mut pod = annotated(pod("Never", &["a"], &[]), annotation::RELEASED, &by.to_text());
            pod["spec"]["containers"][0]["restartPolicy"] = json!("OnFailure");
            of(&pod)
        };
        assert_eq!(released(Released::ByItself("u")), Standing::Live);
        assert_eq!(released(Released::ByItsLeader("u")), Standing::Ended(Ending::Released));
    }

    #[test]
    fn a_release_counts_only_for_this_pod_and_where_nothing_restarts() {
        let released = |policy, uid| of(&annotated(pod(policy, &["a"], &[]), annotation::RELEASED, uid));
        assert_eq!(released("Never", "u"), Standing::Ended(Ending::Released));
        assert_eq!(released("Never", "another"), Standing::Live);
        assert_eq!(released("OnFailure", "u"), Standing::Live);
    }

    #[test]
    fn where_a_failure_is_to_be_looked_at_only_the_status_ends_it() {
        let retained = |mark: Released<'_>, exits| {
            let pod = annotated(pod("Never", &["a"], exits), annotation::RELEASED, &mark.to_text());
            Standing::of(&pod, OnFailure::Retain("1h".parse().unwrap()))
        };
        assert_eq!(retained(Released::ByItself("u"), &[]), Standing::Live);
        assert_eq!(retained(Released::ByItself("u"), &[("a", 1)]), Standing::Ended(Ending::Failed));
        assert_eq!(retained(Released::ByItsLeader("u"), &[]), Standing::Ended(Ending::Released));
    }

    #[test]
    fn a_pod_being_deleted_works_on_until_its_node_is_lost() {
        let deleted =
            with(pod("Never", &["a"], &[]), "/metadata/deletionTimestamp", json!("2026-01-01T00:00:00Z"));
        let standing = of(&deleted);
        let lost_at: Timestamp = "2026-01-01T00:01:00Z".parse().unwrap();
        assert_eq!(standing, Standing::LiveUntil(lost_at));
        assert!(standing.is_live("2026-01-01T00:00:59Z".parse().unwrap()));
        assert!(!standing.is_live(lost_at));
    }

    #[test]
    fn a_pod_without_statuses_has_not_ended() {
        assert_eq!(of(&json!({})), Standing::Live);
        assert_eq!(of(&pod("Never", &[], &[])), Standing::Live);
    }
}
