//! Giving the pod's data services back: as often as it takes, never longer than allowed.

use std::fmt;
use std::time::Duration;

use dataservice_wire::RELEASE_PATH;
use tokio::time::{Instant, sleep};

use crate::backoff;
use crate::client::{Client, Error};
use crate::config::Config;
use crate::log::{self, Chain};

/// What has come of it.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The time is up.
    GaveUp { after: Duration, error: Error },
    /// To try again would not help.
    Refused { error: Error },
    /// The lifecycle API knows.
    Released { after: Duration, attempts: u32 },
}

/// Calls the lifecycle API at once, and again after growing pauses, until it answers or the time is up.
pub(crate) async fn release(config: &Config) -> Outcome {
    let started = Instant::now();
    let deadline = started + config.deadline;
    let client = Client::new(&config.api);
    let mut pauses = backoff::pauses(backoff::random());
    let mut attempts = 0;
    loop {
        attempts += 1;
        let attempt_ends = deadline.min(Instant::now() + attempt_limit(config.deadline));
        let error = match client.post(RELEASE_PATH, attempt_ends).await {
            Ok(()) => return Outcome::Released { after: started.elapsed(), attempts },
            Err(error) if !error.is_passing() => return Outcome::Refused { error },
            Err(error) => error,
        };
        let Some(pause) = pauses.next().filter(|pause| Instant::now() + *pause < deadline) else {
            return Outcome::GaveUp { after: started.elapsed(), error };
        };
        log::say(format_args!("{}; trying again in {:?}", Chain(&error), rounded(pause)));
        sleep(pause).await;
    }
}

/// A server that is silent for this long may have a neighbour that is not: there are always two attempts.
fn attempt_limit(deadline: Duration) -> Duration {
    MAX_ATTEMPT.min(deadline / 2)
}

fn rounded(duration: Duration) -> Duration {
    Duration::from_millis(duration.as_millis().try_into().unwrap_or(u64::MAX))
}

// === impl Outcome ===

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GaveUp { after, error } => {
                write!(f, "gave up after {:?}: {}; {UNHARMED}", rounded(*after), Chain(error))
            }
            Self::Refused { error } => {
                write!(f, "not released: {}; trying again would not help; {UNHARMED}", Chain(error))
            }
            Self::Released { after, attempts: 1 } => write!(f, "released in {:?}", rounded(*after)),
            Self::Released { after, attempts } => {
                write!(f, "released in {:?}, with {attempts} attempts", rounded(*after))
            }
        }
    }
}

/// What a reader of a failure wants to know next.
pub(crate) const UNHARMED: &str = "the controller will see the pod's end by itself";
/// A release takes milliseconds.
const MAX_ATTEMPT: Duration = Duration::from_secs(2);
