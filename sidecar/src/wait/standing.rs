//! What is known, and what follows from it. Pure: time is an argument.
//!
//! # When the gate opens
//!
//! Where no service is made for its consumers, when every server answers: its name has an address, and the address
//! lets us connect. Where one is, the lifecycle API is asked as well, and its `ready` is needed too; until then only
//! servers of services that are not made are asked, since those of made ones could be somebody's before.
//!
//! The lifecycle API is *unreachable* when it has not been reached for [`Terms::silence`] (30 s, three heartbeats; or the
//! deadline, where that is shorter) from the gate's start on, in at least three attempts. What reaches it is an answer
//! to somebody whom it knows: a stream (200), or a refusal (403, 410). What does not: trouble with name servers,
//! connections, TLS or the token; 401, 429, 5xx, and any other status. An API that has no such path (404, 405) is
//! unreachable at once. While it is unreachable, that every server answers is enough. The first time that it is reached
//! ends that: what servers of made services have answered is forgotten, and asked again after `ready`.
//!
//! Once it has been reached, `ready` is needed whatever becomes of it: it is asked again until the deadline. Without a
//! webhook there is no controller either, and who answers may be about to go.
//!
//! # When it fails
//!
//! At once where the lifecycle API says `failed`, or SIGTERM comes. Else at the deadline, counted from the last
//! progress: as the lifecycle API last told it, from when it is reached to `ready`; before and after, from our start,
//! from `ready`, or from the last time that another server answered.

use std::time::Duration;

use dataservice_wire::Progress;
use tokio::time::Instant;

use super::asking::{Failure, Heard};
use super::probe::Report;
use super::span::{self, Span};
use super::survey::{Scope, Survey};

/// What is known of the services.
#[derive(Debug)]
pub(crate) struct Standing {
    api: Api,
    deadline_at: Instant,
    started_at: Instant,
    survey: Survey,
    terms: Terms,
}

/// How long is waited.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// For the services, counted from the last progress.
    pub(crate) deadline: Duration,
    /// For the lifecycle API to be reached.
    pub(crate) silence: Duration,
}

/// What follows from what is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// The task must not start, for this cause.
    Fail(String),
    /// The task may start; what a person wants to know of it.
    Pass(String),
    /// Nothing, until this instant at the latest.
    Wait(Instant),
}

/// What is known of the lifecycle API.
#[derive(Debug)]
enum Api {
    /// It has no such path. Left for [`Api::Reached`], when another version takes over.
    Absent { answer: String },
    /// It says that waiting does not help. The end.
    Failed { cause: String },
    /// It says that the services are ready.
    Ready,
    /// It says what it waits for, if anything yet; `lost` since it cannot be asked. Left for `Failed` and `Ready`.
    Reached { word: String, lost: Option<String> },
    /// It has not been reached. Left for `Absent`, and for the others when it is.
    Unreached { failure: Option<String> },
    /// It knows of none of the services, and is not asked.
    Unneeded,
}

// === impl Standing ===

impl Standing {
    /// Nothing is known yet.
    pub(crate) fn new(survey: Survey, terms: Terms, now: Instant) -> Self {
        let api = if survey.gate().is_made() { Api::Unreached { failure: None } } else { Api::Unneeded };
        Self { api, deadline_at: now + terms.deadline, started_at: now, survey, terms }
    }

    /// Who has answered.
    pub(crate) fn survey(&self) -> &Survey {
        &self.survey
    }

    /// Who is to be asked.
    pub(crate) fn scope(&self) -> Scope {
        match &self.api {
            // It answers within milliseconds, usually: nobody else is bothered before that.
            Api::Failed { .. } | Api::Reached { .. } | Api::Unreached { failure: None } => Scope::Existing,
            Api::Absent { .. } | Api::Ready | Api::Unreached { failure: Some(_) } | Api::Unneeded => {
                Scope::All
            }
        }
    }

    /// Takes in what has come of asking the lifecycle API.
    pub(crate) fn hear(&mut self, heard: Heard, now: Instant) {
        match heard {
            Heard::Failure(failure) => self.miss(failure),
            Heard::Progress(progress) => self.learn(progress, now),
            Heard::Stream => self.reach(String::new()),
        }
    }

    /// Takes in what a server did, where that counts.
    pub(crate) fn note(&mut self, report: Report, now: Instant) {
        let progress = self.survey.note(self.scope(), report.server, report.found);
        if progress && !matches!(self.api, Api::Reached { .. }) {
            self.extend(now);
        }
    }

    /// What follows.
    pub(crate) fn verdict(&self, now: Instant) -> Verdict {
        if let Api::Failed { cause } = &self.api {
            return Verdict::Fail(cause.clone());
        }
        if self.is_open(now) {
            return Verdict::Pass(self.passed(now));
        }
        if now >= self.deadline_at {
            return Verdict::Fail(self.overdue(now));
        }
        Verdict::Wait(self.next_turn(now))
    }

    /// What to say when told to stop.
    pub(crate) fn stopped(&self) -> String {
        format!("told to stop while waiting for {}{}", self.survey.gate(), after(": ", &self.known()))
    }

    fn learn(&mut self, progress: Progress, now: Instant) {
        match progress {
            Progress::Failed { message } => self.api = Api::Failed { cause: message },
            Progress::Ready { .. } => {
                self.reach(String::new());
                self.api = Api::Ready;
                self.extend(now);
            }
            Progress::Waiting { message, remaining_seconds } => {
                self.reach(message);
                self.deadline_at = now + Duration::from_secs(remaining_seconds).min(span::LONGEST);
            }
            Progress::Unknown => self.reach(UNKNOWN.to_owned()),
        }
    }

    /// It has been reached, and says this. If that is nothing, what it has said before stands.
    fn reach(&mut self, says: String) {
        match &mut self.api {
            Api::Reached { word, lost } => {
                *lost = None;
                if !says.is_empty() {
                    *word = says;
                }
            }
            Api::Absent { .. } | Api::Unreached { .. } => {
                self.survey.forget_made();
                self.api = Api::Reached { word: says, lost: None };
            }
            Api::Failed { .. } | Api::Ready | Api::Unneeded => {}
        }
    }

    fn miss(&mut self, failure: Failure) {
        match (&mut self.api, failure) {
            (Api::Failed { .. } | Api::Ready | Api::Unneeded, _) => {}
            (Api::Reached { word, lost: None }, Failure::Refusal(text)) if word.is_empty() => *word = text,
            // The same refusal again is no other word.
            (
                Api::Reached { word, lost },
                Failure::Absent(text) | Failure::Passing(text) | Failure::Refusal(text),
            ) => *lost = (*word != text).then_some(text),
            (api, Failure::Absent(answer)) => *api = Api::Absent { answer },
            (api, Failure::Passing(text)) => *api = Api::Unreached { failure: Some(text) },
            (_, Failure::Refusal(text)) => self.reach(text),
        }
    }

    fn extend(&mut self, now: Instant) {
        self.deadline_at = self.deadline_at.max(now + self.terms.deadline);
    }

    fn is_open(&self, now: Instant) -> bool {
        let enough = match &self.api {
            Api::Absent { .. } | Api::Ready | Api::Unneeded => true,
            Api::Failed { .. } | Api::Reached { .. } => false,
            Api::Unreached { .. } => now >= self.given_up_at(),
        };
        enough && self.survey.count_missing(Scope::All) == 0
    }

    /// From when on a lifecycle API that has not been reached is unreachable.
    fn given_up_at(&self) -> Instant {
        self.deadline_at.min(self.started_at + self.terms.silence)
    }

    fn next_turn(&self, now: Instant) -> Instant {
        match &self.api {
            Api::Unreached { .. } if now < self.given_up_at() => self.given_up_at(),
            _ => self.deadline_at,
        }
    }

    fn passed(&self, now: Instant) -> String {
        let seconds = now.duration_since(self.started_at).as_secs_f64();
        format!("{} (after {seconds:.1} s){}", self.survey, after("; ", &self.unreached()))
    }

    fn overdue(&self, now: Instant) -> String {
        let allowed = Span(self.terms.deadline);
        let waited = now.duration_since(self.started_at);
        let since = if waited > self.terms.deadline + SLACK {
            format!(" of the last progress (after {})", Span(waited))
        } else {
            String::new()
        };
        format!("not ready within {allowed}{since}{}", after(": ", &self.known()))
    }

    /// The last that is known, for people.
    fn known(&self) -> String {
        let told = self.told();
        let scope = if told.is_empty() { Scope::All } else { Scope::Existing };
        joined(&[told, self.survey.summary(scope), self.unreached()])
    }

    /// What the lifecycle API has told, and what has become of it.
    fn told(&self) -> String {
        match &self.api {
            Api::Failed { cause } => cause.clone(),
            Api::Reached { word, lost: None } if word.is_empty() => {
                "the lifecycle API says nothing yet".to_owned()
            }
            Api::Reached { word, lost: None } => word.clone(),
            Api::Reached { word, lost: Some(why) } if word.is_empty() => why.clone(),
            Api::Reached { word, lost: Some(why) } => {
                format!("{word}; the lifecycle API cannot be asked any more: {why}")
            }
            Api::Absent { .. } | Api::Ready | Api::Unneeded | Api::Unreached { .. } => String::new(),
        }
    }

    /// Why the lifecycle API has not had its say, where it should have.
    fn unreached(&self) -> String {
        match &self.api {
            Api::Absent { answer: why } | Api::Unreached { failure: Some(why) } => {
                format!("the lifecycle API could not be asked: {why}")
            }
            Api::Unreached { failure: None } => "the lifecycle API has not answered".to_owned(),
            Api::Failed { .. } | Api::Reached { .. } | Api::Ready | Api::Unneeded => String::new(),
        }
    }
}

fn after(separator: &str, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{separator}{text}") }
}

fn joined(texts: &[String]) -> String {
    let texts: Vec<&str> = texts.iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
    texts.join("; ")
}

/// Up to here a deadline was kept as it was given.
const SLACK: Duration = Duration::from_secs(1);
const UNKNOWN: &str = "the lifecycle API says what this version does not understand";

#[cfg(test)]
mod tests;
