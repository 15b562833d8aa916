//! Releasing a pod: what is asked of the API server, and what the pod is told.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::api_server::{
    ApiServer, POD_URI, TOKEN, accepted, api_server, expect, failure, lifecycle, review,
};
use crate::harness::{Answer, Running, request_with, serve};
use crate::log::Log;
use crate::webhook::lifecycle::LifecycleLimits;
use crate::webhook::limits::Limits;
use crate::wire::RELEASE_PATH;

async fn installed(limits: LifecycleLimits) -> (Running, ApiServer) {
    let (client, api_server) = api_server();
    (serve(lifecycle(client, limits), Limits::lifecycle()).await, api_server)
}

/// A release with the token of a pod.
async fn release(server: &Running) -> Answer {
    release_with(server, Some(&format!("Bearer {TOKEN}"))).await
}

async fn release_with(server: &Running, authorization: Option<&str>) -> Answer {
    let request = request_with(Method::POST, RELEASE_PATH, authorization);
    server.client().await.send(request).await
}

/// What a pod is told whose token is good, when the patch is answered with `code` and `message`.
async fn patch_answered(code: u16, message: &str) -> (u16, String) {
    let (server, mut api_server) = installed(LifecycleLimits::default()).await;
    let scenario = async {
        review(&mut api_server, accepted()).await;
        expect(&mut api_server, Method::PATCH, POD_URI, code, failure(code, message)).await;
    };
    tokio::join!(release(&server), scenario).0.problem()
}

/// What a pod is told when the review of its token says `status`.
async fn review_answered(status: Value) -> (u16, String) {
    let (server, mut api_server) = installed(LifecycleLimits::default()).await;
    tokio::join!(release(&server), review(&mut api_server, status)).0.problem()
}

#[tokio::test]
async fn a_pod_is_marked_as_released_if_it_is_that_pod_a_consumer_and_does_not_run_again() {
    let (server, mut api_server) = installed(LifecycleLimits::default()).await;
    let scenario = async {
        review(&mut api_server, accepted()).await;
        let patch = expect(&mut api_server, Method::PATCH, POD_URI, 200, json!({})).await;
        let expected = json!([
            {"op": "test", "path": "/metadata/uid", "value": "u-1"},
            {"op": "test", "path": "/metadata/labels/dataservice.flyte.org~1consumer", "value": "true"},
            {"op": "test", "path": "/spec/restartPolicy", "value": "Never"},
            {"op": "add", "path": "/metadata/annotations/dataservice.flyte.org~1released", "value": "u-1"},
        ]);
        assert_eq!(patch, expected);
    };
    let (answer, ()) = tokio::join!(release(&server), scenario);
    assert_eq!(answer.text(), (204, ""));
}

#[tokio::test]
async fn a_request_without_a_token_is_401_and_asks_nobody() {
    let (server, _api_server) = installed(LifecycleLimits::default()).await;
    for authorization in [None, Some("Basic dTpw"), Some("Bearer ")] {
        let answer = release_with(&server, authorization).await;
        assert_eq!(answer.problem(), (401, "the request has no bearer token".to_owned()));
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
    }
}

#[tokio::test]
async fn a_token_that_the_api_server_does_not_accept_is_401() {
    let status = json!({"error": "[invalid bearer token, token audiences do not match]"});
    let expected = (401, "the API server did not accept the token".to_owned());
    assert_eq!(review_answered(status).await, expected);
}

#[tokio::test]
async fn a_token_for_another_audience_is_403() {
    let mut status = accepted();
    status["audiences"] = json!(["https://kubernetes.default.svc"]);
    let expected = (403, "the token is not for the audience dataservice.flyte.org".to_owned());
    assert_eq!(review_answered(status).await, expected);
}

#[tokio::test]
async fn a_token_that_is_not_a_pods_is_403() {
    let mut status = accepted();
    status["user"]["extra"] = json!({});
    assert_eq!(review_answered(status).await, (403, "the token is not that of a pod".to_owned()));
}

#[tokio::test]
async fn a_pod_that_is_gone_is_410() {
    assert_eq!(patch_answered(404, "pods \"task\" not found").await, (410, "the pod is gone".to_owned()));
}

#[tokio::test]
async fn another_pod_of_that_name_no_consumer_or_one_that_may_run_again_is_403() {
    let message = "testing value /metadata/uid failed: test failed";
    let expected =
        (403, "the pod is gone, it has no data service, or its containers may run again".to_owned());
    assert_eq!(patch_answered(422, message).await, expected);
}

#[tokio::test]
async fn a_busy_api_server_is_429() {
    let expected = (429, "too many requests at once; try again".to_owned());
    assert_eq!(patch_answered(429, "too many requests").await, expected);
}

#[tokio::test]
async fn an_api_server_that_refuses_is_503_and_the_pod_is_not_told_why() {
    let told = "the API server refused; tell an administrator to look at the webhook's log";
    for code in [403, 409, 500, 503] {
        assert_eq!(patch_answered(code, "secret ways of the cluster").await, (503, told.to_owned()));
    }
}

#[tokio::test]
async fn an_api_server_that_cannot_be_reached_is_503() {
    let (server, mut api_server) = installed(LifecycleLimits::default()).await;
    let scenario = async {
        let (_, send) = api_server.next_request().await.unwrap();
        send.send_error(std::io::Error::other("connection refused"));
    };
    let (answer, ()) = tokio::join!(release(&server), scenario);
    assert_eq!(answer.problem(), (503, "the API server cannot be reached".to_owned()));
}

#[tokio::test]
async fn an_api_server_that_does_not_answer_is_503_after_the_deadline() {
    let mut limits = LifecycleLimits::default();
    limits.deadline = Duration::from_millis(50);
    let (server, _api_server) = installed(limits).await;
    let expected = (503, "the API server did not answer within 50ms".to_owned());
    assert_eq!(release(&server).await.problem(), expected);
}

#[tokio::test]
async fn releases_beyond_the_limit_wait_and_then_are_429() {
    let mut limits = LifecycleLimits::default();
    (limits.concurrency, limits.deadline) = (1, Duration::from_millis(300));
    let (server, _api_server) = installed(limits).await;
    let late = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        limits.deadline = Duration::ZERO;
        release(&server).await
    };
    let (first, second) = tokio::join!(release(&server), late);
    assert_eq!(first.problem().0, 503);
    // It got the slot when the first gave up, and then had little time left.
    assert!(matches!(second.problem().0, 429 | 503));
}

#[tokio::test]
async fn a_release_with_a_large_body_is_413() {
    let (server, _api_server) = installed(LifecycleLimits::default()).await;
    let answer = server.send(Method::POST, RELEASE_PATH, vec![b' '; 4097]).await;
    assert_eq!(answer.problem(), (413, "the request's body is larger than 4096 bytes".to_owned()));
}

#[tokio::test]
async fn no_log_line_at_any_level_holds_a_token() {
    let (log, _guard) = Log::start();
    let (server, mut api_server) = installed(LifecycleLimits::default()).await;
    let scenario = async {
        review(&mut api_server, accepted()).await;
        expect(&mut api_server, Method::PATCH, POD_URI, 200, json!({})).await;
        // Not a review: reading it fails.
        review(&mut api_server, json!("garbage")).await;
    };
    let releases = async {
        assert_eq!(release(&server).await.status, 204);
        assert_eq!(release(&server).await.status, 503);
    };
    tokio::join!(releases, scenario);
    let logged = log.text();
    assert!(logged.contains("Released") && logged.contains("Failed to read a token's review"), "{logged}");
    // The client is in this process too, and hyper traces no headers.
    assert!(!logged.contains(TOKEN), "{logged}");
}

#[tokio::test]
async fn a_decision_is_logged_without_the_annotations_values() {
    let (log, _guard) = Log::start();
    let server = crate::judge::serve_native().await;
    let review = crate::judge::annotated(&[("image", "ge:1"), ("replicas", "my-secret-count")]);
    crate::judge::admit(&server, &review).await.refused();
    let logged = log.text();
    let line = logged.lines().find(|line| line.contains("Decided")).unwrap();
    let expected = "uid=\"e8fb93fa-576c-454c-8d00-256e53f6f8c6\" namespace=\"flytesnacks-development\" \
                    pod=\"a7k2m9x4q8z5b3c6d1f0-n0-0\" dry_run=false decision=\"deny\" \
                    reason=\"invalid-annotations\"";
    assert!(line.ends_with(expected), "{line}");
    assert!(!logged.contains("my-secret-count"), "{logged}");
}
