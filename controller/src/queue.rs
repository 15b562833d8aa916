//! Which item is to be looked at, and when: each at most once in the queue, and at its earliest time.

use std::collections::{HashMap, HashSet};
use std::future::poll_fn;
use std::hash::Hash;
use std::task::Poll;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;
use tokio_util::time::{DelayQueue, delay_queue};

/// The items that wait to be looked at. Its size is bounded by the number of items there are.
#[derive(Debug)]
pub struct Queue<T> {
    delays: DelayQueue<T>,
    waiting: HashMap<T, (delay_queue::Key, Instant)>,
    /// Those that somebody works at: whatever comes for them waits until that is done.
    busy: HashSet<T>,
    /// Of the busy ones, those to look at again, and when.
    again: HashMap<T, Instant>,
    failures: HashMap<T, Failing>,
}

/// An item at which work fails.
#[derive(Debug)]
struct Failing {
    backoff: ExponentialBackoff,
    since: Instant,
}

// === impl Queue ===

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            delays: DelayQueue::new(),
            waiting: HashMap::new(),
            busy: HashSet::new(),
            again: HashMap::new(),
            failures: HashMap::new(),
        }
    }
}

impl<T: Clone + Eq + Hash> Queue<T> {
    /// Looks at `item` at `at`, or earlier if that was asked for already.
    pub fn push(&mut self, item: T, at: Instant) {
        if self.busy.contains(&item) {
            let again = self.again.entry(item).or_insert(at);
            *again = at.min(*again);
            return;
        }
        match self.waiting.get_mut(&item) {
            Some((_, earlier)) if *earlier <= at => {}
            Some((key, later)) => {
                *later = at;
                self.delays.reset_at(key, at);
            }
            None => {
                let key = self.delays.insert_at(item.clone(), at);
                self.waiting.insert(item, (key, at));
            }
        }
    }

    /// The next item whose time has come; it is busy until [`done`](Self::done). Cancel safe.
    pub async fn next(&mut self) -> T {
        let item = poll_fn(|cx| match self.delays.poll_expired(cx) {
            Poll::Ready(Some(expired)) => Poll::Ready(expired.into_inner()),
            // Empty: whoever pushes polls again.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        })
        .await;
        self.waiting.remove(&item);
        self.busy.insert(item.clone());
        item
    }

    /// The work at `item` is done, well.
    pub fn done(&mut self, item: T) {
        self.failures.remove(&item);
        self.free(item);
    }

    /// The work at `item` failed: it is tried again, later each time. Says when.
    pub fn failed(&mut self, item: T) -> Duration {
        let now = Instant::now();
        let failing = self
            .failures
            .entry(item.clone())
            .or_insert_with(|| Failing { backoff: RETRY.build(), since: now });
        // The builder sets no maximum of tries.
        let delay = failing.backoff.next().unwrap_or(LONGEST_RETRY);
        self.busy.remove(&item);
        // What came in meanwhile may have mended it.
        let retry = now + delay;
        let at = self.again.remove(&item).map_or(retry, |again| again.min(retry));
        self.push(item, at);
        delay
    }

    /// For how long the work at `item` has failed again and again.
    #[must_use]
    pub fn failing_for(&self, item: &T) -> Duration {
        self.failures.get(item).map(|failing| failing.since.elapsed()).unwrap_or_default()
    }

    /// How many items are being worked at.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.busy.len()
    }

    fn free(&mut self, item: T) {
        self.busy.remove(&item);
        if let Some(at) = self.again.remove(&item) {
            self.push(item, at);
        }
    }
}

const LONGEST_RETRY: Duration = Duration::from_secs(30);
const RETRY: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(100))
    .with_max_delay(LONGEST_RETRY)
    .with_factor(2.0)
    .with_jitter()
    .without_max_times();

#[cfg(test)]
mod tests {
    use super::*;

    async fn waits(queue: &mut Queue<&str>) -> bool {
        tokio::time::timeout(Duration::from_millis(1), queue.next()).await.is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_is_looked_at_once_and_at_its_earliest() {
        let (mut queue, start) = (Queue::default(), Instant::now());
        queue.push("a", start + Duration::from_secs(9));
        queue.push("a", start + Duration::from_secs(5));
        queue.push("a", start + Duration::from_secs(7));
        assert_eq!(queue.next().await, "a");
        assert_eq!(start.elapsed().as_secs(), 5);
        queue.done("a");
        assert!(waits(&mut queue).await);
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_for_a_busy_service_waits_for_it() {
        let mut queue = Queue::default();
        queue.push("a", Instant::now());
        assert_eq!(queue.next().await, "a");
        queue.push("a", Instant::now());
        assert!(waits(&mut queue).await);
        queue.done("a");
        assert_eq!(queue.next().await, "a");
    }

    #[tokio::test(start_paused = true)]
    async fn failures_back_off_and_are_capped() {
        let mut queue = Queue::default();
        queue.push("a", Instant::now());
        let mut delays = Vec::new();
        for _ in 0..12 {
            assert_eq!(queue.next().await, "a");
            delays.push(queue.failed("a"));
        }
        assert!(delays[0] < Duration::from_millis(201), "{delays:?}");
        assert!(delays[4] > delays[0] * 4, "{delays:?}");
        assert!(delays.iter().all(|delay| *delay <= LONGEST_RETRY * 2), "{delays:?}");
        queue.next().await;
        assert!(queue.failing_for(&"a") >= delays.iter().sum(), "{:?}", queue.failing_for(&"a"));
        queue.done("a");
        assert!(queue.failing_for(&"a").is_zero());
        queue.push("a", Instant::now());
        queue.next().await;
        assert!(queue.failed("a") < Duration::from_millis(201), "success forgets failures");
    }
}
