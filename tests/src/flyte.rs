//! Flyte's own pods, so changed that they run where nothing can be pulled.

use anyhow::{Context, Result};
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

/// The image of everything that is not ours.
pub const IMAGE: &str = "localhost/dataservice-playground:dev";

/// What a server runs: it answers each request with its own name.
pub const SERVER: &str =
    "mkdir /tmp/www && hostname > /tmp/www/index.html && exec httpd -f -p $SERVER_PORT -h /tmp/www";

/// What a task runs: it asks every server for its name, in the order of `MY_DATASERVICES`.
///
/// (Nothing makes it wait for the servers yet, so it asks until they answer.)
pub const TASK: &str = "for endpoint in $MY_DATASERVICES; do \
    until answer=$(timeout 2 fetch $endpoint 2>/dev/null); do sleep 0.2; done; \
    echo \"$endpoint is $answer\"; done";

/// A fixture of `tests/fixtures`, as Flyte's own code made it.
pub fn fixture(name: &str) -> Result<Value> {
    let path = format!("{}/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).with_context(|| format!("failed to read {path}"))?;
    Ok(serde_json::from_str(&text)?)
}

/// A fixture that runs here: every container runs `task` in an image that is there, with small resources; the
/// servers are busybox's. Everything else is as Flyte made it.
pub fn runnable(name: &str, task: &str) -> Result<Value> {
    let mut pod = fixture(name)?;
    for list in ["initContainers", "containers"] {
        for container in pod["spec"].get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            make_runnable(container, list, task);
        }
    }
    // The nodes that Flyte's tolerations and selectors speak of are not here.
    if let Some(spec) = pod["spec"].as_object_mut() {
        spec.retain(|field, _| !matches!(field.as_str(), "affinity" | "nodeSelector"));
    }
    annotate(
        &mut pod,
        &[
            ("image", IMAGE),
            ("replicas", "2"),
            ("port", "40000"),
            ("command", &json!(["sh", "-c", SERVER]).to_string()),
            ("requests", "cpu=10m,mem=16Mi"),
        ],
    );
    Ok(pod)
}

fn make_runnable(container: &mut Value, list: &str, task: &str) {
    let is_sidecar = container["restartPolicy"] == "Always";
    let script = match (list, is_sidecar) {
        // Flyte's copilot uploader works until it is told that the task is done.
        (_, true) => "trap 'exit 0' TERM; while :; do sleep 0.1; done",
        ("initContainers", false) => "echo $MY_DATASERVICES",
        _ => task,
    };
    container["image"] = json!(IMAGE);
    container["imagePullPolicy"] = json!("IfNotPresent");
    container["command"] = json!(["sh", "-c", script]);
    container["resources"] = json!({"requests": {"cpu": "10m", "memory": "16Mi"}});
    if let Some(container) = container.as_object_mut() {
        container.remove("args");
        container.remove("workingDir");
    }
}

/// Puts annotations of ours on a pod; keys without the prefix.
pub fn annotate(pod: &mut Value, annotations: &[(&str, &str)]) {
    for (key, value) in annotations {
        pod["metadata"]["annotations"][format!("dataservice.flyte.org/{key}")] = json!(value);
    }
}

/// Takes every annotation of ours off a pod.
pub fn strip(pod: &mut Value) {
    if let Some(annotations) = pod["metadata"]["annotations"].as_object_mut() {
        annotations.retain(|key, _| !key.starts_with("dataservice.flyte.org/"));
    }
}

/// Creates the FlyteWorkflow that owns `pod` (the kind too, where it is new), and points the pod at it.
///
/// Kubernetes' collector would take a pod whose owner is not there.
pub async fn own(client: &Client, namespace: &str, pod: &mut Value) -> Result<()> {
    define_workflow(client).await?;
    let kind = GroupVersionKind::gvk("flyte.lyft.com", "v1alpha1", "FlyteWorkflow");
    let resource = ApiResource::from_gvk_with_plural(&kind, "flyteworkflows");
    let workflows: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    for owner in pod["metadata"]["ownerReferences"].as_array_mut().into_iter().flatten() {
        let name = owner["name"].as_str().unwrap_or_default();
        let created = workflows.create(&PostParams::default(), &DynamicObject::new(name, &resource)).await;
        let workflow = match created {
            Err(kube::Error::Api(status)) if status.is_already_exists() => workflows.get(name).await?,
            created => created?,
        };
        owner["uid"] = json!(workflow.metadata.uid);
    }
    Ok(())
}

/// The kind FlyteWorkflow, as much of it as a collector looks at.
async fn define_workflow(client: &Client) -> Result<()> {
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "flyteworkflows.flyte.lyft.com"},
        "spec": {
            "group": "flyte.lyft.com",
            "names": {"kind": "FlyteWorkflow", "plural": "flyteworkflows", "singular": "flyteworkflow"},
            "scope": "Namespaced",
            "versions": [{
                "name": "v1alpha1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            }],
        },
    });
    let definitions: Api<DynamicObject> = Api::all_with(
        client.clone(),
        &ApiResource::from_gvk(&GroupVersionKind::gvk(
            "apiextensions.k8s.io",
            "v1",
            "CustomResourceDefinition",
        )),
    );
    let params = PatchParams::apply("dataservice-tests");
    definitions.patch("flyteworkflows.flyte.lyft.com", &params, &Patch::Apply(&definition)).await?;
    crate::wait::until("the kind FlyteWorkflow", || async {
        let there = definitions.get("flyteworkflows.flyte.lyft.com").await?;
        let conditions = there.data.pointer("/status/conditions").and_then(Value::as_array).cloned();
        let established = |c: &Value| c["type"] == "Established" && c["status"] == "True";
        Ok(conditions.into_iter().flatten().any(|c| established(&c)).then_some(()))
    })
    .await
}
