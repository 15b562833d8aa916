//! A task gets its data service, and gives it back however it ends.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use anyhow::Result;
use dataservice_tests::cluster::logs;
use dataservice_tests::flyte::{self, TASK};
use dataservice_tests::obstacle::{Obstacle, squat};
use dataservice_tests::sandbox::{Sandbox, name, object, plan, sandbox};
use kube::api::DeleteParams;
use serde_json::{Value, json};

/// Creates the pod, waits until its service is there, and hands back the pod's name and the service's.
async fn start(sandbox: &Sandbox, pod: &Value) -> Result<(String, String)> {
    let pod = sandbox.create_pod(pod).await?;
    let object = object(&pod)?;
    sandbox.until_made(&object).await?;
    Ok((name(&pod)?, object))
}

/// What a task prints that has reached every server of a service with two.
fn reached(object: &str) -> String {
    format!("{object}-0.{object}:40000 is {object}-0\n{object}-1.{object}:40000 is {object}-1\n")
}

#[tokio::test]
async fn a_plain_task_reaches_every_server_by_name_and_in_order() {
    sandbox(|sandbox| async move {
        let pod = sandbox.pod("plain", TASK).await?;
        let (pod, object) = start(&sandbox, &pod).await?;
        sandbox.until_phase(&pod, "Succeeded").await?;
        assert_eq!(logs(&sandbox.client, &sandbox.namespace, &pod, "primary").await?, reached(&object));
        sandbox.until_gone(&object).await
    })
    .await;
}

#[tokio::test]
async fn what_is_made_is_owned_by_the_workflow_and_goes_together() {
    sandbox(|sandbox| async move {
        let pod = sandbox.pod("plain", "sleep 600").await?;
        let (pod, object) = start(&sandbox, &pod).await?;
        let (set, _) = sandbox.until_made(&object).await?;
        let service = dataservice_tests::wait::until("the Service to go with its StatefulSet", || async {
            let service = sandbox.services().get(&object).await?;
            let owners = service.metadata.owner_references.as_deref().unwrap_or_default();
            let is_attached = owners.iter().all(|owner| Some(&owner.uid) == set.metadata.uid.as_ref());
            Ok(is_attached.then_some(service))
        })
        .await?;
        for (metadata, kind) in [(&set.metadata, "flyteworkflow"), (&service.metadata, "StatefulSet")] {
            let [owner] = metadata.owner_references.as_deref().unwrap() else { panic!("{metadata:?}") };
            assert_eq!(
                (owner.kind.as_str(), owner.controller, owner.block_owner_deletion),
                (kind, Some(false), Some(false))
            );
            assert_eq!(
                metadata.labels.as_ref().unwrap()["app.kubernetes.io/managed-by"],
                "flyte-dataservice"
            );
        }
        let spec = service.spec.unwrap();
        assert_eq!(
            (spec.cluster_ip.as_deref(), spec.publish_not_ready_addresses),
            (Some("None"), Some(true))
        );
        assert_eq!(set.spec.unwrap().replicas, Some(2));
        let told = sandbox.until_told(&pod, "DataServiceCreated").await?;
        assert_eq!(told, format!("created StatefulSet and Service {object} with 2 servers"));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn two_containers_and_an_init_container_all_see_the_endpoints() {
    sandbox(|sandbox| async move {
        let mut pod = sandbox.pod("full", TASK).await?;
        let containers = pod["spec"]["containers"].as_array().unwrap();
        assert_eq!(containers.len(), 2);
        let names: Vec<String> = containers.iter().map(|c| c["name"].as_str().unwrap().to_owned()).collect();
        // The fixture's own init container prints what it sees.
        let init = pod["spec"]["initContainers"][0]["name"].as_str().unwrap().to_owned();
        pod["spec"]["initContainers"][0]["command"] = json!(["sh", "-c", "echo $MY_DATASERVICES"]);
        let (pod, object) = start(&sandbox, &pod).await?;
        sandbox.until_phase(&pod, "Succeeded").await?;
        for container in &names {
            assert_eq!(
                logs(&sandbox.client, &sandbox.namespace, &pod, container).await?,
                reached(&object),
                "{container}"
            );
        }
        let endpoints = format!("{object}-0.{object}:40000 {object}-1.{object}:40000\n");
        assert_eq!(logs(&sandbox.client, &sandbox.namespace, &pod, &init).await?, endpoints);
        sandbox.until_gone(&object).await
    })
    .await;
}

#[tokio::test]
async fn a_raw_container_task_completes_beside_flytes_copilot() {
    sandbox(|sandbox| async move {
        let pod = sandbox.pod("raw", TASK).await?;
        let main = pod["spec"]["containers"][0]["name"].as_str().unwrap().to_owned();
        let (pod, object) = start(&sandbox, &pod).await?;
        let ended = sandbox.until_phase(&pod, "Succeeded").await?;
        assert_eq!(logs(&sandbox.client, &sandbox.namespace, &pod, &main).await?, reached(&object));
        // Flyte counts an init container that did not end with 0 as a failed task.
        for status in ended.status.unwrap().init_container_statuses.unwrap() {
            assert_eq!(status.state.unwrap().terminated.unwrap().exit_code, 0, "{}", status.name);
        }
        sandbox.until_gone(&object).await
    })
    .await;
}

#[tokio::test]
async fn a_task_of_flyte_2_reaches_its_servers_and_gives_them_back() {
    sandbox(|sandbox| async move {
        let pod = sandbox.flyte_2_pod("r7k2m9x4q8z5b3c6d1f0", "a0", TASK).await?;
        let (pod, object) = start(&sandbox, &pod).await?;
        let owners = sandbox.stateful_sets().get(&object).await?.metadata.owner_references.unwrap();
        assert_eq!(owners.iter().map(|owner| owner.kind.as_str()).collect::<Vec<_>>(), ["TaskAction"]);
        sandbox.until_phase(&pod, "Succeeded").await?;
        assert_eq!(logs(&sandbox.client, &sandbox.namespace, &pod, "primary").await?, reached(&object));
        sandbox.until_gone(&object).await
    })
    .await;
}

#[tokio::test]
async fn several_services_each_have_their_variable() {
    sandbox(|sandbox| async move {
        let task = "for e in $MY_DATASERVICES; do timeout 5 fetch $e || exit 1; done; echo $MY_DATASERVICES_CACHE";
        let mut pod = sandbox.pod("plain", task).await?;
        flyte::strip(&mut pod);
        let service = |replicas: u32, port: u16| {
            json!({"Image": flyte::IMAGE, "Replicas": replicas, "Port": f64::from(port),
                   "Command": ["sh", "-c", flyte::SERVER], "Requests": {"cpu": "10m", "mem": "16Mi", "gpu": null}})
        };
        let services = json!({"graph": service(2, 7000), "cache": service(1, 7001)});
        flyte::annotate(&mut pod, &[("services", &services.to_string())]);
        let pod = sandbox.create_pod(&pod).await?;
        let objects: Vec<String> = plan(&pod)?.services.iter().map(|service| service.object.to_string()).collect();
        let [graph, cache] = objects.as_slice() else { panic!("{objects:?}") };
        let pod = name(&pod)?;
        sandbox.until_phase(&pod, "Succeeded").await?;
        assert_eq!(
            logs(&sandbox.client, &sandbox.namespace, &pod, "primary").await?,
            format!("{graph}-0\n{graph}-1\n{cache}-0\n{cache}-0.{cache}:7001\n")
        );
        sandbox.until_gone(graph).await?;
        sandbox.until_gone(cache).await
    })
    .await;
}

#[tokio::test]
async fn a_task_that_fails_gives_its_service_back() {
    sandbox(|sandbox| async move {
        let pod = sandbox.pod("plain", "exit 1").await?;
        let (pod, object) = start(&sandbox, &pod).await?;
        sandbox.until_phase(&pod, "Failed").await?;
        sandbox.until_gone(&object).await
    })
    .await;
}

#[tokio::test]
async fn a_task_that_is_killed_gives_its_service_back() {
    sandbox(|sandbox| async move {
        // Kubernetes makes one `$` of two. With one process namespace for the pod the task is not process 1, and a SIGKILL ends it.
        let mut pod = sandbox.pod("plain", "kill -9 $$$$").await?;
        pod["spec"]["shareProcessNamespace"] = json!(true);
        let (pod, object) = start(&sandbox, &pod).await?;
        let ended = sandbox.until_phase(&pod, "Failed").await?;
        let status = &ended.status.unwrap().container_statuses.unwrap()[0];
        assert_eq!(status.state.as_ref().unwrap().terminated.as_ref().unwrap().exit_code, 137);
        sandbox.until_gone(&object).await
    })
    .await;
}

#[tokio::test]
async fn a_task_that_is_deleted_gives_its_service_back() {
    sandbox(|sandbox| async move {
        let pod = sandbox.pod("plain", "sleep 600").await?;
        let (pod, object) = start(&sandbox, &pod).await?;
        sandbox.until_phase(&pod, "Running").await?;
        sandbox.pods().delete(&pod, &DeleteParams::default().grace_period(1)).await?;
        sandbox.until_gone(&object).await
    })
    .await;
}

#[tokio::test]
async fn a_task_that_is_deleted_by_force_gives_its_service_back() {
    sandbox(|sandbox| async move {
        let pod = sandbox.pod("plain", "sleep 600").await?;
        let (pod, object) = start(&sandbox, &pod).await?;
        sandbox.pods().delete(&pod, &DeleteParams::default().grace_period(0)).await?;
        sandbox.until_gone(&object).await
    })
    .await;
}

#[tokio::test]
async fn two_tasks_at_once_have_two_services() {
    sandbox(|sandbox| async move {
        let first = sandbox.pod("map-child-0", TASK).await?;
        let second = sandbox.pod("map-child-1", TASK).await?;
        let (first, second) =
            tokio::join!(Box::pin(start(&sandbox, &first)), Box::pin(start(&sandbox, &second)));
        let ((first, one), (second, two)) = (first?, second?);
        assert_ne!(one, two);
        for (pod, object) in [(&first, &one), (&second, &two)] {
            let ended = sandbox.until_phase(pod, "Succeeded").await?;
            let container = &ended.spec.unwrap().containers[0].name;
            assert_eq!(logs(&sandbox.client, &sandbox.namespace, pod, container).await?, reached(object));
            sandbox.until_gone(object).await?;
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_object_that_is_not_ours_is_left_alone_and_the_pod_says_why() {
    sandbox(|sandbox| async move {
        let obstacle = Obstacle::put(&sandbox.client, &sandbox.namespace).await?;
        let mut pod = sandbox.pod("plain", "sleep 600").await?;
        flyte::annotate(&mut pod, &[("wait", "none")]);
        let pod = sandbox.create_pod(&pod).await?;
        let (pod, object) = (name(&pod)?, object(&pod)?);
        let told = sandbox.until_told(&pod, "DataServiceFailed").await?;
        assert!(told.contains("an obstacle of the tests"), "{told}");
        let version = squat(&sandbox.client, &sandbox.namespace, &object).await?;
        obstacle.lift().await?;

        let expected = format!(
            "Service {}/{object} is there already and was not made by flyte-dataservice; it is left alone",
            sandbox.namespace
        );
        dataservice_tests::wait::until("the pod to be told of the name", || async {
            let notes = sandbox.told(&pod, "DataServiceFailed").await?;
            Ok(notes.contains(&expected).then_some(()))
        })
        .await?;
        sandbox.pods().delete(&pod, &DeleteParams::default().grace_period(0)).await?;
        dataservice_tests::wait::until("what is ours to be gone", || async {
            Ok(sandbox.stateful_sets().get_opt(&object).await?.is_none().then_some(()))
        })
        .await?;
        let there = sandbox.services().get(&object).await?;
        assert_eq!(there.metadata.resource_version, Some(version), "the other's Service was touched");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_template_gives_the_servers_what_annotations_do_not() {
    sandbox(|sandbox| async move {
        let templates: kube::Api<k8s_openapi::api::core::v1::PodTemplate> =
            kube::Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
        let template = json!({"metadata": {"name": "graph"}, "template": {
            "metadata": {"labels": {"team": "graph"}},
            "spec": {"containers": [{"name": "primary", "image": "unused", "env": [{"name": "A", "value": "b"}]}]},
        }});
        templates.create(&kube::api::PostParams::default(), &serde_json::from_value(template)?).await?;
        let mut pod = sandbox.pod("plain", "sleep 600").await?;
        flyte::annotate(&mut pod, &[("pod-template", "graph")]);
        // The webhook's memory follows by a watch.
        let pod = dataservice_tests::wait::until("the template to be known", || async {
            let answer = sandbox.try_create(&pod, "").await?;
            Ok((answer.status == 201).then_some(answer.body))
        })
        .await?;
        let (set, _) = sandbox.until_made(&object(&pod)?).await?;
        let template = set.spec.unwrap().template;
        assert_eq!(template.metadata.unwrap().labels.unwrap()["team"], "graph");
        let container = &template.spec.unwrap().containers[0];
        assert_eq!(container.image.as_deref(), Some(flyte::IMAGE));
        assert!(container.env.as_ref().unwrap().iter().any(|var| var.name == "A"));
        Ok(())
    })
    .await;
}
