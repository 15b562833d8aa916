//! What Kubernetes does to a pod, or asks of it, that its user need not think of.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::time::Duration;

use anyhow::Result;
use dataservice_tests::cluster::logs;
use dataservice_tests::flyte::{self, IMAGE, TASK};
use dataservice_tests::process::Process;
use dataservice_tests::sandbox::{Sandbox, name, object, sandbox};
use dataservice_tests::wait;
use k8s_openapi::api::core::v1::{LimitRange, Pod, ResourceQuota, Service};
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// A pod with one server that runs `task`.
async fn pod(sandbox: &Sandbox, task: &str) -> Result<Value> {
    let mut pod = sandbox.pod("plain", task).await?;
    flyte::annotate(&mut pod, &[("replicas", "1")]);
    Ok(pod)
}

/// The same, where container and servers ask for no less than their limits.
async fn pod_with_limits(sandbox: &Sandbox) -> Result<Value> {
    let mut pod = pod(sandbox, TASK).await?;
    pod["spec"]["containers"][0]["resources"] = json!({"requests": amounts(), "limits": amounts()});
    flyte::annotate(&mut pod, &[("requests", "cpu=200m,mem=64Mi"), ("limits", "cpu=200m,mem=64Mi")]);
    Ok(pod)
}

fn amounts() -> Value {
    json!({"cpu": "200m", "memory": "64Mi"})
}

/// Creates the pod, and waits until it has reached its server by this name and has given it back.
async fn reaches(sandbox: &Sandbox, pod: &Value, suffix: &str) -> Result<Value> {
    let created = sandbox.create_pod(pod).await?;
    let (pod, object) = (name(&created)?, object(&created)?);
    sandbox.until_phase(&pod, "Succeeded").await?;
    let printed = logs(&sandbox.client, &sandbox.namespace, &pod, "primary").await?;
    assert_eq!(printed, format!("{object}-0.{object}{suffix}:40000 is {object}-0\n"));
    sandbox.until_gone(&object).await?;
    Ok(created)
}

/// Waits until the API server heeds what refuses pods whose containers ask for nothing.
async fn until_heeded(sandbox: &Sandbox) -> Result<()> {
    let probe = json!({
        "metadata": {"generateName": "probe-"}, "spec": {"containers": [{"name": "a", "image": "unused"}]},
    });
    wait::until("a pod that asks for nothing to be refused", || async {
        Ok((sandbox.try_create(&probe, "dryRun=All").await?.status == 403).then_some(()))
    })
    .await
}

/// The pod as admission hands it on to what comes after it.
async fn admitted(sandbox: &Sandbox, pod: &Value) -> Result<Value> {
    let answer = sandbox.try_create(pod, "dryRun=All").await?;
    assert_eq!(answer.status, 201, "{answer:?}");
    let mut pod = answer.body;
    pod.as_object_mut().unwrap().remove("status");
    let is_the_api_servers = |field: &str| {
        matches!(field, "uid" | "creationTimestamp" | "generation" | "managedFields" | "resourceVersion")
    };
    pod["metadata"].as_object_mut().unwrap().retain(|field, _| !is_the_api_servers(field));
    Ok(pod)
}

#[tokio::test]
async fn a_sidecar_that_takes_long_to_stop_keeps_no_service() {
    sandbox(|sandbox| async move {
        // As by a webhook that comes after ours: what starts last is stopped first, and ours is told after it.
        let mut pod = admitted(&sandbox, &pod(&sandbox, TASK).await?).await?;
        let stop = "trap 'sleep 15; exit 0' TERM; while :; do sleep 0.1; done";
        pod["spec"]["initContainers"].as_array_mut().unwrap().push(json!({
            "name": "slow", "image": IMAGE, "imagePullPolicy": "IfNotPresent", "restartPolicy": "Always",
            "command": ["sh", "-c", stop],
        }));
        let pod = sandbox.create_pod(&pod).await?;
        let init = pod["spec"]["initContainers"].as_array().unwrap();
        let names: Vec<_> = init.iter().map(|container| container["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["dataservice-sidecar", "dataservice-wait", "slow"]);
        let (pod, object) = (name(&pod)?, object(&pod)?);
        sandbox.until_phase(&pod, "Running").await?;
        wait::until("its StatefulSet to be gone", || async {
            Ok(sandbox.set_uid(&object).await?.is_none().then_some(()))
        })
        .await?;
        let status = sandbox.pods().get(&pod).await?.status.unwrap();
        let ours = status.init_container_statuses.unwrap();
        let ours = ours.iter().find(|container| container.name == "dataservice-sidecar").unwrap();
        assert!(ours.state.as_ref().unwrap().running.is_some(), "the other one did not hold it up: {ours:?}");
        sandbox.until_phase(&pod, "Succeeded").await?;
        sandbox.until_gone(&object).await
    })
    .await;
}

/// The id of the task's container, while it runs.
fn running(pod: &Pod) -> Option<String> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let primary = statuses.iter().find(|status| status.name == "primary")?;
    primary.state.as_ref()?.running.as_ref()?;
    primary.container_id.clone()
}

#[tokio::test]
async fn a_pod_that_runs_again_in_a_new_sandbox_keeps_its_service() {
    sandbox(|sandbox| async move {
        let mut pod = pod(&sandbox, "timeout 5 fetch $MY_DATASERVICES && exec sleep 600").await?;
        pod["spec"]["restartPolicy"] = json!("OnFailure");
        let pod = sandbox.create_pod(&pod).await?;
        let (pod, object) = (name(&pod)?, object(&pod)?);
        let (there, first) = wait::until("the task to run", || async {
            let there = sandbox.pods().get(&pod).await?;
            Ok(running(&there).map(|id| (there, id)))
        })
        .await?;
        let uid = sandbox.set_uid(&object).await?.expect("the task runs");
        // Nothing to kill where the node is another machine.
        let Some(process) = Process::of_sandbox(&there) else { return Ok(()) };
        process.kill()?;
        wait::until("the task to run again", || async {
            assert_eq!(sandbox.set_uid(&object).await?.as_ref(), Some(&uid), "the service went");
            let again = running(&sandbox.pods().get(&pod).await?);
            Ok(again.filter(|again| *again != first))
        })
        .await?;
        assert_eq!(sandbox.set_uid(&object).await?, Some(uid));
        sandbox.pods().delete(&pod, &DeleteParams::default().grace_period(0)).await?;
        sandbox.until_gone(&object).await
    })
    .await;
}

#[tokio::test]
async fn a_pod_of_the_same_name_that_comes_at_once_has_a_service_of_its_own() {
    sandbox(|sandbox| async move {
        let first = sandbox.create_pod(&pod(&sandbox, "sleep 600").await?).await?;
        sandbox.until_phase(&name(&first)?, "Running").await?;
        sandbox.pods().delete(&name(&first)?, &DeleteParams::default().grace_period(0)).await?;
        let second = pod(&sandbox, &format!("{TASK}; sleep 8")).await?;
        let second = wait::until("the name to be free", || async {
            let answer = sandbox.try_create(&second, "").await?;
            assert!(matches!(answer.status, 201 | 409), "{answer:?}");
            Ok((answer.status == 201).then_some(answer.body))
        })
        .await?;
        assert_eq!(name(&second)?, name(&first)?);
        let (one, two) = (object(&first)?, object(&second)?);
        assert_ne!(one, two);
        sandbox.until_phase(&name(&second)?, "Running").await?;
        let uid = sandbox.set_uid(&two).await?.expect("its gate has let it through");
        let until = Instant::now() + Duration::from_secs(4);
        while Instant::now() < until {
            assert_eq!(sandbox.set_uid(&two).await?.as_ref(), Some(&uid), "it went with the other's");
            sleep(Duration::from_millis(200)).await;
        }
        sandbox.until_gone(&one).await?;
        sandbox.until_phase(&name(&second)?, "Succeeded").await?;
        let printed = logs(&sandbox.client, &sandbox.namespace, &name(&second)?, "primary").await?;
        assert_eq!(printed, format!("{two}-0.{two}:40000 is {two}-0\n"));
        sandbox.until_gone(&two).await
    })
    .await;
}

#[tokio::test]
async fn pods_whose_names_the_api_server_makes_each_have_a_service() {
    sandbox(|sandbox| async move {
        let mut pod = pod(&sandbox, TASK).await?;
        pod["metadata"].as_object_mut().unwrap().remove("name");
        pod["metadata"]["generateName"] = json!("train-");
        let pods = tokio::join!(reaches(&sandbox, &pod, ""), reaches(&sandbox, &pod, ""));
        let (first, second) = (pods.0?, pods.1?);
        assert!(name(&first)?.starts_with("train-"));
        assert_ne!(object(&first)?, object(&second)?);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_guaranteed_pod_stays_guaranteed() {
    sandbox(|sandbox| async move {
        let created = reaches(&sandbox, &pod_with_limits(&sandbox).await?, "").await?;
        assert_eq!(created["status"]["qosClass"], "Guaranteed");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_pod_whose_resources_are_its_containers_sum_is_taken() {
    sandbox(|sandbox| async move {
        let mut pod = pod_with_limits(&sandbox).await?;
        pod["spec"]["resources"] = json!({"requests": amounts(), "limits": amounts()});
        let created = reaches(&sandbox, &pod, "").await?;
        assert_eq!(created["status"]["qosClass"], "Guaranteed");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_namespace_that_limits_how_little_and_how_unevenly_containers_ask_takes_ours() {
    sandbox(|sandbox| async move {
        let ranges: Api<LimitRange> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
        let range = json!({"metadata": {"name": "small"}, "spec": {"limits": [{
            "type": "Container",
            "min": {"cpu": "20m", "memory": "32Mi"},
            "maxLimitRequestRatio": {"cpu": "1", "memory": "1"},
        }]}});
        ranges.create(&PostParams::default(), &serde_json::from_value(range)?).await?;
        until_heeded(&sandbox).await?;
        reaches(&sandbox, &pod_with_limits(&sandbox).await?, "").await?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_namespace_whose_quota_demands_resources_takes_our_containers() {
    sandbox(|sandbox| async move {
        let quotas: Api<ResourceQuota> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
        let hard =
            json!({"requests.cpu": "4", "requests.memory": "4Gi", "limits.cpu": "4", "limits.memory": "4Gi"});
        let quota = json!({"metadata": {"name": "all"}, "spec": {"hard": hard}});
        quotas.create(&PostParams::default(), &serde_json::from_value(quota)?).await?;
        until_heeded(&sandbox).await?;
        reaches(&sandbox, &pod_with_limits(&sandbox).await?, "").await?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_pod_on_the_nodes_network_that_asks_the_clusters_dns_reaches_its_servers() {
    sandbox(|sandbox| async move {
        let mut pod = pod(&sandbox, TASK).await?;
        pod["spec"]["hostNetwork"] = json!(true);
        pod["spec"]["dnsPolicy"] = json!("ClusterFirstWithHostNet");
        reaches(&sandbox, &pod, "").await?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_pod_with_dns_of_its_own_reaches_its_servers_by_their_full_names() {
    sandbox(|sandbox| async move {
        let services: Api<Service> = Api::namespaced(sandbox.client.clone(), "kube-system");
        let dns = services.get("kube-dns").await?.spec.unwrap().cluster_ip.unwrap();
        let mut pod = pod(&sandbox, TASK).await?;
        pod["spec"]["dnsPolicy"] = json!("None");
        pod["spec"]["dnsConfig"] = json!({"nameservers": [dns]});
        reaches(&sandbox, &pod, &format!(".{}.svc.cluster.local", sandbox.namespace)).await?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_pod_that_asks_the_nodes_dns_is_refused_with_what_to_set() {
    sandbox(|sandbox| async move {
        for (spec, advice) in [
            (json!({"dnsPolicy": "Default"}), "set dnsPolicy: ClusterFirst"),
            (json!({"hostNetwork": true}), "set dnsPolicy: ClusterFirstWithHostNet"),
        ] {
            let mut pod = pod(&sandbox, TASK).await?;
            for (field, value) in spec.as_object().unwrap() {
                pod["spec"][field] = value.clone();
            }
            let answer = sandbox.try_create(&pod, "").await?;
            assert_eq!(answer.status, 422, "{answer:?}");
            let message = answer.body["message"].as_str().unwrap();
            assert!(message.contains("spec.dnsPolicy") && message.contains(advice), "{message}");
        }
        Ok(())
    })
    .await;
}
