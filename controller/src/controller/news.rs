//! What a change says, and which services it touches.

use std::collections::HashSet;

use kube::runtime::watcher::Event;
use serde_json::Value;
use tokio::time::Instant;

use super::{Controller, Item};
use crate::event;
use crate::index::{ServiceRef, text};
use crate::watch::{Change, Watched};

/// The uids that a watch has listed since it started over.
pub(super) type Listing = HashSet<String>;

impl Controller {
    /// Takes a change in; the services that it touches.
    pub(super) fn note(&mut self, (watched, change): Change) -> Vec<ServiceRef> {
        match change {
            Ok(Event::Init) => {
                self.listing.insert(watched, Listing::new());
                Vec::new()
            }
            Ok(Event::InitApply(object)) => {
                self.listing
                    .entry(watched)
                    .or_default()
                    .extend(text(&object, "/metadata/uid").map(str::to_owned));
                self.show(watched, &object)
            }
            Ok(Event::Apply(object)) => self.show(watched, &object),
            Ok(Event::Delete(object)) => self.lose(watched, &object),
            Ok(Event::InitDone) => self.complete(watched),
            Err(error) => {
                tracing::warn!(?watched, %error, "A watch failed; it starts over");
                Vec::new()
            }
        }
    }

    fn show(&mut self, watched: Watched, object: &Value) -> Vec<ServiceRef> {
        let touched = match watched {
            Watched::Consumers => return self.show_pod(object),
            Watched::FailedCreations | Watched::Notices => {
                event::read(object).and_then(|(service, notice)| self.index.tell(&service, notice))
            }
            Watched::Objects(kind) => {
                self.saw(object);
                self.index.apply_object(kind, object)
            }
            Watched::Servers => self.index.apply_server(object),
            Watched::Templates => {
                self.known.show_template(object);
                None
            }
        };
        touched.into_iter().collect()
    }

    fn show_pod(&mut self, pod: &Value) -> Vec<ServiceRef> {
        match self.index.apply_pod(pod) {
            Ok(touched) => {
                // A pod without services of its own to wait for is followed too.
                if let Some(uid) = text(pod, "/metadata/uid") {
                    self.followers.tell(uid, &self.index);
                }
                touched
            }
            Err(error) => {
                let pod = text(pod, "/metadata/name").unwrap_or_default();
                tracing::warn!(pod, %error, "A pod carries our label and cannot be understood; it is left alone");
                Vec::new()
            }
        }
    }

    fn lose(&mut self, watched: Watched, object: &Value) -> Vec<ServiceRef> {
        let touched = match watched {
            Watched::Consumers => {
                let uid = text(object, "/metadata/uid");
                return uid.map(|uid| self.index.delete_pod(uid)).unwrap_or_default();
            }
            // What an event told, it told.
            Watched::FailedCreations | Watched::Notices => None,
            Watched::Objects(kind) => {
                self.saw(object);
                self.index.delete_object(kind, object)
            }
            Watched::Servers => self.index.delete_server(object),
            Watched::Templates => {
                self.known.lose_template(object);
                None
            }
        };
        touched.into_iter().collect()
    }

    /// A watch has listed all: what it did not list is gone. When all have, work may start.
    fn complete(&mut self, watched: Watched) -> Vec<ServiceRef> {
        let listed = self.listing.remove(&watched).unwrap_or_default();
        let mut touched = match watched {
            Watched::Consumers => self.index.retain_pods(&listed),
            Watched::FailedCreations | Watched::Notices => Vec::new(),
            Watched::Objects(kind) => self.index.retain_objects(kind, &listed),
            Watched::Servers => self.index.retain_servers(&listed),
            Watched::Templates => {
                self.known.retain_templates(&listed);
                Vec::new()
            }
        };
        self.unlisted.retain(|unlisted| *unlisted != watched);
        if self.unlisted.is_empty() && !*self.synced.borrow() {
            tracing::info!(consumers = self.index.consumers(), "All that is there has been seen");
            touched.extend(self.index.complete());
            self.known.complete();
            self.synced.send_replace(true);
        }
        touched
    }

    /// A watch has shown an object: it is no longer waited for.
    fn saw(&mut self, object: &Value) {
        let (Some(service), Some(uid)) = (ServiceRef::of_object(object), text(object, "/metadata/uid"))
        else {
            return;
        };
        if let Some(unseen) = self.unseen.get_mut(&service) {
            unseen.objects.retain(|(_, unseen)| unseen != uid);
            if unseen.objects.is_empty() {
                self.unseen.remove(&service);
                self.queue.push(Item::Service(service), Instant::now());
            }
        }
    }
}
