//! Waiting, with an end.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{Instant, sleep, timeout};

/// Asks again and again until there is an answer; fails after `DEADLINE`, naming what was waited for.
pub async fn until<T, F: Future<Output = Result<Option<T>>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> Result<T> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        if Instant::now() > deadline {
            bail!("waited {DEADLINE:?} for {what}");
        }
        sleep(PAUSE).await;
    }
}

/// Waits for what says itself when it is there; fails after `DEADLINE`, naming what was waited for.
pub async fn within<T>(what: &str, answer: impl Future<Output = Result<T>>) -> Result<T> {
    match timeout(DEADLINE, answer).await {
        Ok(answer) => answer,
        Err(_) => bail!("waited {DEADLINE:?} for {what}"),
    }
}

/// Long enough for a burst of pods on two busy cores.
const DEADLINE: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(100);
