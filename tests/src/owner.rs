//! The objects that control pods: Kubernetes' collector would take a pod whose controller is not there.

use anyhow::{Context, Result};
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::wait;

/// Creates the object that controls `pod`: a FlyteWorkflow, an `MPIJob`… (the kind too, where it is new), and points the
/// pod at it.
///
/// Its operator is not here: it does nothing, and what it would make is made by hand.
pub async fn own(client: &Client, namespace: &str, pod: &mut Value) -> Result<()> {
    for owner in pod["metadata"]["ownerReferences"].as_array_mut().into_iter().flatten() {
        let text = |key: &str| {
            owner[key].as_str().map(str::to_owned).with_context(|| format!("an owner without {key}"))
        };
        let (api_version, kind, name) = (text("apiVersion")?, text("kind")?, text("name")?);
        let (group, version) = api_version.split_once('/').context("an owner of the core group")?;
        // Flyte writes its own kind in lower case, and the collector takes it.
        let kind = if kind == "flyteworkflow" { "FlyteWorkflow".to_owned() } else { kind };
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &kind));
        if !is_built_in(group) {
            define(client, &resource).await?;
        }
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
        let there = match api.create(&PostParams::default(), &object(&resource, &name)?).await {
            Err(kube::Error::Api(status)) if status.is_already_exists() => api.get(&name).await?,
            created => created?,
        };
        owner["uid"] = json!(there.metadata.uid);
    }
    Ok(())
}

fn is_built_in(group: &str) -> bool {
    matches!(group, "apps" | "batch")
}

/// An object that asks for nothing: built-in controllers make no pods of it.
fn object(resource: &ApiResource, name: &str) -> Result<DynamicObject> {
    let labels = json!({"stub": name});
    let template = json!({
        "metadata": {"labels": labels},
        "spec": {"restartPolicy": if resource.kind == "Job" { "Never" } else { "Always" },
                 "containers": [{"name": "a", "image": "unused"}]},
    });
    let spec = match resource.kind.as_str() {
        "Job" => json!({"suspend": true, "template": template}),
        "ReplicaSet" => json!({"replicas": 0, "selector": {"matchLabels": labels}, "template": template}),
        _ => json!({}),
    };
    Ok(serde_json::from_value(json!({
        "apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": name}, "spec": spec,
    }))?)
}

async fn define(client: &Client, resource: &ApiResource) -> Result<()> {
    let name = format!("{}.{}", resource.plural, resource.group);
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": name},
        "spec": {
            "group": resource.group,
            "names": {"kind": resource.kind, "plural": resource.plural, "singular": resource.kind.to_lowercase()},
            "scope": "Namespaced",
            "versions": [{
                "name": resource.version, "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            }],
        },
    });
    let kind = GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    let definitions: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::from_gvk(&kind));
    definitions.patch(&name, &PatchParams::apply("dataservice-tests"), &Patch::Apply(&definition)).await?;
    wait::until(&format!("the kind {}", resource.kind), || async {
        let there = definitions.get(&name).await?;
        let conditions = there.data.pointer("/status/conditions").and_then(Value::as_array).cloned();
        let established = |c: &Value| c["type"] == "Established" && c["status"] == "True";
        Ok(conditions.into_iter().flatten().any(|c| established(&c)).then_some(()))
    })
    .await
}
