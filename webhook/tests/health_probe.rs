//! What the kubelet is told.

use http::Method;

use crate::harness::{Running, serve_plain};
use crate::webhook::health::{Health, Readiness};
use crate::webhook::limits::Limits;

async fn serve(readiness: &Readiness) -> Running {
    serve_plain(Health::new(readiness.clone()), Limits::health()).await
}

async fn probe(server: &Running, path: &str) -> (u16, String) {
    let answer = server.send(Method::GET, path, "").await;
    let (status, text) = answer.text();
    (status, text.to_owned())
}

#[tokio::test]
async fn ready_is_when_nothing_is_missing() {
    let readiness = Readiness::default();
    let certificate = readiness.register("certificate", "not yet published");
    let pods = readiness.register("pods", "not yet listed");
    let server = serve(&readiness).await;
    let expected = "certificate: not yet published\npods: not yet listed\n";
    assert_eq!(probe(&server, "/readyz").await, (503, expected.to_owned()));
    pods.ready();
    assert_eq!(probe(&server, "/readyz").await, (503, "certificate: not yet published\n".to_owned()));
    certificate.ready();
    assert_eq!(probe(&server, "/readyz").await, (200, "ok\n".to_owned()));
    certificate.not_ready("expired");
    assert_eq!(probe(&server, "/readyz").await, (503, "certificate: expired\n".to_owned()));
}

#[tokio::test]
async fn a_component_that_ended_is_missing() {
    let readiness = Readiness::default();
    let latch = readiness.register("controller", "starting");
    latch.ready();
    drop(latch);
    assert_eq!(probe(&serve(&readiness).await, "/readyz").await, (503, "controller: ended\n".to_owned()));
}

#[tokio::test]
async fn draining_ends_readiness_but_not_life() {
    let readiness = Readiness::default();
    let server = serve(&readiness).await;
    assert_eq!(probe(&server, "/readyz").await, (200, "ok\n".to_owned()));
    readiness.drain();
    assert_eq!(probe(&server, "/readyz").await, (503, "shutdown: in progress\n".to_owned()));
    assert_eq!(probe(&server, "/healthz").await, (200, "ok\n".to_owned()));
}
