//! All that the API server shows of a namespace, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dataservice_core::record::MANAGED_BY;
use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::{Api, ApiResource, DynamicObject};
use kube::runtime::watcher::{self, Event, watcher};
use serde_json::Value;
use tokio::time::sleep;

use super::journal::Journal;
use super::record::{Kind, ObjectRecord, PodRecord};
use super::view;
use crate::sandbox::Sandbox;

/// All that the API server has shown of a namespace.
///
/// What is deleted while the API server is away is missed when all is listed again: it is shown to be gone then.
#[derive(Clone)]
pub struct Ledger {
    book: Arc<Mutex<Book>>,
    journal: Journal,
}

#[derive(Default)]
struct Book {
    pods: BTreeMap<String, PodRecord>,
    objects: BTreeMap<String, ObjectRecord>,
}

/// What is watched: pods, or what services consist of.
#[derive(Clone, Copy)]
enum Watched {
    Objects(Kind),
    Pods,
}

// === impl Ledger ===

impl Ledger {
    /// Begins to watch.
    #[must_use]
    pub fn open(sandbox: &Sandbox, journal: Journal) -> Self {
        let ledger = Self { book: Arc::default(), journal };
        for watched in [Watched::Pods, Watched::Objects(Kind::Service), Watched::Objects(Kind::StatefulSet)] {
            let (ledger, api) = (ledger.clone(), watched.api(sandbox));
            tokio::spawn(async move { ledger.watch(watched, api).await });
        }
        ledger
    }

    /// Those pods, of all that there ever were.
    pub fn pods(&self, is_one: impl Fn(&PodRecord) -> bool) -> Vec<PodRecord> {
        self.with(|book| book.pods.values().filter(|record| is_one(record)).cloned().collect())
    }

    /// All StatefulSets and Services that there ever were.
    #[must_use]
    pub fn objects(&self) -> Vec<ObjectRecord> {
        self.with(|book| book.objects.values().cloned().collect())
    }

    async fn watch(&self, watched: Watched, api: Api<DynamicObject>) {
        let mut events = watcher(api, watched.config()).boxed();
        let mut listed = BTreeSet::new();
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => listed.clear(),
                Ok(Event::InitApply(object)) => {
                    listed.extend(object.metadata.uid.clone());
                    self.show(watched, object);
                }
                Ok(Event::InitDone) => self.miss(watched, &listed),
                Ok(Event::Apply(object)) => self.show(watched, object),
                Ok(Event::Delete(object)) => {
                    let uid = object.metadata.uid.clone().unwrap_or_default();
                    self.show(watched, object);
                    self.end(watched, &uid);
                }
                // It starts over by itself when it is asked again. (kube's own backoff grows to half a minute.)
                Err(_) => sleep(PAUSE).await,
            }
        }
    }

    fn show(&self, watched: Watched, object: DynamicObject) {
        // An object that came as JSON is JSON.
        let json = serde_json::to_value(object).unwrap_or_default();
        let uid = view::text(&json, "/metadata/uid").unwrap_or_default().to_owned();
        match watched {
            Watched::Pods => self.with(|book| {
                let shown = match book.pods.get(&uid) {
                    Some(record) => record.shown(json),
                    None => PodRecord::new(json),
                };
                book.pods.insert(uid, shown);
            }),
            Watched::Objects(kind) => self.show_object(kind, &uid, &json),
        }
    }

    fn show_object(&self, kind: Kind, uid: &str, json: &Value) {
        let text = |pointer| view::text(json, pointer).unwrap_or_default().to_owned();
        let generation = json.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or(1);
        let created_at = view::timestamp(json, "/metadata/creationTimestamp").unwrap_or_default();
        let name = text("/metadata/name");
        let is_new = self.with(|book| {
            let is_new = !book.objects.contains_key(uid);
            let new = ObjectRecord {
                kind,
                name: name.clone(),
                uid: uid.to_owned(),
                created_at,
                generation,
                gone_at: None,
            };
            book.objects.entry(uid.to_owned()).or_insert(new).generation = generation;
            is_new
        });
        if is_new {
            self.journal.note(format_args!("{kind:?} {name} is there ({uid})"));
        }
    }

    /// Those that were not listed are gone.
    fn miss(&self, watched: Watched, listed: &BTreeSet<String>) {
        let missing: Vec<String> = self.with(|book| match watched {
            Watched::Pods => book.pods.keys().filter(|uid| !listed.contains(*uid)).cloned().collect(),
            Watched::Objects(kind) => {
                let of_kind = book.objects.values().filter(|object| object.kind == kind);
                of_kind.map(|object| object.uid.clone()).filter(|uid| !listed.contains(uid)).collect()
            }
        });
        for uid in missing {
            self.end(watched, &uid);
        }
    }

    fn end(&self, watched: Watched, uid: &str) {
        let now = Timestamp::now();
        match watched {
            Watched::Pods => self.with(|book| {
                if let Some(record) = book.pods.get_mut(uid) {
                    record.gone_at.get_or_insert(now);
                }
            }),
            Watched::Objects(_) => {
                let ended = self.with(|book| {
                    let record = book.objects.get_mut(uid).filter(|record| record.gone_at.is_none())?;
                    record.gone_at = Some(now);
                    Some(record.clone())
                });
                let Some(ended) = ended else { return };
                self.journal.note(format_args!("{:?} {} is gone ({uid})", ended.kind, ended.name));
            }
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Book) -> T) -> T {
        work(&mut self.book.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

// === impl Watched ===

impl Watched {
    fn api(self, sandbox: &Sandbox) -> Api<DynamicObject> {
        let resource = match self {
            Self::Objects(Kind::Service) => ApiResource::erase::<Service>(&()),
            Self::Objects(Kind::StatefulSet) => ApiResource::erase::<StatefulSet>(&()),
            Self::Pods => ApiResource::erase::<Pod>(&()),
        };
        Api::namespaced_with(sandbox.client.clone(), &sandbox.namespace, &resource)
    }

    fn config(self) -> watcher::Config {
        let (manager, us) = MANAGED_BY;
        match self {
            Self::Objects(_) => watcher::Config::default().labels(&format!("{manager}={us}")),
            Self::Pods => watcher::Config::default(),
        }
    }
}

/// Which of the objects of this kind and name was there at `at`, to the second.
#[must_use]
pub fn at<'a>(
    objects: &'a [ObjectRecord],
    kind: Kind,
    name: &str,
    at: Timestamp,
) -> Option<&'a ObjectRecord> {
    let of_name = objects.iter().filter(|object| object.kind == kind && object.name == name);
    of_name.filter(|object| object.created_at <= at).max_by_key(|object| object.created_at)
}

const PAUSE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_of_one_name_the_later_one_counts_from_its_creation_on() {
        let second = |second| Timestamp::from_second(second).unwrap();
        let object = |uid: &str, created: i64| ObjectRecord {
            kind: Kind::StatefulSet,
            name: "a".to_owned(),
            uid: uid.to_owned(),
            created_at: second(created),
            generation: 1,
            gone_at: None,
        };
        let objects = [object("one", 10), object("two", 20)];
        let there =
            |moment| at(&objects, Kind::StatefulSet, "a", second(moment)).map(|object| object.uid.as_str());
        assert_eq!([9, 10, 19, 20].map(there), [None, Some("one"), Some("one"), Some("two")]);
        assert_eq!(at(&objects, Kind::Service, "a", second(30)).map(|object| &object.uid), None);
    }
}
