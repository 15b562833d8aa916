//! Asking until the API server answers, whatever happens to it meanwhile.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{Instant, sleep, timeout};

/// Asks until there is an answer, be it a refusal; an API server that is away, or not all there yet, is asked again.
pub async fn persist<T, F: Future<Output = kube::Result<T>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> Result<kube::Result<T>> {
    until_answered(what, async || match timeout(PATIENCE, ask()).await {
        Ok(Err(error)) if is_passing(&error) => Err(error.into()),
        Ok(answer) => Ok(answer),
        Err(late) => Err(late.into()),
    })
    .await
}

/// Tries until it works.
pub async fn until_answered<T>(what: &str, mut attempt: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + LIMIT;
    loop {
        match attempt().await {
            Err(_) if Instant::now() < deadline => sleep(PAUSE).await,
            outcome => return outcome.with_context(|| format!("failed for {LIMIT:?} to {what}")),
        }
    }
}

/// Whether an error says nothing of what was asked.
fn is_passing(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => is_passing_status(status.code, &status.message),
        _ => true,
    }
}

/// The same of an answer. Just started, the API server's own admission plugins refuse everything with 403, because
/// they have not seen all there is.
#[must_use]
pub fn is_passing_status(code: u16, message: &str) -> bool {
    let is_starting =
        message.contains("not yet ready to handle request") || message.contains("error looking up");
    code >= 500 || code == 429 || (code == 403 && is_starting)
}

/// Longer than anything is away.
const LIMIT: Duration = Duration::from_mins(4);
const PATIENCE: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(300);
