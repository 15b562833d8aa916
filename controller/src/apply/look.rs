//! A look at the API server itself, before something is closed.

use std::sync::Arc;

use dataservice_core::annotation::CONSUMER;
use dataservice_core::consumer::{Consumer, InvalidConsumer, Owner};
use dataservice_core::reconcile::{Job, Observed};
use dataservice_core::record::MANAGED_BY;
use dataservice_core::standing::Standing;
use jiff::Timestamp;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams};
use serde_json::Value;

use super::{Context, Error};
use crate::index::{ServiceRef, Snapshot, text};
use crate::kind;

/// The consumers of `service` as the API server has them now, and the controller that they share.
pub(super) async fn look(
    context: &Context,
    service: &ServiceRef,
    snapshot: &Snapshot,
    now: Timestamp,
) -> Result<(Snapshot, Job), Error> {
    let api = kind::namespaced(&context.client, &service.namespace, &kind::pods());
    // As in the watch: a server of ours is never a consumer, whatever it is labelled.
    let (manager, us) = MANAGED_BY;
    let labels = format!("{CONSUMER}=true,{manager}!={us},{}=true", service.object.label());
    // Without a resourceVersion, so that it is the newest: consistent with what was marked before.
    let list = api.list(&ListParams::default().labels(&labels)).await;
    let list = list.map_err(|source| Error::ListConsumers { service: service.clone(), source })?;
    let mut listed = Snapshot { consumers: Vec::new(), observed: snapshot.observed.clone() };
    for pod in list {
        let name = pod.metadata.name.clone().unwrap_or_default();
        let consumer = read(&listed.observed, &json(pod), now);
        let misunderstood = |source| Error::ReadConsumer { pod: name, service: service.clone(), source };
        listed.consumers.extend(consumer.map_err(misunderstood)?.map(Arc::new));
    }
    let job = job(context, service, &listed).await;
    Ok((listed, job))
}

/// Reads a pod that carries the service's label. One whose plan cannot be understood (a later version's, or somebody
/// has changed it) keeps the service, unless its own status says that it has ended.
///
/// Only this service: the label says which, and whoever can put it on a pod can as well have a consumer of it.
fn read(observed: &Observed, pod: &Value, now: Timestamp) -> Result<Option<Consumer>, InvalidConsumer> {
    // The longest that any of the service's consumers has asked for.
    let on_failure = observed.stateful_set.as_ref().map(|set| set.record.lifetime.on_failure);
    match Consumer::read(pod) {
        Ok(consumer) => Ok(Some(consumer)),
        Err(error) if Standing::of(pod, on_failure.unwrap_or_default()).is_live(now) => Err(error),
        Err(_) => Ok(None),
    }
}

/// The controller by whose uid the consumers share, if they do: among the owners that the objects have.
async fn job(context: &Context, service: &ServiceRef, snapshot: &Snapshot) -> Job {
    let Some(set) = &snapshot.observed.stateful_set else { return Job::Over };
    let Some(uid) = set.record.key.controller() else { return Job::Over };
    let Some(owner) = set.owners.iter().find(|owner| owner.uid == uid) else { return Job::Over };
    match controller(context, service, owner).await {
        Ok(job) => job.map_or(Job::Over, |job| state(&job)),
        Err(error) => {
            tracing::debug!(%service, kind = owner.kind, %error, "The controller of a job cannot be read");
            Job::Unreadable
        }
    }
}

/// The controller of one of `service`'s pods, if it is still there.
pub(super) async fn controller(
    context: &Context,
    service: &ServiceRef,
    owner: &Owner,
) -> Result<Option<Value>, Unreadable> {
    let resource = resource(owner).ok_or(Unreadable::NoPath)?;
    let there = kind::namespaced(&context.client, &service.namespace, &resource).get_opt(&owner.name).await?;
    Ok(there.filter(|job| job.metadata.uid.as_ref() == Some(&owner.uid)).map(json))
}

/// A pod's controller cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    /// The API server's word.
    #[error(transparent)]
    Api(#[from] kube::Error),
    /// What the pod says of it is not where an object is.
    #[error("its kind or its name is none")]
    NoPath,
}

/// A kind that nobody here has a type for: its plural is guessed, which is right for all that make pods.
///
/// Whoever makes a pod says what controls it, and all of that becomes a path as it is: nothing where that would be
/// another request (`Pods?watch=true` is answered for ever) or another object.
fn resource(owner: &Owner) -> Option<ApiResource> {
    let (group, version) = owner.api_version.split_once('/').unwrap_or(("", &owner.api_version));
    let is_plain = (group.is_empty() || is_plain(group))
        && [version, &owner.kind, &owner.name].into_iter().all(is_plain);
    is_plain.then(|| ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &owner.kind)))
}

/// Whether a text is one part of a path and nothing else.
fn is_plain(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
}

/// Whether a job says of itself that it is over. batch Jobs and Kubeflow's have conditions; what has none has a time at
/// which it was completed, or goes on. One that is to have no pods (a Deployment's old ReplicaSet, a job that is
/// suspended) makes none: when it does again, they get a service as the first ones did.
fn state(job: &Value) -> Job {
    let is_over = ["Complete", "Failed", "Succeeded"].into_iter().any(|condition| has(job, condition))
        || job.pointer("/status/completionTime").is_some_and(Value::is_string)
        || job.pointer("/metadata/deletionTimestamp").is_some()
        || is_idle(job);
    if is_over { Job::Over } else { Job::Unfinished }
}

/// Whether a condition of a job holds.
pub(super) fn has(job: &Value, condition: &str) -> bool {
    let conditions = job.pointer("/status/conditions").and_then(Value::as_array);
    let is_it = |it: &Value| text(it, "/type") == Some(condition) && text(it, "/status") == Some("True");
    conditions.into_iter().flatten().any(is_it)
}

fn is_idle(job: &Value) -> bool {
    let is = |pointer: &str, value: Value| job.pointer(pointer) == Some(&value);
    is("/spec/replicas", 0.into())
        || is("/spec/suspend", true.into())
        || is("/spec/runPolicy/suspend", true.into())
}

pub(crate) fn json(object: DynamicObject) -> Value {
    // An object that came as JSON is JSON.
    serde_json::to_value(object).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_says_when_it_is_over() {
        let with = |status: Value| state(&json!({"status": status}));
        let condition =
            |kind: &str, holds: &str| with(json!({"conditions": [{"type": kind, "status": holds}]}));
        for kind in ["Complete", "Failed", "Succeeded"] {
            assert_eq!((condition(kind, "True"), condition(kind, "False")), (Job::Over, Job::Unfinished));
        }
        assert_eq!(condition("Running", "True"), Job::Unfinished);
        assert_eq!(with(json!({"completionTime": "2026-01-01T00:00:00Z"})), Job::Over);
        assert_eq!(with(json!({})), Job::Unfinished);
        assert_eq!(state(&json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}})), Job::Over);
    }

    #[test]
    fn a_job_that_is_to_have_no_pods_is_over() {
        let with = |spec: Value| state(&json!({"spec": spec}));
        for idle in
            [json!({"replicas": 0}), json!({"suspend": true}), json!({"runPolicy": {"suspend": true}})]
        {
            assert_eq!(with(idle), Job::Over);
        }
        for busy in [
            json!({"replicas": 1}),
            json!({"suspend": false}),
            json!({"runPolicy": {"suspend": false}}),
            json!({}),
        ] {
            assert_eq!(with(busy), Job::Unfinished);
        }
    }

    fn owner(api_version: &str, kind: &str, name: &str) -> Owner {
        Owner {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            uid: "u".to_owned(),
        }
    }

    #[test]
    fn kinds_are_read_where_their_objects_are() {
        let of = |api_version: &str, kind: &str| {
            resource(&owner(api_version, kind, "a7k2.m-0")).map(|resource| resource.plural)
        };
        assert_eq!(of("batch/v1", "Job").as_deref(), Some("jobs"));
        assert_eq!(of("kubeflow.org/v1", "PyTorchJob").as_deref(), Some("pytorchjobs"));
        assert_eq!(of("apps/v1", "ReplicaSet").as_deref(), Some("replicasets"));
        assert_eq!(of("v1", "ReplicationController").as_deref(), Some("replicationcontrollers"));
    }

    #[test]
    fn what_would_be_another_request_is_not_sent() {
        for (api_version, kind, name) in [
            ("v1", "Pods?watch=true&x", "n"),
            ("v1", "Pod/x/log?follow=true&", "n"),
            ("v1", "", "n"),
            ("v1", "Job%2f", "n"),
            ("batch/v1", "Job", "n?watch=true"),
            ("batch/v1", "Job", "n/status"),
            ("batch/v1", "Job", ".."),
            ("batch/v1", "Job", "../../../other/jobs/n"),
            ("batch/v1", "Job", ""),
            ("batch/v1/namespaces/other", "Job", "n"),
            ("../v1", "Job", "n"),
            ("batch/v1#", "Job", "n"),
            ("batch/", "Job", "n"),
            ("batch/v1", "Jöb", "n"),
            ("batch/v1", "Job", "n\r\nHost: x"),
        ] {
            assert!(resource(&owner(api_version, kind, name)).is_none(), "{api_version} {kind} {name}");
        }
    }
}
