//! Pods that follow their services, and what all of them may take.

use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use http::{Method, Response};
use kube::client::Body;
use serde_json::json;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::api_server::{POD_URI, TOKEN, accepted, accepted_as, expect, review};
use crate::follow_pod::{Installed, ask, forever, installed, waiting};
use crate::harness::{eventually, request_with, soon};
use crate::webhook::lifecycle::LifecycleLimits;
use crate::webhook::limits::Limits;
use crate::webhook::server::Drained;
use crate::wire::{MOST_LINE_BYTES, RELEASE_PATH};

const SHORT: Duration = Duration::from_millis(50);

const CROWDED: &str = "too many pods are waiting for their data services; try again";

/// Pods that wait for ever, so many of them.
async fn at_most(streams: usize) -> Installed {
    let mut limits = LifecycleLimits::default();
    limits.streams = streams;
    installed(|_| forever(), limits, Limits::lifecycle()).await
}

#[test]
fn half_of_the_connections_are_not_for_streams() {
    assert!(Limits::lifecycle().connections >= 2 * LifecycleLimits::default().streams);
}

#[tokio::test]
async fn streams_beyond_the_limit_are_429_and_the_api_server_is_not_asked() {
    let mut installed = at_most(1).await;
    let mut first = installed.follow().await;
    first.next().await.unwrap();
    // Nobody answers a review here.
    let answer = installed.server.client().await.send(ask()).await;
    assert_eq!(answer.problem(), (429, CROWDED.to_owned()));
    assert_eq!(answer.headers["connection"], "close");
}

#[tokio::test]
async fn a_pod_has_one_stream_and_the_newer_ends_the_older() {
    let mut installed = at_most(2).await;
    let mut older = installed.follow().await;
    older.next().await.unwrap();
    let mut newer = installed.follow().await;
    assert_eq!(older.next().await, None);
    newer.next().await.unwrap();
    // There is a place left.
    installed.follow_as("u-2").await.next().await.unwrap();
}

#[tokio::test]
async fn a_client_that_goes_away_frees_its_place() {
    let mut installed = at_most(1).await;
    for _ in 0..3 {
        let mut lines = installed.follow().await;
        lines.next().await.unwrap();
        lines.abandon();
        eventually(|| installed.server.connections.open() == 0).await;
    }
}

#[tokio::test]
async fn a_stream_that_ended_leaves_nothing() {
    let mut limits = LifecycleLimits::default();
    (limits.streams, limits.stream_for) = (1, SHORT);
    let mut installed = installed(|_| forever(), limits, Limits::lifecycle()).await;
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    for _ in 0..3 {
        let mut lines = installed.follow().await;
        assert_eq!(lines.headers["connection"], "close");
        while lines.next().await.is_some() {}
        lines.closed().await;
    }
    eventually(|| tasks() == before && installed.server.connections.open() == 0).await;
}

#[tokio::test]
async fn a_token_under_review_takes_no_place() {
    let Installed { server, mut api_server, stop: _stop } = at_most(1).await;
    let mut slow = server.client().await;
    let slow = tokio::spawn(async move { slow.send(ask()).await });
    let (_, send) = soon(api_server.next_request()).await.unwrap();
    let (mut lines, ()) =
        tokio::join!(server.client().await.open(ask()), review(&mut api_server, accepted_as("u-2")));
    lines.next().await.unwrap();
    let reviewed = json!({"kind": "TokenReview", "status": accepted()}).to_string();
    send.send_response(Response::new(Body::from(reviewed.into_bytes())));
    assert_eq!(soon(slow).await.unwrap().problem(), (429, CROWDED.to_owned()));
}

#[tokio::test]
async fn a_release_gets_through_while_pods_wait() {
    let mut installed = at_most(2).await;
    let mut waiting = [installed.follow_as("u-1").await, installed.follow_as("u-2").await];
    for lines in &mut waiting {
        lines.next().await.unwrap();
    }
    assert_eq!(installed.server.client().await.send(ask()).await.status, 429);
    let request = request_with(Method::POST, RELEASE_PATH, Some(&format!("Bearer {TOKEN}")));
    let mut client = installed.server.client().await;
    let scenario = async {
        review(&mut installed.api_server, accepted()).await;
        expect(&mut installed.api_server, Method::PATCH, POD_URI, 200, json!({})).await;
    };
    assert_eq!(tokio::join!(client.send(request), scenario).0.status, 204);
}

#[tokio::test]
async fn a_review_that_takes_too_long_is_503() {
    let mut limits = LifecycleLimits::default();
    limits.deadline = SHORT;
    let installed = installed(|_| forever(), limits, Limits::lifecycle()).await;
    let expected = (503, "the API server did not answer within 50ms".to_owned());
    assert_eq!(installed.server.client().await.send(ask()).await.problem(), expected);
}

#[tokio::test]
async fn a_stream_outlives_the_limits_of_requests() {
    let (mut limits, mut listener) = (LifecycleLimits::default(), Limits::lifecycle());
    let within = Duration::from_secs(1);
    (limits.concurrency, limits.deadline) = (1, within);
    (listener.first_request, listener.idle, listener.body_within, listener.stall) =
        (within, within, within, within);
    let mut installed = installed(|_| forever(), limits, listener).await;
    let mut silent = installed.follow().await;
    silent.next().await.unwrap();
    let more = tokio::time::timeout(2 * within, silent.next()).await;
    assert!(more.is_err(), "{more:?}");
    installed.follow().await.next().await.unwrap();
}

#[tokio::test]
async fn a_client_that_does_not_read_is_dropped() {
    let line = waiting(&"x".repeat(MOST_LINE_BYTES / 2));
    let mut listener = Limits::lifecycle();
    listener.stall = SHORT;
    let mut limits = LifecycleLimits::default();
    limits.streams = 1;
    let follow = move |_: &_| stream::repeat(line.clone()).boxed();
    let mut installed = installed(follow, limits, listener).await;
    let unread = installed.follow().await;
    eventually(|| installed.server.connections.open() == 0).await;
    installed.follow().await.next().await.unwrap();
    drop(unread);
}

#[tokio::test]
async fn draining_ends_streams_at_once_and_cleanly() {
    let mut installed = at_most(2).await;
    let mut streams = [installed.follow_as("u-1").await, installed.follow_as("u-2").await];
    for lines in &mut streams {
        lines.next().await.unwrap();
    }
    let stopped_at = Instant::now();
    let drained = installed.server.stop();
    installed.stop.send_replace(true);
    assert_eq!(soon(drained).await.unwrap(), Drained::Clean);
    assert!(stopped_at.elapsed() < Duration::from_secs(2), "{:?}", stopped_at.elapsed());
    for mut lines in streams {
        assert_eq!(lines.next().await, None);
        lines.closed().await;
    }
}

#[tokio::test]
async fn a_pod_that_asks_while_we_drain_is_to_ask_again() {
    let mut installed = at_most(1).await;
    installed.stop.send_replace(true);
    let mut lines = installed.follow().await;
    assert_eq!(lines.next().await, None);
    lines.closed().await;
}
