//! Making what a group consists of, against all odds.

use std::time::Duration;

use anyhow::Result;
use dataservice_core::annotation::CONSUMER;
use kube::api::{Api, ApiResource, DynamicObject, PostParams};
use serde_json::Value;
use tokio::time::timeout;

use super::persist::{is_passing_status, persist, until_answered};
use super::stage::{Deed, Stage};
use crate::owner;

/// Creates a group's pod, as Flyte does: again and again while the answer is that it may pass.
pub(super) async fn create_pod(stage: &Stage, group: u32, pod: &Value) -> Result<()> {
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let mut pod = pod.clone();
    until_answered(&format!("create the owner of {name}"), async || {
        owner::own(&stage.sandbox.client, &stage.sandbox.namespace, &mut pod).await
    })
    .await?;
    let created = until_answered(&format!("create {name}"), async || {
        let answer = timeout(PATIENCE, stage.sandbox.try_create(&pod, "")).await??;
        let message = answer.body["message"].as_str().unwrap_or_default().to_owned();
        if is_passing_status(answer.status, &message) {
            stage.journal.note(format_args!("{name} is not created: {} {message}", answer.status));
            anyhow::bail!("{} {message}", answer.status);
        }
        Ok((answer.status, message, answer.body))
    })
    .await?;
    match created {
        (201, _, body) => stage.did(deed_of(&body)),
        // An answer before was lost.
        (409, ..) => {
            let pods = stage.sandbox.pods();
            let there = persist("read a pod", || pods.get_opt(name)).await??;
            if let Some(pod) = there {
                stage.did(deed_of(&serde_json::to_value(pod)?));
            }
        }
        (status, message, _) => stage.did(Deed::Refused { group, status, message }),
    }
    Ok(())
}

fn deed_of(pod: &Value) -> Deed {
    let uid = pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    Deed::Created { uid, is_bare: pod["metadata"]["labels"].get(CONSUMER).is_none() }
}

/// Creates an object of any kind; one that is there already is what an answer that was lost has made.
pub(super) async fn create(stage: &Stage, object: &Value) -> Result<()> {
    let api = api(stage, object)?;
    let object: DynamicObject = serde_json::from_value(object.clone())?;
    let params = PostParams::default();
    match persist("create what makes pods", || api.create(&params, &object)).await? {
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        created => Ok(created.map(drop)?),
    }
}

/// Where an object of this kind is.
pub(super) fn api(stage: &Stage, object: &Value) -> Result<Api<DynamicObject>> {
    let types: kube::api::TypeMeta = serde_json::from_value(object.clone())?;
    let resource = ApiResource::from_gvk(&(&types).try_into()?);
    Ok(Api::namespaced_with(stage.sandbox.client.clone(), &stage.sandbox.namespace, &resource))
}

const PATIENCE: Duration = Duration::from_secs(20);
