//! The API server's half of the lifecycle API, played by the test.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::watch;
use tower_test::mock::{Handle, pair};

use crate::core::consumer::PodRef;
use crate::harness::soon;
use crate::webhook::lifecycle::{Lifecycle, LifecycleLimits};
use crate::webhook::progress::{Follow, State};
use crate::wire::AUDIENCE;

/// Gets what is asked of the API server.
pub(crate) type ApiServer = Handle<Request<Body>, Response<Body>>;

/// How far services are is a function of the pod.
pub(crate) struct Told<F>(pub(crate) F);

/// Our pod's token.
pub(crate) const TOKEN: &str = "header.payload.signature";
/// Where our pod is marked as released.
pub(crate) const POD_URI: &str = "/api/v1/namespaces/ns/pods/task?fieldManager=flyte-dataservice";

const REVIEW_URI: &str = "/apis/authentication.k8s.io/v1/tokenreviews";

/// A client, and the API server that it speaks to.
pub(crate) fn api_server() -> (kube::Client, ApiServer) {
    let (service, api_server) = pair::<Request<Body>, Response<Body>>();
    (kube::Client::new(service, "default"), api_server)
}

/// The lifecycle API, for those who follow nothing.
pub(crate) fn lifecycle(client: kube::Client, limits: LifecycleLimits) -> Lifecycle {
    let (_, stop) = watch::channel(false);
    Lifecycle::new(client, Arc::new(Told(|_: &PodRef| stream::pending().boxed())), stop, limits)
}

impl<F> Follow for Told<F>
where
    F: Fn(&PodRef) -> BoxStream<'static, State> + Send + Sync + 'static,
{
    fn follow(&self, pod: &PodRef) -> BoxStream<'static, State> {
        self.0(pod)
    }
}

/// The status of the review of our pod's token.
pub(crate) fn accepted() -> Value {
    accepted_as("u-1")
}

/// The same, if the pod has this uid.
pub(crate) fn accepted_as(uid: &str) -> Value {
    json!({
        "authenticated": true,
        "audiences": [AUDIENCE],
        "user": {
            "username": "system:serviceaccount:ns:default",
            "extra": {
                "authentication.kubernetes.io/pod-name": ["task"],
                "authentication.kubernetes.io/pod-uid": [uid],
            },
        },
    })
}

/// Expects one request, answers it, and gives its body.
pub(crate) async fn expect(
    api_server: &mut ApiServer,
    method: Method,
    uri: &str,
    status: u16,
    answer: Value,
) -> Value {
    let (request, send) = soon(api_server.next_request()).await.expect("must be asked");
    assert_eq!((request.method(), request.uri().to_string().as_str()), (&method, uri));
    let kind = request.headers()["content-type"].clone();
    let expected = if method == Method::POST { "application/json" } else { "application/json-patch+json" };
    assert_eq!(kind, expected);
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let answer = Body::from(answer.to_string().into_bytes());
    send.send_response(Response::builder().status(status).body(answer).unwrap());
    serde_json::from_slice(&body).unwrap()
}

/// The API server takes the token for what `status` says. It sends the token back, as it does.
pub(crate) async fn review(api_server: &mut ApiServer, status: Value) {
    let answer = json!({"kind": "TokenReview", "spec": {"token": TOKEN}, "status": status});
    let asked = expect(api_server, Method::POST, REVIEW_URI, 201, answer).await;
    assert_eq!(asked["spec"], json!({"token": TOKEN, "audiences": [AUDIENCE]}));
}

pub(crate) fn failure(code: u16, message: &str) -> Value {
    json!({"kind": "Status", "status": "Failure", "code": code, "reason": "", "message": message})
}
