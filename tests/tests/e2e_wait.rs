//! A task starts when its services are ready, or fails with the cause.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use anyhow::Result;
use dataservice_tests::cluster::logs;
use dataservice_tests::flyte::{self, TASK};
use dataservice_tests::obstacle::{Obstacle, squat};
use dataservice_tests::sandbox::{Sandbox, name, object, sandbox};
use dataservice_tests::wait;
use k8s_openapi::api::core::v1::{LimitRange, Namespace, PodTemplate, ResourceQuota};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

/// A pod with these annotations besides those of every test.
async fn asking(sandbox: &Sandbox, annotations: &[(&str, &str)]) -> Result<Value> {
    let mut pod = sandbox.pod("plain", TASK).await?;
    flyte::annotate(&mut pod, &[("replicas", "1")]);
    flyte::annotate(&mut pod, annotations);
    Ok(pod)
}

/// Why the gate of a pod with these annotations gives up.
async fn gives_up(sandbox: &Sandbox, annotations: &[(&str, &str)]) -> Result<String> {
    let pod = sandbox.create_pod(&asking(sandbox, annotations).await?).await?;
    let message = sandbox.until_given_up(&name(&pod)?).await?;
    sandbox.until_gone(&object(&pod)?).await?;
    Ok(message)
}

#[track_caller]
fn assert_told(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
}

async fn template(sandbox: &Sandbox, spec: Value) -> Result<()> {
    let templates: Api<PodTemplate> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
    let template = json!({"metadata": {"name": "graph"}, "template": {"spec": spec}});
    templates.create(&PostParams::default(), &serde_json::from_value(template)?).await?;
    // The webhook's memory follows by a watch.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    Ok(())
}

#[tokio::test]
async fn a_task_starts_when_its_servers_answer_and_its_gate_tells_how_far_they_are() {
    sandbox(|sandbox| async move {
        let slow = json!(["sh", "-c", format!("sleep 4; {}", flyte::SERVER)]).to_string();
        let pod = asking(&sandbox, &[("replicas", "2"), ("command", &slow)]).await?;
        let pod = sandbox.create_pod(&pod).await?;
        sandbox.until_phase(&name(&pod)?, "Succeeded").await?;
        let told = logs(&sandbox.client, &sandbox.namespace, &name(&pod)?, "dataservice-wait").await?;
        assert_told(&told, &["dataservice 0/2 ready", "all 2 servers of 1 service answer"]);
        sandbox.until_gone(&object(&pod)?).await
    })
    .await;
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_is_told_at_the_deadline() {
    sandbox(|sandbox| async move {
        let told = gives_up(&sandbox, &[("image", "localhost/no-such-image:1"), ("wait", "8s")]).await?;
        assert_told(
            &told,
            &["not ready within 8s", "dataservice 0/1 ready; dataservice-0: ", "ImagePull", "no-such-image"],
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_server_that_crashes_is_told_with_its_last_words() {
    sandbox(|sandbox| async move {
        let crash = json!(["sh", "-c", "echo no shards in /data; exit 3"]).to_string();
        let told = gives_up(&sandbox, &[("command", &crash), ("wait", "10s")]).await?;
        assert_told(
            &told,
            &["not ready within 10s", "dataservice-0: ended with exit code 3", "no shards in /data"],
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_server_that_no_node_takes_is_told_with_the_schedulers_reason() {
    sandbox(|sandbox| async move {
        let told =
            gives_up(&sandbox, &[("requests", "cpu=1000"), ("limits", "cpu=1000"), ("wait", "6s")]).await?;
        assert_told(
            &told,
            &[
                "not ready within 6s",
                "dataservice-0: Unschedulable: 0/1 nodes are available",
                "Insufficient cpu",
            ],
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_quota_that_is_full_ends_the_wait_before_the_deadline() {
    sandbox(|sandbox| async move {
        let quotas: Api<ResourceQuota> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
        let quota = json!({"metadata": {"name": "small"}, "spec": {"hard": {"requests.memory": "1Gi"}}});
        quotas.create(&PostParams::default(), &serde_json::from_value(quota)?).await?;
        let told =
            gives_up(&sandbox, &[("requests", "mem=2Gi"), ("limits", "mem=2Gi"), ("wait", "1h")]).await?;
        assert_told(
            &told,
            &["dataservice 0/1 ready", "is forbidden: exceeded quota: small", "requests.memory=2Gi"],
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_limit_range_that_is_exceeded_ends_the_wait_at_once() {
    sandbox(|sandbox| async move {
        let limits: Api<LimitRange> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
        let range = json!({"metadata": {"name": "small"}, "spec": {"limits": [{"type": "Container", "max": {"memory": "1Gi"}}]}});
        limits.create(&PostParams::default(), &serde_json::from_value(range)?).await?;
        let told = gives_up(&sandbox, &[("requests", "mem=2Gi"), ("limits", "mem=2Gi"), ("wait", "1h")]).await?;
        assert_told(&told, &["is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi"]);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_refusal_by_pod_security_ends_the_wait_at_once() {
    sandbox(|sandbox| async move {
        let namespaces: Api<Namespace> = Api::all(sandbox.client.clone());
        let baseline = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}});
        namespaces.patch(&sandbox.namespace, &PatchParams::default(), &Patch::Merge(&baseline)).await?;
        template(
            &sandbox,
            json!({"hostNetwork": true, "containers": [{"name": "primary", "image": "unused"}]}),
        )
        .await?;
        let told = gives_up(&sandbox, &[("pod-template", "graph"), ("wait", "1h")]).await?;
        assert_told(
            &told,
            &["is forbidden: violates PodSecurity \"baseline:latest\": host namespaces (hostNetwork=true)"],
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_template_that_makes_no_stateful_set_ends_the_wait_at_once() {
    sandbox(|sandbox| async move {
        let spec =
            json!({"activeDeadlineSeconds": 5, "containers": [{"name": "primary", "image": "unused"}]});
        template(&sandbox, spec).await?;
        let told = gives_up(&sandbox, &[("pod-template", "graph"), ("wait", "1h")]).await?;
        assert_told(
            &told,
            &["dataservice: not made yet; failed to create StatefulSet", "activeDeadlineSeconds: Forbidden"],
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_missing_template_is_refused_at_admission() {
    sandbox(|sandbox| async move {
        let answer = sandbox.try_create(&asking(&sandbox, &[("pod-template", "graph")]).await?, "").await?;
        assert_eq!(answer.status, 422);
        assert_told(
            answer.body["message"].as_str().unwrap(),
            &["dataservice.flyte.org/pod-template of service \"dataservice\": \"graph\" is not there; create the \
               PodTemplate in the pod's namespace first"],
        );
        Ok(())
    })
    .await;
}

/// A gate of the test's own keeps the pod from a node, and so its wait gate from asking too early.
#[tokio::test]
async fn a_template_that_went_after_admission_ends_the_wait_at_once() {
    sandbox(|sandbox| async move {
        template(&sandbox, json!({"containers": [{"name": "primary", "image": "unused"}]})).await?;
        let mut pod = asking(&sandbox, &[("pod-template", "graph"), ("wait", "1h")]).await?;
        pod["spec"]["schedulingGates"] = json!([{"name": "tests/template"}]);
        let obstacle = Obstacle::put(&sandbox.client, &sandbox.namespace).await?;
        let pod = wait::until("the template to be known", || async {
            let answer = sandbox.try_create(&pod, "").await?;
            Ok((answer.status == 201).then_some(answer.body))
        })
        .await?;
        let pod = name(&pod)?;
        sandbox.until_told(&pod, "DataServiceFailed").await?;
        let templates: Api<PodTemplate> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
        templates.delete("graph", &DeleteParams::default()).await?;
        obstacle.lift().await?;
        let cause = format!("there is no pod template \"graph\" in namespace {}", sandbox.namespace);
        wait::until("the pod to be told of the template", || async {
            let told = sandbox.told(&pod, "DataServiceFailed").await?;
            Ok(told.iter().any(|told| told.contains(&cause)).then_some(()))
        })
        .await?;
        let operations = json!([{"op": "remove", "path": "/spec/schedulingGates"}]);
        let operations = Patch::Json::<()>(serde_json::from_value(operations)?);
        sandbox.pods().patch(&pod, &PatchParams::default(), &operations).await?;
        let told = sandbox.until_given_up(&pod).await?;
        assert_told(&told, &["dataservice: not made yet", &cause]);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_name_that_somebody_else_has_ends_the_wait_at_once() {
    sandbox(|sandbox| async move {
        let version = squat(&sandbox.client, &sandbox.namespace, "cache").await?;
        let pod = asking(&sandbox, &[("scope", "namespace"), ("name", "cache"), ("wait", "1h")]).await?;
        let pod = sandbox.create_pod(&pod).await?;
        let told = sandbox.until_given_up(&name(&pod)?).await?;
        let cause = format!(
            "cache: not made yet; Service {}/cache is there already and was not made by flyte-dataservice; it is left alone",
            sandbox.namespace
        );
        assert_told(&told, &[&cause]);
        let there = sandbox.services().get("cache").await?;
        assert_eq!(there.metadata.resource_version, Some(version), "the other's Service was touched");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_gate_that_gives_up_again_and_again_is_ended_with_the_cause() {
    sandbox(|sandbox| async move {
        squat(&sandbox.client, &sandbox.namespace, "cache").await?;
        let mut pod = asking(&sandbox, &[("scope", "namespace"), ("name", "cache"), ("wait", "1h")]).await?;
        pod["spec"]["restartPolicy"] = json!("OnFailure");
        let pod = name(&sandbox.create_pod(&pod).await?)?;
        let ended = sandbox.until_phase(&pod, "Failed").await?;
        assert_eq!(ended.status.unwrap().reason.as_deref(), Some("DeadlineExceeded"));
        wait::until("the pod's user to be told why", || async {
            let told = sandbox.told(&pod, "DataServiceFailed").await?;
            let is_it = |told: &String| {
                told.contains("in vain and is ended") && told.contains("was not made by flyte-dataservice")
            };
            Ok(told.iter().any(is_it).then_some(()))
        })
        .await
    })
    .await;
}

#[tokio::test]
async fn an_init_container_of_the_tasks_own_may_take_longer_than_the_wait() {
    sandbox(|sandbox| async move {
        let mut pod = asking(&sandbox, &[("wait", "3s")]).await?;
        // Longer than the wait, and what its gate is given besides.
        let slow = json!({"name": "download", "image": flyte::IMAGE, "command": ["sleep", "45"]});
        pod["spec"]["initContainers"] = json!([slow]);
        let pod = sandbox.create_pod(&pod).await?;
        sandbox.until_phase(&name(&pod)?, "Succeeded").await?;
        assert_eq!(sandbox.told(&name(&pod)?, "DataServiceFailed").await?, [""; 0]);
        sandbox.until_gone(&object(&pod)?).await
    })
    .await;
}

#[tokio::test]
async fn who_does_not_wait_starts_at_once() {
    sandbox(|sandbox| async move {
        let pod = asking(&sandbox, &[("image", "localhost/no-such-image:1"), ("wait", "none")]).await?;
        let mut pod = pod;
        pod["spec"]["containers"][0]["command"] = json!(["true"]);
        let pod = sandbox.create_pod(&pod).await?;
        sandbox.until_phase(&name(&pod)?, "Succeeded").await?;
        sandbox.until_gone(&object(&pod)?).await
    })
    .await;
}

#[tokio::test]
async fn an_existing_service_is_waited_for_by_its_names_alone() {
    sandbox(|sandbox| async move {
        // Somebody's own: another task's, kept for the namespace.
        let server =
            asking(&sandbox, &[("scope", "namespace"), ("name", "gnn"), ("keep-warm", "1h")]).await?;
        let mut pod = sandbox.pod("map-child-0", TASK).await?;
        flyte::strip(&mut pod);
        flyte::annotate(&mut pod, &[("existing", "gnn"), ("wait", "60s")]);
        let user = sandbox.create_pod(&pod).await?;
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        sandbox.create_pod(&server).await?;
        sandbox.until_phase(&name(&user)?, "Succeeded").await?;
        let container = user["spec"]["containers"][0]["name"].as_str().unwrap().to_owned();
        let told = logs(&sandbox.client, &sandbox.namespace, &name(&user)?, &container).await?;
        assert_eq!(told, "gnn-0.gnn:40000 is gnn-0\n");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_held_pod_is_placed_when_its_service_is_ready() {
    sandbox(|sandbox| async move {
        let slow = json!(["sh", "-c", format!("sleep 4; {}", flyte::SERVER)]).to_string();
        let pod = asking(&sandbox, &[("hold", "scheduling"), ("command", &slow)]).await?;
        let pod = sandbox.create_pod(&pod).await?;
        assert_eq!(pod["spec"]["schedulingGates"], json!([{"name": "dataservice.flyte.org/ready"}]));
        let (pod, object) = (name(&pod)?, object(&pod)?);
        let ready_at = wait::until("the server to be ready", || async {
            // In this order: it is placed a moment after its service is ready.
            let is_placed = sandbox.pods().get(&pod).await?.spec.unwrap().node_name.is_some();
            let set = sandbox.stateful_sets().get_opt(&object).await?;
            let ready = set.and_then(|set| set.status?.ready_replicas) == Some(1);
            assert!(ready || !is_placed, "placed before its service is ready");
            Ok(ready.then_some(()))
        });
        ready_at.await?;
        sandbox.until_phase(&pod, "Succeeded").await?;
        sandbox.until_gone(&object).await
    })
    .await;
}

#[tokio::test]
async fn a_held_pod_is_placed_at_the_deadline_and_says_why() {
    sandbox(|sandbox| async move {
        let asked = [("hold", "scheduling"), ("image", "localhost/no-such-image:1"), ("wait", "5s")];
        let told = gives_up(&sandbox, &asked).await?;
        assert_told(&told, &["dataservice 0/1 ready; dataservice-0: ", "ImagePull"]);
        Ok(())
    })
    .await;
}
