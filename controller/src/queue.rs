//! Which service is to be looked at, and when: each at most once in the queue, and at its earliest time.

use std::collections::{HashMap, HashSet};
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;
use tokio_util::time::{DelayQueue, delay_queue};

use crate::index::ServiceRef;

/// The services that wait to be looked at. Its size is bounded by the number of services there are.
#[derive(Debug, Default)]
pub struct Queue {
    delays: DelayQueue<ServiceRef>,
    waiting: HashMap<ServiceRef, (delay_queue::Key, Instant)>,
    /// Those that somebody works at: whatever comes for them waits until that is done.
    busy: HashSet<ServiceRef>,
    /// Of the busy ones, those to look at again, and when.
    again: HashMap<ServiceRef, Instant>,
    failures: HashMap<ServiceRef, ExponentialBackoff>,
}

// === impl Queue ===

impl Queue {
    /// Looks at `service` at `at`, or earlier if that was asked for already.
    pub fn push(&mut self, service: ServiceRef, at: Instant) {
        if self.busy.contains(&service) {
            let again = self.again.entry(service).or_insert(at);
            *again = at.min(*again);
            return;
        }
        match self.waiting.get_mut(&service) {
            Some((_, earlier)) if *earlier <= at => {}
            Some((key, later)) => {
                *later = at;
                self.delays.reset_at(key, at);
            }
            None => {
                let key = self.delays.insert_at(service.clone(), at);
                self.waiting.insert(service, (key, at));
            }
        }
    }

    /// The next service whose time has come; it is busy until [`done`](Self::done). Cancel safe.
    pub async fn next(&mut self) -> ServiceRef {
        let service = poll_fn(|cx| match self.delays.poll_expired(cx) {
            Poll::Ready(Some(expired)) => Poll::Ready(expired.into_inner()),
            // Empty: whoever pushes polls again.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        })
        .await;
        self.waiting.remove(&service);
        self.busy.insert(service.clone());
        service
    }

    /// The work at `service` is done, well.
    pub fn done(&mut self, service: ServiceRef) {
        self.failures.remove(&service);
        self.free(service);
    }

    /// The work at `service` failed: it is tried again, later each time. Says when.
    pub fn failed(&mut self, service: ServiceRef) -> Duration {
        let backoff = self.failures.entry(service.clone()).or_insert_with(|| RETRY.build());
        // The builder sets no maximum of tries.
        let delay = backoff.next().unwrap_or(LONGEST_RETRY);
        self.busy.remove(&service);
        // What came in meanwhile may have mended it.
        let retry = Instant::now() + delay;
        let at = self.again.remove(&service).map_or(retry, |again| again.min(retry));
        self.push(service, at);
        delay
    }

    /// How many services are being worked at.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.busy.len()
    }

    fn free(&mut self, service: ServiceRef) {
        self.busy.remove(&service);
        if let Some(at) = self.again.remove(&service) {
            self.push(service, at);
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

    fn service(name: &str) -> ServiceRef {
        ServiceRef { namespace: "ns".to_owned(), object: name.into() }
    }

    async fn waits(queue: &mut Queue) -> bool {
        tokio::time::timeout(Duration::from_millis(1), queue.next()).await.is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_is_looked_at_once_and_at_its_earliest() {
        let (mut queue, start) = (Queue::default(), Instant::now());
        queue.push(service("a"), start + Duration::from_secs(9));
        queue.push(service("a"), start + Duration::from_secs(5));
        queue.push(service("a"), start + Duration::from_secs(7));
        assert_eq!(queue.next().await, service("a"));
        assert_eq!(start.elapsed().as_secs(), 5);
        queue.done(service("a"));
        assert!(waits(&mut queue).await);
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_for_a_busy_service_waits_for_it() {
        let mut queue = Queue::default();
        queue.push(service("a"), Instant::now());
        assert_eq!(queue.next().await, service("a"));
        queue.push(service("a"), Instant::now());
        assert!(waits(&mut queue).await);
        queue.done(service("a"));
        assert_eq!(queue.next().await, service("a"));
    }

    #[tokio::test(start_paused = true)]
    async fn failures_back_off_and_are_capped() {
        let mut queue = Queue::default();
        queue.push(service("a"), Instant::now());
        let mut delays = Vec::new();
        for _ in 0..12 {
            assert_eq!(queue.next().await, service("a"));
            delays.push(queue.failed(service("a")));
        }
        assert!(delays[0] < Duration::from_millis(201), "{delays:?}");
        assert!(delays[4] > delays[0] * 4, "{delays:?}");
        assert!(delays.iter().all(|delay| *delay <= LONGEST_RETRY * 2), "{delays:?}");
        queue.next().await;
        queue.done(service("a"));
        queue.push(service("a"), Instant::now());
        queue.next().await;
        assert!(queue.failed(service("a")) < Duration::from_millis(201), "success forgets failures");
    }
}
