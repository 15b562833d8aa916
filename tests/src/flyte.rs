//! Flyte's own pods, so changed that they run where nothing can be pulled.

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// The image of everything that is not ours.
pub const IMAGE: &str = "localhost/dataservice-playground:dev";

/// What a server runs: it answers each request with its own name.
pub const SERVER: &str =
    "mkdir /tmp/www && hostname > /tmp/www/index.html && exec httpd -f -p $SERVER_PORT -h /tmp/www";

/// What a task runs: it asks every server for its name once, in the order of `MY_DATASERVICES`.
pub const TASK: &str = "for endpoint in $MY_DATASERVICES; do \
    answer=$(timeout 5 fetch $endpoint) || exit 1; \
    echo \"$endpoint is $answer\"; done";

/// The same, of a task that does not wait (`wait: none`): it asks until they answer.
pub const PATIENT_TASK: &str = "for endpoint in $MY_DATASERVICES; do \
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
    // The operator that would make them is not here.
    for volume in pod["spec"].get_mut("volumes").and_then(Value::as_array_mut).into_iter().flatten() {
        if volume.get("configMap").is_some() {
            volume["configMap"]["optional"] = json!(true);
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
            // Limits would follow the requests, and a container of 10 millicores takes six seconds to start.
            ("limits", "cpu=500m,mem=64Mi"),
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

/// Makes a pod of Flyte 1 into what Flyte 2 makes of the same task: an action of a run, controlled by a `TaskAction`.
///
/// As `executor/pkg/plugin/task_exec_metadata.go` of Flyte 2 has it: no fixture of it is there.
pub fn into_flyte_2(pod: &mut Value, run: &str, action: &str) {
    pod["metadata"]["name"] = json!(format!("{run}-{action}-0"));
    pod["metadata"]["labels"] = json!({
        "action": action, "attempt": "1", "domain": "development", "organization": "acme", "project": "flytesnacks",
        "run": run, "task-name": "train",
        "flyte.org/action": action, "flyte.org/action-type": "task", "flyte.org/domain": "development",
        "flyte.org/is-root": (action == "a0").to_string(), "flyte.org/managed": "true",
        "flyte.org/project": "flytesnacks", "flyte.org/run": run,
    });
    pod["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "flyte.org/v1", "kind": "TaskAction", "name": format!("{run}-{action}"), "uid": "",
        "controller": true, "blockOwnerDeletion": true,
    }]);
    for container in pod["spec"]["containers"].as_array_mut().into_iter().flatten() {
        container["env"] =
            json!([{"name": "ACTION_NAME", "value": action}, {"name": "RUN_NAME", "value": run}]);
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
