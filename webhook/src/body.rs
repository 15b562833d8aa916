//! Reading a request's body within limits.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::Limits;
use crate::reply;
use crate::service::Reply;

/// The memory that all bodies of a listener share.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<Semaphore>);

/// A body, and its share of the budget for as long as it is held.
#[derive(Debug)]
pub(crate) struct Held {
    /// All of the body.
    pub(crate) bytes: Bytes,
    /// What it takes of the budget.
    pub(crate) share: Share,
}

/// A share of the budget, given back when dropped.
#[derive(Debug)]
pub(crate) struct Share(Option<OwnedSemaphorePermit>);

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unread {
    #[error("failed to read the request's body")]
    Broken,
    #[error("too many large requests at once; try again")]
    Crowded,
    #[error("the request's body did not arrive within {0:?}")]
    Slow(std::time::Duration),
    #[error("the request's body is larger than {0} bytes")]
    TooLarge(usize),
}

/// Reads all of `body`.
pub(crate) async fn read(mut body: Incoming, budget: &Budget, limits: &Limits) -> Result<Held, Unread> {
    let reading = async {
        let read = collect(&mut body, budget, limits.body).await;
        if matches!(read, Err(Unread::TooLarge(_))) {
            discard(&mut body, limits.body).await;
        }
        read
    };
    let within = limits.body_within;
    tokio::time::timeout(within, reading).await.unwrap_or(Err(Unread::Slow(within)))
}

async fn collect(body: &mut Incoming, budget: &Budget, limit: usize) -> Result<Held, Unread> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limit {
        return Err(Unread::TooLarge(limit));
    }
    let mut share = Share(None);
    // What is announced is not believed: memory is taken as bytes arrive.
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
        if bytes.len() + data.len() > limit {
            return Err(Unread::TooLarge(limit));
        }
        budget.take(data.len(), &mut share)?;
        bytes.extend_from_slice(&data);
    }
    Ok(Held { bytes: bytes.freeze(), share })
}

/// Reads on for a while: a client that still writes when we close sees a reset instead of the answer.
async fn discard(body: &mut Incoming, at_most: usize) {
    let mut discarded = 0;
    while let Some(Ok(frame)) = body.frame().await {
        discarded += frame.data_ref().map_or(0, Bytes::len);
        if discarded > at_most {
            break;
        }
    }
}

// === impl Budget ===

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes)))
    }

    /// Adds `bytes` to `share`.
    fn take(&self, bytes: usize, share: &mut Share) -> Result<(), Unread> {
        let bytes = u32::try_from(bytes).map_err(|_| Unread::Crowded)?;
        let taken = Arc::clone(&self.0).try_acquire_many_owned(bytes).map_err(|_| Unread::Crowded)?;
        match &mut share.0 {
            Some(share) => share.merge(taken),
            none => *none = Some(taken),
        }
        Ok(())
    }
}

// === impl Unread ===

impl Unread {
    /// The answer to a request whose body was not read.
    pub(crate) fn reply(&self) -> Reply {
        let status = match self {
            Self::Broken => StatusCode::BAD_REQUEST,
            Self::Crowded => StatusCode::TOO_MANY_REQUESTS,
            Self::Slow(_) => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        };
        reply::problem(status, self.to_string())
    }
}
