//! What a pod's creator is told.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use dataservice_tests::flyte::{self, TASK};
use dataservice_tests::sandbox::{name, object, sandbox};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

#[tokio::test]
async fn refused_annotations_show_the_whole_message() {
    sandbox(|sandbox| async move {
        let mut pod = sandbox.pod("plain", TASK).await?;
        flyte::annotate(&mut pod, &[("replicas", "many"), ("imgae", "x"), ("port", "70000")]);
        let answer = sandbox.try_create(&pod, "").await?;
        assert_eq!(answer.status, 422, "{answer:?}");
        let message = answer.body["message"].as_str().unwrap();
        for part in [
            "dataservice.flyte.org/replicas: \"many\" is not a whole number; allowed: 1 to 64",
            "dataservice.flyte.org/imgae: \"imgae\" is not known (did you mean \"image\"?)",
            "dataservice.flyte.org/port: 70000 is out of range; allowed: 1 to 65535",
        ] {
            assert!(message.contains(part), "{message}");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_dry_run_leaves_nothing() {
    sandbox(|sandbox| async move {
        let pod = sandbox.pod("plain", TASK).await?;
        let answer = sandbox.try_create(&pod, "dryRun=All").await?;
        assert_eq!(answer.status, 201);
        let dry = object(&answer.body)?;
        // A real pod's service is made after the dry one's would have been.
        let real = sandbox.create_pod(&pod).await?;
        sandbox.until_made(&object(&real)?).await?;
        assert!(sandbox.stateful_sets().get_opt(&dry).await?.is_none());
        assert_eq!(sandbox.pods().list(&ListParams::default().labels("execution-id")).await?.items.len(), 1);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn our_containers_get_no_api_token() {
    sandbox(|sandbox| async move {
        let pod = sandbox.create_pod(&sandbox.pod("plain", TASK).await?).await?;
        let mounts = |container: &Value| {
            let mounts = container["volumeMounts"].as_array().into_iter().flatten();
            mounts.map(|mount| mount["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        for ours in pod["spec"]["initContainers"].as_array().unwrap() {
            assert_eq!(mounts(ours), ["dataservice-token"], "{ours}");
        }
        assert!(mounts(&pod["spec"]["containers"][0])[0].starts_with("kube-api-access-"), "{pod}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_users_own_value_stands_with_a_warning() {
    sandbox(|sandbox| async move {
        let mut pod = sandbox.pod("plain", "echo $MY_DATASERVICES").await?;
        pod["spec"]["containers"][0]["env"]
            .as_array_mut()
            .unwrap()
            .push(json!({"name": "MY_DATASERVICES", "value": "mine:1"}));
        let answer = sandbox.try_create(&pod, "").await?;
        assert_eq!(answer.status, 201);
        let start = "container \"primary\" sets MY_DATASERVICES itself, and that value stands";
        assert!(answer.warnings.iter().any(|warning| warning.contains(start)), "{:?}", answer.warnings);
        let pod = name(&answer.body)?;
        sandbox.until_phase(&pod, "Succeeded").await?;
        let printed =
            dataservice_tests::cluster::logs(&sandbox.client, &sandbox.namespace, &pod, "primary").await?;
        assert_eq!(printed, "mine:1\n");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_value_that_env_from_gives_gives_way_to_the_endpoints() {
    sandbox(|sandbox| async move {
        let maps: kube::Api<k8s_openapi::api::core::v1::ConfigMap> =
            kube::Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
        let map =
            json!({"metadata": {"name": "settings"}, "data": {"MY_DATASERVICES": "mine:1", "OTHER": "kept"}});
        maps.create(&PostParams::default(), &serde_json::from_value(map)?).await?;
        let mut pod = sandbox.pod("plain", "echo $MY_DATASERVICES $OTHER").await?;
        pod["spec"]["containers"][0]["envFrom"] = json!([{"configMapRef": {"name": "settings"}}]);
        let pod = sandbox.create_pod(&pod).await?;
        let (pod, object) = (name(&pod)?, object(&pod)?);
        sandbox.until_phase(&pod, "Succeeded").await?;
        let printed =
            dataservice_tests::cluster::logs(&sandbox.client, &sandbox.namespace, &pod, "primary").await?;
        assert_eq!(printed, format!("{object}-0.{object}:40000 {object}-1.{object}:40000 kept\n"));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_pod_that_comes_with_a_label_of_ours_alone_is_refused() {
    sandbox(|sandbox| async move {
        for label in ["dataservice.flyte.org/consumer", "dataservice.flyte.org/uses-cache"] {
            let mut pod = sandbox.pod("plain", "true").await?;
            flyte::strip(&mut pod);
            pod["metadata"]["labels"][label] = json!("true");
            let answer = sandbox.try_create(&pod, "").await?;
            assert_eq!(answer.status, 422, "{label}: {answer:?}");
            let message = answer.body["message"].as_str().unwrap();
            assert!(message.contains("was it copied from a pod that ran?"), "{message}");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_pod_that_is_given_our_label_alone_later_is_left_alone() {
    sandbox(|sandbox| async move {
        let mut pod = sandbox.pod("plain", "sleep 4").await?;
        flyte::strip(&mut pod);
        let pod = name(&sandbox.create_pod(&pod).await?)?;
        let label = json!({"metadata": {"labels": {"dataservice.flyte.org/consumer": "true"}}});
        sandbox.pods().patch(&pod, &PatchParams::default(), &Patch::Merge(&label)).await?;
        let ended = sandbox.until_phase(&pod, "Succeeded").await?;
        let ours = |key: &String| key.starts_with("dataservice.flyte.org/");
        assert!(!ended.metadata.annotations.unwrap_or_default().keys().any(ours));
        assert!(sandbox.stateful_sets().list(&ListParams::default()).await?.items.is_empty());
        assert!(sandbox.services().list(&ListParams::default()).await?.items.is_empty());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_endpoints_expand_in_a_users_own_variables() {
    sandbox(|sandbox| async move {
        let mut pod = sandbox.pod("plain", "echo $SERVERS").await?;
        pod["spec"]["containers"][0]["env"]
            .as_array_mut()
            .unwrap()
            .push(json!({"name": "SERVERS", "value": "at $(MY_DATASERVICES)"}));
        let pod = sandbox.create_pod(&pod).await?;
        let (pod, object) = (name(&pod)?, object(&pod)?);
        sandbox.until_phase(&pod, "Succeeded").await?;
        let printed =
            dataservice_tests::cluster::logs(&sandbox.client, &sandbox.namespace, &pod, "primary").await?;
        assert_eq!(printed, format!("at {object}-0.{object}:40000 {object}-1.{object}:40000\n"));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_pod_that_was_copied_with_its_plan_is_refused() {
    sandbox(|sandbox| async move {
        let pod = sandbox.create_pod(&sandbox.pod("plain", "sleep 600").await?).await?;
        let mut copy = sandbox.pod("plain", "sleep 600").await?;
        copy["metadata"]["name"] = json!("copy");
        copy["metadata"]["annotations"]["dataservice.flyte.org/plan"] =
            pod["metadata"]["annotations"]["dataservice.flyte.org/plan"].clone();
        let answer = sandbox.try_create(&copy, "").await?;
        assert_eq!(answer.status, 422);
        let message = answer.body["message"].as_str().unwrap();
        assert!(message.contains("was it copied from a pod that ran?"), "{message}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_pod_that_is_switched_off_is_left_alone() {
    sandbox(|sandbox| async move {
        let mut pod = sandbox.pod("plain", "true").await?;
        flyte::annotate(&mut pod, &[("inject", "false")]);
        let created = sandbox.create_pod(&pod).await?;
        assert!(created["metadata"]["labels"].get("dataservice.flyte.org/consumer").is_none());
        assert!(created["spec"].get("initContainers").is_none());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_restricted_namespace_takes_what_is_injected_and_what_is_made() {
    sandbox(|sandbox| async move {
        let namespaces: kube::Api<k8s_openapi::api::core::v1::Namespace> =
            kube::Api::all(sandbox.client.clone());
        let restricted =
            json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
        namespaces.patch(&sandbox.namespace, &PatchParams::default(), &Patch::Merge(&restricted)).await?;
        let mut pod = sandbox.pod("plain", TASK).await?;
        pod["spec"]["securityContext"] =
            json!({"runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}});
        pod["spec"]["containers"][0]["securityContext"] =
            json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
        let pod = sandbox.create_pod(&pod).await?;
        sandbox.until_phase(&name(&pod)?, "Succeeded").await?;
        sandbox.until_gone(&object(&pod)?).await
    })
    .await;
}
