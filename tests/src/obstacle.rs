//! What keeps the controller from creating anything in a namespace, so that a test can look in between.

use anyhow::Result;
use kube::Client;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, PostParams};
use serde_json::{Value, json};

use crate::cluster::SYSTEM;
use crate::wait;

/// A ValidatingAdmissionPolicy that refuses what the webhook's service account creates in one namespace.
pub struct Obstacle {
    client: Client,
    name: String,
}

// === impl Obstacle ===

impl Obstacle {
    /// Puts it in the way, and waits until the API server heeds it.
    pub async fn put(client: &Client, namespace: &str) -> Result<Self> {
        let name = format!("obstacle-{namespace}");
        let webhook = format!("system:serviceaccount:{SYSTEM}:flyte-dataservice-webhook");
        let policy = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": name},
            "spec": {
                "matchConstraints": {"resourceRules": [
                    {"apiGroups": ["", "apps"], "apiVersions": ["v1"], "operations": ["CREATE"],
                     "resources": ["services", "statefulsets", "configmaps"]},
                ]},
                "validations": [{
                    "expression":
                        format!("request.userInfo.username != '{webhook}' && request.resource.resource != 'configmaps'"),
                    "message": "an obstacle of the tests",
                }],
            },
        });
        let binding = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": name},
            "spec": {
                "policyName": name,
                "validationActions": ["Deny"],
                "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}},
            },
        });
        for object in [policy, binding] {
            let kind = object["kind"].as_str().unwrap_or_default();
            api(client, kind)
                .create(&PostParams::default(), &serde_json::from_value(object.clone())?)
                .await?;
        }
        let obstacle = Self { client: client.clone(), name };
        wait::until("the obstacle to be heeded", || obstacle.is_heeded(namespace)).await?;
        Ok(obstacle)
    }

    /// Takes it away.
    pub async fn lift(self) -> Result<()> {
        for kind in ["ValidatingAdmissionPolicyBinding", "ValidatingAdmissionPolicy"] {
            api(&self.client, kind).delete(&self.name, &DeleteParams::default()).await?;
        }
        Ok(())
    }

    /// It refuses every ConfigMap as well, to show that it is in force.
    async fn is_heeded(&self, namespace: &str) -> Result<Option<()>> {
        let maps: Api<k8s_openapi::api::core::v1::ConfigMap> =
            Api::namespaced(self.client.clone(), namespace);
        let map = serde_json::from_value(json!({"metadata": {"generateName": "probe-"}}))?;
        let probe = maps.create(&PostParams { dry_run: true, ..PostParams::default() }, &map).await;
        Ok(matches!(probe, Err(kube::Error::Api(_))).then_some(()))
    }
}

fn api(client: &Client, kind: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("admissionregistration.k8s.io", "v1", kind);
    let plural = match kind.kind.as_str() {
        "ValidatingAdmissionPolicy" => "validatingadmissionpolicies",
        _ => "validatingadmissionpolicybindings",
    };
    Api::all_with(client.clone(), &ApiResource::from_gvk_with_plural(&kind, plural))
}

/// A Service that is not ours, under a name that one of ours wants.
pub async fn squat(client: &Client, namespace: &str, name: &str) -> Result<String> {
    let services: Api<DynamicObject> = Api::namespaced_with(
        client.clone(),
        namespace,
        &ApiResource::erase::<k8s_openapi::api::core::v1::Service>(&()),
    );
    let service: Value = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"ports": [{"port": 1}]},
    });
    let created = services.create(&PostParams::default(), &serde_json::from_value(service)?).await?;
    Ok(created.metadata.resource_version.unwrap_or_default())
}
