//! What is known of consumers and objects: events in, values out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use dataservice_core::consumer::{Consumer, InvalidConsumer};
use dataservice_core::key::ServiceObject;
use dataservice_core::plan::PlannedService;
use dataservice_core::reconcile::{Kind, Object, Observed};
use dataservice_core::record::Record;
use serde_json::Value;

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
    services: HashMap<ServiceRef, Entry>,
}

/// One service, as far as it is known.
#[derive(Clone, Debug, Default)]
struct Entry {
    /// The uids of its consumers.
    consumers: BTreeSet<String>,
    observed: Observed,
}

/// What is known of one service at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The pods that were promised it.
    pub consumers: Vec<Arc<Consumer>>,
    /// Its objects.
    pub observed: Observed,
}

// === impl ServiceRef ===

impl ServiceRef {
    fn of(consumer: &Consumer, service: &PlannedService) -> Self {
        Self { namespace: consumer.pod.namespace.clone(), object: service.object.clone() }
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
        // The plan of a pod never changes; where somebody changed it all the same, both are looked at.
        let mut touched = self.delete_pod(&uid);
        for service in &consumer.plan.services {
            let service = ServiceRef::of(&consumer, service);
            self.services.entry(service.clone()).or_default().consumers.insert(uid.clone());
            touched.push(service);
        }
        self.consumers.insert(uid, Arc::new(consumer));
        touched.sort();
        touched.dedup();
        Ok(touched)
    }

    /// A pod is gone.
    pub fn delete_pod(&mut self, uid: &str) -> Vec<ServiceRef> {
        let Some(consumer) = self.consumers.remove(uid) else { return Vec::new() };
        let touched: Vec<_> =
            consumer.plan.services.iter().map(|service| ServiceRef::of(&consumer, service)).collect();
        for service in &touched {
            self.change(service, |entry| {
                entry.consumers.remove(uid);
            });
        }
        touched
    }

    /// All pods there are; those that are not among `uids` are gone.
    pub fn retain_pods(&mut self, uids: &BTreeSet<String>) -> Vec<ServiceRef> {
        let gone: Vec<_> = self.consumers.keys().filter(|uid| !uids.contains(*uid)).cloned().collect();
        gone.iter().flat_map(|uid| self.delete_pod(uid)).collect()
    }

    /// An object with our label appeared or changed. One that is not ours by its record counts as absent.
    pub fn apply_object(&mut self, kind: Kind, object: &Value) -> Option<ServiceRef> {
        let service = service_ref(object)?;
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str);
        let read = Record::read(object).zip(text("/metadata/uid")).map(|(record, uid)| Object {
            uid: uid.to_owned(),
            record,
            deleting: text("/metadata/deletionTimestamp").is_some(),
        });
        self.change(&service, |entry| *slot(&mut entry.observed, kind) = read).then_some(service)
    }

    /// An object is gone.
    pub fn delete_object(&mut self, kind: Kind, object: &Value) -> Option<ServiceRef> {
        let service = service_ref(object)?;
        self.change(&service, |entry| *slot(&mut entry.observed, kind) = None).then_some(service)
    }

    /// All objects of this kind there are; the others are gone.
    pub fn retain_objects(&mut self, kind: Kind, there: &BTreeSet<ServiceRef>) -> Vec<ServiceRef> {
        let gone = |(service, entry): (&ServiceRef, &mut Entry)| {
            (slot(&mut entry.observed, kind).is_some() && !there.contains(service)).then(|| service.clone())
        };
        let gone: Vec<_> = self.services.iter_mut().filter_map(gone).collect();
        for service in &gone {
            self.change(service, |entry| *slot(&mut entry.observed, kind) = None);
        }
        gone
    }

    /// The API server has taken this object's deletion; the watch will show it.
    pub fn mark_deleting(&mut self, service: &ServiceRef, kind: Kind, uid: &str) {
        self.change(service, |entry| {
            if let Some(object) = slot(&mut entry.observed, kind).as_mut().filter(|object| object.uid == uid)
            {
                object.deleting = true;
            }
        });
    }

    /// Whether this object has been seen.
    #[must_use]
    pub fn has(&self, service: &ServiceRef, kind: Kind, uid: &str) -> bool {
        let Some(entry) = self.services.get(service) else { return false };
        let object = match kind {
            Kind::Service => &entry.observed.service,
            Kind::StatefulSet => &entry.observed.stateful_set,
        };
        object.as_ref().is_some_and(|object| object.uid == uid)
    }

    /// What is known of a service now.
    #[must_use]
    pub fn snapshot(&self, service: &ServiceRef) -> Snapshot {
        let Some(entry) = self.services.get(service) else { return Snapshot::default() };
        let consumers = entry.consumers.iter().filter_map(|uid| self.consumers.get(uid).cloned()).collect();
        Snapshot { consumers, observed: entry.observed.clone() }
    }

    /// Every service that has a consumer or an object.
    pub fn services(&self) -> impl Iterator<Item = &ServiceRef> {
        self.services.keys()
    }

    /// How many consumers there are.
    #[must_use]
    pub fn consumers(&self) -> usize {
        self.consumers.len()
    }

    /// Changes a service's entry, and forgets it when nothing is left of it. Whether anything changed.
    fn change(&mut self, service: &ServiceRef, change: impl FnOnce(&mut Entry)) -> bool {
        let entry = self.services.entry(service.clone()).or_default();
        let before = (entry.consumers.len(), entry.observed.clone());
        change(entry);
        let changed = before != (entry.consumers.len(), entry.observed.clone());
        if entry.consumers.is_empty() && entry.observed == Observed::default() {
            self.services.remove(service);
        }
        changed
    }
}

/// Which service an object belongs to, by its name.
pub(crate) fn service_ref(object: &Value) -> Option<ServiceRef> {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str);
    Some(ServiceRef {
        namespace: text("/metadata/namespace")?.to_owned(),
        object: ServiceObject::from(text("/metadata/name")?),
    })
}

fn slot(observed: &mut Observed, kind: Kind) -> &mut Option<Object> {
    match kind {
        Kind::Service => &mut observed.service,
        Kind::StatefulSet => &mut observed.stateful_set,
    }
}

// === impl Snapshot ===

impl Snapshot {
    /// The consumers' claims to `service`, each with what it was promised under that name.
    #[must_use]
    pub fn claims<'a>(&'a self, service: &ServiceRef) -> Vec<dataservice_core::reconcile::Claim<'a>> {
        let mut claims = BTreeMap::new();
        for consumer in &self.consumers {
            if let Some(service) =
                consumer.plan.services.iter().find(|planned| planned.object == service.object)
            {
                claims.insert(&consumer.pod, dataservice_core::reconcile::Claim { consumer, service });
            }
        }
        claims.into_values().collect()
    }
}
