//! The installed webhook: stopped, started, and set up otherwise, for tests that run alone.

use anyhow::{Context, Result};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::Client;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::cluster::{SYSTEM, create_pod};
use crate::wait;

/// The installed webhook.
#[derive(Clone)]
pub struct Webhook {
    client: Client,
}

// === impl Webhook ===

impl Webhook {
    /// That of this cluster.
    #[must_use]
    pub fn of(client: &Client) -> Self {
        Self { client: client.clone() }
    }

    /// Kills it as by a node's loss, and waits until another is ready.
    pub async fn restart(&self) -> Result<()> {
        for pod in self.pods().list(&Self::labels()).await? {
            let name = pod.metadata.name.context("a pod without a name")?;
            self.pods().delete(&name, &DeleteParams::default().grace_period(0)).await?;
        }
        self.until_reached(1).await
    }

    /// Runs as many of it.
    pub async fn scale(&self, replicas: usize) -> Result<()> {
        let scale = json!({"spec": {"replicas": replicas}});
        self.deployments().patch_scale(NAME, &PatchParams::default(), &Patch::Merge(&scale)).await?;
        self.until_reached(replicas).await
    }

    /// Runs it with these settings (YAML), does `work`, and puts back what was.
    pub async fn with_settings<T>(&self, settings: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), SYSTEM);
        let before = maps.get(SETTINGS).await?.data.unwrap_or_default();
        let set = |data: Value| {
            let maps = maps.clone();
            async move {
                maps.patch(SETTINGS, &PatchParams::default(), &Patch::Merge(json!({"data": data}))).await?;
                // In peace: one that is killed by force answers on for two seconds, by what it was told before.
                self.scale(0).await?;
                self.scale(1).await
            }
        };
        set(json!({"settings.yaml": settings})).await?;
        let outcome = work.await;
        set(json!(before)).await?;
        outcome
    }

    /// Runs it with other flags, does `work`, and puts back what was.
    pub async fn with_flag<T>(
        &self,
        flag: &str,
        value: &str,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let container = |deployment: Deployment| {
            deployment
                .spec
                .and_then(|spec| spec.template.spec)
                .and_then(|spec| spec.containers.into_iter().next())
        };
        let before = container(self.deployments().get(NAME).await?).and_then(|c| c.args).unwrap_or_default();
        let start = format!("{flag}=");
        let args: Vec<_> = before
            .iter()
            .map(|arg| if arg.starts_with(&start) { format!("{flag}={value}") } else { arg.clone() })
            .collect();
        self.set_args(&args).await?;
        let outcome = work.await;
        self.set_args(&before).await?;
        outcome
    }

    async fn set_args(&self, args: &[String]) -> Result<()> {
        let patch =
            json!([{"op": "replace", "path": "/spec/template/spec/containers/0/args", "value": args}]);
        let patch = Patch::Json::<()>(serde_json::from_value(patch)?);
        self.deployments().patch(NAME, &PatchParams::default(), &patch).await?;
        wait::until("the webhook to be rolled out", || async {
            let deployment = self.deployments().get(NAME).await?;
            let status = deployment.status.unwrap_or_default();
            let is_current = status.observed_generation >= deployment.metadata.generation;
            let ready = (status.updated_replicas, status.replicas, status.available_replicas);
            Ok((is_current && ready == (Some(1), Some(1), Some(1))).then_some(()))
        })
        .await?;
        self.until_reached(1).await
    }

    /// Waits until as many are ready, no other is left, and the API server reaches them.
    pub async fn until_reached(&self, replicas: usize) -> Result<()> {
        wait::until(&format!("{replicas} webhooks"), || async {
            let pods = self.pods().list(&Self::labels()).await?.items;
            let is_ready = |pod: &Pod| {
                let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
                conditions.is_some_and(|all| all.iter().any(|c| c.type_ == "Ready" && c.status == "True"))
            };
            Ok((pods.len() == replicas && pods.iter().all(is_ready)).then_some(()))
        })
        .await?;
        if replicas == 0 { Ok(()) } else { self.probe().await }
    }

    /// Waits until the API server reaches it: the node's proxy follows a pod that is ready a moment later.
    async fn probe(&self) -> Result<()> {
        let probe = json!({
            "metadata": {"generateName": "probe-", "annotations": {"dataservice.flyte.org/inject": "false"}},
            "spec": {"containers": [{"name": "a", "image": "unused"}]},
        });
        wait::until("the API server to reach the webhook", || async {
            let answer = create_pod(&self.client, "default", &probe, "dryRun=All").await?;
            Ok((answer.status == 201).then_some(()))
        })
        .await
    }

    fn labels() -> ListParams {
        ListParams::default().labels("app.kubernetes.io/component=webhook")
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), SYSTEM)
    }

    fn deployments(&self) -> Api<Deployment> {
        Api::namespaced(self.client.clone(), SYSTEM)
    }
}

const NAME: &str = "flyte-dataservice-webhook";
const SETTINGS: &str = "flyte-dataservice-settings";
