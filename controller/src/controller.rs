//! The loop: changes in, work out.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use dataservice_core::reconcile::Kind;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use kube::runtime::watcher::Event;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::apply::{Context, Outcome, apply};
use crate::index::{Index, ServiceRef, service_ref};
use crate::queue::Queue;
use crate::watch::{Change, Watched, watch};

/// The controller: it owns all that is known, so that nothing is locked.
pub struct Controller {
    context: Context,
    index: Index,
    queue: Queue,
    /// The names seen since a watch started over, until it has listed all.
    listing: HashMap<Watched, BTreeSet<Listed>>,
    /// The watches that have listed all at least once.
    listed: BTreeSet<u8>,
    /// Objects that were made and that no watch has shown yet.
    unseen: HashMap<ServiceRef, Unseen>,
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

/// An object in a list: a pod's uid, or a service.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Listed {
    Pod(String),
    Service(ServiceRef),
}

/// Objects that were made a moment ago.
struct Unseen {
    objects: Vec<(Kind, String)>,
    /// When to believe the watches again, whatever they showed.
    until: Instant,
}

type Work = BoxFuture<'static, (ServiceRef, Outcome)>;

// === impl Controller ===

impl Controller {
    /// A controller that knows nothing yet.
    #[must_use]
    pub fn new(context: Context) -> Self {
        Self {
            context,
            index: Index::default(),
            queue: Queue::default(),
            listing: HashMap::new(),
            listed: BTreeSet::new(),
            unseen: HashMap::new(),
            synced: watch::Sender::new(false),
        }
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
                Some(change) = changes.next() => self.note(change),
                Some((service, outcome)) = work.next() => self.finish(service, outcome),
                service = self.queue.next(), if may_work => work.extend(self.start(service)),
            }
        }
        while let Some((service, outcome)) = work.next().await {
            self.finish(service, outcome);
        }
    }

    /// Takes a change in, and queues the services that it touches.
    fn note(&mut self, (watched, change): Change) {
        let touched = match change {
            Ok(Event::Init) => {
                self.listing.insert(watched, BTreeSet::new());
                Vec::new()
            }
            Ok(Event::InitApply(object)) => {
                self.listing.entry(watched).or_default().extend(listed(watched, &object));
                self.apply(watched, &object)
            }
            Ok(Event::Apply(object)) => self.apply(watched, &object),
            Ok(Event::Delete(object)) => self.delete(watched, &object),
            Ok(Event::InitDone) => self.complete(watched),
            Err(error) => {
                tracing::warn!(?watched, %error, "A watch failed; it starts over");
                Vec::new()
            }
        };
        let now = Instant::now();
        for service in touched {
            self.queue.push(service, now);
        }
    }

    fn apply(&mut self, watched: Watched, object: &Value) -> Vec<ServiceRef> {
        match watched {
            Watched::Consumers => self.index.apply_pod(object).unwrap_or_else(|error| {
                let pod = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
                tracing::warn!(pod, %error, "A pod carries our label and cannot be understood; it is left alone");
                Vec::new()
            }),
            Watched::Objects(kind) => {
                self.saw(kind, object);
                self.index.apply_object(kind, object).into_iter().collect()
            }
        }
    }

    fn delete(&mut self, watched: Watched, object: &Value) -> Vec<ServiceRef> {
        match watched {
            Watched::Consumers => uid(object).map(|uid| self.index.delete_pod(uid)).unwrap_or_default(),
            Watched::Objects(kind) => {
                self.saw(kind, object);
                self.index.delete_object(kind, object).into_iter().collect()
            }
        }
    }

    /// A watch has listed all: what it did not list is gone. When all have, work may start.
    fn complete(&mut self, watched: Watched) -> Vec<ServiceRef> {
        let listed = self.listing.remove(&watched).unwrap_or_default();
        let touched = match watched {
            Watched::Consumers => {
                let pods = listed.into_iter().filter_map(|l| match l {
                    Listed::Pod(uid) => Some(uid),
                    Listed::Service(_) => None,
                });
                self.index.retain_pods(&pods.collect())
            }
            Watched::Objects(kind) => {
                let services = listed.into_iter().filter_map(|l| match l {
                    Listed::Service(service) => Some(service),
                    Listed::Pod(_) => None,
                });
                self.index.retain_objects(kind, &services.collect())
            }
        };
        self.listed.insert(watched.ordinal());
        if self.listed.len() == Watched::COUNT && !*self.synced.borrow() {
            tracing::info!(consumers = self.index.consumers(), "All that is there has been seen");
            self.synced.send_replace(true);
        }
        touched
    }

    /// A watch has shown an object: it is no longer waited for.
    fn saw(&mut self, kind: Kind, object: &Value) {
        let (Some(service), Some(uid)) = (service_ref(object), uid(object)) else { return };
        if let Some(unseen) = self.unseen.get_mut(&service) {
            unseen.objects.retain(|(unseen_kind, unseen)| (*unseen_kind, unseen.as_str()) != (kind, uid));
            if unseen.objects.is_empty() {
                self.unseen.remove(&service);
                self.queue.push(service, Instant::now());
            }
        }
    }

    /// Starts work at a service, unless what was just made for it has not been seen yet.
    fn start(&mut self, service: ServiceRef) -> Option<Work> {
        let now = Instant::now();
        if let Some(until) = self.unseen.get(&service).map(|unseen| unseen.until).filter(|until| now < *until)
        {
            self.queue.done(service.clone());
            self.queue.push(service, until);
            return None;
        }
        self.unseen.remove(&service);
        let (context, snapshot) = (self.context.clone(), self.index.snapshot(&service));
        Some(Box::pin(async move {
            let outcome = apply(&context, &service, &snapshot).await;
            (service, outcome)
        }))
    }

    fn finish(&mut self, service: ServiceRef, outcome: Outcome) {
        for (kind, uid) in &outcome.deleted {
            self.index.mark_deleting(&service, *kind, uid);
        }
        let unseen: Vec<_> =
            outcome.created.into_iter().filter(|(kind, uid)| !self.index.has(&service, *kind, uid)).collect();
        if !unseen.is_empty() {
            let until = Instant::now() + UNSEEN_FOR;
            self.unseen.insert(service.clone(), Unseen { objects: unseen, until });
        }
        if let Some(at) = outcome.revisit {
            let wait = Duration::try_from(at.duration_since(Timestamp::now())).unwrap_or_default();
            self.queue.push(service.clone(), Instant::now() + wait);
        }
        match outcome.error {
            None => self.queue.done(service),
            Some(error) => {
                let retry_in = self.queue.failed(service.clone());
                tracing::warn!(%service, %error, ?retry_in, "Failed to reconcile");
            }
        }
    }
}

// === impl Watched ===

impl Watched {
    const COUNT: usize = 3;

    fn ordinal(self) -> u8 {
        match self {
            Self::Consumers => 0,
            Self::Objects(Kind::Service) => 1,
            Self::Objects(Kind::StatefulSet) => 2,
        }
    }
}

fn listed(watched: Watched, object: &Value) -> Option<Listed> {
    match watched {
        Watched::Consumers => uid(object).map(|uid| Listed::Pod(uid.to_owned())),
        Watched::Objects(_) => service_ref(object).map(Listed::Service),
    }
}

fn uid(object: &Value) -> Option<&str> {
    object.pointer("/metadata/uid")?.as_str()
}

/// As many services as are worked at together. The API server alone creates some 400 objects a second.
const MOST_WORK: usize = 32;
/// How long watches may lag before they are believed again.
const UNSEEN_FOR: Duration = Duration::from_secs(5);
