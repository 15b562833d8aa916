//! What is known of consumers, objects and servers: events in, values out.

mod early;
mod entry;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use dataservice_core::consumer::{Consumer, InvalidConsumer, PodRef};
use dataservice_core::key::ServiceObject;
use dataservice_core::plan::PlannedService;
use dataservice_core::progress::{Progress, Told};
use dataservice_core::reconcile::{Claim, Kind, Object, Observed};
use dataservice_core::server::Server;
use serde_json::Value;

use self::early::Early;
use self::entry::Entry;

/// Which service: the namespace and the name of its objects.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ServiceRef {
    /// The namespace.
    pub namespace: String,
    /// What its objects are called.
    pub object: ServiceObject,
}

/// All that watches have shown.
///
/// Every change hands back the services that it touches.
#[derive(Debug, Default)]
pub struct Index {
    consumers: HashMap<String, Arc<Consumer>>,
    services: HashMap<ServiceRef, Box<Entry>>,
    early: Early,
}

/// What is known of one service at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The pods that were promised it.
    pub consumers: Vec<Arc<Consumer>>,
    /// Its objects.
    pub observed: Observed,
}

/// Something that keeps a service from its pods, told by an event.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Notice {
    /// The uid of the pod or the StatefulSet that it was told about.
    pub about: String,
    /// What it says.
    pub told: Told,
}

// === impl ServiceRef ===

impl ServiceRef {
    /// The service that was promised to `consumer` so.
    #[must_use]
    pub fn of(consumer: &Consumer, service: &PlannedService) -> Self {
        Self { namespace: consumer.pod.namespace.clone(), object: service.object.clone() }
    }

    /// The service whose object this is, by its name.
    pub(crate) fn of_object(object: &Value) -> Option<Self> {
        Some(Self { namespace: namespace(object)?, object: text(object, "/metadata/name")?.into() })
    }

    /// The service whose server this is.
    fn of_server(pod: &Value) -> Option<Self> {
        Some(Self { namespace: namespace(pod)?, object: Server::service(pod)?.into() })
    }
}

impl fmt::Display for ServiceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.object)
    }
}

// === impl Index ===

impl Index {
    /// A pod with our label appeared or changed.
    pub fn apply_pod(&mut self, pod: &Value) -> Result<Vec<ServiceRef>, InvalidConsumer> {
        let consumer = Consumer::read(pod)?;
        let uid = consumer.pod.uid.clone();
        if self.consumers.get(&uid).is_some_and(|known| **known == consumer) {
            return Ok(Vec::new());
        }
        let now = services_of(&consumer);
        for service in &now {
            self.services.entry(service.clone()).or_default().consumers.insert(uid.clone());
        }
        // The plan of a pod never changes; where somebody changed it all the same, both are looked at.
        let then = self.consumers.insert(uid.clone(), Arc::new(consumer)).map(|then| services_of(&then));
        let left: Vec<_> =
            then.unwrap_or_default().into_iter().filter(|service| !now.contains(service)).collect();
        for service in &left {
            self.change(service, |entry| entry.forget_consumer(&uid));
        }
        Ok(now.into_iter().chain(left).collect())
    }

    /// A pod is gone.
    pub fn delete_pod(&mut self, uid: &str) -> Vec<ServiceRef> {
        let Some(consumer) = self.consumers.remove(uid) else { return Vec::new() };
        let touched = services_of(&consumer);
        for service in &touched {
            self.change(service, |entry| entry.forget_consumer(uid));
        }
        touched
    }

    /// All pods there are; those that are not among `uids` are gone.
    pub fn retain_pods(&mut self, uids: &HashSet<String>) -> Vec<ServiceRef> {
        let gone: Vec<_> = self.consumers.keys().filter(|uid| !uids.contains(*uid)).cloned().collect();
        gone.iter().flat_map(|uid| self.delete_pod(uid)).collect()
    }

    /// An object with our label appeared or changed. One that is not ours by its record counts as absent.
    pub fn apply_object(&mut self, kind: Kind, object: &Value) -> Option<ServiceRef> {
        let service = ServiceRef::of_object(object)?;
        let read = Object::read(object);
        self.change(&service, |entry| entry.show(kind, read)).then_some(service)
    }

    /// What an object was changed to, as the answer says. One that a watch has shown gone meanwhile does not come back:
    /// nothing would ever show it gone again.
    pub fn apply_answer(&mut self, kind: Kind, object: &Value) -> Option<ServiceRef> {
        let (service, uid) = (ServiceRef::of_object(object)?, text(object, "/metadata/uid")?);
        if self.has(&service, kind, uid) { self.apply_object(kind, object) } else { None }
    }

    /// An object is gone.
    pub fn delete_object(&mut self, kind: Kind, object: &Value) -> Option<ServiceRef> {
        let service = ServiceRef::of_object(object)?;
        self.change(&service, |entry| entry.lose(kind)).then_some(service)
    }

    /// All objects of this kind there are, by uid; the others are gone.
    pub fn retain_objects(&mut self, kind: Kind, uids: &HashSet<String>) -> Vec<ServiceRef> {
        self.change_all(|entry| {
            let is_gone = entry.observed.get(kind).is_some_and(|object| !uids.contains(&object.uid));
            is_gone && entry.lose(kind)
        })
    }

    /// A server appeared or changed.
    pub fn apply_server(&mut self, pod: &Value) -> Option<ServiceRef> {
        let service = ServiceRef::of_server(pod)?;
        let (uid, server) = (text(pod, "/metadata/uid")?.to_owned(), Server::read(pod)?);
        self.change(&service, |entry| entry.show_server(uid, server)).then_some(service)
    }

    /// A server is gone.
    pub fn delete_server(&mut self, pod: &Value) -> Option<ServiceRef> {
        let (service, uid) = (ServiceRef::of_server(pod)?, text(pod, "/metadata/uid")?);
        self.change(&service, |entry| entry.lose_servers(|there| there == uid)).then_some(service)
    }

    /// All servers there are, by uid; the others are gone.
    pub fn retain_servers(&mut self, uids: &HashSet<String>) -> Vec<ServiceRef> {
        self.change_all(|entry| entry.lose_servers(|uid| !uids.contains(uid)))
    }

    /// An event told of a service. What nobody here knows of, nobody waits for, once all has been seen.
    pub fn tell(&mut self, service: &ServiceRef, notice: Notice) -> Option<ServiceRef> {
        if let Some(entry) = self.services.get_mut(service) {
            return entry.tell(notice).then(|| service.clone());
        }
        self.early.keep(service, notice);
        None
    }

    /// All that is there has been seen: what was told of services before they were known is told now.
    pub fn complete(&mut self) -> Vec<ServiceRef> {
        let early = self.early.end();
        early.into_iter().filter_map(|(service, notice)| self.tell(&service, notice)).collect()
    }

    /// The API server has taken this object's deletion; the watch will show it.
    pub fn mark_deleting(&mut self, service: &ServiceRef, kind: Kind, uid: &str) {
        self.change(service, |entry| {
            if let Some(object) = entry.observed.slot(kind).as_mut().filter(|object| object.uid == uid) {
                object.deleting = true;
            }
            false
        });
    }

    /// Whether this object has been seen.
    #[must_use]
    pub fn has(&self, service: &ServiceRef, kind: Kind, uid: &str) -> bool {
        let object = self.services.get(service).and_then(|entry| entry.observed.get(kind));
        object.is_some_and(|object| object.uid == uid)
    }

    /// What is known of a service now.
    #[must_use]
    pub fn snapshot(&self, service: &ServiceRef) -> Snapshot {
        let Some(entry) = self.services.get(service) else { return Snapshot::default() };
        let consumers = entry.consumers.iter().filter_map(|uid| self.consumers.get(uid).cloned()).collect();
        Snapshot { consumers, observed: entry.observed.clone() }
    }

    /// The consumer with this uid.
    #[must_use]
    pub fn consumer(&self, uid: &str) -> Option<&Arc<Consumer>> {
        self.consumers.get(uid)
    }

    /// The pods that were promised a service.
    pub fn consumers_of(&self, service: &ServiceRef) -> impl Iterator<Item = &Arc<Consumer>> {
        let uids = self.services.get(service).into_iter().flat_map(|entry| &entry.consumers);
        uids.filter_map(|uid| self.consumers.get(uid))
    }

    /// How far all of a consumer's services are, and which StatefulSets say so.
    #[must_use]
    pub fn progress(&self, consumer: &Consumer) -> (Progress, Vec<(ServiceRef, String)>) {
        let mut sets = Vec::new();
        let each = consumer.plan.services.iter().map(|service| {
            let at = ServiceRef::of(consumer, service);
            let entry = self.services.get(&at);
            sets.extend(entry.and_then(|entry| entry.set_uid()).map(|uid| (at, uid)));
            entry.map_or_else(
                || Entry::default().progress(consumer, service),
                |entry| entry.progress(consumer, service),
            )
        });
        let progress = Progress::of_all(each.collect());
        (progress, sets)
    }

    /// The record of a service's StatefulSet, and why its pods were last told that they would wait in vain.
    #[must_use]
    pub fn standing(&self, service: &ServiceRef) -> Option<(Option<&Object>, Option<&Told>)> {
        let entry = self.services.get(service)?;
        Some((entry.observed.stateful_set.as_deref(), entry.last_failure()))
    }

    /// Every service that has a consumer, an object or a server.
    pub fn services(&self) -> impl Iterator<Item = &ServiceRef> {
        self.services.keys()
    }

    /// How many consumers there are.
    #[must_use]
    pub fn consumers(&self) -> usize {
        self.consumers.len()
    }

    /// Changes a service's entry, and forgets it when nothing is left of it. Whether that changed anything.
    fn change(&mut self, service: &ServiceRef, change: impl FnOnce(&mut Entry) -> bool) -> bool {
        let entry = self.services.entry(service.clone()).or_default();
        let changed = change(entry);
        if entry.is_nothing() {
            self.services.remove(service);
        }
        changed
    }

    fn change_all(&mut self, mut change: impl FnMut(&mut Entry) -> bool) -> Vec<ServiceRef> {
        let changed =
            self.services.iter_mut().filter_map(|(service, entry)| change(entry).then(|| service.clone()));
        let changed: Vec<_> = changed.collect();
        self.services.retain(|_, entry| !entry.is_nothing());
        changed
    }
}

// === impl Snapshot ===

impl Snapshot {
    /// The consumers' claims to `service`, each with what it was promised under that name.
    #[must_use]
    pub fn claims<'a>(&'a self, service: &ServiceRef) -> Vec<Claim<'a>> {
        let mut seen: BTreeSet<&PodRef> = BTreeSet::new();
        let claims = self.consumers.iter().filter_map(|consumer| {
            let promised = consumer.plan.services.iter().find(|planned| planned.object == service.object)?;
            seen.insert(&consumer.pod).then_some(Claim { consumer, service: promised })
        });
        claims.collect()
    }
}

fn services_of(consumer: &Consumer) -> Vec<ServiceRef> {
    consumer.plan.services.iter().map(|service| ServiceRef::of(consumer, service)).collect()
}

fn namespace(object: &Value) -> Option<String> {
    text(object, "/metadata/namespace").map(str::to_owned)
}

pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    object.pointer(pointer)?.as_str()
}
