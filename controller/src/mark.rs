//! What is changed on consumers: the mark of one whose leader has ended, its scheduling gate, and its end.

use dataservice_core::annotation::{CONSUMER, RELEASED, SCHEDULING_GATE};
use dataservice_core::consumer::PodRef;
use dataservice_core::release::Released;
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};

use crate::apply::MANAGER;
use crate::error::Error;

/// Marks `pod` as one that needs its services no more, since the leader of its job has ended.
pub(crate) async fn release(client: &Client, pod: &PodRef) -> Result<(), Error> {
    let mark = Released::ByItsLeader(&pod.uid).to_text();
    let path = format!("/metadata/annotations/{}", escaped(RELEASED));
    change(client, pod, "release", vec![json!({"op": "add", "path": path, "value": mark})]).await
}

/// Lets `pod` be placed.
pub(crate) async fn lift(client: &Client, pod: &PodRef) -> Result<(), Error> {
    let failed = |source| Error::Pod { pod: pod.clone(), what: "look at", source };
    let pods: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace);
    let Some(there) = pods.get_opt(&pod.name).await.map_err(failed)? else { return Ok(()) };
    let gates = there.spec.and_then(|spec| spec.scheduling_gates).unwrap_or_default();
    let Some(at) = gates.iter().position(|gate| gate.name == SCHEDULING_GATE) else { return Ok(()) };
    let path = format!("/spec/schedulingGates/{at}");
    let operations = vec![
        json!({"op": "test", "path": path, "value": {"name": SCHEDULING_GATE}}),
        json!({"op": "remove", "path": path}),
    ];
    change(client, pod, "lift the scheduling gate of", operations).await
}

/// Has `pod` ended, with the reason `DeadlineExceeded`.
pub(crate) async fn end(client: &Client, pod: &PodRef) -> Result<(), Error> {
    let operation = json!({"op": "add", "path": "/spec/activeDeadlineSeconds", "value": 1});
    change(client, pod, "end", vec![operation]).await
}

/// Changes this very pod, if it is there and a consumer: the API server tests both against the living object.
async fn change(
    client: &Client,
    pod: &PodRef,
    what: &'static str,
    operations: Vec<Value>,
) -> Result<(), Error> {
    let tests = [
        json!({"op": "test", "path": "/metadata/uid", "value": pod.uid}),
        json!({"op": "test", "path": format!("/metadata/labels/{}", escaped(CONSUMER)), "value": "true"}),
    ];
    let operations: Vec<_> = tests.into_iter().chain(operations).collect();
    let failed = |source| Error::Pod { pod: pod.clone(), what, source };
    let patch: json_patch::Patch =
        serde_json::from_value(json!(operations)).map_err(|error| failed(kube::Error::SerdeError(error)))?;
    let pods: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace);
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    match pods.patch_metadata(&pod.name, &params, &Patch::Json::<()>(patch)).await {
        Ok(_) => Ok(()),
        // It is gone.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(source) => Err(failed(source)),
    }
}

fn escaped(key: &str) -> String {
    key.replace('/', "~1")
}
