//! Uninstalling while services run: Kubernetes' own collector takes them with their owners.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use dataservice_tests::sandbox::{name, object, sandbox};
use dataservice_tests::webhook::Webhook;
use std::process::Command;

use anyhow::{Result, ensure};
use dataservice_tests::{cluster, flyte};
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams};
use serde_json::json;

/// As the README tells an administrator to.
fn uninstall() -> Result<()> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/uninstall");
    let kubectl = concat!(env!("CARGO_MANIFEST_DIR"), "/cluster/cluster kubectl");
    let status = Command::new(script).env("KUBECTL", kubectl).status()?;
    ensure!(status.success(), "{script} failed");
    Ok(())
}

#[tokio::test]
async fn what_runs_when_it_is_uninstalled_goes_with_its_owners_but_what_a_namespace_shares() {
    sandbox(|sandbox| async move {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/install.yaml");
        let mut own = sandbox.pod("plain", "sleep 600").await?;
        flyte::annotate(&mut own, &[("replicas", "1")]);
        let mut shared = sandbox.pod("map-child-0", "sleep 600").await?;
        flyte::annotate(&mut shared, &[("replicas", "1"), ("scope", "namespace"), ("name", "cache")]);
        let mut held = sandbox.pod("plain", "true").await?;
        held["metadata"]["name"] = json!("held");
        flyte::annotate(
            &mut held,
            &[("hold", "scheduling"), ("requests", "cpu=1000"), ("limits", "cpu=1000")],
        );
        let held = name(&sandbox.create_pod(&held).await?)?;
        let (own, shared) = (sandbox.create_pod(&own).await?, sandbox.create_pod(&shared).await?);
        for pod in [&own, &shared] {
            sandbox.until_phase(&name(pod)?, "Running").await?;
        }
        let gates = async || -> Result<_> {
            Ok(sandbox
                .pods()
                .get(&held)
                .await?
                .spec
                .and_then(|spec| spec.scheduling_gates)
                .unwrap_or_default())
        };
        assert_eq!(gates().await?.len(), 1);
        uninstall()?;
        assert_eq!(gates().await?, []);
        // The execution ends.
        let kind = GroupVersionKind::gvk("flyte.lyft.com", "v1alpha1", "FlyteWorkflow");
        let resource = ApiResource::from_gvk_with_plural(&kind, "flyteworkflows");
        let workflows: Api<DynamicObject> =
            Api::namespaced_with(sandbox.client.clone(), &sandbox.namespace, &resource);
        let workflow = own["metadata"]["ownerReferences"][0]["name"].as_str().unwrap();
        workflows.delete(workflow, &DeleteParams::background().grace_period(0)).await?;
        let gone = sandbox.until_gone(&object(&own)?).await;
        let left = ListParams::default().labels("dataservice.flyte.org/scope=namespace");
        let left: Vec<_> = sandbox
            .stateful_sets()
            .list(&left)
            .await?
            .into_iter()
            .filter_map(|set| set.metadata.name)
            .collect();
        cluster::command(&["kubectl", "apply", "-f", manifest])?;
        Webhook::of(&sandbox.client).until_reached(1).await?;
        gone?;
        assert_eq!(left, ["cache"]);
        Ok(())
    })
    .await;
}
