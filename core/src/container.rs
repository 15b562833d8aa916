//! Our containers in a task pod, and the volumes that they need.

use dataservice_wire as wire;
use serde_json::{Value, json};

use crate::installation::Installation;
use crate::pod;

/// The native sidecar's name.
pub const SIDECAR: &str = "dataservice-sidecar";
/// The wait gate's name.
pub const GATE: &str = "dataservice-wait";
/// The folder in which a task finds lists of endpoints that are too long for its environment.
pub const LISTS_PATH: &str = "/var/run/dataservice";

/// What our containers say to the lifecycle API, and as whom.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Voice {
    /// They never speak to it.
    Silent,
    /// With the pod's token.
    Speaking,
}

/// The native sidecar (an init container with `restartPolicy: Always`) that gives the services back.
pub(crate) fn sidecar(installation: &Installation, pod: &Value) -> Value {
    let mut container = container(SIDECAR, "run", installation, pod, Voice::Speaking);
    set(&mut container, "restartPolicy", json!("Always"));
    container
}

/// The init container that lets the task start when its services are ready.
pub(crate) fn gate(installation: &Installation, pod: &Value, gate: &wire::Gate, voice: Voice) -> Value {
    let mut container = container(GATE, "wait", installation, pod, voice);
    // Strings and numbers: nothing here can fail.
    let told = serde_json::to_string(gate).unwrap_or_default();
    push(&mut container, "env", json!({"name": wire::env::GATE, "value": told}));
    if gate.lists.is_some() {
        push(&mut container, "volumeMounts", json!({"name": LISTS, "mountPath": LISTS_PATH}));
    }
    container
}

/// The volume with the token that our containers show: bound to the pod and to our audience, renewed by the kubelet.
pub(crate) fn token_volume() -> Value {
    json!({
        "name": TOKEN,
        "projected": {
            "sources": [{
                "serviceAccountToken": {
                    "audience": wire::AUDIENCE,
                    "expirationSeconds": TOKEN_SECONDS,
                    "path": TOKEN_FILE,
                },
            }],
        },
    })
}

/// The volume that the gate writes lists of endpoints to.
pub(crate) fn lists_volume() -> Value {
    json!({"name": LISTS, "emptyDir": {}})
}

/// Its mount in the user's containers.
pub(crate) fn lists_mount() -> Value {
    json!({"name": LISTS, "mountPath": LISTS_PATH, "readOnly": true})
}

/// The containers and volumes of a pod, by name, that stand where ours would.
pub(crate) fn taken_names(pod: &Value) -> impl Iterator<Item = &str> {
    ["/spec/initContainers", "/spec/containers", "/spec/volumes"]
        .into_iter()
        .flat_map(|list| pod::list(pod, list))
        .filter_map(pod::name)
        .filter(|name| name.starts_with(crate::patch::OBJECT_MARK))
}

/// What both have in common.
///
/// They ask for no resources where the pod has pod-level ones: with those equal to its containers' sum, a further
/// request makes the pod invalid (measured, kubernetes.md).
fn container(name: &str, command: &str, installation: &Installation, pod: &Value, voice: Voice) -> Value {
    let mut container = json!({
        "name": name,
        "image": installation.sidecar_image,
        "args": [command],
        "env": [],
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": true,
            "runAsGroup": USER,
            "runAsNonRoot": true,
            "runAsUser": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
    });
    if matches!(voice, Voice::Speaking) {
        let token = format!("{TOKEN_PATH}/{TOKEN_FILE}");
        push(&mut container, "env", json!({"name": wire::env::URL, "value": installation.lifecycle_url}));
        push(&mut container, "env", json!({"name": wire::env::CA, "value": installation.lifecycle_ca}));
        push(&mut container, "env", json!({"name": wire::env::TOKEN_FILE, "value": token}));
        let mount = json!({"name": TOKEN, "mountPath": TOKEN_PATH, "readOnly": true});
        push(&mut container, "volumeMounts", mount);
    }
    if let Some(policy) = &installation.sidecar_pull_policy {
        set(&mut container, "imagePullPolicy", json!(policy));
    }
    let resources = &installation.sidecar_resources;
    if pod.pointer("/spec/resources").is_none_or(Value::is_null) && !resources.is_empty() {
        set(&mut container, "resources", json!({"requests": resources, "limits": resources}));
    }
    container
}

fn set(container: &mut Value, key: &str, value: Value) {
    if let Some(members) = container.as_object_mut() {
        members.insert(key.to_owned(), value);
    }
}

fn push(container: &mut Value, key: &str, item: Value) {
    if let Some(members) = container.as_object_mut() {
        let list = members.entry(key).or_insert_with(|| json!([]));
        if let Some(list) = list.as_array_mut() {
            list.push(item);
        }
    }
}

const LISTS: &str = "dataservice-lists";
const TOKEN: &str = "dataservice-token";
/// Where Kubernetes would mount the pod's API token: with a mount there, its `ServiceAccount` plugin adds none (so that
/// ours can ask nothing of the API server), and so the API server does not ask for the pod's admission a second time.
/// (kubernetes/plugin/pkg/admission/serviceaccount/admission.go, `mountServiceAccountToken`.)
const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const TOKEN_FILE: &str = "token";
/// An hour: the kubelet renews it at four fifths of that.
const TOKEN_SECONDS: u32 = 3_600;
/// Nobody in particular; distroless calls it nonroot.
const USER: u32 = 65_532;
