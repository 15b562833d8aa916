//! The token's file, in every state but the usual one.

use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::api::{Answer, Api};
use crate::sidecar::{Ended, Pod, token};

/// Runs a sidecar whose token cannot be shown: nothing is sent, and nothing is gained by trying again.
async fn shows_nothing(spoil: impl AsyncFnOnce(&Pod)) -> Ended {
    let api = Api::answering([Answer::of(204)]).await;
    let pod = Pod::of(&api);
    spoil(&pod).await;
    let ended = pod.run().await;
    assert_eq!(api.seen().connections, 0);
    assert!(
        ended
            .conclusion()
            .ends_with("; trying again would not help; the controller will see the pod's end by itself")
    );
    ended
}

#[tokio::test]
async fn a_token_that_is_missing_is_told() {
    let ended = shows_nothing(async |pod| std::fs::remove_file(pod.token_file()).unwrap()).await;
    assert!(ended.conclusion().starts_with("not released: failed to read the token from "), "{ended:?}");
    assert!(ended.conclusion().contains("/token: No such file or directory"), "{ended:?}");
}

#[tokio::test]
async fn a_token_that_is_empty_is_told() {
    let ended = shows_nothing(async |pod| pod.directory.put("token", " \n")).await;
    assert!(ended.conclusion().contains("/token is empty; "), "{ended:?}");
}

#[tokio::test]
async fn a_token_that_is_huge_is_told() {
    let huge = token("huge").repeat(1_000_000);
    let ended = shows_nothing(async |pod| pod.directory.put("token", huge)).await;
    assert!(
        ended
            .conclusion()
            .contains("/token is not one: it holds what no token does, or is longer than 64 KiB")
    );
}

#[tokio::test]
async fn a_token_of_several_lines_is_told() {
    let lines = format!("{}\r\nx-injected: {}", token("first"), token("second"));
    let ended = shows_nothing(async |pod| pod.directory.put("token", lines)).await;
    assert!(ended.conclusion().contains("/token is not one: "), "{ended:?}");
}

#[tokio::test]
async fn a_token_that_is_no_text_is_told() {
    let bytes = [token("first").as_bytes(), &[0xff, 0xfe]].concat();
    let ended = shows_nothing(async |pod| pod.directory.put("token", bytes)).await;
    assert!(ended.conclusion().contains("/token is not one: "), "{ended:?}");
}

#[tokio::test]
async fn a_token_that_cannot_be_opened_does_not_outlast_the_deadline() {
    let api = Api::answering([Answer::of(204)]).await;
    let pod = Pod::of(&api).allowed(Duration::from_millis(300));
    // To open a pipe that nobody writes to never returns.
    std::fs::remove_file(pod.token_file()).unwrap();
    mknodat(CWD, pod.token_file(), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    pod.run().await;
}
