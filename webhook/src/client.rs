//! The client of the API server.

use std::time::Duration;

use anyhow::{Context, Result};
use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use tower::timeout::TimeoutLayer;

/// A client for which no connection is silent for ever: kube itself waits without an end.
pub(crate) async fn connect() -> Result<Client> {
    let mut config = Config::infer().await.context("failed to find the API server")?;
    config.read_timeout = Some(SILENCE);
    Ok(with_deadline(ClientBuilder::try_from(config)?))
}

/// No answer takes longer to begin than `ANSWER`.
fn with_deadline<S, B>(builder: ClientBuilder<S>) -> Client
where
    S: tower::Service<http::Request<Body>, Response = http::Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<tower::BoxError>,
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<tower::BoxError>,
{
    builder.with_layer(&TimeoutLayer::new(ANSWER)).build()
}

/// A watch begins at once; other requests that take longer are better made again.
const ANSWER: Duration = Duration::from_secs(30);
/// Longer than a watch lasts (290 s), which may have nothing to tell.
const SILENCE: Duration = Duration::from_mins(5);

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;
    use kube::api::Api;
    use tokio::time::Instant;
    use tower_test::mock;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_api_server_that_does_not_answer_is_an_error_in_time() {
        let (service, _unanswered) = mock::pair::<http::Request<Body>, http::Response<Body>>();
        let pods: Api<Pod> =
            Api::namespaced(with_deadline(ClientBuilder::new(service, "default")), "default");
        let began = Instant::now();
        let error = pods.get("a").await.unwrap_err();
        assert_eq!(began.elapsed().as_secs(), ANSWER.as_secs());
        assert!(error.to_string().contains("timed out"), "{error}");
    }
}
