//! Asking everybody at the same time, until what they say is a verdict.

use std::net::SocketAddr;
use std::time::Duration;

use dataservice_wire::Progress;
use tokio::sync::mpsc::{self, Receiver};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::asking::{self, Failure, Heard};
use super::journal::Journal;
use super::probe::Probes;
use super::standing::{Standing, Verdict};
use crate::client::Client;
use crate::config::Api;
use crate::log::WAIT;

/// A gate that waits.
pub(crate) struct Watch {
    /// Asks the lifecycle API; ends with this.
    _asking: JoinSet<()>,
    heard: Receiver<Heard>,
    journal: Journal,
    probes: Probes,
    standing: Standing,
    /// Whether a summary of the servers could be news.
    stirred: bool,
}

// === impl Watch ===

impl Watch {
    /// Begins to ask.
    pub(crate) fn start(
        standing: Standing,
        api: Option<&Api>,
        nameservers: Vec<SocketAddr>,
        silence: Duration,
    ) -> Self {
        let (sender, heard) = mpsc::channel(1);
        let mut asking = JoinSet::new();
        if let Some(api) = api {
            asking.spawn(asking::ask(Client::new(api), silence, sender));
        }
        let probes = Probes::new(standing.survey(), standing.scope(), nameservers.into());
        let journal = Journal::new(Instant::now());
        Self { _asking: asking, heard, journal, probes, standing, stirred: false }
    }

    /// Waits until the task may start, and gives what a person wants to know of it; or until it must not, and why.
    pub(crate) async fn verdict(&mut self) -> Result<String, String> {
        loop {
            let now = Instant::now();
            match self.standing.verdict(now) {
                Verdict::Fail(cause) => return Err(cause),
                Verdict::Pass(last) => return Ok(last),
                Verdict::Wait(until) => {
                    self.follow(now);
                    let until = self.sum_up(now).map_or(until, |due| due.min(until));
                    self.turn(until).await;
                }
            }
        }
    }

    /// What to say when told to stop.
    pub(crate) fn stopped(&self) -> String {
        self.standing.stopped()
    }

    /// Waits for the next thing to happen.
    async fn turn(&mut self, until: Instant) {
        tokio::select! {
            Some(heard) = self.heard.recv() => self.hear(heard),
            report = self.probes.next(self.standing.survey()) => {
                self.stirred = true;
                self.standing.note(report, Instant::now());
            }
            () = sleep_until(until) => {}
        }
    }

    /// Turns to those who are to be asked now.
    fn follow(&mut self, now: Instant) {
        if self.probes.follow(self.standing.survey(), self.standing.scope()) {
            self.stirred = false;
            self.journal.put_summary_off(now);
        }
    }

    fn hear(&mut self, heard: Heard) {
        match &heard {
            Heard::Failure(failure) => self.tell_failure(failure),
            Heard::Progress(Progress::Ready { message } | Progress::Waiting { message, .. }) => {
                if self.journal.is_new_word(message) {
                    WAIT.say(format_args!("{message}"));
                }
            }
            // The first is told as the verdict; of the others there is nothing to tell.
            Heard::Progress(Progress::Failed { .. } | Progress::Unknown) | Heard::Stream => {}
        }
        self.standing.hear(heard, Instant::now());
    }

    fn tell_failure(&mut self, failure: &Failure) {
        let (text, what_now) = match failure {
            Failure::Absent(text) => {
                (text, "it is of another version, and the servers' own answers are enough")
            }
            Failure::Passing(text) | Failure::Refusal(text) => (text, "asking again"),
        };
        if self.journal.is_new_failure(text) {
            WAIT.say(format_args!("{text}; {what_now}"));
        }
    }

    /// Says who is missing, where that is news; or when it may be.
    fn sum_up(&mut self, now: Instant) -> Option<Instant> {
        if self.stirred && now >= self.journal.summary_due_at() {
            self.stirred = false;
            let summary = self.standing.survey().summary(self.standing.scope());
            if self.journal.is_new_summary(&summary, now) {
                WAIT.say(format_args!("{summary}"));
            }
        }
        self.stirred.then(|| self.journal.summary_due_at())
    }
}
