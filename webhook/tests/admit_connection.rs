//! Clients that take connections and give nothing.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Handle;

use crate::harness::{Running, eventually, request, serve, serve_plain, soon};
use crate::judge::{admit, native, plain, serve_native};
use crate::webhook::limits::Limits;
use crate::webhook::service::{Reply, Service};

const SHORT: Duration = Duration::from_millis(50);

/// Waits until the server closes a connection on which `bytes` were sent.
async fn dropped_after(server: &Running, bytes: &[u8]) {
    let mut stream = server.raw().await;
    stream.write_all(bytes).await.unwrap();
    let mut rest = Vec::new();
    // A reset is an end too.
    let _ = soon(stream.read_to_end(&mut rest)).await;
    eventually(|| server.connections.open() == 0).await;
}

#[tokio::test]
async fn silent_client_is_dropped_at_handshake_timeout() {
    let mut limits = Limits::admission();
    limits.handshake = SHORT;
    let server = serve(native(), limits).await;
    dropped_after(&server, b"").await;
    dropped_after(&server, &[0x16, 3, 1, 0, 200]).await;
    admit(&server, &plain()).await.admitted();
}

#[tokio::test]
async fn a_client_without_tls_is_dropped() {
    dropped_after(&serve_native().await, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
}

#[tokio::test]
async fn a_client_that_sends_no_request_is_dropped() {
    let mut limits = Limits::admission();
    limits.first_request = SHORT;
    serve(native(), limits).await.client().await.closed().await;
    dropped_after(&serve_plain(native(), limits).await, b"POST /mutate--v1-pod HTTP/1.1\r\nhost:").await;
}

#[tokio::test]
async fn an_idle_client_is_dropped_but_not_before() {
    let mut limits = Limits::admission();
    limits.first_request = SHORT;
    limits.idle = Duration::from_millis(300);
    let server = serve(native(), limits).await;
    let mut client = server.client().await;
    client.send(request(Method::POST, "/mutate--v1-pod", "")).await;
    let started = tokio::time::Instant::now();
    client.closed().await;
    assert!(started.elapsed() > Duration::from_millis(200), "{:?}", started.elapsed());
}

#[tokio::test]
async fn when_full_others_wait_for_a_slot() {
    let mut limits = Limits::admission();
    limits.connections = 2;
    let server = serve(native(), limits).await;
    let (first, _second) = (server.client().await, server.client().await);
    let third = server.client();
    let mut third = std::pin::pin!(third);
    let waited = tokio::time::timeout(SHORT, third.as_mut()).await;
    assert!(waited.is_err(), "there was no slot");
    assert_eq!(server.connections.open(), 2);
    drop(first);
    soon(third).await.send(request(Method::POST, "/mutate--v1-pod", "")).await;
}

#[tokio::test]
async fn silent_clients_hold_no_slot_for_ever() {
    let mut limits = Limits::admission();
    limits.connections = 4;
    limits.handshake = SHORT;
    let server = serve(native(), limits).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(server.raw().await);
    }
    admit(&server, &plain()).await.admitted();
}

#[tokio::test]
async fn closed_connections_leave_no_tasks() {
    let server = serve_native().await;
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    for _ in 0..20 {
        admit(&server, &plain()).await.admitted();
        drop(server.raw().await);
    }
    eventually(|| tasks() == before && server.connections.open() == 0).await;
}

#[tokio::test]
async fn a_panic_in_a_service_ends_its_connection_and_no_other() {
    struct Panicking;
    impl Service for Panicking {
        async fn call(&self, request: Request<Bytes>) -> Reply {
            assert!(request.uri().path() != "/panic", "a panic that the test wants");
            Reply::default()
        }
    }
    let server = serve(Panicking, Limits::admission()).await;
    let mut other = server.client().await;
    let mut client = server.client().await;
    assert!(soon(client.try_send(request(Method::GET, "/panic", ""))).await.is_err());
    assert_eq!(other.send(request(Method::GET, "/", "")).await.status, 200);
    drop((client, other));
    eventually(|| server.connections.open() == 0).await;
}
