//! Our container in a task pod, and the volume with its token.

use dataservice_wire as wire;
use serde_json::{Value, json};

use crate::installation::Installation;
use crate::pod;

/// The native sidecar's name.
pub const NAME: &str = "dataservice-sidecar";
/// The token volume's name.
pub const TOKEN_VOLUME: &str = "dataservice-token";

/// The native sidecar (an init container with `restartPolicy: Always`) that gives the services back.
///
/// It asks for no resources where the pod has pod-level ones: with those equal to its containers' sum, a further
/// request makes the pod invalid (measured, kubernetes.md).
pub(crate) fn container(installation: &Installation, pod: &Value) -> Value {
    let mut container = json!({
        "name": NAME,
        "image": installation.sidecar_image,
        "args": ["run"],
        "restartPolicy": "Always",
        "env": [
            {"name": wire::env::URL, "value": installation.lifecycle_url},
            {"name": wire::env::CA, "value": installation.lifecycle_ca},
            {"name": wire::env::TOKEN_FILE, "value": format!("{TOKEN_PATH}/{TOKEN_FILE}")},
        ],
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
        "volumeMounts": [{"name": TOKEN_VOLUME, "mountPath": TOKEN_PATH, "readOnly": true}],
    });
    let mut set = |key: &str, value| container.as_object_mut().and_then(|c| c.insert(key.to_owned(), value));
    if let Some(policy) = &installation.sidecar_pull_policy {
        set("imagePullPolicy", json!(policy));
    }
    let resources = &installation.sidecar_resources;
    if pod.pointer("/spec/resources").is_none_or(Value::is_null) && !resources.is_empty() {
        set("resources", json!({"requests": resources, "limits": resources}));
    }
    container
}

/// The volume with the token that the sidecar shows: bound to the pod and to our audience, renewed by the kubelet.
pub(crate) fn token_volume() -> Value {
    json!({
        "name": TOKEN_VOLUME,
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

/// The containers and volumes of a pod, by name, that stand where ours would.
pub(crate) fn taken_names(pod: &Value) -> impl Iterator<Item = &str> {
    ["/spec/initContainers", "/spec/containers", "/spec/volumes"]
        .into_iter()
        .flat_map(|list| pod::list(pod, list))
        .filter_map(pod::name)
        .filter(|name| name.starts_with(crate::patch::OBJECT_MARK))
}

const TOKEN_PATH: &str = "/var/run/secrets/dataservice.flyte.org";
const TOKEN_FILE: &str = "token";
/// An hour: the kubelet renews it at four fifths of that.
const TOKEN_SECONDS: u32 = 3_600;
/// Nobody in particular; distroless calls it nonroot.
const USER: u32 = 65_532;
