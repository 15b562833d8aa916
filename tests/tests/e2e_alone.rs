//! What can only be seen while nothing else goes on: these run one after the other.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::time::Duration;

use anyhow::Result;
use dataservice_tests::cluster::{client, logs, metric};
use dataservice_tests::flyte::{self, PATIENT_TASK, TASK};
use dataservice_tests::obstacle::Obstacle;
use dataservice_tests::sandbox::{gate_message, name, object, sandbox};
use dataservice_tests::wait;
use dataservice_tests::webhook::Webhook;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

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
        let mut pod = sandbox.pod("plain", PATIENT_TASK).await?;
        flyte::annotate(&mut pod, &[("wait", "none")]);
        let pod = sandbox.create_pod(&pod).await?;
        let (pod, object) = (name(&pod)?, object(&pod)?);
        sandbox.until_told(&pod, "DataServiceFailed").await?;
        Webhook::of(&sandbox.client).restart().await?;
        assert!(sandbox.stateful_sets().get_opt(&object).await?.is_none());
        obstacle.lift().await?;
        sandbox.until_phase(&pod, "Succeeded").await?;
        assert_eq!(logs(&sandbox.client, &sandbox.namespace, &pod, "primary").await?.lines().count(), 2);
        sandbox.until_gone(&object).await
    })
    .await;
}

#[tokio::test]
async fn a_webhook_that_restarts_still_knows_why_a_pod_waits_in_vain() {
    let _alone = ALONE.lock().await;
    sandbox(|sandbox| async move {
        let obstacle = Obstacle::put(&sandbox.client, &sandbox.namespace).await?;
        let mut pod = sandbox.pod("plain", TASK).await?;
        flyte::annotate(&mut pod, &[("wait", "1h")]);
        // A gate of the test's own: its wait gate asks after the restart.
        pod["spec"]["schedulingGates"] = json!([{"name": "tests/restart"}]);
        let pod = name(&sandbox.create_pod(&pod).await?)?;
        sandbox.until_told(&pod, "DataServiceFailed").await?;
        Webhook::of(&sandbox.client).restart().await?;
        let operations = json!([{"op": "remove", "path": "/spec/schedulingGates"}]);
        let operations = Patch::Json::<()>(serde_json::from_value(operations)?);
        sandbox.pods().patch(&pod, &PatchParams::default(), &operations).await?;
        let message = sandbox.until_given_up(&pod).await;
        obstacle.lift().await?;
        let message = message?;
        assert!(message.contains("an obstacle of the tests"), "{message}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_pod_whose_plan_cannot_be_read_any_more_keeps_its_service_until_it_ends() {
    let _alone = ALONE.lock().await;
    sandbox(|sandbox| async move {
        let mut pod = sandbox.pod("plain", "sleep 600").await?;
        flyte::annotate(&mut pod, &[("replicas", "1")]);
        let pod = sandbox.create_pod(&pod).await?;
        let (pod, object) = (name(&pod)?, object(&pod)?);
        sandbox.until_phase(&pod, "Running").await?;
        let uid = sandbox.set_uid(&object).await?;
        let plan = json!({"metadata": {"annotations": {"dataservice.flyte.org/plan": "{\"version\": 2}"}}});
        sandbox.pods().patch(&pod, &PatchParams::default(), &Patch::Merge(&plan)).await?;
        // What is in memory is gone with it.
        Webhook::of(&sandbox.client).restart().await?;
        let until = Instant::now() + Duration::from_secs(8);
        while Instant::now() < until {
            assert_eq!(sandbox.set_uid(&object).await?, uid, "its service went");
            sleep(Duration::from_millis(200)).await;
        }
        sandbox.pods().delete(&pod, &DeleteParams::default().grace_period(0)).await?;
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
        Webhook::of(&sandbox.client).scale(0).await?;
        let ended = sandbox.until_phase(&pod, "Succeeded").await?;
        for status in ended.status.unwrap().init_container_statuses.unwrap() {
            assert_eq!(status.state.unwrap().terminated.unwrap().exit_code, 0, "{}", status.name);
        }
        assert!(sandbox.stateful_sets().get_opt(&object).await?.is_some());
        Webhook::of(&sandbox.client).scale(1).await?;
        sandbox.until_gone(&object).await
    })
    .await;
}

#[tokio::test]
async fn a_gate_that_cannot_ask_goes_by_names_and_connections() {
    let _alone = ALONE.lock().await;
    sandbox(|sandbox| async move {
        let mut pod = sandbox.pod("plain", TASK).await?;
        // The user's own init containers run before the gate: time for the webhook to go before it is asked.
        pod["spec"]["initContainers"] =
            json!([{"name": "pause", "image": flyte::IMAGE, "command": ["sleep", "12"]}]);
        let pod = sandbox.create_pod(&pod).await?;
        sandbox.until_made(&object(&pod)?).await?;
        let webhook = Webhook::of(&sandbox.client);
        webhook.scale(0).await?;
        let ended = sandbox.until_phase(&name(&pod)?, "Succeeded").await;
        webhook.scale(1).await?;
        ended?;
        let told = logs(&sandbox.client, &sandbox.namespace, &name(&pod)?, "dataservice-wait").await?;
        assert!(
            told.contains("all 2 servers of 1 service answer") && told.contains("could not be asked"),
            "{told}"
        );
        sandbox.until_gone(&object(&pod)?).await
    })
    .await;
}

#[tokio::test]
async fn a_pod_whose_gate_cannot_run_is_ended_at_the_deadline_with_the_cause() {
    let _alone = ALONE.lock().await;
    sandbox(|sandbox| async move {
        let webhook = Webhook::of(&sandbox.client);
        let ended = webhook.with_flag(
            "--sidecar-image",
            "localhost/no-such-sidecar:1",
            Box::pin(async {
                let mut pod = sandbox.pod("plain", TASK).await?;
                flyte::annotate(&mut pod, &[("wait", "3s"), ("replicas", "1")]);
                pod["spec"]["restartPolicy"] = json!("Always");
                let pod = sandbox.create_pod(&pod).await?;
                let ended = sandbox.until_phase(&name(&pod)?, "Failed").await?;
                Ok((pod, ended))
            }),
        );
        let (pod, ended) = ended.await?;
        assert_eq!(ended.status.as_ref().unwrap().reason.as_deref(), Some("DeadlineExceeded"));
        assert_eq!(gate_message(&ended), None);
        let told = sandbox.told(&name(&pod)?, "DataServiceFailed").await?;
        let is_it = |told: &String| told.contains("its wait gate: ") && told.contains("ImagePull");
        assert!(told.iter().any(is_it), "{told:?}");
        sandbox.until_gone(&object(&pod)?).await
    })
    .await;
}

#[tokio::test]
async fn a_killed_controller_leaves_no_pod_gated() {
    let _alone = ALONE.lock().await;
    sandbox(|sandbox| async move {
        let slow = json!(["sh", "-c", format!("sleep 6; {}", flyte::SERVER)]).to_string();
        let mut pod = sandbox.pod("plain", TASK).await?;
        flyte::annotate(&mut pod, &[("hold", "scheduling"), ("command", &slow)]);
        let pod = sandbox.create_pod(&pod).await?;
        sandbox.until_made(&object(&pod)?).await?;
        Webhook::of(&sandbox.client).restart().await?;
        sandbox.until_phase(&name(&pod)?, "Succeeded").await?;
        sandbox.until_gone(&object(&pod)?).await
    })
    .await;
}

/// Twelve containers that each count what they find in the list.
fn with_twelve_containers(mut pod: Value) -> Value {
    let container = pod["spec"]["containers"][0].clone();
    let containers = (0..12).map(|number| {
        let mut container = container.clone();
        container["name"] = json!(format!("c{number}"));
        container["command"] =
            json!(["sh", "-c", "sort -u $MY_DATASERVICES_FILE | grep -c '^gnn-[0-9]*[.]gnn:40000$'"]);
        container
    });
    pod["spec"]["containers"] = containers.collect();
    if let Some(annotations) = pod["metadata"]["annotations"].as_object_mut() {
        annotations.remove("primary_container_name");
    }
    pod
}

#[tokio::test]
async fn five_thousand_endpoints_reach_twelve_containers_in_a_file() {
    let _alone = ALONE.lock().await;
    sandbox(|sandbox| async move {
        let webhook = Webhook::of(&sandbox.client);
        let work = Box::pin(async {
            let mut pod = with_twelve_containers(sandbox.pod("plain", "true").await?);
            flyte::strip(&mut pod);
            flyte::annotate(&mut pod, &[("existing", "gnn"), ("replicas", "5000"), ("wait", "none")]);
            let pod = sandbox.create_pod(&pod).await?;
            sandbox.until_phase(&name(&pod)?, "Succeeded").await?;
            for number in 0..12 {
                let counted =
                    logs(&sandbox.client, &sandbox.namespace, &name(&pod)?, &format!("c{number}")).await?;
                assert_eq!(counted, "5000\n");
            }
            Ok(())
        });
        webhook.with_settings("maxReplicas: 5000", work).await
    })
    .await;
}

/// The cluster of the tests has no engine for policies: what is seen is that the right one is there, and that the pods
/// carry what it selects by.
#[tokio::test]
async fn an_isolated_service_has_a_policy_that_lets_in_its_consumers_and_its_servers() {
    let _alone = ALONE.lock().await;
    sandbox(|sandbox| async move {
        let work = Box::pin(async {
            let pod = sandbox.create_pod(&sandbox.pod("plain", "sleep 5").await?).await?;
            let object = object(&pod)?;
            sandbox.until_phase(&name(&pod)?, "Running").await?;
            let policies: Api<NetworkPolicy> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
            let policy = serde_json::to_value(policies.get(&object).await?)?;
            let label = format!("dataservice.flyte.org/uses-{object}");
            assert_eq!(pod["metadata"]["labels"][&label], "true");
            let rule = &policy["spec"]["ingress"][0];
            assert_eq!(rule["from"][0]["podSelector"]["matchLabels"], json!({(label): "true"}));
            assert_eq!(rule["ports"], json!([{"port": 40000, "protocol": "TCP"}]));
            let server = serde_json::to_value(sandbox.pods().get(&format!("{object}-0")).await?)?;
            for (key, value) in policy["spec"]["podSelector"]["matchLabels"].as_object().unwrap() {
                assert_eq!(server["metadata"]["labels"][key], *value);
            }
            sandbox.until_gone(&object).await?;
            wait::until("the policy to be gone", || async {
                Ok(policies.get_opt(&object).await?.is_none().then_some(()))
            })
            .await
        });
        Webhook::of(&sandbox.client).with_settings("isolate: true", work).await
    })
    .await;
}

#[tokio::test]
async fn without_the_sidecar_a_pods_own_status_gives_its_service_back() {
    let _alone = ALONE.lock().await;
    sandbox(|sandbox| async move {
        let work = Box::pin(async {
            let pod = sandbox.create_pod(&sandbox.pod("plain", TASK).await?).await?;
            let init = pod["spec"]["initContainers"].as_array().unwrap();
            assert_eq!(
                init.iter().map(|container| &container["name"]).collect::<Vec<_>>(),
                ["dataservice-wait"]
            );
            let (pod, object) = (name(&pod)?, object(&pod)?);
            let ended = sandbox.until_phase(&pod, "Succeeded").await?;
            sandbox.until_gone(&object).await?;
            let annotations = ended.metadata.annotations.unwrap_or_default();
            assert!(!annotations.contains_key("dataservice.flyte.org/released"), "{annotations:?}");
            assert_eq!(logs(&sandbox.client, &sandbox.namespace, &pod, "primary").await?.lines().count(), 2);
            Ok(())
        });
        Webhook::of(&sandbox.client).with_settings("sidecar: false", work).await
    })
    .await;
}
