//! Following how far a pod's services are: from memory, and the last word from the API server itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use dataservice_core::consumer::PodRef;
use dataservice_core::progress::{Progress, State};
use dataservice_core::reconcile::{Kind, Object};
use futures::Stream;
use futures::stream::unfold;
use jiff::Timestamp;
use kube::Client;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout};

use crate::apply::json;
use crate::index::{Index, ServiceRef};
use crate::kind;
use crate::known::Known;

/// The handle by which others follow what the controller knows.
#[derive(Clone)]
pub struct Follower {
    client: Client,
    requests: mpsc::Sender<Request>,
    known: Arc<Known>,
}

/// How far a pod's services are, as it is told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Standing {
    /// A cause that waiting cannot mend. The last word.
    Failed {
        /// The cause.
        message: String,
    },
    /// All servers of all services are ready. The last word.
    Ready {
        /// What is ready.
        message: String,
    },
    /// Not yet.
    Waiting {
        /// What is missing.
        message: String,
        /// When the pod has waited for long enough, if nothing changes.
        until: Instant,
    },
}

/// Somebody wants to follow a pod.
#[derive(Debug)]
pub(crate) struct Request {
    uid: String,
    reply: oneshot::Sender<watch::Receiver<Option<Seen>>>,
}

/// What the index says of a pod; nothing of one that it does not know.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Seen {
    progress: Progress,
    deadline: Option<Timestamp>,
    /// The StatefulSets that say so, by uid.
    sets: Vec<(ServiceRef, String)>,
}

/// Those who follow, by the pod's uid. Bounded by those who ask: the webhook bounds its streams.
#[derive(Debug, Default)]
pub(crate) struct Followers(HashMap<String, watch::Sender<Option<Seen>>>);

// === impl Follower ===

impl Follower {
    pub(crate) fn new(client: Client) -> (Self, mpsc::Receiver<Request>) {
        let (requests, received) = mpsc::channel(MOST_REQUESTS);
        (Self { client, requests, known: Arc::default() }, received)
    }

    /// What admission may know of what is there.
    #[must_use]
    pub fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known)
    }

    /// How far the services of `pod` are now, and then each change, until a last word. It ends without one if the
    /// controller ends; while the pod is unknown there is nothing.
    pub fn follow(&self, pod: &PodRef) -> impl Stream<Item = Standing> + Send + use<> {
        let follower = self.clone();
        let begin = Following::Beginning(pod.uid.clone());
        unfold(begin, move |following| {
            let follower = follower.clone();
            async move { following.next(&follower).await }
        })
    }

    async fn subscribe(&self, uid: String) -> Option<watch::Receiver<Option<Seen>>> {
        let (reply, received) = oneshot::channel();
        self.requests.send(Request { uid, reply }).await.ok()?;
        received.await.ok()
    }

    /// The last look, at the API server itself: a service that is about to be closed, or was made anew, is not ready
    /// whatever the watches have shown so far (design §3). What cannot be looked at is looked at again.
    async fn last_look(&self, sets: &[(ServiceRef, String)]) -> Look {
        match timeout(LONGEST_LOOK, self.are_still_so(sets)).await {
            Ok(Ok(true)) => Look::StillSo,
            Ok(Ok(false)) => Look::NotSo,
            Ok(Err(error)) => {
                tracing::debug!(%error, "A service that is ready could not be looked at once more");
                Look::Unknown
            }
            Err(elapsed) => {
                tracing::debug!(%elapsed, "A service that is ready could not be looked at once more");
                Look::Unknown
            }
        }
    }

    async fn are_still_so(&self, sets: &[(ServiceRef, String)]) -> Result<bool, kube::Error> {
        for (service, uid) in sets {
            let api = kind::namespaced(&self.client, &service.namespace, &kind::resource(Kind::StatefulSet));
            let set = api.get_opt(service.object.as_str()).await?.map(json).as_ref().and_then(Object::read);
            if !set.is_some_and(|set| set.uid == *uid && !set.deleting && !set.record.closing) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// What the API server itself says of services that are ready as far as is known.
enum Look {
    /// One of them is another by now, or about to go.
    NotSo,
    /// They are.
    StillSo,
    /// It did not say.
    Unknown,
}

/// Where a stream is.
enum Following {
    Beginning(String),
    Going(watch::Receiver<Option<Seen>>),
    /// What is known has not changed, and is to be looked at once more, after the next pause.
    Doubting(watch::Receiver<Option<Seen>>, ExponentialBackoff),
    Ended,
}

// === impl Following ===

impl Following {
    async fn next(self, follower: &Follower) -> Option<(Standing, Self)> {
        let (mut seen, pauses) = match self {
            Self::Beginning(uid) => (follower.subscribe(uid).await?, PAUSES.build()),
            Self::Going(mut seen) => {
                seen.changed().await.ok()?;
                (seen, PAUSES.build())
            }
            Self::Doubting(mut seen, mut pauses) => {
                let pause = pauses.next().unwrap_or(LONGEST_PAUSE);
                if let Ok(changed) = timeout(pause, seen.changed()).await {
                    changed.ok()?;
                    pauses = PAUSES.build();
                }
                (seen, pauses)
            }
            Self::Ended => return None,
        };
        loop {
            let now = seen.borrow_and_update().clone();
            if let Some(now) = now {
                return Some(Self::judge(now, seen, pauses, follower).await);
            }
            seen.changed().await.ok()?;
        }
    }

    async fn judge(
        now: Seen,
        seen: watch::Receiver<Option<Seen>>,
        pauses: ExponentialBackoff,
        follower: &Follower,
    ) -> (Standing, Self) {
        let until = now.deadline.map_or_else(Instant::now, instant);
        let Seen { progress: Progress { state, message, .. }, sets, .. } = now;
        match state {
            State::Failed => (Standing::Failed { message }, Self::Ended),
            State::Waiting => (Standing::Waiting { message, until }, Self::Going(seen)),
            State::Ready => {
                let doubt = match follower.last_look(&sets).await {
                    Look::StillSo => return (Standing::Ready { message }, Self::Ended),
                    Look::NotSo => "looking once more",
                    Look::Unknown => "the API server could not be asked whether that is still so",
                };
                // Nothing progresses any more where all are ready: the deadline may have been long ago, and is not the
                // pod's to miss.
                let until = until.max(Instant::now() + DOUBTED_FOR);
                (
                    Standing::Waiting { message: format!("{message}; {doubt}"), until },
                    Self::Doubting(seen, pauses),
                )
            }
        }
    }
}

// === impl Followers ===

impl Followers {
    /// Lets somebody follow a pod, from what `index` says of it now.
    pub(crate) fn accept(&mut self, request: Request, index: &Index) {
        self.0.retain(|_, followed| followed.receiver_count() > 0);
        let Request { uid, reply } = request;
        let followed = self.0.entry(uid).or_insert_with_key(|uid| watch::Sender::new(seen(uid, index)));
        // Whoever asked may be gone.
        let _ = reply.send(followed.subscribe());
    }

    /// Whether somebody has asked for a pod.
    pub(crate) fn has(&self, uid: &str) -> bool {
        self.0.contains_key(uid)
    }

    /// Something may have changed for a pod.
    pub(crate) fn tell(&self, uid: &str, index: &Index) {
        if let Some(followed) = self.0.get(uid) {
            let now = seen(uid, index);
            followed.send_if_modified(|then| {
                let changed = *then != now;
                *then = now;
                changed
            });
        }
    }
}

fn seen(uid: &str, index: &Index) -> Option<Seen> {
    let consumer = index.consumer(uid)?;
    let (progress, sets) = index.progress(consumer);
    Some(Seen { deadline: progress.deadline(consumer), progress, sets })
}

/// That moment on our own clock; now, if it has passed.
pub(crate) fn instant(at: Timestamp) -> Instant {
    let wait = Duration::try_from(at.duration_since(Timestamp::now())).unwrap_or_default();
    Instant::now() + wait.min(LONGEST_WAIT)
}

/// Requests that wait for the controller, each of microseconds.
const MOST_REQUESTS: usize = 256;
/// How long a pod whose services are ready as far as is known waits on, at least, for the last word.
const DOUBTED_FOR: Duration = Duration::from_secs(30);
/// How long the API server may take for the last word.
const LONGEST_LOOK: Duration = Duration::from_secs(10);
/// Less than what a pod waits on for. Jitter doubles a pause at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long a service that is ready and about to go is believed to be so; after that there may be thousands who ask.
const PAUSES: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(250))
    .with_max_delay(LONGEST_PAUSE)
    .with_factor(2.0)
    .with_jitter()
    .without_max_times();
/// A clock's range is not a calendar's. Who waits longer is looked at once in between.
const LONGEST_WAIT: Duration = Duration::from_hours(24 * 30);

#[cfg(test)]
mod tests;
