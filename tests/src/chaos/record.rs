//! What the API server has shown of one object, to its end.

use dataservice_core::release::Released;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::view;

/// A pod, as it was last shown.
#[derive(Clone, Debug)]
pub struct PodRecord {
    /// The pod.
    pub pod: Value,
    /// When it was first shown to be deleted.
    pub gone_at: Option<Timestamp>,
    /// Whether it was ever shown to be released by its job's leader: its own word may have taken the place of that.
    pub is_led: bool,
    /// Whether it was shown to be deleted before it was over.
    pub is_cut: bool,
}

/// A StatefulSet or a Service of ours.
#[derive(Clone, Debug)]
pub struct ObjectRecord {
    /// Which of the two.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// When it was created, to the second.
    pub created_at: Timestamp,
    /// How often its specification was changed, creation included.
    pub generation: i64,
    /// When it was shown to be deleted.
    pub gone_at: Option<Timestamp>,
}

/// What a service consists of.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// Its names.
    Service,
    /// Its servers.
    StatefulSet,
}

// === impl PodRecord ===

impl PodRecord {
    /// A pod that was just shown.
    #[must_use]
    pub fn new(pod: Value) -> Self {
        let is_led = matches!(Released::read(&pod), Some(Released::ByItsLeader(_)));
        let new = Self { pod, gone_at: None, is_led, is_cut: false };
        Self { is_cut: new.is_being_deleted() && !new.is_over(), ..new }
    }

    /// The same pod, shown anew.
    #[must_use]
    pub fn shown(&self, pod: Value) -> Self {
        let new = Self::new(pod);
        Self {
            // The last word of a pod that is gone may come late.
            gone_at: self.gone_at,
            is_led: self.is_led || new.is_led,
            is_cut: self.is_cut || (new.is_being_deleted() && !self.is_over()),
            ..new
        }
    }

    /// A text in it.
    #[must_use]
    pub fn text(&self, pointer: &str) -> &str {
        view::text(&self.pod, pointer).unwrap_or_default()
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// Its uid.
    #[must_use]
    pub fn uid(&self) -> &str {
        self.text("/metadata/uid")
    }

    /// Its phase.
    #[must_use]
    pub fn phase(&self) -> &str {
        self.text("/status/phase")
    }

    /// The group's number and the member's that it was made for, if it was.
    #[must_use]
    pub fn member(&self) -> Option<(u32, usize)> {
        let (group, member) = view::label(&self.pod, MEMBER)?.split_once('.')?;
        Some((group.parse().ok()?, member.parse().ok()?))
    }

    /// Whether it is a server of ours.
    #[must_use]
    pub fn is_server(&self) -> bool {
        view::label(&self.pod, dataservice_core::render::SERVICE).is_some()
    }

    /// Whether it is over: no container of it will run again.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.gone_at.is_some() || matches!(self.phase(), "Failed" | "Succeeded")
    }

    fn is_being_deleted(&self) -> bool {
        self.pod.pointer("/metadata/deletionTimestamp").is_some()
    }

    /// Whether somebody had a right to take its services at `at`, although its task was running: its object was gone
    /// by then (a watch may tell of it a little later), its node counted as lost, or its job was over.
    #[must_use]
    pub fn had_no_right(&self, at: Timestamp) -> bool {
        let is_gone = self.gone_at.is_some_and(|gone_at| gone_at <= at + LAG);
        let is_lost =
            view::timestamp(&self.pod, "/metadata/deletionTimestamp").is_some_and(|end| end + LOST <= at);
        is_gone || is_lost || self.is_led
    }
}

/// The label that says for which member of which group a pod was made: `<group>.<member>`.
pub const MEMBER: &str = "dataservice-tests/member";
/// How much later than another a watch may tell of what happened before.
const LAG: SignedDuration = SignedDuration::from_secs(3);
/// How long after the end of its grace a pod counts as lost with its node (design §3).
const LOST: SignedDuration = SignedDuration::from_secs(60);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn working(metadata: &Value) -> PodRecord {
        PodRecord::new(json!({"metadata": metadata, "status": {"phase": "Running"}}))
    }

    #[test]
    fn a_running_task_needs_its_services_until_it_is_gone_lost_or_released_by_its_leader() {
        let pod = working(&json!({"uid": "u"}));
        assert!(!pod.had_no_right(at(1_000)));
        let gone = PodRecord { gone_at: Some(at(1_002)), ..pod };
        assert!(gone.had_no_right(at(1_000)) && !gone.had_no_right(at(990)));
        let deleted = working(&json!({"deletionTimestamp": "1970-01-01T00:16:40Z"}));
        assert!(deleted.had_no_right(at(1_060)) && !deleted.had_no_right(at(1_059)));
        let released =
            |mark: &str| working(&json!({"annotations": {"dataservice.flyte.org/released": mark}}));
        assert!(released("u/leader").had_no_right(at(0)) && !released("u").had_no_right(at(0)));
        assert!(released("u/leader").shown(released("u").pod).had_no_right(at(0)));
    }

    #[test]
    fn a_pod_is_cut_if_it_is_deleted_before_it_is_over() {
        let pod = |phase: &str, metadata: Value| json!({"metadata": metadata, "status": {"phase": phase}});
        let deleted = json!({"deletionTimestamp": "1970-01-01T00:16:40Z"});
        let shown = |phase: &str| PodRecord::new(pod(phase, json!({}))).shown(pod("Failed", deleted.clone()));
        assert!(shown("Running").is_cut && !shown("Failed").is_cut);
        assert!(PodRecord::new(pod("Running", deleted.clone())).is_cut);
    }

    #[test]
    fn a_pod_knows_for_whom_it_was_made() {
        let member = |label: &str| working(&json!({"labels": {MEMBER: label}})).member();
        assert_eq!(member("12.1"), Some((12, 1)));
        assert_eq!(member("x"), None);
    }
}
