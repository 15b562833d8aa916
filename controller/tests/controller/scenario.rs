//! An API server that answers as a test tells it to, one request after the other.

use std::future::Future;
use std::time::Duration;

use dataservice_controller::apply::{Context, Outcome, Past, apply};
use dataservice_controller::index::{Index, ServiceRef};
use dataservice_core::reconcile::Kind;
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use http::{Request, Response};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tower_test::mock::{self, Handle};

use crate::fixture::NAMESPACE;

/// The API server's side of a conversation.
pub(crate) struct Server(Handle<Request<Body>, Response<Body>>);

/// A request as it arrived.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) line: String,
    /// Decoded no further.
    pub(crate) query: String,
    pub(crate) body: Value,
}

/// An event as it was published.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Told {
    pub(crate) pod: String,
    pub(crate) reason: String,
    pub(crate) note: String,
}

// === impl Server ===

impl Server {
    /// Answers the next request, which must be `line` (`GET /api/…`, without the query), and shows it.
    pub(crate) async fn answers(&mut self, line: &str, status: u16, body: Value) -> Asked {
        self.answers_with(line, status, |_| body).await
    }

    /// Answers as the API server refuses.
    pub(crate) async fn refuses(&mut self, line: &str, code: u16, reason: &str, message: &str) -> Asked {
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "status": "Failure",
            "message": message, "reason": reason, "code": code,
        });
        self.answers(line, code, status).await
    }

    /// Takes an object, gives it the uid `uid-<kind>`, and shows the request.
    pub(crate) async fn creates(&mut self, kind: Kind) -> Asked {
        let with_uid = |asked: &Asked| {
            let mut object = asked.body.clone();
            object["metadata"]["uid"] = json!(format!("uid-{kind:?}"));
            object
        };
        self.answers_with(&post(kind), 201, with_uid).await
    }

    /// Takes an event, and shows the request.
    pub(crate) async fn takes_event(&mut self) -> Asked {
        self.answers_with(EVENT, 201, |asked| asked.body.clone()).await
    }

    /// Takes an event, and shows what it says.
    pub(crate) async fn is_told(&mut self) -> Told {
        let body = self.takes_event().await.body;
        let text = |pointer| body.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
        Told { pod: text("/regarding/name"), reason: text("/reason"), note: text("/note") }
    }

    async fn answers_with(&mut self, line: &str, status: u16, answer: impl FnOnce(&Asked) -> Value) -> Asked {
        let (request, respond) = self.0.next_request().await.expect("the client must still be there");
        let asked = Asked::read(request).await;
        assert_eq!(asked.line, line);
        let body = Body::from(answer(&asked).to_string().into_bytes());
        respond.send_response(Response::builder().status(status).body(body).unwrap());
        asked
    }

    /// Asserts that nothing more is asked: the client is gone and has left no request behind.
    async fn ends(mut self) {
        if let Some((request, _)) = self.0.next_request().await {
            panic!("nobody expected {:?}", Asked::read(request).await);
        }
    }
}

// === impl Asked ===

impl Asked {
    async fn read(request: Request<Body>) -> Self {
        let (head, body) = request.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Self {
            line: format!("{} {}", head.method, head.uri.path()),
            query: head.uri.query().unwrap_or_default().to_owned(),
            body: if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() },
        }
    }
}

/// Applies what is known of `service` against the API server that `script` plays. Fails when either waits for the
/// other in vain, or when more is asked than the script answers. Only under paused time.
pub(crate) fn play<'a>(
    index: &Index,
    service: &'a ServiceRef,
    script: impl AsyncFnOnce(&mut Server) + 'a,
) -> LocalBoxFuture<'a, Outcome> {
    play_again(index, service, Past::default(), script)
}

/// The same, after other looks at it.
pub(crate) fn play_again<'a>(
    index: &Index,
    service: &'a ServiceRef,
    past: Past,
    script: impl AsyncFnOnce(&mut Server) + 'a,
) -> LocalBoxFuture<'a, Outcome> {
    let (mock, handle) = mock::pair();
    let snapshot = index.snapshot(service);
    let serve = async {
        let mut server = Server(handle);
        script(&mut server).await;
        server.ends().await;
    };
    let call = async move {
        let context = Context { client: Client::new(mock, "default"), reporter: "webhook-0".to_owned() };
        apply(&context, service, &snapshot, &past).await
    };
    within_an_hour(async { futures::join!(serve, call).1 }).boxed_local()
}

async fn within_an_hour<T>(conversation: impl Future<Output = T>) -> T {
    let limit = Duration::from_hours(1);
    tokio::time::timeout(limit, conversation).await.expect("the conversation must come to its end")
}

/// The request that makes an object of this kind.
pub(crate) fn post(kind: Kind) -> String {
    format!("POST {}", collection(kind))
}

/// The request for the object of this kind of `service`.
pub(crate) fn line(method: &str, kind: Kind, service: &ServiceRef) -> String {
    format!("{method} {}/{}", collection(kind), service.object)
}

fn collection(kind: Kind) -> String {
    match kind {
        Kind::NetworkPolicy => format!("/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/networkpolicies"),
        Kind::Service => format!("/api/v1/namespaces/{NAMESPACE}/services"),
        Kind::StatefulSet => format!("/apis/apps/v1/namespaces/{NAMESPACE}/statefulsets"),
    }
}

/// The request that publishes an event.
pub(crate) const EVENT: &str = "POST /apis/events.k8s.io/v1/namespaces/ns-0/events";
