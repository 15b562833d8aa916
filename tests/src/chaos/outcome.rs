//! What became of one pod.

use dataservice_core::container::GATE;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::loss;
use super::record::PodRecord;
use super::testimony::Testimony;
use super::view;

/// What became of one pod.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// Somebody deleted it before its task began.
    Interrupted,
    /// It was told why it does not get what it asks for.
    Refused(String),
    /// Its task began.
    Served(Ended),
    /// None of these: nobody knows.
    Unknown(String),
}

/// How a task ended that had begun.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Ended {
    /// Its pod was deleted.
    Deleted,
    /// Its pod failed.
    Failed,
    /// It had not yet.
    NotYet,
    /// Its pod succeeded.
    Succeeded,
}

// === impl Outcome ===

impl Outcome {
    /// Of a pod whose tasks have told this, and that somebody has deleted before it was over, or not.
    #[must_use]
    pub fn of(record: &PodRecord, told: &[&Testimony], is_deleted: bool) -> Self {
        if !told.is_empty() {
            return Self::Served(match record.phase() {
                "Succeeded" => Ended::Succeeded,
                _ if is_deleted => Ended::Deleted,
                "Failed" => Ended::Failed,
                _ => Ended::NotYet,
            });
        }
        let refusal = refusal(&record.pod).filter(|message| !message.is_empty());
        match refusal {
            _ if is_deleted => Self::Interrupted,
            Some(message) => Self::Refused(message),
            None => Self::Unknown(state(record)),
        }
    }
}

/// What was told by tasks of this pod.
#[must_use]
pub fn told<'a>(record: &PodRecord, testimonies: &'a [Testimony]) -> Vec<&'a Testimony> {
    let of_pod = testimonies.iter().filter(|testimony| testimony.pod == record.name());
    of_pod.filter(|testimony| loss::is_of(testimony, record)).collect()
}

/// What is wrong with what was told by a task that had begun, whatever became of its pod.
#[must_use]
pub fn wrongs(record: &PodRecord, told: &[&Testimony], is_deleted: bool) -> Vec<String> {
    let mut wrongs = Vec::new();
    let name = record.name();
    for testimony in told {
        let lived = testimony.last_beat.duration_since(testimony.started_at);
        if !testimony.is_complete() && lived > TIME_TO_ASK {
            wrongs.push(format!("{name} worked for {lived:.1?}, and not all of its servers ever answered"));
        }
        if testimony.ended_at.is_some() && testimony.code.is_none() && !is_deleted && record.gone_at.is_none()
        {
            wrongs.push(format!("the task of {name} was killed by nobody who is known"));
        }
    }
    let succeeded = !told.is_empty() && told.iter().all(|testimony| testimony.code == Some(0));
    if succeeded && record.phase() == "Failed" && !is_deleted {
        wrongs.push(format!("the task of {name} succeeded, and its pod failed: {}", state(record)));
    }
    wrongs
}

/// What the pod's gate said when it gave up, or what the pod says that was ended by its deadline.
fn refusal(pod: &Value) -> Option<String> {
    let gate = view::list(pod, "/status/initContainerStatuses").iter().find(|status| status["name"] == GATE);
    let failed = gate
        .into_iter()
        .flat_map(|gate| [gate.pointer("/state/terminated"), gate.pointer("/lastState/terminated")]);
    let failed = failed.flatten().find(|ended| ended["exitCode"] != 0);
    let said = failed.and_then(|ended| view::text(ended, "/message")).map(str::to_owned);
    let is_late = view::text(pod, "/status/reason") == Some("DeadlineExceeded");
    said.or_else(|| is_late.then(|| "ended by the controller, which says why in an event".to_owned()))
}

fn state(record: &PodRecord) -> String {
    let mut statuses = record.pod["status"].clone();
    if let Some(statuses) = statuses.as_object_mut() {
        statuses.retain(|key, _| {
            ["phase", "reason", "message", "initContainerStatuses", "containerStatuses"]
                .contains(&key.as_str())
        });
    }
    statuses.to_string().chars().take(MOST_CHARS).collect()
}

/// From a pod's creation to its task's beginning.
#[must_use]
pub fn started_after(record: &PodRecord, told: &[&Testimony]) -> Option<f64> {
    let created = view::timestamp(&record.pod, "/metadata/creationTimestamp")?;
    let started: Timestamp = told.iter().map(|testimony| testimony.started_at).min()?;
    Some(started.duration_since(created).as_secs_f64())
}

/// Two rounds of asking four servers that do not answer.
const TIME_TO_ASK: SignedDuration = SignedDuration::from_secs(10);
const MOST_CHARS: usize = 1_500;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(status: &Value) -> PodRecord {
        PodRecord::new(
            json!({"metadata": {"name": "p", "creationTimestamp": "1970-01-01T00:16:30Z"}, "status": status}),
        )
    }

    fn testimony(lines: &[&str]) -> Testimony {
        let mut testimony = Testimony::of_hello("1000.000000 hello p a-0.a:1").unwrap();
        for line in lines {
            testimony.note(line);
        }
        testimony
    }

    fn gate(code: i32, message: &str) -> Value {
        json!({"phase": "Failed", "initContainerStatuses": [
            {"name": GATE, "state": {"terminated": {"exitCode": code, "message": message}}},
        ]})
    }

    #[test]
    fn a_pod_that_was_told_why_is_refused_and_one_that_was_told_nothing_is_not() {
        let of = |status: &Value| Outcome::of(&record(status), &[], false);
        assert_eq!(of(&gate(1, "no")), Outcome::Refused("no".to_owned()));
        assert!(matches!(of(&gate(1, "")), Outcome::Unknown(_)));
        assert!(matches!(of(&gate(0, "")), Outcome::Unknown(_)));
        assert!(matches!(of(&json!({"phase": "Failed", "reason": "DeadlineExceeded"})), Outcome::Refused(_)));
        assert_eq!(Outcome::of(&record(&gate(1, "no")), &[], true), Outcome::Interrupted);
    }

    #[test]
    fn a_pod_whose_task_began_was_served() {
        let told = testimony(&[]);
        let of = |phase: &str, deleted| Outcome::of(&record(&json!({"phase": phase})), &[&told], deleted);
        assert_eq!(of("Succeeded", true), Outcome::Served(Ended::Succeeded));
        assert_eq!(of("Failed", false), Outcome::Served(Ended::Failed));
        assert_eq!(of("Failed", true), Outcome::Served(Ended::Deleted));
        assert_eq!(of("Running", false), Outcome::Served(Ended::NotYet));
    }

    #[test]
    fn a_task_that_succeeded_must_not_fail() {
        let told = testimony(&["1001.000000 up a-0.a:1", "1002.000000 end 0"]);
        let of = |phase: &str| wrongs(&record(&json!({"phase": phase})), &[&told], false).len();
        assert_eq!((of("Succeeded"), of("Failed")), (0, 1));
    }

    #[test]
    fn a_task_that_works_for_long_hears_from_every_server() {
        let of =
            |beat: &str| wrongs(&record(&json!({"phase": "Running"})), &[&testimony(&[beat])], false).len();
        assert_eq!((of("1005.000000 beat"), of("1015.000000 beat")), (0, 1));
    }
}
