//! What a signal leads to, and when.

use std::time::Duration;

use rustix::process::Signal;
use tokio::time::sleep;

use crate::api::{Answer, Api, status_line};
use crate::sidecar::{Pod, token};

#[tokio::test]
async fn sigterm_is_one_post_with_the_token_of_that_moment() {
    let api = Api::answering([Answer::of(204)]).await;
    let sidecar = Pod::of(&api).start().await;
    sidecar.directory.put("token", token("renewed") + "\n");
    let ended = sidecar.terminate().await;
    let [request] = api.requests();
    assert_eq!(request.head[0], "POST /v1/release HTTP/1.1");
    assert_eq!(request.header("authorization"), format!("Bearer {}", token("renewed")));
    assert_eq!(request.header("host"), api.address.to_string());
    assert_eq!(api.seen().connections, 1);
    assert_eq!(ended.log[0], format!("waiting for SIGTERM, then releasing at {}", api.url()));
    assert_eq!(ended.log[1], "SIGTERM: releasing");
    assert_eq!(ended.log.len(), 3, "{:#?}", ended.log);
    ended.has_released(1);
}

#[tokio::test]
async fn nothing_is_sent_before_sigterm() {
    let api = Api::answering([Answer::of(204)]).await;
    let mut sidecar = Pod::of(&api).start().await;
    sleep(Duration::from_millis(500)).await;
    assert!(sidecar.is_running());
    assert_eq!(api.seen().connections, 0);
    sidecar.terminate().await.has_released(1);
}

#[tokio::test]
async fn sigint_releases_too() {
    let api = Api::answering([Answer::of(204)]).await;
    let mut sidecar = Pod::of(&api).start().await;
    sidecar.signal(Signal::INT);
    let ended = sidecar.ends().await;
    assert_eq!(ended.log[1], "SIGINT: releasing");
    ended.has_released(1);
    let [_] = api.requests();
}

#[tokio::test]
async fn a_second_sigterm_changes_nothing() {
    let api = Api::answering([Answer::of(204).after(Duration::from_millis(300))]).await;
    let mut sidecar = Pod::of(&api).start().await;
    sidecar.signal(Signal::TERM);
    sidecar.says("SIGTERM: releasing").await;
    sidecar.signal(Signal::TERM);
    sidecar.ends().await.has_released(1);
    let [_] = api.requests();
}

#[tokio::test]
async fn sigterm_right_after_the_start_is_not_lost() {
    let api = Api::answering([Answer::of(204)]).await;
    let mut sidecar = Pod::of(&api).start_piped();
    sidecar.catches_sigterm().await;
    sidecar.signal(Signal::TERM);
    sidecar.ends().await.has_released(1);
    let [_] = api.requests();
}

#[tokio::test]
async fn the_answer_is_the_end_even_if_the_server_does_not_hang_up() {
    let answers = [Answer::Open(status_line(204) + "\r\n")];
    let api = Api::answering(answers).await;
    let ended = Pod::of(&api).run().await;
    ended.has_released(1);
    assert!(ended.took < Duration::from_secs(4), "{ended:?}");
}
