//! What a listener serves.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;

/// A response whose body is whole.
pub type Reply = Response<Full<Bytes>>;

/// Answers requests that have been read completely.
pub trait Service: Send + Sync + 'static {
    /// The answer. A panic in here ends the connection it came on, and no other.
    fn call(&self, request: Request<Bytes>) -> impl Future<Output = Reply> + Send;
}
