//! What can only be seen while nothing else goes on: these run one after the other.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use anyhow::Result;
use dataservice_tests::cluster::{SYSTEM, client, logs, metric};
use dataservice_tests::flyte::{self, TASK};
use dataservice_tests::obstacle::Obstacle;
use dataservice_tests::sandbox::{name, object, sandbox};
use dataservice_tests::wait;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use tokio::sync::Mutex;

static ALONE: Mutex<()> = Mutex::const_new(());

/// How many reviews the API server has sent to the webhook.
async fn reviews() -> Result<f64> {
    let label = ["name=\"pods.dataservice.flyte.org\""];
    metric(&client().await?, "apiserver_admission_webhook_admission_duration_seconds_count", &label).await
}

#[tokio::test]
async fn a_pod_without_annotations_is_never_sent_to_the_webhook() {
    let _alone = ALONE.lock().await;
    sandbox(|sandbox| async move {
        let before = reviews().await?;
        let mut pod = sandbox.pod("control-no-annotations", "true").await?;
        flyte::strip(&mut pod);
        let created = sandbox.create_pod(&pod).await?;
        assert_eq!(created["spec"]["containers"][0]["env"], pod["spec"]["containers"][0]["env"]);
        assert_eq!(created["spec"].get("initContainers"), None);
        assert!((reviews().await? - before).abs() < f64::EPSILON);
        sandbox.create_pod(&sandbox.pod("plain", "true").await?).await?;
        assert!(reviews().await? > before, "the metric does not count what it is taken for");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_webhook_that_restarts_between_admission_and_creation_loses_nothing() {
    let _alone = ALONE.lock().await;
    sandbox(|sandbox| async move {
        let obstacle = Obstacle::put(&sandbox.client, &sandbox.namespace).await?;
        let pod = sandbox.create_pod(&sandbox.pod("plain", TASK).await?).await?;
        let (pod, object) = (name(&pod)?, object(&pod)?);
        sandbox.until_told(&pod, "DataServiceFailed").await?;
        restart_webhook().await?;
        assert!(sandbox.stateful_sets().get_opt(&object).await?.is_none());
        obstacle.lift().await?;
        sandbox.until_phase(&pod, "Succeeded").await?;
        assert_eq!(logs(&sandbox.client, &sandbox.namespace, &pod, "primary").await?.lines().count(), 2);
        sandbox.until_gone(&object).await
    })
    .await;
}

#[tokio::test]
async fn a_task_that_ends_while_the_webhook_is_away_gives_its_service_back() {
    let _alone = ALONE.lock().await;
    sandbox(|sandbox| async move {
        let pod = sandbox.create_pod(&sandbox.pod("plain", "sleep 15").await?).await?;
        let (pod, object) = (name(&pod)?, object(&pod)?);
        sandbox.until_made(&object).await?;
        sandbox.until_phase(&pod, "Running").await?;
        scale_webhook(0).await?;
        let ended = sandbox.until_phase(&pod, "Succeeded").await?;
        for status in ended.status.unwrap().init_container_statuses.unwrap() {
            assert_eq!(status.state.unwrap().terminated.unwrap().exit_code, 0, "{}", status.name);
        }
        assert!(sandbox.stateful_sets().get_opt(&object).await?.is_some());
        scale_webhook(1).await?;
        sandbox.until_gone(&object).await
    })
    .await;
}

fn webhooks(client: &kube::Client) -> Api<Pod> {
    Api::namespaced(client.clone(), SYSTEM)
}

/// Kills the webhook as by a node's loss, and waits until another is ready.
async fn restart_webhook() -> Result<()> {
    let pods = webhooks(&client().await?);
    let labels = ListParams::default().labels("app.kubernetes.io/component=webhook");
    for pod in pods.list(&labels).await? {
        pods.delete(&pod.metadata.name.unwrap(), &DeleteParams::default().grace_period(0)).await?;
    }
    until_webhooks(1).await
}

async fn scale_webhook(replicas: usize) -> Result<()> {
    let deployments: Api<k8s_openapi::api::apps::v1::Deployment> = Api::namespaced(client().await?, SYSTEM);
    let scale = serde_json::json!({"spec": {"replicas": replicas}});
    deployments
        .patch_scale(
            "flyte-dataservice-webhook",
            &kube::api::PatchParams::default(),
            &kube::api::Patch::Merge(&scale),
        )
        .await?;
    until_webhooks(replicas).await
}

/// Waits until as many webhooks are ready, and no other is left.
async fn until_webhooks(replicas: usize) -> Result<()> {
    let pods = webhooks(&client().await?);
    let labels = ListParams::default().labels("app.kubernetes.io/component=webhook");
    wait::until(&format!("{replicas} webhooks"), || async {
        let pods = pods.list(&labels).await?.items;
        let is_ready = |pod: &Pod| {
            let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
            conditions.is_some_and(|all| all.iter().any(|c| c.type_ == "Ready" && c.status == "True"))
        };
        Ok((pods.len() == replicas && pods.iter().all(is_ready)).then_some(()))
    })
    .await
}
