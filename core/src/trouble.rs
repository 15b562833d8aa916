//! What keeps a container from running, in a person's words.

use std::fmt;

use serde_json::Value;

use crate::pod;

/// What keeps a container from running. It prints as `<reason>: <what the kubelet said>`, on one line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trouble(String);

// === impl Trouble ===

impl Trouble {
    /// A trouble in these words.
    #[must_use]
    pub fn new(reason: &str, message: &str) -> Self {
        let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
        let cut: String = message.chars().take(MOST_CHARS).collect();
        Self(if cut.is_empty() { reason.to_owned() } else { format!("{reason}: {cut}") })
    }

    /// What is wrong with a container, by its status; nothing while it is only starting.
    #[must_use]
    pub fn of_container(status: &Value) -> Option<Self> {
        let reason = pod::text(status, "/state/waiting/reason");
        let message = pod::text(status, "/state/waiting/message").unwrap_or_default();
        match reason {
            None | Some("ContainerCreating" | "PodInitializing") => Self::of_crash(status),
            Some("CrashLoopBackOff") => {
                Self::of_crash(status).or_else(|| Some(Self::new("CrashLoopBackOff", message)))
            }
            Some(reason) => Some(Self::new(reason, message)),
        }
    }

    /// How a container ended that should run, this time or the last.
    fn of_crash(status: &Value) -> Option<Self> {
        let running = status.pointer("/state/running").is_some();
        let ended =
            status.pointer("/state/terminated").or_else(|| status.pointer("/lastState/terminated"))?;
        if running && status.get("ready") == Some(&Value::Bool(true)) {
            return None;
        }
        let code = ended.get("exitCode").and_then(Value::as_i64).unwrap_or_default();
        let reason =
            pod::text(ended, "/reason").filter(|reason| *reason != "Error" && *reason != "Completed");
        let restarts = status.get("restartCount").and_then(Value::as_u64).unwrap_or_default();
        let how = reason
            .map_or_else(|| format!("ended with exit code {code}"), |r| format!("{r}, exit code {code}"));
        let again = if restarts > 0 { format!(", {restarts} restarts") } else { String::new() };
        Some(Self::new(&format!("{how}{again}"), pod::text(ended, "/message").unwrap_or_default()))
    }

    /// Why a pod was taken off its node, or not taken there: what the kubelet or whoever evicted it said.
    #[must_use]
    pub fn of_removal(pod: &Value) -> Option<Self> {
        let disruption = pod::list(pod, "/status/conditions").iter().find(|condition| {
            pod::text(condition, "/type") == Some("DisruptionTarget")
                && pod::text(condition, "/status") == Some("True")
        });
        let of = |told: &Value, reason: &str, message: &str| {
            let message = pod::text(told, message).unwrap_or_default();
            pod::text(told, reason).map(|reason| Self::new(reason, message))
        };
        let is_failed = pod::text(pod, "/status/phase") == Some("Failed");
        let by_phase = is_failed.then(|| of(pod, "/status/reason", "/status/message")).flatten();
        by_phase.or_else(|| of(disruption?, "/reason", "/message"))
    }

    /// What keeps a pod from being placed.
    #[must_use]
    pub fn of_scheduling(pod: &Value) -> Option<Self> {
        let unplaced = pod::list(pod, "/status/conditions").iter().find(|condition| {
            pod::text(condition, "/type") == Some("PodScheduled")
                && pod::text(condition, "/status") == Some("False")
        })?;
        let reason = pod::text(unplaced, "/reason").unwrap_or("Unscheduled");
        Some(Self::new(reason, pod::text(unplaced, "/message").unwrap_or_default()))
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A crash's last lines can be 2 KiB; a termination message holds 4 KiB in all.
const MOST_CHARS: usize = 500;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(status: &Value) -> Option<String> {
        Trouble::of_container(status).map(|trouble| trouble.to_string())
    }

    #[test]
    fn what_the_kubelet_says_is_told_on_one_line() {
        let waiting =
            json!({"state": {"waiting": {"reason": "ErrImagePull", "message": "no\n such  image"}}});
        assert_eq!(told(&waiting).as_deref(), Some("ErrImagePull: no such image"));
        let config = json!({"state": {"waiting": {"reason": "CreateContainerConfigError"}}});
        assert_eq!(told(&config).as_deref(), Some("CreateContainerConfigError"));
    }

    #[test]
    fn a_container_that_is_starting_has_no_trouble() {
        for reason in ["ContainerCreating", "PodInitializing"] {
            assert_eq!(told(&json!({"state": {"waiting": {"reason": reason}}})), None);
        }
        assert_eq!(told(&json!({"state": {"running": {}}})), None);
        assert_eq!(told(&json!({})), None);
    }

    #[test]
    fn a_crash_is_told_with_its_last_words() {
        let crashed = json!({
            "restartCount": 3,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
            "lastState": {"terminated": {"exitCode": 2, "reason": "Error", "message": "no shards in /data\n"}},
        });
        assert_eq!(told(&crashed).as_deref(), Some("ended with exit code 2, 3 restarts: no shards in /data"));
        let killed = json!({"state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}});
        assert_eq!(told(&killed).as_deref(), Some("OOMKilled, exit code 137"));
    }

    #[test]
    fn a_container_that_got_over_its_crash_has_no_trouble() {
        let mut status = json!({
            "restartCount": 1, "ready": true,
            "state": {"running": {}}, "lastState": {"terminated": {"exitCode": 1}},
        });
        assert_eq!(told(&status), None);
        status["ready"] = json!(false);
        assert_eq!(told(&status).as_deref(), Some("ended with exit code 1, 1 restarts"));
    }

    #[test]
    fn why_a_pod_was_removed_is_told() {
        let told = |status: Value| Trouble::of_removal(&json!({"status": status})).map(|t| t.to_string());
        let rejected =
            json!({"phase": "Failed", "reason": "OutOfcpu", "message": "Node didn't have enough cpu"});
        assert_eq!(told(rejected).as_deref(), Some("OutOfcpu: Node didn't have enough cpu"));
        let preempted = json!({"phase": "Running", "conditions": [
            {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler", "message": "for another"},
        ]});
        assert_eq!(told(preempted).as_deref(), Some("PreemptionByScheduler: for another"));
        assert_eq!(told(json!({"phase": "Pending", "reason": "x"})), None);
    }

    #[test]
    fn the_schedulers_reason_is_told() {
        let condition = json!({
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/1 nodes are available: 1 Insufficient cpu.",
        });
        let pod = json!({"status": {"conditions": [condition]}});
        assert_eq!(
            Trouble::of_scheduling(&pod).unwrap().to_string(),
            "Unschedulable: 0/1 nodes are available: 1 Insufficient cpu."
        );
        assert_eq!(Trouble::of_scheduling(&json!({})), None);
    }
}
