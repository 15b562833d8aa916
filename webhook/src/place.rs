//! The places of the pods that follow their services.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// So many places, of which a pod has at most one: its newer stream takes that of the older, whose reader has most
/// likely gone without a word. One pod can thus not take them all.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    most: usize,
    /// By the uid of their pod. What is dropped here is taken.
    taken: Arc<Mutex<Taken>>,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    uid: String,
    taken: Arc<Mutex<Taken>>,
    lost: oneshot::Receiver<()>,
}

type Taken = HashMap<String, oneshot::Sender<()>>;

// === impl Places ===

impl Places {
    pub(crate) fn at_most(most: usize) -> Self {
        Self { most, taken: Arc::default() }
    }

    /// Whether all are taken.
    pub(crate) fn are_taken(&self) -> bool {
        lock(&self.taken).len() >= self.most
    }

    /// A place for the pod with `uid`, if there is one or if it has one.
    pub(crate) fn take(&self, uid: &str) -> Option<Place> {
        let mut taken = lock(&self.taken);
        if taken.len() >= self.most && !taken.contains_key(uid) {
            return None;
        }
        let (keep, lost) = oneshot::channel();
        taken.insert(uid.to_owned(), keep);
        Some(Place { uid: uid.to_owned(), taken: Arc::clone(&self.taken), lost })
    }
}

// === impl Place ===

impl Place {
    /// Ends when a newer stream of the same pod has taken it.
    pub(crate) async fn lost(&mut self) {
        // Nothing is ever sent.
        let _ = (&mut self.lost).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.lost.close();
        let mut taken = lock(&self.taken);
        // Not if it belongs to a newer stream by now.
        if taken.get(&self.uid).is_some_and(oneshot::Sender::is_closed) {
            taken.remove(&self.uid);
        }
    }
}

fn lock(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    // Every change is one operation: a panic elsewhere leaves nothing half-done.
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn there_are_only_so_many() {
        let places = Places::at_most(2);
        let (_a, b) = (places.take("a").unwrap(), places.take("b").unwrap());
        assert!(places.are_taken());
        assert!(places.take("c").is_none());
        drop(b);
        assert!(!places.are_taken());
        assert!(places.take("c").is_some());
    }

    #[test]
    fn a_pods_newer_stream_takes_the_place_of_the_older() {
        let places = Places::at_most(1);
        let mut older = places.take("a").unwrap();
        assert_eq!(older.lost().now_or_never(), None);
        let mut newer = places.take("a").unwrap();
        assert_eq!(older.lost().now_or_never(), Some(()));
        assert_eq!(newer.lost().now_or_never(), None);
        drop(older);
        assert!(places.are_taken(), "by the newer");
        drop(newer);
        assert!(!places.are_taken());
    }
}
