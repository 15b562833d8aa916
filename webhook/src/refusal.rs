//! Why the lifecycle API refuses, and with which status: the one place where both meet.

use std::time::Duration;

use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, StatusCode};

use crate::reply;
use crate::service::Reply;
use crate::wire::AUDIENCE;

/// A request that is refused. It prints as what the pod is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("too many requests at once; try again")]
    Busy,
    #[error("too many pods are waiting for their data services; try again")]
    Crowded,
    #[error("the pod is gone")]
    Gone,
    #[error("the API server did not accept the token")]
    InvalidToken,
    #[error("the request has no bearer token")]
    NoToken,
    #[error("the pod is gone, it has no data service, or its containers may run again")]
    NotThisPod,
    #[error("the token is not that of a pod")]
    NotOfAPod,
    #[error("the API server refused; tell an administrator to look at the webhook's log")]
    Refused,
    #[error("the API server did not answer within {0:?}")]
    Slow(Duration),
    #[error("the API server cannot be reached")]
    Unreachable,
    #[error("the token is not for the audience {AUDIENCE}")]
    WrongAudience,
}

// === impl Refusal ===

impl Refusal {
    /// The answer to the pod.
    pub(crate) fn reply(self) -> Reply {
        let mut reply = reply::problem(self.status(), self.to_string());
        if reply.status() == StatusCode::UNAUTHORIZED {
            reply.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        reply
    }

    /// 429 and 503 may pass, and the pod tries again; the rest does not.
    const fn status(self) -> StatusCode {
        match self {
            Self::Busy | Self::Crowded => StatusCode::TOO_MANY_REQUESTS,
            Self::Gone => StatusCode::GONE,
            Self::InvalidToken | Self::NoToken => StatusCode::UNAUTHORIZED,
            Self::NotThisPod | Self::NotOfAPod | Self::WrongAudience => StatusCode::FORBIDDEN,
            Self::Refused | Self::Slow(_) | Self::Unreachable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}
