//! Going away without losing a review.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use tokio::net::TcpStream;

use crate::harness::{Gated, request, serve, soon};
use crate::judge::{judge, native, plain, serve_native};
use crate::webhook::limits::Limits;
use crate::webhook::server::Drained;

#[tokio::test]
async fn drain_finishes_in_flight_review_then_closes() {
    let gated = Gated::new(native());
    let (entered, go) = (Arc::clone(&gated.entered), Arc::clone(&gated.go));
    let server = serve(gated, Limits::admission()).await;
    let (address, mut client) = (server.address, server.client().await);
    let review = plain();
    let sent = request(Method::POST, "/mutate--v1-pod", review.to_string());
    let answer = tokio::spawn(async move {
        let answer = client.send(sent).await;
        client.closed().await;
        answer
    });
    soon(entered.notified()).await;
    let drained = server.stop();
    // Nobody listens any more, while the review is still in flight.
    soon(async { while TcpStream::connect(address).await.is_ok() {} }).await;
    assert!(!drained.is_finished());
    go.notify_one();
    let answer = soon(answer).await.unwrap();
    judge(&review, &answer).admitted();
    assert_eq!(answer.headers["connection"], "close");
    assert_eq!(soon(drained).await.unwrap(), Drained::Clean);
}

#[tokio::test]
async fn idle_and_unused_connections_hold_up_no_drain() {
    let server = serve_native().await;
    let mut idle = server.client().await;
    idle.send(request(Method::POST, "/mutate--v1-pod", "")).await;
    let unused = server.client().await;
    let silent = server.raw().await;
    let drained = tokio::time::timeout(Duration::from_secs(8), server.stop()).await.unwrap();
    assert_eq!(drained.unwrap(), Drained::Clean);
    idle.closed().await;
    unused.closed().await;
    drop(silent);
}

#[tokio::test]
async fn a_connection_that_was_just_opened_may_still_ask() {
    let server = serve_native().await;
    let mut client = server.client().await;
    let drained = server.stop();
    let review = plain();
    let answer = client.send(request(Method::POST, "/mutate--v1-pod", review.to_string())).await;
    judge(&review, &answer).admitted();
    assert_eq!(soon(drained).await.unwrap(), Drained::Clean);
}

#[tokio::test]
async fn what_takes_longer_than_the_grace_is_cut_off() {
    let gated = Gated::new(native());
    let entered = Arc::clone(&gated.entered);
    let mut limits = Limits::admission();
    limits.grace = Duration::from_millis(50);
    let server = serve(gated, limits).await;
    let mut client = server.client().await;
    let sent = tokio::spawn(async move { client.try_send(request(Method::POST, "/", "")).await.is_err() });
    soon(entered.notified()).await;
    assert_eq!(soon(server.stop()).await.unwrap(), Drained::CutOff(1));
    assert!(soon(sent).await.unwrap(), "no answer came");
}
