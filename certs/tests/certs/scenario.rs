//! An API server that answers as a test tells it to, one request after the other.

use std::future::Future;
use std::time::Duration;

use futures::FutureExt;
use futures::future::LocalBoxFuture;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tower_test::mock::{self, Handle};

/// The API server's side of a conversation.
pub(crate) struct Server(Handle<Request<Body>, Response<Body>>);

/// A request as it arrived.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) content_type: String,
    pub(crate) body: Value,
}

// === impl Server ===

impl Server {
    /// Answers the next request, which must be `line` (`GET /api/…`, without the query), and shows it.
    pub(crate) async fn answers(&mut self, line: &str, status: u16, body: Value) -> Asked {
        self.answers_text(line, status, body.to_string()).await
    }

    pub(crate) async fn answers_text(&mut self, line: &str, status: u16, body: String) -> Asked {
        let (request, respond) = self.0.next_request().await.expect("the client must still be there");
        let asked = Asked::read(request).await;
        assert_eq!(asked.line, line);
        let response = Response::builder().status(status).body(Body::from(body.into_bytes())).unwrap();
        respond.send_response(response);
        asked
    }

    /// Answers as the API server refuses.
    pub(crate) async fn refuses(&mut self, line: &str, code: u16, reason: &str, message: &str) -> Asked {
        self.answers(line, code, refusal(code, reason, message)).await
    }

    /// Breaks the connection instead of answering.
    pub(crate) async fn hangs_up(&mut self, line: &str) {
        let (request, respond) = self.0.next_request().await.expect("the client must still be there");
        assert_eq!(Asked::read(request).await.line, line);
        respond.send_error("connection reset by peer");
    }

    /// Asserts that nothing more is asked: the client is gone and has left no request behind.
    async fn ends(mut self) {
        if let Some((request, _)) = self.0.next_request().await {
            panic!("nobody expected {}", Asked::read(request).await.line);
        }
    }
}

// === impl Asked ===

impl Asked {
    pub(crate) async fn read(request: Request<Body>) -> Self {
        let (head, body) = request.into_parts();
        let content_type = head.headers.get("content-type").map_or("", |value| value.to_str().unwrap());
        let bytes = body.collect().await.unwrap().to_bytes();
        let without_body = head.method == Method::GET;
        Self {
            line: format!("{} {}", head.method, head.uri.path()),
            content_type: content_type.to_owned(),
            body: if without_body { Value::Null } else { serde_json::from_slice(&bytes).unwrap() },
        }
    }
}

/// A `Status` as the API server sends it.
pub(crate) fn refusal(code: u16, reason: &str, message: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure",
        "message": message, "reason": reason, "code": code,
    })
}

/// Runs `call` against the API server that `script` plays. Fails when either waits for the other in vain, or
/// when the client asks for more than the script answers. Only under paused time.
pub(crate) fn play<'a, T: 'a>(
    script: impl AsyncFnOnce(&mut Server) + 'a,
    call: impl AsyncFnOnce(Client) -> T + 'a,
) -> LocalBoxFuture<'a, T> {
    let (service, handle) = mock::pair();
    let serve = async {
        let mut server = Server(handle);
        script(&mut server).await;
        server.ends().await;
    };
    let call = async { call(Client::new(service, "default")).await };
    let conversation = async { futures::join!(serve, call).1 };
    within_an_hour(conversation).boxed_local()
}

async fn within_an_hour<T>(conversation: impl Future<Output = T>) -> T {
    let limit = Duration::from_hours(1);
    tokio::time::timeout(limit, conversation).await.expect("the conversation must come to its end")
}
