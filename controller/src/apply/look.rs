//! A look at the API server itself, before something is closed.

use std::sync::Arc;

use dataservice_core::annotation::CONSUMER;
use dataservice_core::consumer::{Consumer, Owner};
use dataservice_core::reconcile::Job;
use dataservice_core::record::MANAGED_BY;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams};
use serde_json::Value;

use super::{Context, Error};
use crate::index::{ServiceRef, Snapshot};
use crate::kind;

/// The consumers of `service` as the API server has them now, and the controller that they share.
pub(super) async fn look(
    context: &Context,
    service: &ServiceRef,
    snapshot: &Snapshot,
) -> Result<(Snapshot, Job), Error> {
    let api = kind::namespaced(&context.client, &service.namespace, &kind::pods());
    // As in the watch: a server of ours is never a consumer, whatever it is labelled.
    let (manager, us) = MANAGED_BY;
    let labels = format!("{CONSUMER}=true,{manager}!={us},{}=true", service.object.label());
    // Without a resourceVersion, so that it is the newest: consistent with what was marked before.
    let list = api.list(&ListParams::default().labels(&labels)).await;
    let list = list.map_err(|source| Error::ListConsumers { service: service.clone(), source })?;
    let consumers = list.into_iter().filter_map(|pod| Consumer::read(&json(pod)).ok().map(Arc::new));
    let listed = Snapshot { consumers: consumers.collect(), observed: snapshot.observed.clone() };
    let job = job(context, service, &listed).await;
    Ok((listed, job))
}

/// The controller by whose uid the consumers share, if they do: among the owners that the objects have.
async fn job(context: &Context, service: &ServiceRef, snapshot: &Snapshot) -> Job {
    let Some(set) = &snapshot.observed.stateful_set else { return Job::Over };
    let Some(uid) = set.record.key.controller() else { return Job::Over };
    let Some(owner) = set.owners.iter().find(|owner| owner.uid == uid) else { return Job::Over };
    let api = kind::namespaced(&context.client, &service.namespace, &resource(owner));
    match api.get_opt(&owner.name).await {
        Ok(Some(job)) if job.metadata.uid.as_deref() == Some(uid) => state(&json(job)),
        Ok(_) => Job::Over,
        Err(error) => {
            tracing::debug!(%service, kind = owner.kind, %error, "The controller of a job cannot be read");
            Job::Unreadable
        }
    }
}

/// A kind that nobody here has a type for: its plural is guessed, which is right for all that make pods.
fn resource(owner: &Owner) -> ApiResource {
    let (group, version) = owner.api_version.split_once('/').unwrap_or(("", &owner.api_version));
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &owner.kind))
}

/// Whether a job says of itself that it is over. batch Jobs and Kubeflow's have conditions; what has none has a time at
/// which it was completed, or goes on.
fn state(job: &Value) -> Job {
    let is_final = |condition: &Value| {
        let kind = condition.get("type").and_then(Value::as_str).unwrap_or_default();
        let holds = condition.get("status").and_then(Value::as_str) == Some("True");
        holds && matches!(kind, "Complete" | "Failed" | "Succeeded")
    };
    let conditions = job.pointer("/status/conditions").and_then(Value::as_array);
    let is_over = conditions.is_some_and(|conditions| conditions.iter().any(is_final))
        || job.pointer("/status/completionTime").is_some_and(Value::is_string)
        || job.pointer("/metadata/deletionTimestamp").is_some();
    if is_over { Job::Over } else { Job::Unfinished }
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
    fn kinds_are_read_where_their_objects_are() {
        let of = |api_version: &str, kind: &str| {
            let owner = Owner {
                api_version: api_version.to_owned(),
                kind: kind.to_owned(),
                name: "n".to_owned(),
                uid: "u".to_owned(),
            };
            resource(&owner).plural
        };
        assert_eq!(of("batch/v1", "Job"), "jobs");
        assert_eq!(of("kubeflow.org/v1", "PyTorchJob"), "pytorchjobs");
        assert_eq!(of("apps/v1", "ReplicaSet"), "replicasets");
    }
}
