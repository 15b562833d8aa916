//! The loop: changes in, work out.

mod news;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use dataservice_core::reconcile::Kind;
use dataservice_core::usher::{Step, usher};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::apply::{Context, Outcome, Past, apply};
use crate::error::Error;
use crate::escort;
use crate::follow::{Follower, Followers, Request, instant};
use crate::index::{Index, ServiceRef};
use crate::known::Known;
use crate::queue::Queue;
use crate::watch::{Watched, watch};

use self::news::Listing;

/// The controller: it owns all that is known, so that nothing is locked.
pub struct Controller {
    context: Context,
    index: Index,
    queue: Queue<Item>,
    followers: Followers,
    requests: mpsc::Receiver<Request>,
    known: Arc<Known>,
    /// What each watch that started over has listed so far.
    listing: HashMap<Watched, Listing>,
    /// The watches that have not listed all even once.
    unlisted: Vec<Watched>,
    /// Objects that were made and that no watch has shown yet.
    unseen: HashMap<ServiceRef, Unseen>,
    /// The pods that were told at the last look that they do not get a service.
    refused: HashMap<ServiceRef, Vec<String>>,
    synced: watch::Sender<bool>,
}

/// A controller that runs.
#[derive(Debug)]
pub struct Running {
    /// Whether it has seen all there is, so that it may act.
    pub synced: watch::Receiver<bool>,
    /// Its task.
    pub task: tokio::task::JoinHandle<()>,
}

/// What is looked at.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
enum Item {
    /// A pod that waits, by its uid.
    Pod(String),
    /// A service.
    Service(ServiceRef),
}

/// Objects that were made a moment ago.
struct Unseen {
    objects: Vec<(Kind, String)>,
    /// When to believe the watches again, whatever they showed.
    until: Instant,
}

/// What came of the work at an item.
enum Worked {
    Pod(String, Result<(), Error>),
    Service(ServiceRef, Box<Outcome>),
}

type Work = BoxFuture<'static, Worked>;

// === impl Controller ===

impl Controller {
    /// A controller that knows nothing yet, and the handle by which others follow what it knows.
    #[must_use]
    pub fn new(context: Context) -> (Self, Follower) {
        let (follower, requests) = Follower::new(context.client.clone());
        let controller = Self {
            context,
            index: Index::default(),
            queue: Queue::default(),
            followers: Followers::default(),
            requests,
            known: follower.known(),
            listing: HashMap::new(),
            unlisted: Watched::ALL.to_vec(),
            unseen: HashMap::new(),
            refused: HashMap::new(),
            synced: watch::Sender::new(false),
        };
        (controller, follower)
    }

    /// Runs until `shutdown` resolves; what is under way then is finished.
    pub fn spawn(self, shutdown: impl Future<Output = ()> + Send + 'static) -> Running {
        let synced = self.synced.subscribe();
        Running { synced, task: tokio::spawn(self.run(shutdown)) }
    }

    async fn run(mut self, shutdown: impl Future<Output = ()>) {
        let mut changes = watch(&self.context.client);
        let mut work: FuturesUnordered<Work> = FuturesUnordered::new();
        tokio::pin!(shutdown);
        loop {
            let may_work = *self.synced.borrow() && self.queue.busy() < MOST_WORK;
            tokio::select! {
                () = &mut shutdown => break,
                Some(change) = changes.next() => {
                    let touched = self.note(change);
                    self.touch(touched);
                }
                Some(request) = self.requests.recv() => self.followers.accept(request, &self.index),
                Some(worked) = work.next() => self.finish(worked),
                item = self.queue.next(), if may_work => work.extend(self.start(item)),
            }
        }
        while let Some(worked) = work.next().await {
            self.finish(worked);
        }
    }

    /// Something about these services has changed: they are looked at, and those who wait for them are told.
    fn touch(&mut self, services: Vec<ServiceRef>) {
        let now = Instant::now();
        let (mut followed, mut waiting) = (BTreeSet::new(), BTreeSet::new());
        for service in services {
            for consumer in self.index.consumers_of(&service) {
                let uid = &consumer.pod.uid;
                // Whoever asks is told, whatever its status says so far.
                followed.extend(self.followers.has(uid).then(|| uid.clone()));
                waiting.extend(escort::is_waiting(consumer).then(|| uid.clone()));
            }
            self.known.show(&service, self.index.standing(&service));
            self.queue.push(Item::Service(service), now);
        }
        for uid in followed {
            self.followers.tell(&uid, &self.index);
        }
        for uid in waiting {
            self.queue.push(Item::Pod(uid), now);
        }
    }

    /// Starts work at an item, if there is any.
    fn start(&mut self, item: Item) -> Option<Work> {
        match item {
            Item::Pod(uid) => self.start_pod(uid),
            Item::Service(service) => self.start_service(service),
        }
    }

    fn start_pod(&mut self, uid: String) -> Option<Work> {
        let (now, item) = (Timestamp::now(), Item::Pod(uid.clone()));
        let consumer = self.index.consumer(&uid).cloned();
        let step =
            consumer.as_ref().and_then(|consumer| usher(consumer, &self.index.progress(consumer).0, now));
        if let Some(Step::Revisit(at)) = step {
            self.queue.push(item.clone(), instant(at));
        }
        let (Some(consumer), Some(step @ (Step::Lift | Step::End { .. }))) = (consumer, step) else {
            self.queue.done(item);
            return None;
        };
        let context = self.context.clone();
        Some(Box::pin(async move { Worked::Pod(uid, escort::carry_out(&context, &consumer, step).await) }))
    }

    /// Not while what was just made for it has not been seen yet.
    fn start_service(&mut self, service: ServiceRef) -> Option<Work> {
        let now = Instant::now();
        if let Some(until) = self.unseen.get(&service).map(|unseen| unseen.until).filter(|until| now < *until)
        {
            self.queue.done(Item::Service(service.clone()));
            self.queue.push(Item::Service(service), until);
            return None;
        }
        self.unseen.remove(&service);
        let (context, snapshot) = (self.context.clone(), self.index.snapshot(&service));
        let past = Past {
            failing_for: self.queue.failing_for(&Item::Service(service.clone())),
            refused: self.refused.remove(&service).unwrap_or_default(),
        };
        Some(Box::pin(async move {
            let outcome = apply(&context, &service, &snapshot, &past).await;
            Worked::Service(service, Box::new(outcome))
        }))
    }

    fn finish(&mut self, worked: Worked) {
        match worked {
            Worked::Pod(uid, result) => self.close_work(Item::Pod(uid), result.err()),
            Worked::Service(service, outcome) => self.finish_service(service, *outcome),
        }
    }

    fn finish_service(&mut self, service: ServiceRef, outcome: Outcome) {
        for (kind, uid) in &outcome.deleted {
            self.index.mark_deleting(&service, *kind, uid);
        }
        let updated = outcome.updated.iter();
        let updated = updated.filter_map(|(kind, object)| self.index.apply_answer(*kind, object)).count();
        let unseen: Vec<_> =
            outcome.created.into_iter().filter(|(kind, uid)| !self.index.has(&service, *kind, uid)).collect();
        if !unseen.is_empty() {
            let until = Instant::now() + UNSEEN_FOR;
            self.unseen.insert(service.clone(), Unseen { objects: unseen, until });
        }
        if !outcome.refused.is_empty() {
            self.refused.insert(service.clone(), outcome.refused);
        }
        let item = Item::Service(service.clone());
        if let Some(at) = outcome.revisit {
            self.queue.push(item.clone(), instant(at));
        }
        self.close_work(item, outcome.error);
        if updated > 0 {
            self.touch(vec![service]);
        }
    }

    fn close_work(&mut self, item: Item, error: Option<Error>) {
        match error {
            None => self.queue.done(item),
            Some(error) => {
                let retry_in = self.queue.failed(item.clone());
                match error {
                    Error::Changed(_) => tracing::debug!(?item, %error, ?retry_in, "Somebody else was first"),
                    error => tracing::warn!(?item, %error, ?retry_in, "Failed to reconcile"),
                }
            }
        }
    }
}

/// As many items as are worked at together. The API server alone creates some 400 objects a second.
const MOST_WORK: usize = 32;
/// How long watches may lag before they are believed again.
const UNSEEN_FOR: Duration = Duration::from_secs(5);
