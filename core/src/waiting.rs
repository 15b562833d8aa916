//! How far a pod's own wait for its services is.

use jiff::Timestamp;
use serde_json::Value;

use crate::annotation::SCHEDULING_GATE;
use crate::container::{GATE, SIDECAR};
use crate::pod;
use crate::trouble::Trouble;

/// How far a pod's wait is, by its status.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Waiting {
    /// It is not placed before its scheduling gate is lifted.
    Held,
    /// Its containers have not started yet.
    Gate {
        /// When it was placed on its node, if it has been.
        placed_at: Option<Timestamp>,
        /// What keeps our own containers from running, if anything does.
        trouble: Option<Trouble>,
        /// Whether its gate has given up, and runs again although it will again.
        runs_again: bool,
        /// Since when it waits again, if its containers have run before: with restartPolicy `OnFailure` or `Always` a
        /// pod that loses its sandbox, with its node's restart perhaps, begins anew.
        again_since: Option<Timestamp>,
    },
    /// Its containers run, or have run and its gate does not.
    Over,
}

// === impl Waiting ===

impl Waiting {
    /// The wait of `pod`.
    #[must_use]
    pub fn of(pod: &Value) -> Self {
        let gates = pod::list(pod, "/spec/schedulingGates");
        if gates.iter().any(|gate| pod::name(gate) == Some(SCHEDULING_GATE)) {
            return Self::Held;
        }
        if has_started(pod) {
            return Self::Over;
        }
        Self::Gate {
            placed_at: since(pod, "PodScheduled", "True"),
            trouble: trouble(pod),
            runs_again: runs_again(pod),
            again_since: again_since(pod),
        }
    }
}

/// Whether the gate let the pod through, or one of its regular containers has got past it. What these did before says
/// nothing where the gate itself runs, or is to run again.
fn has_started(pod: &Value) -> bool {
    if matches!(pod::text(pod, "/status/phase"), Some("Succeeded" | "Failed")) {
        return true;
    }
    let gate = gate(pod);
    let its = |at: &str| gate.and_then(|status| status.pointer(at));
    let has = |at: &'static str| {
        pod::list(pod, "/status/containerStatuses").iter().any(|status| status.pointer(at).is_some())
    };
    match (its("/state/running"), its("/state/terminated/exitCode")) {
        (Some(_), _) => false,
        (None, Some(code)) => *code == 0,
        (None, None) => {
            let ran = gate.is_none() && has("/lastState/terminated");
            has("/state/running") || has("/state/terminated") || ran
        }
    }
}

fn gate(pod: &Value) -> Option<&Value> {
    pod::list(pod, "/status/initContainerStatuses").iter().find(|status| pod::name(status) == Some(GATE))
}

/// Since when a condition is so.
fn since(pod: &Value, kind: &str, holds: &str) -> Option<Timestamp> {
    let is_it = |condition: &&Value| {
        pod::text(condition, "/type") == Some(kind) && pod::text(condition, "/status") == Some(holds)
    };
    let condition = pod::list(pod, "/status/conditions").iter().find(is_it)?;
    pod::timestamp(condition, "/lastTransitionTime")
}

/// Since when a pod waits again whose containers have run before: when they ended, or when it was found not ready,
/// which after the loss of a node is later. (Not when its gate started, which may start often; and `Initialized` stays
/// true, since Kubernetes 1.36.)
fn again_since(pod: &Value) -> Option<Timestamp> {
    let statuses = pod::list(pod, "/status/containerStatuses");
    let ended = ["/state/terminated", "/lastState/terminated"];
    let has_run = |status: &Value| ended.iter().any(|at| status.pointer(at).is_some());
    if !statuses.iter().any(has_run) {
        return None;
    }
    let ended_at = statuses
        .iter()
        .flat_map(|status| ended.iter().filter_map(|at| pod::timestamp(status.pointer(at)?, "/finishedAt")));
    ended_at.chain(since(pod, "Ready", "False")).max()
}

/// With restartPolicy `OnFailure` and `Always` a gate that gives up is run again for ever (measured).
fn runs_again(pod: &Value) -> bool {
    let codes = ["/state/terminated/exitCode", "/lastState/terminated/exitCode"];
    let code = gate(pod).and_then(|status| codes.iter().find_map(|at| status.pointer(at)));
    pod::text(pod, "/spec/restartPolicy") != Some("Never") && code.is_some_and(|code| *code != 0)
}

/// What keeps one of our containers from running: its image, above all.
fn trouble(pod: &Value) -> Option<Trouble> {
    let ours = |status: &&Value| matches!(pod::name(status), Some(GATE | SIDECAR));
    pod::list(pod, "/status/initContainerStatuses").iter().filter(ours).find_map(Trouble::of_container)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(status: &Value) -> Value {
        json!({"spec": {}, "status": status})
    }

    fn is_waiting(waiting: &Waiting) -> bool {
        matches!(waiting, Waiting::Gate { .. })
    }

    #[test]
    fn a_pod_with_our_scheduling_gate_is_held() {
        let held = json!({"spec": {"schedulingGates": [{"name": "x"}, {"name": SCHEDULING_GATE}]}});
        assert_eq!(Waiting::of(&held), Waiting::Held);
        assert!(is_waiting(&Waiting::of(&json!({"spec": {"schedulingGates": [{"name": "x"}]}}))));
    }

    #[test]
    fn it_waits_until_the_gate_has_let_it_through() {
        let gate = |state: Value| {
            Waiting::of(&pod(
                &json!({"phase": "Pending", "initContainerStatuses": [{"name": GATE, "state": state}]}),
            ))
        };
        assert!(is_waiting(&gate(json!({"running": {}}))));
        assert!(is_waiting(&gate(json!({"terminated": {"exitCode": 1}}))));
        assert_eq!(gate(json!({"terminated": {"exitCode": 0}})), Waiting::Over);
        let runs =
            json!({"phase": "Running", "containerStatuses": [{"name": "a", "state": {"running": {}}}]});
        assert_eq!(Waiting::of(&pod(&runs)), Waiting::Over);
        assert_eq!(Waiting::of(&pod(&json!({"phase": "Failed"}))), Waiting::Over);
    }

    #[test]
    fn what_keeps_our_containers_from_running_is_named() {
        let waiting = json!({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}});
        let placed =
            json!({"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"});
        let status =
            json!({"initContainerStatuses": [{"name": SIDECAR, "state": waiting}], "conditions": [placed]});
        let Waiting::Gate {
            placed_at: Some(_),
            trouble: Some(trouble),
            runs_again: false,
            again_since: None,
        } = Waiting::of(&pod(&status))
        else {
            panic!()
        };
        assert_eq!(trouble.to_string(), "ImagePullBackOff: no such image");
    }

    #[test]
    fn a_gate_that_gave_up_runs_again_unless_the_pod_never_restarts() {
        let runs_again = |policy: &str| {
            let status = json!({"initContainerStatuses": [
                {"name": GATE, "state": {"running": {}}, "lastState": {"terminated": {"exitCode": 1}}},
            ]});
            let pod = json!({"spec": {"restartPolicy": policy}, "status": status});
            matches!(Waiting::of(&pod), Waiting::Gate { runs_again: true, .. })
        };
        assert!(runs_again("OnFailure") && runs_again("Always") && !runs_again("Never"));
    }

    #[test]
    fn a_gate_that_runs_again_after_the_pod_lost_its_sandbox_waits_from_then() {
        let at = |second: u32| format!("2026-01-01T00:00:{second:02}Z");
        let again = |gate: Value| {
            let ended = json!({"exitCode": 137, "finishedAt": at(10)});
            let status = json!({
                "phase": "Pending",
                "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": at(20)}],
                "initContainerStatuses": [gate],
                "containerStatuses": [
                    {"name": "a", "state": {"waiting": {}}, "lastState": {"terminated": ended}},
                ],
            });
            let pod = json!({"spec": {"restartPolicy": "OnFailure"}, "status": status});
            match Waiting::of(&pod) {
                Waiting::Gate { again_since, runs_again, .. } => {
                    Some((again_since.unwrap().to_string(), runs_again))
                }
                Waiting::Held | Waiting::Over => None,
            }
        };
        let passed = json!({"terminated": {"exitCode": 0}});
        let gave_up = json!({"terminated": {"exitCode": 1}});
        assert_eq!(again(json!({"name": GATE, "state": passed})), None);
        let runs = json!({"name": GATE, "state": {"running": {}}, "lastState": passed});
        assert_eq!(again(runs), Some((at(20), false)));
        for state in
            [json!({"running": {}}), json!({"waiting": {"reason": "CrashLoopBackOff"}}), gave_up.clone()]
        {
            let gate = json!({"name": GATE, "state": state, "lastState": gave_up});
            assert_eq!(again(gate), Some((at(20), true)));
        }
    }
}
