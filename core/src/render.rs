//! The objects of a service, written once and never again.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::annotation::{self, PREFIX};
use crate::consumer::Owner;
use crate::pod;
use crate::reconcile::Creation;
use crate::record::MANAGED_BY;
use crate::resources::Resources;
use crate::spec::Spec;

/// The template of a `PodTemplate` gives no servers.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidTemplate {
    /// Neither the template nor the annotations say which image.
    #[error("pod template {0:?} has no image for the servers, and neither have the annotations")]
    NoImage(String),
    /// Its `template` is not what a `PodTemplate` has.
    #[error("pod template {0:?} has no template with a spec")]
    NoSpec(String),
    /// What its server's container asks of a node cannot be read.
    #[error("pod template {template:?} has resources that cannot be read: {cause}")]
    Resources {
        /// Its name.
        template: String,
        /// What is wrong with them.
        cause: String,
    },
}

/// The headless Service of `creation`.
///
/// Names are published before the servers are ready: the servers find each other by them, and resolvers remember a
/// missing name for 30 s.
#[must_use]
pub fn service(creation: &Creation) -> Value {
    let port = creation.spec.port;
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(creation),
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": true,
            "selector": selector(creation),
            "ports": [{"name": PORT_NAME, "port": port, "targetPort": port, "protocol": "TCP"}],
        },
    })
}

/// The NetworkPolicy of `creation`: its port is reached by its consumers, which carry a label for it, and by its own
/// servers. (Pods on the host's network cannot be selected.)
#[must_use]
pub fn network_policy(creation: &Creation) -> Value {
    let consumers = json!({(creation.service.object.label()): "true"});
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(creation),
        "spec": {
            "podSelector": {"matchLabels": selector(creation)},
            "policyTypes": ["Ingress"],
            "ingress": [
                {
                    "from": [{"podSelector": {"matchLabels": consumers}}],
                    "ports": [{"port": creation.spec.port, "protocol": "TCP"}],
                },
                // Servers may speak to each other on ports of their own.
                {"from": [{"podSelector": {"matchLabels": selector(creation)}}]},
            ],
        },
    })
}

/// The StatefulSet of `creation`; `template` is the `PodTemplate` that its spec names.
pub fn stateful_set(creation: &Creation, template: Option<&Value>) -> Result<Value, InvalidTemplate> {
    Ok(json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata(creation),
        "spec": {
            "serviceName": creation.service.object,
            "replicas": creation.spec.replicas,
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": selector(creation)},
            "template": pod_template(creation, template)?,
        },
    }))
}

/// A reference that has an object collected with its owner, and keeps neither from anything else.
#[must_use]
pub fn owner_reference(owner: &Owner) -> Value {
    json!({
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.name,
        "uid": owner.uid,
        "controller": false,
        "blockOwnerDeletion": false,
    })
}

fn metadata(creation: &Creation) -> Value {
    let owners: Vec<_> = creation.owners.iter().map(owner_reference).collect();
    json!({
        "name": creation.service.object,
        "namespace": creation.namespace,
        "labels": labels(creation),
        "annotations": {annotation::RECORD: creation.record.to_text()},
        "ownerReferences": owners,
    })
}

fn labels(creation: &Creation) -> BTreeMap<String, String> {
    let mut labels = selector(creation);
    labels.extend([
        (MANAGED_BY.0.to_owned(), MANAGED_BY.1.to_owned()),
        ("app.kubernetes.io/name".to_owned(), creation.service.name.to_string()),
        ("app.kubernetes.io/part-of".to_owned(), "flyte-dataservice".to_owned()),
        (SCOPE.to_owned(), creation.service.scope.to_string()),
        (KEY.to_owned(), creation.service.key.digest()),
    ]);
    labels
}

/// What the servers are selected by. The instance keeps the terminating servers of a predecessor out.
fn selector(creation: &Creation) -> BTreeMap<String, String> {
    [
        (SERVICE.to_owned(), creation.service.object.to_string()),
        (INSTANCE.to_owned(), creation.record.instance.as_str().to_owned()),
    ]
    .into()
}

/// The servers' pod: the template's, with ours on top.
fn pod_template(creation: &Creation, template: Option<&Value>) -> Result<Value, InvalidTemplate> {
    let name = creation.spec.pod_template.as_ref().map(ToString::to_string).unwrap_or_default();
    let base = template.map(|template| template.get("template").cloned().unwrap_or_default());
    let (base_metadata, mut spec) = match base {
        None => (Value::Null, Map::new()),
        Some(mut base) => match base.get_mut("spec").map(Value::take) {
            Some(Value::Object(spec)) => (base.get("metadata").cloned().unwrap_or_default(), spec),
            _ => return Err(InvalidTemplate::NoSpec(name)),
        },
    };
    let container = server(&mut spec).ok_or_else(|| InvalidTemplate::NoImage(name.clone()))?;
    fill(container, creation, &name)?;
    default(&mut spec, "automountServiceAccountToken", json!(false));
    default(&mut spec, "enableServiceLinks", json!(false));
    default(&mut spec, "terminationGracePeriodSeconds", json!(5));
    default(
        &mut spec,
        "securityContext",
        json!({
            "runAsNonRoot": true,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        }),
    );
    // A StatefulSet takes no other.
    spec.insert("restartPolicy".to_owned(), json!("Always"));
    let mut metadata = Map::new();
    let ours_over = |field: &str, ours: BTreeMap<String, String>| {
        let mut members = without_prefix(base_metadata.get(field));
        members.extend(ours.into_iter().map(|(key, value)| (key, json!(value))));
        Value::Object(members)
    };
    metadata.insert("labels".to_owned(), ours_over("labels", labels(creation)));
    metadata.insert("annotations".to_owned(), ours_over("annotations", BTreeMap::new()));
    Ok(json!({"metadata": metadata, "spec": spec}))
}

/// A template's labels or annotations without those of ours: a server is no consumer.
fn without_prefix(members: Option<&Value>) -> Map<String, Value> {
    let members = members.and_then(Value::as_object).cloned().unwrap_or_default();
    members.into_iter().filter(|(key, _)| !key.starts_with(PREFIX)).collect()
}

/// The server among the template's containers: its `primary` one (else its `default`, else its first), or a new one.
/// (`primary` and `default` are Flyte's own names in a `PodTemplate`.)
fn server(spec: &mut Map<String, Value>) -> Option<&mut Map<String, Value>> {
    default(spec, "containers", json!([{"name": SERVER}]));
    let containers = spec.get_mut("containers")?.as_array_mut()?;
    let named = |name| containers.iter().position(|container| pod::name(container) == Some(name));
    let index = named("primary").or_else(|| named("default")).unwrap_or(0);
    containers.get_mut(index)?.as_object_mut()
}

/// Makes a container of the template called `template` the server.
fn fill(
    container: &mut Map<String, Value>,
    creation: &Creation,
    template: &str,
) -> Result<(), InvalidTemplate> {
    let asked = &creation.spec;
    if let Some(image) = &asked.image {
        container.insert("image".to_owned(), json!(image));
    }
    let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
    if image.is_empty() {
        return Err(InvalidTemplate::NoImage(template.to_owned()));
    }
    if !asked.command.is_empty() {
        container.insert("command".to_owned(), json!(asked.command));
    }
    if !asked.args.is_empty() {
        container.insert("args".to_owned(), json!(asked.args));
    }
    container.insert("env".to_owned(), environment(container.get("env"), creation));
    container.insert("ports".to_owned(), ports(container.get("ports"), asked.port));
    let resources = resources(container.get("resources"), creation).map_err(|error| {
        InvalidTemplate::Resources { template: template.to_owned(), cause: error.to_string() }
    })?;
    container.insert("resources".to_owned(), resources);
    default(container, "readinessProbe", json!({"tcpSocket": {"port": asked.port}, "periodSeconds": 2}));
    // So that a crash can be quoted.
    default(container, "terminationMessagePolicy", json!("FallbackToLogsOnError"));
    default(
        container,
        "securityContext",
        json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}),
    );
    Ok(())
}

/// The user's, then the template's, then the administrator's. What the template says beside requests and limits
/// (claims, for devices) stays.
fn resources(template: Option<&Value>, creation: &Creation) -> Result<Value, serde_json::Error> {
    let mut resources = template.and_then(Value::as_object).cloned().unwrap_or_default();
    let template: Resources = serde_json::from_value(json!(resources))?;
    let resolved = creation.spec.resources.or_template(&template).resolve(&creation.default_resources);
    resources.insert("requests".to_owned(), json!(resolved.requests));
    resources.insert("limits".to_owned(), json!(resolved.limits));
    Ok(Value::Object(resources))
}

/// Ours first, so that `$(SERVER_PORT)` expands in what follows; then the user's, then the template's.
fn environment(template: Option<&Value>, creation: &Creation) -> Value {
    let Spec { replicas, port, env, .. } = &creation.spec;
    let ordinal = json!({"fieldRef": {"fieldPath": "metadata.labels['apps.kubernetes.io/pod-index']"}});
    let mut vars = vec![
        // What today's servers of the flytekit plugin read.
        json!({"name": "GE_BASE_PORT", "value": port.to_string()}),
        json!({"name": "GE_COUNT", "value": replicas.to_string()}),
        json!({"name": "SERVER_PORT", "value": port.to_string()}),
        json!({"name": "DATASERVICE_NAME", "value": creation.service.object}),
        json!({"name": "DATASERVICE_REPLICAS", "value": replicas.to_string()}),
        json!({"name": "DATASERVICE_ORDINAL", "valueFrom": ordinal}),
        json!({"name": "DATASERVICE_PORT", "value": port.to_string()}),
    ];
    vars.extend(env.iter().map(|(name, value)| json!({"name": name, "value": value})));
    for var in template.and_then(Value::as_array).into_iter().flatten() {
        if !vars.iter().any(|ours| pod::name(ours) == pod::name(var)) {
            vars.push(var.clone());
        }
    }
    Value::Array(vars)
}

/// The template's ports and ours.
fn ports(template: Option<&Value>, port: u16) -> Value {
    let mut ports = template.and_then(Value::as_array).cloned().unwrap_or_default();
    if !ports.iter().any(|there| there.get("containerPort") == Some(&json!(port))) {
        ports.retain(|there| pod::name(there) != Some(PORT_NAME));
        ports.push(json!({"name": PORT_NAME, "containerPort": port, "protocol": "TCP"}));
    }
    Value::Array(ports)
}

/// Sets what is missing or empty.
fn default(object: &mut Map<String, Value>, key: &str, value: Value) {
    let entry = object.entry(key).or_insert(Value::Null);
    let is_empty = match entry {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    };
    if is_empty {
        *entry = value;
    }
}

/// Label of a service's objects and servers: its object's name.
pub const SERVICE: &str = "dataservice.flyte.org/service";
/// Label of a service's objects and servers: which making of it.
pub const INSTANCE: &str = "dataservice.flyte.org/instance";
/// Label of a service's objects and servers: who shares it.
pub const SCOPE: &str = "dataservice.flyte.org/scope";
/// Label of a service's objects and servers: its key's hash.
pub const KEY: &str = "dataservice.flyte.org/key";

const SERVER: &str = "server";
const PORT_NAME: &str = "dataservice";
/// As flytekitplugins-k8sdataservice has it.
const USER: u32 = 1001;

#[cfg(test)]
mod tests;
