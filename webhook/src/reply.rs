//! Responses.

use bytes::Bytes;
use futures::stream::BoxStream;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use crate::service::{Body, Reply};
use crate::wire::{LINES, Problem};

/// `status` and nothing else.
pub(crate) fn empty(status: StatusCode) -> Reply {
    with_body(status, None, Bytes::new())
}

/// `value` in JSON.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Reply {
    match serde_json::to_vec(value) {
        Ok(body) => with_body(status, Some("application/json"), body.into()),
        Err(error) => {
            tracing::error!(%error, "Failed to write an answer");
            empty(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

/// A refusal, for a person.
pub(crate) fn problem(status: StatusCode, message: impl Into<String>) -> Reply {
    json(status, &Problem { message: message.into() })
}

/// Lines that are sent as they come, each a value in JSON.
pub(crate) fn lines(lines: BoxStream<'static, Bytes>) -> Reply {
    let mut reply = Response::new(Body::Parts(lines));
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(LINES));
    reply
}

/// Lines for a person.
pub(crate) fn text(status: StatusCode, text: impl Into<Bytes>) -> Reply {
    with_body(status, Some("text/plain; charset=utf-8"), text.into())
}

fn with_body(status: StatusCode, kind: Option<&'static str>, body: Bytes) -> Reply {
    let mut reply = Response::new(Body::from(body));
    *reply.status_mut() = status;
    if let Some(kind) = kind {
        reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    reply
}
