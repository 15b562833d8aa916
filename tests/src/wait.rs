//! Waiting, with an end.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{Instant, sleep};

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

/// Long enough for a burst of pods on two busy cores.
const DEADLINE: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(100);
