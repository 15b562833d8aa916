//! Events on the consumer: what `kubectl describe pod` tells its user.

use dataservice_core::consumer::PodRef;
use dataservice_core::progress::{Hope, Told};
use jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::index::{Notice, ServiceRef, text};

/// Something that a pod's user should know.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// The pod.
    pub pod: PodRef,
    /// The name of the service's objects that it is about, if it is about one.
    pub service: Option<String>,
    /// What happened.
    pub reason: Reason,
    /// The whole story, in one sentence.
    pub note: String,
}

/// The kinds of event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// A service was made for the pod.
    Created,
    /// The pod's service was deleted.
    Deleted,
    /// The pod does not have its service yet, and may have it still.
    Delayed,
    /// The pod cannot have its service.
    Failed,
}

/// Reads what an event tells of a service: our own of what keeps it from a pod, or the StatefulSet controller's of what
/// keeps it from its servers.
pub(crate) fn read(event: &Value) -> Option<(ServiceRef, Notice)> {
    let about = text(event, "/involvedObject/uid")?.to_owned();
    let last_seen =
        ["/lastTimestamp", "/series/lastObservedTime", "/eventTime", "/metadata/creationTimestamp"];
    let at = last_seen.iter().filter_map(|at| text(event, at)?.parse().ok()).max()?;
    let message = text(event, "/message")?;
    let (name, told) = match text(event, "/reason")? {
        "FailedCreate" => (text(event, "/involvedObject/name")?, Told::of_failed_creation(message, at)),
        reason => {
            let hope = if reason == Reason::Failed.as_str() { Hope::Never } else { Hope::Mends };
            (text(event, "/related/name")?, Told { text: message.to_owned(), at, hope })
        }
    };
    let namespace = text(event, "/involvedObject/namespace")?.to_owned();
    Some((ServiceRef { namespace, object: name.into() }, Notice { about, told }))
}

// === impl Reason ===

impl Reason {
    /// The event's reason, as Kubernetes writes them.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "DataServiceCreated",
            Self::Deleted => "DataServiceDeleted",
            Self::Delayed => "DataServiceDelayed",
            Self::Failed => "DataServiceFailed",
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Created | Self::Deleted => "Normal",
            Self::Delayed | Self::Failed => "Warning",
        }
    }
}

/// Publishes an event, once: its name is made from what it says, so that saying it again is a conflict.
///
/// An event is never worth an error: what it tells is in the log as well.
pub async fn publish(client: &Client, reporter: &str, event: &Event, now: Timestamp) {
    let events: Api<k8s_openapi::api::events::v1::Event> =
        Api::namespaced(client.clone(), &event.pod.namespace);
    let object = match serde_json::from_value(body(event, reporter, now)) {
        Ok(object) => object,
        Err(error) => return tracing::error!(%error, "Failed to write an event"),
    };
    match events.create(&PostParams::default(), &object).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        // Nobody is left to read it.
        Err(kube::Error::Api(status)) if status.code == 404 || status.is_forbidden() => {
            tracing::debug!(message = %status.message, "An event was not taken");
        }
        Err(error) => tracing::warn!(%error, pod = %event.pod.name, "Failed to publish an event"),
    }
}

fn body(event: &Event, reporter: &str, now: Timestamp) -> Value {
    let note = cut(&event.note, MOST_NOTE);
    let told = [&event.pod.uid, event.reason.as_str(), note];
    let mut body = json!({
        "metadata": {
            "name": name(&event.pod.name, &dataservice_core::key::hash(&told, HASH)),
            "namespace": event.pod.namespace,
        },
        "eventTime": format!("{now:.6}"),
        "type": event.reason.kind(),
        "reason": event.reason.as_str(),
        "action": "Reconcile",
        "note": note,
        "regarding": {
            "apiVersion": "v1", "kind": "Pod",
            "namespace": event.pod.namespace, "name": event.pod.name, "uid": event.pod.uid,
        },
        "reportingController": REPORTER,
        "reportingInstance": reporter,
    });
    if let (Some(service), Some(members)) = (&event.service, body.as_object_mut()) {
        let related = json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "namespace": event.pod.namespace, "name": service,
        });
        members.insert("related".to_owned(), related);
    }
    body
}

/// The pod's name, as much of it as a name has room for, and the hash.
fn name(pod: &str, hash: &str) -> String {
    let pod = cut(pod, MOST_NAME - HASH - 1);
    // What stands before a dot in a name is a letter or a digit.
    format!("{}.{hash}", pod.trim_end_matches(['-', '.']))
}

/// The front of a text, of at most this many bytes.
fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}

/// Who reports our events.
pub(crate) const REPORTER: &str = "dataservice.flyte.org/controller";
/// In bytes, of what an event says: the API server takes 1024.
const MOST_NOTE: usize = 1_000;
/// In bytes, of an object's name.
const MOST_NAME: usize = 253;
/// In characters of one byte.
const HASH: usize = 16;
