//! Asking the lifecycle API, again and again.

use std::time::Duration;

use dataservice_wire::{HEARTBEAT, Progress};
use hyper::StatusCode;
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, sleep};

use super::stream::{self, Stream};
use crate::backoff;
use crate::client::{self, Client};
use crate::log::Chain;

/// What has come of asking.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Heard {
    /// Nothing: it will be asked again.
    Failure(Failure),
    /// How far the services are.
    Progress(Progress),
    /// It has begun to tell.
    Stream,
}

/// Why asking has failed, each with a text for people.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Failure {
    /// This webhook has no such path: it is older than the pod's gate, or much later.
    Absent(String),
    /// It could not be asked, or does not know who asks (a token may be about to be renewed).
    Passing(String),
    /// It knows who asks, and will not tell: it may not know of this pod yet, or not be meant to.
    Refusal(String),
}

/// Asks until the last line has come, with growing pauses. It tells of each line and each failure.
pub(crate) async fn ask(client: Client, silence: Duration, heard: Sender<Heard>) {
    let mut pauses = backoff::pauses(backoff::random());
    loop {
        let asked_at = Instant::now();
        let Err(error) = follow(&client, silence, &heard).await else { return };
        let failure = Failure::from(&error);
        let absent = matches!(failure, Failure::Absent(_));
        if heard.send(Heard::Failure(failure)).await.is_err() {
            return;
        }
        if asked_at.elapsed() > HEARTBEAT {
            // It had worked. What is cut sooner is not to be asked again without growing pauses.
            pauses = backoff::pauses(backoff::random());
        }
        // Another version may take over, but not within a second.
        let pause = if absent { Some(silence) } else { pauses.next() };
        sleep(pause.unwrap_or(silence)).await;
    }
}

/// Follows one stream to its last line.
async fn follow(client: &Client, silence: Duration, heard: &Sender<Heard>) -> Result<(), stream::Error> {
    let mut stream = Stream::open(client, silence).await?;
    let mut news = Heard::Stream;
    loop {
        let last = matches!(&news, Heard::Progress(progress) if progress.is_last());
        let nobody_listens = heard.send(news).await.is_err();
        if last || nobody_listens {
            return Ok(());
        }
        news = Heard::Progress(stream.next().await?);
    }
}

// === impl Failure ===

impl From<&stream::Error> for Failure {
    fn from(error: &stream::Error) -> Self {
        let text = Chain(error).to_string();
        match error {
            stream::Error::Ask(client::Error::Status { status, .. }) => match *status {
                StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Self::Absent(text),
                StatusCode::FORBIDDEN | StatusCode::GONE => Self::Refusal(text),
                _ => Self::Passing(text),
            },
            _ => Self::Passing(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16) -> Failure {
        let endpoint = "https://api:9444".parse().unwrap();
        let status = StatusCode::from_u16(status).unwrap();
        let message = Some("no".to_owned());
        Failure::from(&stream::Error::Ask(client::Error::Status { endpoint, status, message }))
    }

    #[test]
    fn every_status_is_one_of_three_kinds_of_failure() {
        let text = |status: &str| format!("https://api:9444 answered {status}: no");
        assert_eq!(answered(404), Failure::Absent(text("404 Not Found")));
        assert_eq!(answered(405), Failure::Absent(text("405 Method Not Allowed")));
        assert_eq!(answered(403), Failure::Refusal(text("403 Forbidden")));
        assert_eq!(answered(410), Failure::Refusal(text("410 Gone")));
        for (status, name) in [
            (400, "400 Bad Request"),
            (401, "401 Unauthorized"),
            (408, "408 Request Timeout"),
            (429, "429 Too Many Requests"),
            (500, "500 Internal Server Error"),
            (503, "503 Service Unavailable"),
        ] {
            assert_eq!(answered(status), Failure::Passing(text(name)));
        }
    }
}
