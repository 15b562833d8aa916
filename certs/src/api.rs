//! What the API server answers, and how long to wait before asking it again.

use std::error::Error;
use std::time::Duration;

use backon::ExponentialBuilder;
use kube::Client;
use serde::de::DeserializeOwned;

/// Why the API server did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// It could not be asked: no connection, no credentials.
    #[error("failed to ask the API server")]
    Ask(#[source] kube::Error),
    /// Its answer makes no sense. Without the parser's words: they could quote a Secret.
    #[error("failed to read the API server's answer")]
    ReadAnswer,
    /// It refused.
    #[error("{message} (HTTP {code})")]
    Refused {
        /// The HTTP status.
        code: u16,
        /// The API server's words.
        message: String,
    },
}

// === impl Failure ===

impl Failure {
    pub(crate) fn is_not_found(&self) -> bool {
        self.has_code(404)
    }

    /// Somebody else was first: the object exists already, or has changed since it was read.
    pub(crate) fn is_conflict(&self) -> bool {
        self.has_code(409)
    }

    /// Whether the same request may succeed a little later.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Ask(error) => matches!(error, kube::Error::HyperError(_) | kube::Error::Service(_)),
            Self::ReadAnswer => false,
            Self::Refused { code, .. } => matches!(code, 408 | 429 | 500 | 502 | 503 | 504),
        }
    }

    fn has_code(&self, wanted: u16) -> bool {
        matches!(self, Self::Refused { code, .. } if *code == wanted)
    }
}

impl From<kube::Error> for Failure {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::Refused { code: status.code, message: status.message },
            kube::Error::SerdeError(_) => Self::ReadAnswer,
            other => Self::Ask(other),
        }
    }
}

/// Sends `request` and reads the answer, which may be a Secret.
///
/// `kube` itself logs an answer that it cannot parse, in full.
pub(crate) async fn ask<T: DeserializeOwned>(
    client: &Client,
    request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
) -> Result<T, Failure> {
    let request = request.map_err(kube::Error::BuildRequest)?;
    let text = client.request_text(request).await?;
    serde_json::from_str(&text).map_err(|_| Failure::ReadAnswer)
}

/// Half a minute at most, less than a kubelet waits before it restarts a container that failed.
pub(crate) fn bounded() -> ExponentialBuilder {
    for_ever().with_max_times(7)
}

/// Doubles from 0.1 to 4 seconds, plus up to as much again, so that replicas do not ask in step.
pub(crate) fn for_ever() -> ExponentialBuilder {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(4))
        .without_max_times()
        .with_jitter()
}

/// `error` and what caused it, in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use backon::BackoffBuilder;

    use super::*;

    fn refused(code: u16) -> Failure {
        Failure::Refused { code, message: String::new() }
    }

    #[test]
    fn backoff_grows_and_is_capped() {
        let delays: Vec<_> = for_ever().build().take(1000).collect();
        for (attempt, delay) in delays.iter().enumerate() {
            let base = Duration::from_millis(100 << attempt.min(10)).min(Duration::from_secs(4));
            assert!((base..=2 * base).contains(delay), "{attempt}: {delay:?}");
        }
    }

    #[test]
    fn bounded_backoff_ends_within_half_a_minute() {
        let delays: Vec<_> = bounded().build().collect();
        assert_eq!(delays.len(), 7);
        assert!(delays.iter().sum::<Duration>() < Duration::from_secs(30));
    }

    #[test]
    fn two_processes_do_not_wait_alike() {
        let delays = || for_ever().build().take(8).collect::<Vec<_>>();
        assert_ne!(delays(), delays());
    }

    #[test]
    fn only_what_may_pass_is_transient() {
        for code in [408, 429, 500, 502, 503, 504] {
            assert!(refused(code).is_transient(), "{code}");
        }
        for code in [400, 401, 403, 404, 409, 422] {
            assert!(!refused(code).is_transient(), "{code}");
        }
        assert!(Failure::from(kube::Error::Service("refused".into())).is_transient());
        assert!(!Failure::ReadAnswer.is_transient());
        assert!(!Failure::from(kube::Error::TlsRequired).is_transient());
    }

    #[test]
    fn chain_tells_every_cause_once() {
        let failure = Failure::from(kube::Error::TlsRequired);
        assert_eq!(chain(&failure), "failed to ask the API server: TLS required but no TLS stack selected");
    }
}
