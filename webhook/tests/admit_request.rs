//! Requests that never become a decision.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{serve, serve_plain, soon};
use crate::judge::{native, plain, serve_native};
use crate::webhook::limits::Limits;

const PATH: &str = "/mutate--v1-pod";

fn with(pointer: &str, value: Value) -> String {
    let mut review = plain();
    *review.pointer_mut(pointer).unwrap() = value;
    review.to_string()
}

/// What comes back for `request`, byte for byte, until the server closes.
async fn raw(limits: Limits, request: &[u8]) -> String {
    let server = serve_plain(native(), limits).await;
    let mut stream = server.raw().await;
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.unwrap();
    answer
}

#[tokio::test]
async fn unreadable_review_is_http_400() {
    let server = serve_native().await;
    let wrong_kind = "expected an AdmissionReview of admission.k8s.io/v1";
    let no_uid = "the review has no request.uid of at most 128 bytes";
    for (body, expected) in [
        (String::new(), "failed to read the review: EOF while parsing a value at line 1 column 0"),
        ("{".to_owned(), "failed to read the review: EOF while parsing an object at line 1 column 1"),
        ("{}".to_owned(), wrong_kind),
        (with("/apiVersion", json!("admission.k8s.io/v1beta1")), wrong_kind),
        (with("/kind", json!("Pod")), wrong_kind),
        (with("/request", Value::Null), no_uid),
        (with("/request/uid", json!("")), no_uid),
        (with("/request/uid", json!(7)), no_uid),
        (with("/request/uid", json!("u".repeat(129))), no_uid),
        (
            format!("{}1{}", "[".repeat(500), "]".repeat(500)),
            "failed to read the review: invalid type: sequence, expected a string at line 1 column 1",
        ),
    ] {
        let answer = server.send(Method::POST, PATH, body.clone()).await;
        let (status, message) = answer.problem();
        assert_eq!(status, 400, "{body}");
        if !body.starts_with('[') {
            assert_eq!(message, expected, "{body}");
        }
    }
}

#[tokio::test]
async fn a_deeply_nested_review_is_http_400() {
    let server = serve_native().await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let body = plain().to_string().replacen("\"spec\":{", &format!("\"spec\":{{\"x\":{deep},"), 1);
    let (status, message) = server.send(Method::POST, PATH, body).await.problem();
    assert_eq!(status, 400);
    assert!(message.starts_with("failed to read the review: recursion limit exceeded"), "{message}");
}

#[tokio::test]
async fn another_path_is_404() {
    let (status, message) = serve_native().await.send(Method::POST, "/mutate", "").await.problem();
    assert_eq!(status, 404);
    assert_eq!(message, "there is nothing at this path; this port answers at /mutate--v1-pod");
}

#[tokio::test]
async fn another_method_is_405() {
    let answer = serve_native().await.send(Method::GET, PATH, "").await;
    assert_eq!(answer.problem(), (405, "/mutate--v1-pod takes POST only".to_owned()));
    assert_eq!(answer.headers["allow"], "POST");
}

#[tokio::test]
async fn a_pod_as_large_as_the_api_server_takes_is_admitted() {
    let server = serve_native().await;
    let mut review = plain();
    review["request"]["object"]["metadata"]["annotations"]["large"] = json!("x".repeat(3 * 1024 * 1024));
    crate::judge::admit(&server, &review).await.admitted();
}

#[tokio::test]
async fn too_large_a_body_is_413() {
    let server = serve_native().await;
    let body = Bytes::from(vec![b' '; 8 * 1024 * 1024]);
    let (status, message) = server.send(Method::POST, PATH, body).await.problem();
    assert_eq!((status, message.as_str()), (413, "the request's body is larger than 7340032 bytes"));
}

#[tokio::test]
async fn too_large_a_body_is_413_however_it_is_sent() {
    let mut limits = Limits::admission();
    limits.body = 8;
    let request = b"POST /mutate--v1-pod HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
        transfer-encoding: chunked\r\n\r\n6\r\n012345\r\n6\r\n012345\r\n0\r\n\r\n";
    let answer = raw(limits, request).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.ends_with(r#"{"message":"the request's body is larger than 8 bytes"}"#), "{answer}");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_408() {
    let mut limits = Limits::admission();
    limits.body_within = Duration::from_millis(50);
    let answer = raw(limits, b"POST /mutate--v1-pod HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n1").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.ends_with(r#"{"message":"the request's body did not arrive within 50ms"}"#), "{answer}");
}

#[tokio::test]
async fn a_review_that_would_fill_the_memory_is_refused_before_it_is_read() {
    let server = serve_native().await;
    let many = with("/request/object", json!([0])).replace("[0]", &format!("[0{}]", ",0".repeat(250_000)));
    let (status, message) = server.send(Method::POST, PATH, many).await.problem();
    assert_eq!((status, message.as_str()), (400, "the review has more than 250000 values"));
}

#[tokio::test]
async fn bodies_beyond_the_memory_for_all_are_429() {
    let mut limits = Limits::admission();
    limits.bodies = 1000;
    let server = serve(native(), limits).await;
    let (status, message) = server.send(Method::POST, PATH, vec![b' '; 2000]).await.problem();
    assert_eq!((status, message.as_str()), (429, "too many large requests at once; try again"));
    let (status, _) = server.send(Method::POST, PATH, vec![b' '; 900]).await.problem();
    assert_eq!(status, 400);
    let (status, _) = server.send(Method::POST, PATH, vec![b' '; 900]).await.problem();
    assert_eq!(status, 400, "what was read was given back");
}
