//! How far the services are, as the lifecycle API tells it line by line.

use std::time::Duration;

use dataservice_wire::{Progress, SERVICES_PATH};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::line::{Lines, TooLong};
use super::span::Span;
use crate::client::{self, Answer, Client};

/// An answer of the lifecycle API that goes on.
pub(crate) struct Stream {
    answer: Answer,
    /// Whether a line has come.
    begun: bool,
    lines: Lines,
    silence: Duration,
}

/// Why there is no next line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Ask(#[from] client::Error),
    #[error("the lifecycle API's stream broke off")]
    Broken(#[source] hyper::Error),
    #[error("the lifecycle API's stream ended too early")]
    Cut,
    #[error("the lifecycle API's stream ended before its first line: the pod may not be known yet")]
    Empty,
    #[error("the lifecycle API's stream holds what is no progress")]
    Malformed(#[source] serde_json::Error),
    #[error("the lifecycle API was silent for {}", Span(*.0))]
    Silent(Duration),
    #[error("the lifecycle API's stream holds what is no progress")]
    TooLong(#[from] TooLong),
}

// === impl Stream ===

impl Stream {
    /// Asks, and waits for the answer's head. Who is silent for longer than `silence` afterwards is gone.
    pub(crate) async fn open(client: &Client, silence: Duration) -> Result<Self, Error> {
        // So that a server which takes connections and nothing more is tried again, maybe at a neighbour's.
        let head_by = Instant::now() + silence / ATTEMPTS_IN_SILENCE;
        let answer = client.get(SERVICES_PATH, head_by).await?;
        Ok(Self { answer, begun: false, lines: Lines::default(), silence })
    }

    /// The next line.
    pub(crate) async fn next(&mut self) -> Result<Progress, Error> {
        let until = Instant::now() + self.silence;
        loop {
            if let Some(line) = self.lines.pop()? {
                self.begun = true;
                return serde_json::from_slice(&line).map_err(Error::Malformed);
            }
            let frame = timeout_at(until, self.answer.body.frame()).await;
            let frame = frame.map_err(|_| Error::Silent(self.silence))?;
            let frame = frame.ok_or(if self.begun { Error::Cut } else { Error::Empty })?;
            if let Some(data) = frame.map_err(Error::Broken)?.data_ref() {
                self.lines.push(data);
            }
        }
    }
}

const ATTEMPTS_IN_SILENCE: u32 = 3;
