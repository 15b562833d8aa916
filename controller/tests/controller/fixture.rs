//! Pods and objects as watches show them, and what is known from them. All else in these tests is made from here.

use dataservice_controller::index::{Index, ServiceRef};
use dataservice_core::annotation::{PLAN, RECORD};
use dataservice_core::inject::{Decision, Request, inject};
use dataservice_core::installation::Installation;
use dataservice_core::reconcile::Kind;
use dataservice_core::record::Instance;
use dataservice_core::settings::Settings;
use serde_json::{Value, json};

pub(crate) const NAMESPACE: &str = "ns-0";

/// A running pod that was admitted with one service.
pub(crate) fn pod(name: &str) -> Value {
    pod_asking(name, &[("image", "ge-server:1.4")])
}

/// A running pod that was admitted with these annotations of ours. Its uid is `uid-<name>`.
pub(crate) fn pod_asking(name: &str, asked: &[(&str, &str)]) -> Value {
    let written: serde_json::Map<_, _> =
        asked.iter().map(|(key, value)| (format!("dataservice.flyte.org/{key}"), json!(value))).collect();
    admitted(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": NAMESPACE, "uid": format!("uid-{name}"),
            "creationTimestamp": "2026-06-01T00:00:00Z",
            "annotations": written,
        },
        "spec": {"restartPolicy": "Never", "containers": [{"name": "task"}]},
        "status": {"phase": "Running"},
    }))
}

/// The pod with what admission puts on it that the controller looks at.
pub(crate) fn admitted(mut pod: Value) -> Value {
    let uid = pod["metadata"]["name"].as_str().unwrap();
    let request = Request { uid, namespace: NAMESPACE, pod: &pod };
    let Decision::Inject { injection, .. } = inject(request, &Settings::default(), &installation()) else {
        panic!("{pod} must be good")
    };
    for (key, value) in &injection.annotations {
        pod["metadata"]["annotations"][key] = json!(value);
    }
    for (key, value) in &injection.labels {
        pod["metadata"]["labels"][key] = json!(value);
    }
    pod
}

fn installation() -> Installation {
    Installation::offline("sidecar".parse().unwrap())
}

/// The pod, when it has ended.
pub(crate) fn ended(mut pod: Value) -> Value {
    pod["status"]["phase"] = json!("Succeeded");
    pod
}

/// What the pod was promised.
pub(crate) fn plan(pod: &Value) -> Value {
    serde_json::from_str(pod["metadata"]["annotations"][PLAN].as_str().unwrap()).unwrap()
}

/// The service that the pod was promised, or the first of several.
pub(crate) fn service_of(pod: &Value) -> ServiceRef {
    let object = plan(pod)["services"][0]["object"].as_str().unwrap().into();
    ServiceRef { namespace: NAMESPACE.to_owned(), object }
}

/// The pod's service's object of this kind, as it is there once it was made. Its uid is `uid-<kind>`.
pub(crate) fn object(kind: Kind, pod: &Value) -> Value {
    object_of(kind, pod, plan(pod)["services"][0]["key"].as_str().unwrap())
}

/// An object that has the name of the pod's and was made for another key.
pub(crate) fn object_of(kind: Kind, pod: &Value, key: &str) -> Value {
    let service = &plan(pod)["services"][0];
    let record = json!({
        "version": 1, "key": key, "scope": service["scope"], "hash": service["hash"], "spec": service["spec"],
        "instance": Instance::of_creator(pod["metadata"]["uid"].as_str().unwrap()),
    });
    let mut object = foreign_object(kind, pod);
    object["metadata"]["labels"] = json!({"app.kubernetes.io/managed-by": "flyte-dataservice"});
    object["metadata"]["annotations"] = json!({RECORD: record.to_string()});
    object
}

/// An object that somebody else made under the name of the pod's.
pub(crate) fn foreign_object(kind: Kind, pod: &Value) -> Value {
    let owner = json!({"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": pod["metadata"]["uid"]});
    json!({"metadata": {
        "name": service_of(pod).object, "namespace": NAMESPACE, "uid": format!("uid-{kind:?}"),
        "resourceVersion": "1", "creationTimestamp": "2026-06-01T00:00:01Z", "ownerReferences": [owner],
    }})
}

/// What is known when these pods and objects have been seen.
pub(crate) fn known(pods: &[Value], objects: &[(Kind, Value)]) -> Index {
    let mut index = Index::default();
    for pod in pods {
        index.apply_pod(pod).unwrap();
    }
    for (kind, object) in objects {
        index.apply_object(*kind, object).unwrap();
    }
    index
}

/// Both objects of the pod's service, that go together.
pub(crate) fn both(pod: &Value) -> [(Kind, Value); 2] {
    let [(kind, mut service), set] = just_made(pod);
    service["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "apps/v1", "kind": "StatefulSet", "name": set.1["metadata"]["name"], "uid": "uid-StatefulSet",
    }]);
    [(kind, service), set]
}

/// Both objects of the pod's service, as they were made.
pub(crate) fn just_made(pod: &Value) -> [(Kind, Value); 2] {
    [Kind::Service, Kind::StatefulSet].map(|kind| (kind, object(kind, pod)))
}
