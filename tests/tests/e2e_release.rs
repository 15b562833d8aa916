//! The lifecycle API on the real cluster: a pod speaks only for itself.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use anyhow::Result;
use dataservice_tests::flyte;
use dataservice_tests::lifecycle::Lifecycle;
use dataservice_tests::sandbox::{Sandbox, name, object, sandbox};
use dataservice_tests::token::{self, Bound};
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

/// A running consumer that is not done.
async fn running(sandbox: &Sandbox, fixture: &str) -> Result<Value> {
    let mut pod = sandbox.pod(fixture, "sleep 600").await?;
    flyte::annotate(&mut pod, &[("replicas", "1")]);
    let pod = sandbox.create_pod(&pod).await?;
    sandbox.until_phase(&name(&pod)?, "Running").await?;
    Ok(pod)
}

fn bound(pod: &Value) -> Bound {
    Bound {
        pod: pod["metadata"]["name"].as_str().unwrap().to_owned(),
        uid: pod["metadata"]["uid"].as_str().unwrap().to_owned(),
    }
}

async fn is_released(sandbox: &Sandbox, pod: &Value) -> Result<bool> {
    let pod = sandbox.pods().get(&name(pod)?).await?;
    Ok(pod.metadata.annotations.unwrap_or_default().contains_key("dataservice.flyte.org/released"))
}

#[tokio::test]
async fn a_pods_own_token_releases_its_service_and_nobody_elses() {
    sandbox(|sandbox| async move {
        let (first, second) =
            (running(&sandbox, "map-child-0").await?, running(&sandbox, "map-child-1").await?);
        let api = Lifecycle::of(&sandbox.client).await?;
        let token = token::of(&sandbox, Some(&bound(&first)), "dataservice.flyte.org").await?;
        assert_eq!(api.release(Some(&token)).await?.status, 204);
        assert!(is_released(&sandbox, &first).await? && !is_released(&sandbox, &second).await?);
        sandbox.until_gone(&object(&first)?).await?;
        assert!(sandbox.set_uid(&object(&second)?).await?.is_some(), "the other's went too");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn whoever_is_not_the_pod_is_refused_and_told_why() {
    sandbox(|sandbox| async move {
        let pod = running(&sandbox, "plain").await?;
        let api = Lifecycle::of(&sandbox.client).await?;
        let ours = "dataservice.flyte.org";
        let unbound = token::of(&sandbox, None, ours).await?;
        let wrong_audience =
            token::of(&sandbox, Some(&bound(&pod)), "https://kubernetes.default.svc").await?;
        let expired = token::expired(&sandbox, &bound(&pod))?;
        for (token, status, message) in [
            (None, 401, "the request has no bearer token"),
            (Some("no.such.token"), 401, "the API server did not accept the token"),
            (Some(&*wrong_audience), 401, "the API server did not accept the token"),
            (Some(&*expired), 401, "the API server did not accept the token"),
            (Some(&*unbound), 403, "the token is not that of a pod"),
        ] {
            for answer in [api.release(token).await?, api.services(token).await?] {
                assert_eq!((answer.status, answer.message.as_str()), (status, message));
            }
        }
        assert!(!is_released(&sandbox, &pod).await?);
        assert!(sandbox.set_uid(&object(&pod)?).await?.is_some());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_token_of_a_pod_without_a_service_releases_nothing() {
    sandbox(|sandbox| async move {
        let mut other = sandbox.pod("plain", "sleep 600").await?;
        flyte::strip(&mut other);
        let other = sandbox.create_pod(&other).await?;
        let api = Lifecycle::of(&sandbox.client).await?;
        let token = token::of(&sandbox, Some(&bound(&other)), "dataservice.flyte.org").await?;
        let answer = api.release(Some(&token)).await?;
        assert_eq!(
            (answer.status, answer.message.as_str()),
            (403, "the pod is gone, it has no data service, or its containers may run again")
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_pod_that_may_run_again_does_not_write_over_what_its_leaders_end_has_written() {
    sandbox(|sandbox| async move {
        let mut pod = sandbox.pod("plain", "sleep 600").await?;
        pod["spec"]["restartPolicy"] = json!("Always");
        flyte::annotate(&mut pod, &[("replicas", "1")]);
        let pod = sandbox.create_pod(&pod).await?;
        sandbox.until_phase(&name(&pod)?, "Running").await?;
        let mark = format!("{}/leader", bound(&pod).uid);
        let marked = json!({"metadata": {"annotations": {"dataservice.flyte.org/released": mark}}});
        let params = PatchParams::default();
        sandbox.pods().patch(&name(&pod)?, &params, &Patch::Merge(&marked)).await?;
        sandbox.until_gone(&object(&pod)?).await?;
        let token = token::of(&sandbox, Some(&bound(&pod)), "dataservice.flyte.org").await?;
        assert_eq!(Lifecycle::of(&sandbox.client).await?.release(Some(&token)).await?.status, 403);
        let there = sandbox.pods().get(&name(&pod)?).await?;
        let annotations = there.metadata.annotations.unwrap_or_default();
        assert_eq!(annotations.get("dataservice.flyte.org/released"), Some(&mark));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_token_that_is_shown_again_when_its_pod_is_gone_does_nothing_to_the_pod_of_its_name() {
    sandbox(|sandbox| async move {
        let pod = running(&sandbox, "plain").await?;
        let token = token::of(&sandbox, Some(&bound(&pod)), "dataservice.flyte.org").await?;
        sandbox.pods().delete(&name(&pod)?, &DeleteParams::default().grace_period(0)).await?;
        sandbox.until_gone(&object(&pod)?).await?;
        let again = running(&sandbox, "plain").await?;
        assert_eq!(name(&again)?, name(&pod)?);
        let answer = Lifecycle::of(&sandbox.client).await?.release(Some(&token)).await?;
        // For ten seconds the API server may answer by a review that it has made before (measured).
        assert!(matches!(answer.status, 401 | 403), "{answer:?}");
        assert!(!is_released(&sandbox, &again).await?);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_pod_of_another_namespace_speaks_for_itself_alone() {
    sandbox(|here| async move {
        sandbox(|there| async move {
            let (mine, other) = (running(&here, "plain").await?, running(&there, "plain").await?);
            assert_eq!(name(&mine)?, name(&other)?);
            let token = token::of(&there, Some(&bound(&other)), "dataservice.flyte.org").await?;
            assert_eq!(Lifecycle::of(&here.client).await?.release(Some(&token)).await?.status, 204);
            assert!(is_released(&there, &other).await? && !is_released(&here, &mine).await?);
            Ok(())
        })
        .await;
        Ok(())
    })
    .await;
}
