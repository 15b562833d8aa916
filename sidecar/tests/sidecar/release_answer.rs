//! What each kind of answer leads to.

use std::time::Duration;

use crate::api::{Answer, Api, status_line};
use crate::sidecar::Pod;

/// For what ends with the deadline: enough for a second attempt.
const SHORT: Duration = Duration::from_millis(800);

#[tokio::test]
async fn a_slow_answer_within_the_deadline_is_waited_for() {
    let api = Api::answering([Answer::of(204).after(Duration::from_millis(700))]).await;
    Pod::of(&api).run().await.has_released(1);
    let [_] = api.requests();
}

#[tokio::test]
async fn server_errors_are_tried_again_after_growing_pauses() {
    let api = Api::answering([500, 502, 503, 204].map(Answer::of)).await;
    let ended = Pod::of(&api).run().await;
    ended.has_released(4);
    let requests = api.requests::<4>();
    let bases = [100, 200, 400].map(Duration::from_millis);
    for ((pause, base), pair) in ended.pauses().into_iter().zip(bases).zip(requests.windows(2)) {
        assert!((base..=base * 2).contains(&pause), "{:#?}", ended.log);
        // The earlier request may have been late to be seen, by what a busy machine takes.
        let seen = pair[1].at - pair[0].at;
        assert!(seen + Duration::from_millis(90) > pause, "{seen:?} between attempts, not {pause:?}");
    }
    assert!(ended.log[2].starts_with(&format!("{} answered 500 Internal Server Error; ", api.url())));
}

#[tokio::test]
async fn too_many_requests_are_tried_again() {
    let api = Api::answering([Answer::problem(429, "later"), Answer::of(204)]).await;
    let ended = Pod::of(&api).run().await;
    ended.has_released(2);
    assert!(ended.log[2].contains(" answered 429 Too Many Requests: later; trying again in "), "{ended:?}");
    let [_, _] = api.requests();
}

#[tokio::test]
async fn a_refusal_is_not_tried_again_and_its_message_is_told() {
    let api = Api::answering([Answer::problem(403, "the token is of another pod")]).await;
    let ended = Pod::of(&api).run().await;
    let told = format!(
        "not released: {} answered 403 Forbidden: the token is of another pod; trying again would not help; \
         the controller will see the pod's end by itself",
        api.url()
    );
    assert_eq!(ended.conclusion(), told);
    let [_] = api.requests();
}

#[tokio::test]
async fn a_refusal_that_is_not_ours_is_told_by_its_status() {
    let api = Api::answering([Answer::with_body(404, "<html>no such page</html>")]).await;
    let ended = Pod::of(&api).run().await;
    assert!(
        ended.conclusion().contains(" answered 404 Not Found; trying again would not help; "),
        "{ended:?}"
    );
    let [_] = api.requests();
}

#[tokio::test]
async fn a_reason_without_end_is_not_listened_to() {
    let answer = Answer::Endless(status_line(403) + "\r\n{\"message\": \"", "and so on and so on ");
    let api = Api::answering([answer]).await;
    let ended = Pod::of(&api).run().await;
    assert!(
        ended.conclusion().contains(" answered 403 Forbidden; trying again would not help; "),
        "{ended:?}"
    );
    assert!(ended.took < Duration::from_secs(4), "{ended:?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Api::answering([Answer::of(204)]).await;
    let location = format!("location: {}/v1/release\r\n\r\n", elsewhere.url());
    let api = Api::answering([Answer::Bytes(status_line(307) + &location)]).await;
    let ended = Pod::of(&api).run().await;
    assert!(ended.conclusion().starts_with("not released: "), "{ended:?}");
    assert_eq!(elsewhere.seen().connections, 0);
}

#[tokio::test]
async fn garbage_is_tried_again_until_the_deadline() {
    let api = Api::answering([Answer::Bytes("\u{1}\u{2}\u{3} what?\r\n\r\n".to_owned())]).await;
    let ended = Pod::of(&api).allowed(SHORT).run().await;
    ended.has_given_up(&format!("failed to get an answer from {}: ", api.address));
    assert!(api.seen().requests.len() > 1, "{ended:?}");
}

#[tokio::test]
async fn a_head_without_end_is_not_listened_to() {
    let answer = Answer::Endless(status_line(204), "x-more: and so on and so on and so on\r\n");
    let api = Api::answering([answer, Answer::of(204)]).await;
    let ended = Pod::of(&api).run().await;
    ended.has_released(2);
    assert!(
        ended.log[2].starts_with(&format!("failed to get an answer from {}: ", api.address)),
        "{ended:?}"
    );
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_tried_again() {
    let api = Api::answering([Answer::Bytes("HTTP/1.1 20".to_owned()), Answer::of(204)]).await;
    Pod::of(&api).run().await.has_released(2);
}

#[tokio::test]
async fn silence_is_given_up_at_the_deadline() {
    let api = Api::answering([Answer::Silence]).await;
    let ended = Pod::of(&api).allowed(SHORT).run().await;
    ended.has_given_up(&format!("failed to get an answer from {}: timed out", api.address));
    assert!(api.seen().requests.len() > 1, "{ended:?}");
}

#[tokio::test]
async fn a_server_that_speaks_again_is_heard_on_a_new_connection() {
    let api = Api::answering([Answer::Silence, Answer::of(204)]).await;
    Pod::of(&api).allowed(Duration::from_secs(2)).run().await.has_released(2);
    assert_eq!(api.seen().connections, 2);
}
