//! What a listener serves.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Frame, SizeHint};

/// A response.
pub type Reply = Response<Body>;

/// What a response carries.
pub enum Body {
    /// Parts that are sent as they come, for as long as their client reads. Dropped when it is gone.
    Parts(BoxStream<'static, Bytes>),
    /// All that there is.
    Whole(Full<Bytes>),
}

/// Answers requests that have been read completely.
pub trait Service: Send + Sync + 'static {
    /// The answer. A panic in here ends the connection it came on, and no other.
    ///
    /// Nobody but the service ends a body in [`Parts`](Body::Parts): one that goes on after the listener was told to
    /// shut down is cut off at the end of the grace.
    fn call(&self, request: Request<Bytes>) -> impl Future<Output = Reply> + Send;
}

// === impl Body ===

impl Default for Body {
    fn default() -> Self {
        Self::Whole(Full::default())
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(Full::new(bytes))
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Parts(parts) => parts.poll_next_unpin(cx).map(|part| Some(Ok(Frame::data(part?)))),
            Self::Whole(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Parts(_) => false,
            Self::Whole(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Parts(_) => SizeHint::default(),
            Self::Whole(body) => body.size_hint(),
        }
    }
}
