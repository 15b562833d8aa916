//! The pods of a StatefulSet of ours, as far as their consumers care.

use jiff::Timestamp;
use serde_json::Value;

use crate::pod;
use crate::record::MANAGED_BY;
use crate::render::{INSTANCE, SERVICE};
use crate::trouble::Trouble;

/// One server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Server {
    /// Which one: the number at the end of its name.
    pub ordinal: u32,
    /// Which making of the service it belongs to, as its label says.
    pub instance: String,
    /// Whether it answers.
    pub is_ready: bool,
    /// Whether it is being deleted.
    pub is_ending: bool,
    /// When its pod was made.
    pub created_at: Timestamp,
    /// When it last came nearer to being ready.
    pub progressed_at: Timestamp,
    /// What keeps it from being ready, if more than time.
    pub trouble: Option<Trouble>,
    /// Why it was taken off its node, or not taken there, if it was: its StatefulSet makes another one at once.
    pub removal: Option<Trouble>,
    /// Why the one in its place before it was, as far as anybody remembers.
    pub last_removal: Option<Trouble>,
    /// How far it is: `starting`, `not placed yet`…
    pub stage: Stage,
}

/// How far a server is that is not ready.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    /// No node has been found for it yet.
    Unplaced,
    /// Its node pulls its image and starts it.
    Starting,
    /// It runs, and its readiness probe does not succeed yet.
    Started,
}

// === impl Server ===

impl Server {
    /// Reads a pod, if it is a server of ours.
    #[must_use]
    pub fn read(pod: &Value) -> Option<Self> {
        if pod::label(pod, MANAGED_BY.0) != Some(MANAGED_BY.1) {
            return None;
        }
        let name = pod::text(pod, "/metadata/name")?;
        let stage = Stage::of(pod);
        let containers = pod::list(pod, "/status/initContainerStatuses").iter();
        let containers = containers.chain(pod::list(pod, "/status/containerStatuses"));
        let is_ready = condition(pod, "Ready").is_some();
        let removal = Trouble::of_removal(pod);
        Some(Self {
            ordinal: name.rsplit_once('-')?.1.parse().ok()?,
            instance: pod::label(pod, INSTANCE)?.to_owned(),
            is_ready,
            is_ending: pod.pointer("/metadata/deletionTimestamp").is_some(),
            created_at: pod::timestamp(pod, "/metadata/creationTimestamp")?,
            progressed_at: progressed_at(pod)?,
            trouble: removal
                .clone()
                .or_else(|| Trouble::of_scheduling(pod))
                .or_else(|| containers.filter(|_| !is_ready).find_map(Trouble::of_container)),
            removal,
            last_removal: None,
            stage,
        })
    }

    /// How far it is, or what keeps it, in a person's words.
    #[must_use]
    pub fn told(&self) -> String {
        let how = self.trouble.as_ref().map_or_else(|| self.stage.as_str().to_owned(), ToString::to_string);
        match &self.last_removal {
            Some(removal) => format!("{how}; the one before it: {removal}"),
            None => how,
        }
    }

    /// Whether more than time keeps it from being ready.
    #[must_use]
    pub fn is_troubled(&self) -> bool {
        self.trouble.is_some() || self.last_removal.is_some()
    }

    /// The object's name of the service that a server belongs to.
    #[must_use]
    pub fn service(pod: &Value) -> Option<&str> {
        pod::label(pod, SERVICE)
    }
}

// === impl Stage ===

impl Stage {
    fn of(pod: &Value) -> Self {
        let runs = |status: &Value| status.pointer("/state/running").is_some();
        if pod::list(pod, "/status/containerStatuses").iter().any(runs) {
            Self::Started
        } else if condition(pod, "PodScheduled").is_some() {
            Self::Starting
        } else {
            Self::Unplaced
        }
    }

    /// In a person's words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unplaced => "not placed yet",
            Self::Starting => "starting",
            Self::Started => "started, not ready yet",
        }
    }
}

/// Since when a condition is true, if it is.
fn condition(pod: &Value, kind: &str) -> Option<Timestamp> {
    let holds = |condition: &&Value| {
        pod::text(condition, "/type") == Some(kind) && pod::text(condition, "/status") == Some("True")
    };
    let condition = pod::list(pod, "/status/conditions").iter().find(holds)?;
    // Every condition has had a transition; one that does not say when was true from the start.
    pod::timestamp(condition, "/lastTransitionTime")
        .or_else(|| pod::timestamp(pod, "/metadata/creationTimestamp"))
}

/// Being made, placed, started for the first time and ready are progress; starting again after a crash is not.
fn progressed_at(pod: &Value) -> Option<Timestamp> {
    let first_start = pod::list(pod, "/status/containerStatuses").iter().filter_map(|status| {
        let is_first = status.get("restartCount").and_then(Value::as_u64) == Some(0);
        is_first.then(|| pod::timestamp(status, "/state/running/startedAt"))?
    });
    let conditions = ["PodScheduled", "Ready"].into_iter().filter_map(|kind| condition(pod, kind));
    let created = pod::timestamp(pod, "/metadata/creationTimestamp");
    created.into_iter().chain(first_start).chain(conditions).max()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(second: u32) -> String {
        format!("2026-01-01T00:00:{second:02}Z")
    }

    fn server(status: &Value) -> Server {
        let pod = json!({
            "metadata": {
                "name": "graph-7f3k2m9x-3", "creationTimestamp": at(1),
                "labels": {
                    MANAGED_BY.0: MANAGED_BY.1,
                    "dataservice.flyte.org/service": "graph-7f3k2m9x", "dataservice.flyte.org/instance": "i",
                },
            },
            "status": status,
        });
        assert_eq!(Server::service(&pod), Some("graph-7f3k2m9x"));
        Server::read(&pod).unwrap()
    }

    fn condition(kind: &str, status: &str, second: u32) -> Value {
        json!({"type": kind, "status": status, "lastTransitionTime": at(second)})
    }

    #[test]
    fn a_servers_stages_are_told_from_its_status() {
        let unplaced = server(&json!({}));
        assert_eq!((unplaced.ordinal, unplaced.stage, unplaced.is_ready), (3, Stage::Unplaced, false));
        let scheduled = condition("PodScheduled", "True", 2);
        assert_eq!(server(&json!({"conditions": [scheduled]})).stage, Stage::Starting);
        let running =
            json!({"name": "server", "restartCount": 0, "state": {"running": {"startedAt": at(3)}}});
        let started = server(&json!({"conditions": [scheduled], "containerStatuses": [running]}));
        assert_eq!(
            (started.stage, started.is_ready, started.trouble.is_none()),
            (Stage::Started, false, true)
        );
        let ready = server(
            &json!({"conditions": [scheduled, condition("Ready", "True", 4)], "containerStatuses": [running]}),
        );
        assert!(ready.is_ready);
        assert_eq!(
            [&unplaced, &started, &ready].map(|server| server.progressed_at.to_string()),
            [at(1), at(3), at(4)]
        );
    }

    #[test]
    fn starting_again_after_a_crash_is_no_progress() {
        let again = json!({
            "name": "server", "restartCount": 2, "state": {"running": {"startedAt": at(30)}},
            "lastState": {"terminated": {"exitCode": 1}},
        });
        let crashing = server(
            &json!({"conditions": [condition("PodScheduled", "True", 2)], "containerStatuses": [again]}),
        );
        assert_eq!(crashing.progressed_at.to_string(), at(2));
        assert_eq!(crashing.trouble.unwrap().to_string(), "ended with exit code 1, 2 restarts");
    }

    #[test]
    fn why_a_server_was_taken_off_its_node_is_told() {
        let evicted = server(&json!({
            "phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory.",
            "conditions": [condition("PodScheduled", "True", 2)],
            "containerStatuses": [{"name": "server", "state": {"terminated": {"exitCode": 137}}}],
        }));
        assert_eq!(evicted.told(), "Evicted: The node was low on resource: memory.");
        assert_eq!(evicted.removal, evicted.trouble);
        let mut next = server(&json!({}));
        assert!(!next.is_troubled());
        next.last_removal = evicted.removal;
        assert!(next.is_troubled());
        assert_eq!(
            next.told(),
            "not placed yet; the one before it: Evicted: The node was low on resource: memory."
        );
    }

    #[test]
    fn a_pod_that_is_not_ours_is_no_server() {
        assert_eq!(Server::read(&json!({"metadata": {"name": "a-0"}})), None);
    }
}
