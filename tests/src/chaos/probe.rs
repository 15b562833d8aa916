//! Whether pods that want a data service can be created: asked all the time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::journal::Journal;
use super::persist::is_passing_status;
use crate::sandbox::Sandbox;

/// Asks, with dry runs, whether a pod can be created.
#[derive(Clone, Default)]
pub struct Probe {
    answers: Arc<Mutex<Vec<(Timestamp, Answer)>>>,
}

/// What came of asking.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// It can.
    Admitted,
    /// The API server is away, or not all there.
    NoApiServer,
    /// The API server does not reach the webhook.
    NoWebhook,
    /// The pod is refused, which nothing should lead to.
    Refused(String),
}

/// Times of one kind of absence.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Absence {
    /// How often.
    pub times: u32,
    /// All of it.
    pub total: Duration,
    /// The longest.
    pub longest: Duration,
}

// === impl Probe ===

impl Probe {
    /// Asks until it is dropped by its task.
    pub async fn ask(self, sandbox: Sandbox, pod: Value, journal: Journal) {
        loop {
            let at = Timestamp::now();
            let answer = match timeout(PATIENCE, sandbox.try_create(&pod, "dryRun=All")).await {
                Ok(Ok(answer)) => {
                    Answer::of(answer.status, answer.body["message"].as_str().unwrap_or_default())
                }
                Ok(Err(_)) | Err(_) => Answer::NoApiServer,
            };
            self.note(at, answer, &journal);
            sleep(PAUSE).await;
        }
    }

    fn note(&self, at: Timestamp, answer: Answer, journal: &Journal) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.last().map(|(_, last)| last) != Some(&answer) {
            journal.note(format_args!("admission: {answer:?}"));
            answers.push((at, answer));
        }
    }

    /// Each change of the answer, and when it was first so.
    #[must_use]
    pub fn answers(&self) -> Vec<(Timestamp, Answer)> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

// === impl Answer ===

impl Answer {
    fn of(status: u16, message: &str) -> Self {
        match status {
            201 => Self::Admitted,
            500 if message.contains("failed calling webhook") => Self::NoWebhook,
            _ if is_passing_status(status, message) => Self::NoApiServer,
            _ => Self::Refused(format!("{status} {message}")),
        }
    }
}

// === impl Absence ===

impl Absence {
    /// Of the answers until `end`, those that are `absence`.
    #[must_use]
    pub fn of(answers: &[(Timestamp, Answer)], absence: &Answer, end: Timestamp) -> Self {
        let ends = answers.iter().skip(1).map(|(at, _)| *at).chain([end]);
        let absent = answers.iter().zip(ends).filter(|((_, answer), _)| answer == absence);
        absent.fold(Self::default(), |sum, ((from, _), to)| {
            let lasted = Duration::try_from(to.duration_since(*from)).unwrap_or_default();
            Self { times: sum.times + 1, total: sum.total + lasted, longest: sum.longest.max(lasted) }
        })
    }
}

/// Longer than the API server waits for the webhook.
const PATIENCE: Duration = Duration::from_secs(12);
const PAUSE: Duration = Duration::from_millis(500);

/// What a probe asks for: a pod that nothing speaks against.
pub fn pod(sandbox: &Sandbox) -> Result<Value> {
    let mut pod = crate::flyte::runnable("plain", "true")?;
    pod["metadata"]["namespace"] = sandbox.namespace.clone().into();
    Ok(pod)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_who_is_away() {
        assert_eq!(Answer::of(201, ""), Answer::Admitted);
        assert_eq!(
            Answer::of(500, "Internal error occurred: failed calling webhook \"pods.…\": …"),
            Answer::NoWebhook
        );
        assert_eq!(Answer::of(500, "etcdserver: request timed out"), Answer::NoApiServer);
        assert_eq!(
            Answer::of(403, "pods \"x\" is forbidden: not yet ready to handle request"),
            Answer::NoApiServer
        );
        assert_eq!(Answer::of(422, "no"), Answer::Refused("422 no".to_owned()));
    }

    #[test]
    fn absences_are_added_up_to_the_end() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let answers = [
            (at(0), Answer::Admitted),
            (at(10), Answer::NoWebhook),
            (at(13), Answer::Admitted),
            (at(20), Answer::NoWebhook),
        ];
        let seconds = Duration::from_secs;
        let absence = Absence { times: 2, total: seconds(8), longest: seconds(5) };
        assert_eq!(Absence::of(&answers, &Answer::NoWebhook, at(25)), absence);
        assert_eq!(Absence::of(&answers, &Answer::NoApiServer, at(25)), Absence::default());
    }
}
