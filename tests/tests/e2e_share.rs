//! Services that several pods share: nobody's goes while they need it, and none stays behind.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::time::Duration;

use anyhow::Result;
use dataservice_tests::cluster::logs;
use dataservice_tests::flyte::{self, TASK};
use dataservice_tests::sandbox::{Sandbox, name, object, sandbox};
use dataservice_tests::wait;
use dataservice_tests::watch::Watch;
use futures::future::try_join_all;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

/// A pod of the fixture's execution that runs `task`, under a name of its own.
async fn member(sandbox: &Sandbox, fixture: &str, task: &str, annotations: &[(&str, &str)]) -> Result<Value> {
    let mut pod = sandbox.pod(fixture, task).await?;
    flyte::annotate(&mut pod, &[("replicas", "1")]);
    flyte::annotate(&mut pod, annotations);
    Ok(pod)
}

async fn completes(sandbox: &Sandbox, pod: &Value) -> Result<String> {
    let pod = sandbox.create_pod(pod).await?;
    sandbox.until_phase(&name(&pod)?, "Succeeded").await?;
    object(&pod)
}

/// That the StatefulSet is this one still, for so long.
async fn stays(sandbox: &Sandbox, object: &str, uid: &str, seconds: u64) -> Result<()> {
    let until = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < until {
        assert_eq!(sandbox.set_uid(object).await?.as_deref(), Some(uid), "the service went");
        sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

#[tokio::test]
async fn tasks_of_an_execution_share_and_who_comes_while_it_is_warm_takes_it_over() {
    sandbox(|sandbox| async move {
        let shared = [("scope", "execution"), ("keep-warm", "8s")];
        let first = completes(&sandbox, &member(&sandbox, "plain", TASK, &shared).await?).await?;
        let (uid, server) =
            (sandbox.set_uid(&first).await?.unwrap(), sandbox.pods().get(&format!("{first}-0")).await?);
        sleep(Duration::from_secs(2)).await;
        // An MPI task of the same execution: another controller, the same service.
        let second = completes(&sandbox, &member(&sandbox, "mpi-launcher", TASK, &shared).await?).await?;
        assert_eq!(first, second);
        assert_eq!(sandbox.set_uid(&first).await?, Some(uid.clone()));
        let set = sandbox.stateful_sets().get(&first).await?;
        let kinds: Vec<_> =
            set.metadata.owner_references.unwrap().into_iter().map(|owner| owner.kind).collect();
        assert_eq!(kinds, ["flyteworkflow", "MPIJob"]);
        let same = sandbox.pods().get(&format!("{first}-0")).await?;
        assert_eq!(same.metadata.uid, server.metadata.uid, "its pods were touched");
        stays(&sandbox, &first, &uid, 5).await?;
        sandbox.until_gone(&first).await
    })
    .await;
}

#[tokio::test]
async fn a_release_takes_nothing_from_the_others() {
    sandbox(|sandbox| async move {
        let shared = [("scope", "execution"), ("keep-warm", "1s")];
        let long = member(
            &sandbox,
            "plain",
            "for i in 1 2 3 4 5 6 7 8 9 10; do timeout 2 fetch $MY_DATASERVICES || exit 1; sleep 1; done",
            &shared,
        )
        .await?;
        let long = sandbox.create_pod(&long).await?;
        let object = object(&long)?;
        sandbox.until_phase(&name(&long)?, "Running").await?;
        let uid = sandbox.set_uid(&object).await?.unwrap();
        completes(&sandbox, &member(&sandbox, "map-child-0", "true", &shared).await?).await?;
        let killed =
            sandbox.create_pod(&member(&sandbox, "map-child-1", "sleep 600", &shared).await?).await?;
        sandbox.pods().delete(&name(&killed)?, &DeleteParams::default().grace_period(0)).await?;
        stays(&sandbox, &object, &uid, 3).await?;
        sandbox.until_phase(&name(&long)?, "Succeeded").await?;
        sandbox.until_gone(&object).await
    })
    .await;
}

#[tokio::test]
async fn a_namespaces_service_is_called_by_its_name_and_shown_by_one_label() {
    sandbox(|sandbox| async move {
        let shared = [("scope", "namespace"), ("name", "cache"), ("keep-warm", "6s")];
        let object = completes(&sandbox, &member(&sandbox, "plain", TASK, &shared).await?).await?;
        assert_eq!(object, "cache");
        let set = sandbox.stateful_sets().get("cache").await?;
        assert_eq!(set.metadata.owner_references, None);
        assert_eq!(set.metadata.labels.unwrap()["dataservice.flyte.org/scope"], "namespace");
        sandbox.until_gone("cache").await
    })
    .await;
}

#[tokio::test]
async fn who_asks_for_something_else_under_the_same_key_is_refused_and_told_what_differs() {
    sandbox(|sandbox| async move {
        let shared = [("scope", "execution"), ("keep-warm", "1s")];
        let first = sandbox.create_pod(&member(&sandbox, "plain", "sleep 20", &shared).await?).await?;
        sandbox.until_phase(&name(&first)?, "Running").await?;
        let uid = sandbox.set_uid(&object(&first)?).await?.unwrap();
        let mut other = member(&sandbox, "map-child-0", TASK, &shared).await?;
        flyte::annotate(&mut other, &[("replicas", "2"), ("port", "7")]);
        let answer = sandbox.try_create(&other, "").await?;
        assert_eq!(answer.status, 422);
        let message = answer.body["message"].as_str().unwrap();
        assert!(message.contains("must ask for the same"), "{message}");
        assert!(message.contains("replicas is 1 and not 2, port is 40000 and not 7"), "{message}");
        assert_eq!(sandbox.set_uid(&object(&first)?).await?, Some(uid), "the running service was touched");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn of_two_at_once_that_ask_for_different_things_the_later_is_told() {
    sandbox(|sandbox| async move {
        let shared = [("scope", "execution"), ("keep-warm", "1s"), ("wait", "1h")];
        let first = member(&sandbox, "plain", "sleep 5", &shared).await?;
        let mut second = member(&sandbox, "map-child-0", "sleep 5", &shared).await?;
        flyte::annotate(&mut second, &[("replicas", "2")]);
        let answers = tokio::join!(sandbox.try_create(&first, ""), sandbox.try_create(&second, ""));
        let mut told = Vec::new();
        for answer in [answers.0?, answers.1?] {
            if answer.status == 422 {
                told.push(answer.body["message"].as_str().unwrap().to_owned());
                continue;
            }
            let pod = name(&answer.body)?;
            let ended = wait::until("both to end", || async {
                let pod = sandbox.pods().get(&pod).await?;
                let phase = pod.status.as_ref().and_then(|status| status.phase.clone());
                Ok(phase.filter(|phase| phase == "Succeeded" || phase == "Failed").map(|_| pod))
            })
            .await?;
            if ended.status.as_ref().unwrap().phase.as_deref() == Some("Failed") {
                told.extend(dataservice_tests::sandbox::gate_message(&ended));
            }
        }
        let [told] = told.as_slice() else { panic!("{told:?}") };
        assert!(told.contains("must ask for the same") && told.contains("replicas is"), "{told}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_failed_tasks_service_is_retained_for_as_long_as_was_asked() {
    sandbox(|sandbox| async move {
        let pod = member(&sandbox, "plain", "exit 1", &[("on-failure", "retain=8s")]).await?;
        let pod = sandbox.create_pod(&pod).await?;
        let object = object(&pod)?;
        sandbox.until_phase(&name(&pod)?, "Failed").await?;
        let uid = sandbox.set_uid(&object).await?.expect("it must still be there");
        // Flyte deletes a failed pod before it tries again.
        sandbox.pods().delete(&name(&pod)?, &DeleteParams::default()).await?;
        stays(&sandbox, &object, &uid, 4).await?;
        sandbox.until_gone(&object).await
    })
    .await;
}

#[tokio::test]
async fn all_pods_of_an_mpi_job_share_one_service_that_ends_with_the_launcher() {
    sandbox(|sandbox| async move {
        // The order in which an operator makes them says nothing.
        let mut objects = Vec::new();
        for worker in ["mpi-worker-0", "mpi-worker-1"] {
            let pod = sandbox.create_pod(&member(&sandbox, worker, "sleep 600", &[]).await?).await?;
            objects.push(object(&pod)?);
        }
        let launcher = sandbox.create_pod(&member(&sandbox, "mpi-launcher", TASK, &[]).await?).await?;
        objects.push(object(&launcher)?);
        objects.dedup();
        assert_eq!(objects.len(), 1, "{objects:?}");
        sandbox.until_phase(&name(&launcher)?, "Succeeded").await?;
        sandbox.until_gone(&objects[0]).await?;
        for worker in ["worker-0", "worker-1"] {
            let pod = sandbox.pods().get(&format!("a7k2m9x4q8z5b3c6d1f0-n3-0-{worker}")).await?;
            assert_eq!(
                pod.status.unwrap().phase.as_deref(),
                Some("Running"),
                "workers sleep until somebody deletes them"
            );
            let mark = &pod.metadata.annotations.unwrap()["dataservice.flyte.org/released"];
            assert_eq!(*mark, format!("{}/leader", pod.metadata.uid.unwrap()));
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn all_pods_of_a_pytorch_job_share_one_service_that_ends_with_the_master() {
    sandbox(|sandbox| async move {
        let worker =
            sandbox.create_pod(&member(&sandbox, "pytorch-worker-0", "sleep 600", &[]).await?).await?;
        sandbox.until_phase(&name(&worker)?, "Running").await?;
        let master = sandbox.create_pod(&member(&sandbox, "pytorch-master-0", TASK, &[]).await?).await?;
        assert_eq!(object(&worker)?, object(&master)?);
        let ended = sandbox.until_phase(&name(&master)?, "Succeeded").await?;
        let container = &ended.spec.unwrap().containers[0].name;
        let object = object(&master)?;
        let reached = logs(&sandbox.client, &sandbox.namespace, &name(&master)?, container).await?;
        assert_eq!(reached, format!("{object}-0.{object}:40000 is {object}-0\n"));
        sandbox.until_gone(&object).await?;
        let worker = sandbox.pods().get(&name(&worker)?).await?;
        assert_eq!(worker.status.unwrap().phase.as_deref(), Some("Running"));
        let mark = &worker.metadata.annotations.unwrap()["dataservice.flyte.org/released"];
        assert_eq!(*mark, format!("{}/leader", worker.metadata.uid.unwrap()));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_end_of_a_pytorch_worker_is_not_the_end_of_its_job() {
    sandbox(|sandbox| async move {
        let master =
            sandbox.create_pod(&member(&sandbox, "pytorch-master-0", "sleep 600", &[]).await?).await?;
        let object = object(&master)?;
        completes(&sandbox, &member(&sandbox, "pytorch-worker-0", TASK, &[]).await?).await?;
        let uid = sandbox.set_uid(&object).await?.expect("the master needs it");
        stays(&sandbox, &object, &uid, 3).await?;
        sandbox.pods().delete(&name(&master)?, &DeleteParams::default().grace_period(0)).await?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn actions_of_a_flyte_2_run_share() {
    sandbox(|sandbox| async move {
        let action = async |action: &str, task: &str| {
            let mut pod = sandbox.flyte_2_pod("r7k2m9x4q8z5b3c6d1f0", action, task).await?;
            flyte::annotate(&mut pod, &[("replicas", "1"), ("scope", "execution"), ("keep-warm", "6s")]);
            Ok::<_, anyhow::Error>(pod)
        };
        let first = completes(&sandbox, &action("a0", TASK).await?).await?;
        let uid = sandbox.set_uid(&first).await?.expect("it must be warm");
        let second = completes(&sandbox, &action("a1", TASK).await?).await?;
        assert_eq!(first, second);
        let set = sandbox.stateful_sets().get(&first).await?;
        assert_eq!(set.metadata.uid, Some(uid));
        let owners = set.metadata.owner_references.unwrap();
        let names: Vec<_> = owners.iter().map(|owner| owner.name.as_str()).collect();
        assert_eq!(names, ["r7k2m9x4q8z5b3c6d1f0-a0", "r7k2m9x4q8z5b3c6d1f0-a1"]);
        sandbox.until_gone(&first).await
    })
    .await;
}

#[tokio::test]
async fn dozens_of_pods_of_an_execution_at_once_make_one_service_once() {
    sandbox(|sandbox| async move {
        let shared = [("scope", "execution"), ("keep-warm", "1s"), ("wait", "none")];
        let mut pod = member(&sandbox, "plain", "true", &shared).await?;
        // No node takes them: it is not about what they do.
        pod["spec"]["nodeSelector"] = json!({"tests/nobody": "here"});
        let pods: Vec<_> = (0..48)
            .map(|number| {
                pod["metadata"]["name"] = json!(format!("map-{number}"));
                pod.clone()
            })
            .collect();
        let mut sets = Watch::open(&sandbox.stateful_sets()).await?;
        let mut services = Watch::open(&sandbox.services()).await?;
        let pods = try_join_all(pods.iter().map(|pod| sandbox.create_pod(pod))).await?;
        let mut objects = pods.iter().map(object).collect::<Result<Vec<_>>>()?;
        objects.dedup();
        let [object] = objects.as_slice() else { panic!("{objects:?}") };
        tokio::try_join!(sets.until_added(object), services.until_added(object))?;
        let again = async {
            tokio::select! {
                again = sets.until_added(object) => again,
                again = services.until_added(object) => again,
            }
        };
        assert!(timeout(Duration::from_secs(5), again).await.is_err(), "it was made twice");
        let everything = ListParams::default();
        assert_eq!(sandbox.stateful_sets().list(&everything).await?.items.len(), 1);
        let consumers = ListParams::default().labels("dataservice.flyte.org/consumer=true");
        sandbox.pods().delete_collection(&DeleteParams::default().grace_period(0), &consumers).await?;
        sandbox.until_gone(object).await
    })
    .await;
}

#[tokio::test]
async fn pods_of_ray_and_dask_share_by_their_cluster_and_end_with_its_leader() {
    for (members, leader) in [
        (["ray-head", "ray-worker"], "ray-submitter"),
        (["dask-scheduler", "dask-worker-0"], "dask-job-runner"),
    ] {
        sandbox(|sandbox| async move {
            let mut objects = Vec::new();
            for fixture in members {
                let pod = sandbox.create_pod(&member(&sandbox, fixture, "sleep 600", &[]).await?).await?;
                objects.push(object(&pod)?);
            }
            let leader = sandbox.create_pod(&member(&sandbox, leader, TASK, &[]).await?).await?;
            objects.push(object(&leader)?);
            objects.dedup();
            assert_eq!(objects.len(), 1, "{objects:?}");
            sandbox.until_phase(&name(&leader)?, "Succeeded").await?;
            sandbox.until_gone(&objects[0]).await
        })
        .await;
    }
}

/// A batch Job that makes this pod.
async fn job(sandbox: &Sandbox, pod: &Value, tries: u32) -> Result<()> {
    let metadata = json!({"annotations": pod["metadata"]["annotations"]});
    let job = json!({
        "metadata": {"name": "train"},
        "spec": {"backoffLimit": tries - 1, "template": {"metadata": metadata, "spec": pod["spec"]}},
    });
    let jobs: Api<Job> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
    jobs.create(&PostParams::default(), &serde_json::from_value(job)?).await?;
    Ok(())
}

#[tokio::test]
async fn a_ray_submitter_that_has_failed_for_good_ends_its_clusters_service() {
    sandbox(|sandbox| async move {
        let head = sandbox.create_pod(&member(&sandbox, "ray-head", "sleep 600", &[]).await?).await?;
        sandbox.until_phase(&name(&head)?, "Running").await?;
        job(&sandbox, &member(&sandbox, "ray-submitter", "exit 1", &[]).await?, 1).await?;
        sandbox.until_gone(&object(&head)?).await?;
        let head = sandbox.pods().get(&name(&head)?).await?;
        assert_eq!(head.status.unwrap().phase.as_deref(), Some("Running"), "heads stay for an hour");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_deployments_service_goes_when_it_is_scaled_to_nothing() {
    sandbox(|sandbox| async move {
        let pod = member(&sandbox, "plain", "exec sleep 600", &[]).await?;
        let mut spec = pod["spec"].clone();
        spec["restartPolicy"] = json!("Always");
        spec["terminationGracePeriodSeconds"] = json!(1);
        let labels = json!({"app": "train"});
        let deployment = json!({"metadata": {"name": "train"}, "spec": {
            "replicas": 1, "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": pod["metadata"]["annotations"]}, "spec": spec,
            },
        }});
        let deployments: Api<Deployment> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
        deployments.create(&PostParams::default(), &serde_json::from_value(deployment)?).await?;
        let pod = wait::until("its pod", || async {
            let pods = sandbox.pods().list(&ListParams::default().labels("app=train")).await?;
            Ok(pods.items.into_iter().next())
        })
        .await?;
        let object = object(&serde_json::to_value(&pod)?)?;
        sandbox.until_phase(pod.metadata.name.as_deref().unwrap(), "Running").await?;
        let scale = json!({"spec": {"replicas": 0}});
        deployments.patch_scale("train", &PatchParams::default(), &Patch::Merge(&scale)).await?;
        sandbox.until_gone(&object).await
    })
    .await;
}

#[tokio::test]
async fn a_batch_jobs_service_is_kept_between_two_attempts_and_goes_with_the_job() {
    sandbox(|sandbox| async move {
        let mut template = member(&sandbox, "plain", "exit 1", &[]).await?;
        template["spec"]["restartPolicy"] = json!("Never");
        job(&sandbox, &template, 2).await?;
        let of_the_job = || async {
            let params = ListParams::default().labels("job-name=train");
            Ok::<_, anyhow::Error>(sandbox.pods().list(&params).await?.items)
        };
        let first =
            wait::until("the first attempt", || async { Ok(of_the_job().await?.into_iter().next()) }).await?;
        let object = object(&serde_json::to_value(&first)?)?;
        sandbox.until_made(&object).await?;
        let uid = sandbox.set_uid(&object).await?.unwrap();
        sandbox.until_phase(first.metadata.name.as_deref().unwrap(), "Failed").await?;
        wait::until("the second attempt", || async {
            assert_eq!(
                sandbox.set_uid(&object).await?.as_deref(),
                Some(uid.as_str()),
                "it went between two attempts"
            );
            Ok((of_the_job().await?.len() == 2).then_some(()))
        })
        .await?;
        sandbox.until_gone(&object).await
    })
    .await;
}

#[tokio::test]
async fn a_pod_that_is_being_deleted_works_on_with_its_service() {
    sandbox(|sandbox| async move {
        let checkpoint = "trap 'for i in 1 2 3 4; do timeout 2 fetch $MY_DATASERVICES || exit 1; sleep 1; done; echo saved; exit 0' TERM; \
                          while :; do sleep 0.1; done";
        let pod = sandbox.create_pod(&member(&sandbox, "plain", checkpoint, &[]).await?).await?;
        let (pod, object) = (name(&pod)?, object(&pod)?);
        sandbox.until_phase(&pod, "Running").await?;
        let uid = sandbox.set_uid(&object).await?.unwrap();
        sandbox.pods().delete(&pod, &DeleteParams::default().grace_period(20)).await?;
        stays(&sandbox, &object, &uid, 3).await?;
        let said = logs(&sandbox.client, &sandbox.namespace, &pod, "primary").await?;
        assert!(said.lines().count() >= 2, "{said:?}");
        sandbox.until_gone(&object).await
    })
    .await;
}

#[tokio::test]
async fn a_pod_that_restarts_keeps_its_service() {
    sandbox(|sandbox| async move {
        let task = "timeout 2 fetch $MY_DATASERVICES || exit 9; [ -e /tmp/again/x ] && exit 0; touch /tmp/again/x; exit 1";
        let mut pod = member(&sandbox, "plain", task, &[]).await?;
        pod["spec"]["restartPolicy"] = json!("OnFailure");
        pod["spec"]["volumes"] = json!([{"name": "again", "emptyDir": {}}]);
        pod["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "again", "mountPath": "/tmp/again"}]);
        let pod = sandbox.create_pod(&pod).await?;
        let ended = sandbox.until_phase(&name(&pod)?, "Succeeded").await?;
        assert_eq!(ended.status.unwrap().container_statuses.unwrap()[0].restart_count, 1);
        sandbox.until_gone(&object(&pod)?).await
    })
    .await;
}
