//! What admission may know of what is there, from memory: no lock, no request, nothing that grows with what is there.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dataservice_core::contradiction::There;
use dataservice_core::progress::Told;
use dataservice_core::reconcile::Object;
use papaya::HashMap;
use serde_json::Value;

use crate::index::{ServiceRef, text};

/// What is there, for many readers and the one writer that the controller is.
#[derive(Debug, Default)]
pub struct Known {
    services: HashMap<ServiceRef, Arc<There>>,
    /// Pod templates by namespace and name, with their uids.
    templates: HashMap<(String, String), String>,
    is_complete: AtomicBool,
}

// === impl Known ===

impl Known {
    /// Whether all that is there has been seen at least once.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.is_complete.load(Ordering::Acquire)
    }

    /// What is there under a service's name.
    #[must_use]
    pub fn service(&self, service: &ServiceRef) -> Option<Arc<There>> {
        self.services.pin().get(service).cloned()
    }

    /// Whether there is such a pod template.
    #[must_use]
    pub fn has_template(&self, namespace: &str, name: &str) -> bool {
        self.templates.pin().contains_key(&(namespace.to_owned(), name.to_owned()))
    }

    pub(crate) fn complete(&self) {
        self.is_complete.store(true, Ordering::Release);
    }

    /// A service as it is now; nothing of it if there is none.
    pub(crate) fn show(&self, service: &ServiceRef, standing: Option<(Option<&Object>, Option<&Told>)>) {
        let there = standing.map(|(set, failure)| There {
            record: set.filter(|set| !set.deleting).map(|set| set.record.clone()),
            failure: failure.cloned(),
        });
        let services = self.services.pin();
        match there.filter(|there| there.record.is_some() || there.failure.is_some()) {
            Some(there) => drop(services.insert(service.clone(), Arc::new(there))),
            None => drop(services.remove(service)),
        }
    }

    pub(crate) fn show_template(&self, template: &Value) {
        if let (Some(key), Some(uid)) = (key(template), text(template, "/metadata/uid")) {
            self.templates.pin().insert(key, uid.to_owned());
        }
    }

    pub(crate) fn lose_template(&self, template: &Value) {
        if let Some(key) = key(template) {
            self.templates.pin().remove(&key);
        }
    }

    /// All templates there are, by uid; the others are gone.
    pub(crate) fn retain_templates(&self, uids: &HashSet<String>) {
        self.templates.pin().retain(|_, uid| uids.contains(uid));
    }
}

fn key(template: &Value) -> Option<(String, String)> {
    Some((text(template, "/metadata/namespace")?.to_owned(), text(template, "/metadata/name")?.to_owned()))
}
