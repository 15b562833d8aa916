//! What stands between the sidecar and a request.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::net::TcpSocket;

use crate::api::{Answer, Api};
use crate::identity::Identity;
use crate::sidecar::Pod;

/// For what ends with the deadline: enough for a second attempt.
const SHORT: Duration = Duration::from_millis(600);

/// Runs a sidecar whose API it must not trust: it says why, and does not show the token.
async fn distrusts(identity: Identity, why: &str) {
    let api = Api::with(identity, [Answer::of(204)]).await;
    let ended = Pod::of(&api).allowed(SHORT).run().await;
    ended.has_given_up(&format!("failed to set up TLS with {}: ", api.address));
    ended.has_given_up(why);
    let [] = api.requests();
}

#[tokio::test]
async fn a_server_that_is_down_is_given_up_at_the_deadline() {
    let down = TcpSocket::new_v4().unwrap();
    // Bound, so that nothing else gets the port, and not listening.
    down.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = down.local_addr().unwrap();
    let pod = Pod::new(&format!("https://{address}"), &Identity::default().authority);
    let ended = pod.allowed(SHORT).run().await;
    ended.has_given_up(&format!("failed to connect to {address}: Connection refused"));
    assert!(!ended.pauses().is_empty(), "{ended:?}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up_at_the_deadline() {
    let api = Api::silent().await;
    let ended = Pod::of(&api).allowed(SHORT).run().await;
    ended.has_given_up(&format!("failed to set up TLS with {}: timed out", api.address));
    assert!(api.seen().connections > 1, "{ended:?}");
}

#[tokio::test]
async fn a_server_that_hangs_up_is_tried_again() {
    let api = Api::hanging_up().await;
    let ended = Pod::of(&api).allowed(SHORT).run().await;
    ended.has_given_up(&format!("failed to set up TLS with {}: ", api.address));
    assert!(api.seen().connections > 1, "{ended:?}");
}

#[tokio::test]
async fn a_server_without_tls_is_not_shown_the_token() {
    let api = Api::without_tls().await;
    let ended = Pod::of(&api).allowed(SHORT).run().await;
    ended.has_given_up(&format!("failed to set up TLS with {}: ", api.address));
    let [] = api.requests();
}

#[tokio::test]
async fn a_server_without_tls_1_3_is_not_spoken_to() {
    distrusts(Identity::of_old_tls(), "ProtocolVersion").await;
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_not_trusted() {
    distrusts(Identity::of_another_authority(), "BadSignature").await;
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_trusted() {
    distrusts(Identity::of("127.0.0.2"), "not valid for name").await;
}

#[tokio::test]
async fn an_expired_certificate_is_not_trusted() {
    distrusts(Identity::expired(), "expired").await;
}

#[tokio::test]
async fn any_of_several_authorities_is_trusted() {
    let api = Api::with(Identity::of_the_second_authority(), [Answer::of(204)]).await;
    Pod::of(&api).run().await.has_released(1);
}
