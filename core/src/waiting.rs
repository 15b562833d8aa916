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
    },
    /// Its containers run, or have run.
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
        Self::Gate { placed_at: placed_at(pod), trouble: trouble(pod), runs_again: runs_again(pod) }
    }
}

/// Whether the gate let the pod through, or one of its regular containers has got past it.
fn has_started(pod: &Value) -> bool {
    let is_final = matches!(pod::text(pod, "/status/phase"), Some("Succeeded" | "Failed"));
    let passed = pod::list(pod, "/status/initContainerStatuses").iter().any(|status| {
        pod::name(status) == Some(GATE)
            && status.pointer("/state/terminated/exitCode") == Some(&Value::from(0))
    });
    let runs = |status: &Value| {
        ["/state/running", "/state/terminated", "/lastState/terminated"]
            .iter()
            .any(|at| status.pointer(at).is_some())
    };
    is_final || passed || pod::list(pod, "/status/containerStatuses").iter().any(runs)
}

fn placed_at(pod: &Value) -> Option<Timestamp> {
    let placed = |condition: &&Value| {
        pod::text(condition, "/type") == Some("PodScheduled")
            && pod::text(condition, "/status") == Some("True")
    };
    let condition = pod::list(pod, "/status/conditions").iter().find(placed)?;
    pod::timestamp(condition, "/lastTransitionTime")
}

/// With restartPolicy `OnFailure` and `Always` a gate that gives up is run again for ever (measured).
fn runs_again(pod: &Value) -> bool {
    let failed = |status: &Value| {
        let code = ["/state/terminated/exitCode", "/lastState/terminated/exitCode"]
            .iter()
            .find_map(|at| status.pointer(at));
        pod::name(status) == Some(GATE) && code.is_some_and(|code| *code != 0)
    };
    pod::text(pod, "/spec/restartPolicy") != Some("Never")
        && pod::list(pod, "/status/initContainerStatuses").iter().any(failed)
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
        let Waiting::Gate { placed_at: Some(_), trouble: Some(trouble), runs_again: false } =
            Waiting::of(&pod(&status))
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
}
