//! Carries out what goes wrong.

use std::env;

use anyhow::{Context, Result};
use jiff::Timestamp;
use kube::api::{Api, DeleteParams, ListParams};
use tokio::time::sleep;

use super::control::{self, Process};
use super::evidence;
use super::fault::{Fault, Strike};
use super::persist::persist;
use super::record::PodRecord;
use super::stage::{Deed, Stage};
use super::troupe::delete_pod;
use crate::cluster::SYSTEM;
use crate::process;

/// Carries one out, to its end.
pub async fn strike(stage: &Stage, strike: Strike) -> Result<()> {
    let from = Timestamp::now();
    stage.journal.tell(format_args!("{strike}"));
    let hit = match strike.fault {
        Fault::ApiServer => restart(Process::ApiServer, strike).await?,
        Fault::Controllers => restart(Process::Controllers, strike).await?,
        Fault::Etcd => restart(Process::Etcd, strike).await?,
        Fault::Kubelet => pause(strike).await?,
        Fault::Pod => delete_one(stage, strike.pick, |record| record.member().is_some()).await?,
        Fault::Replacement => replace_webhook(stage).await?,
        Fault::Server => delete_one(stage, strike.pick, PodRecord::is_server).await?,
        Fault::Sidecar => kill_one(stage, strike.pick, "dataservice-sidecar", "run"),
        Fault::Webhook => {
            evidence::keep_webhook_logs(&stage.journal);
            kill_one(stage, strike.pick, "dataservice-webhook", "")
        }
    };
    let (fault, to) = (strike.fault, Timestamp::now());
    stage.did(if hit { Deed::Struck { fault, from, to } } else { Deed::Missed { fault } });
    Ok(())
}

async fn restart(process: Process, strike: Strike) -> Result<bool> {
    process.undergo(control::Deed::Kill).await?;
    sleep(strike.lasts).await;
    process.undergo(control::Deed::Start).await?;
    Ok(true)
}

async fn pause(strike: Strike) -> Result<bool> {
    Process::Kubelet.undergo(control::Deed::Pause).await?;
    sleep(strike.lasts).await;
    Process::Kubelet.undergo(control::Deed::Resume).await?;
    Ok(true)
}

/// Without grace, one of the pods that are not over.
async fn delete_one(stage: &Stage, pick: u64, is_one: impl Fn(&PodRecord) -> bool) -> Result<bool> {
    let pods = stage.ledger.pods(|record| !record.is_over() && is_one(record));
    let Some(record) = picked(&pods, pick) else { return Ok(false) };
    stage.journal.note(format_args!("deleting {} by force", record.name()));
    delete_pod(stage, record, 0).await?;
    Ok(true)
}

async fn replace_webhook(stage: &Stage) -> Result<bool> {
    evidence::keep_webhook_logs(&stage.journal);
    let pods: Api<k8s_openapi::api::core::v1::Pod> = Api::namespaced(stage.sandbox.client.clone(), SYSTEM);
    let labels = ListParams::default().labels("app.kubernetes.io/component=webhook");
    let there = persist("find the webhook", || pods.list(&labels)).await??;
    for pod in there {
        let (name, params) = (pod.metadata.name.context("a pod without a name")?, DeleteParams::default());
        let params = params.grace_period(0);
        let _ = persist("delete the webhook", || pods.delete(&name, &params)).await?;
    }
    Ok(true)
}

/// SIGKILL, for one of the processes in our containers that run `program` with `argument`.
fn kill_one(stage: &Stage, pick: u64, program: &str, argument: &str) -> bool {
    let cgroup = format!("flyte-dataservice-{}", env::var("CLUSTER_NETNS").as_deref().unwrap_or("dscluster"));
    let mut processes = process::Process::below(&cgroup, program);
    processes
        .retain(|process| argument.is_empty() || process.arguments().iter().any(|given| given == argument));
    let Some(process) = picked(&processes, pick) else { return false };
    match process.kill() {
        Ok(()) => true,
        Err(error) => {
            stage.journal.note(format_args!("{program} is not killed: {error:#}"));
            false
        }
    }
}

fn picked<T>(all: &[T], pick: u64) -> Option<&T> {
    let index = pick.checked_rem(u64::try_from(all.len()).ok()?)?;
    all.get(usize::try_from(index).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_those_that_are_there_one_is_picked() {
        assert_eq!(picked(&[1, 2, 3], 7), Some(&2));
        assert_eq!(picked::<u8>(&[], 7), None);
    }
}
