//! A run: everything at its time, to the end.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use dataservice_core::annotation::SCHEDULING_GATE;
use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Node;
use kube::Client;
use kube::api::{Api, ListParams};
use serde_json::Value;
use tokio::task::{JoinSet, spawn_local};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::facts::Facts;
use super::fault::LONGEST_PAUSE;
use super::journal::Journal;
use super::ledger::Ledger;
use super::persist::persist;
use super::plan::{Bounds, Plan};
use super::probe::{self, Probe};
use super::record::Kind;
use super::saboteur::strike;
use super::stage::{Deed, Stage};
use super::stand::Stand;
use super::troupe::Troupe;
use super::{control, evidence};
use crate::sandbox::Sandbox;

/// Does all of `plan`, waits until nothing is left, and hands back what is known of it. It needs a `LocalSet` around it.
pub async fn run(sandbox: Sandbox, plan: Plan, bounds: &Bounds, folder: &Path) -> Result<Facts> {
    let journal = Journal::begin(folder)?;
    journal.keep("plan.txt", plan.to_string());
    let stand = Stand::open(node_address(&sandbox.client).await?).await?;
    let ledger = Ledger::open(&sandbox, journal.clone());
    let stage = Stage::new(sandbox.clone(), stand.address, ledger, journal.clone());
    let (probe, mut watchers) = (Probe::default(), JoinSet::new());
    watchers.spawn_local(control::supervise(journal.clone()));
    watchers.spawn_local(report(stage.clone(), plan.groups.len()));
    watchers.spawn_local(probe.clone().ask(sandbox, probe::pod(&stage.sandbox)?, journal.clone()));

    let limit = bounds.duration + LONGEST_PAUSE + LIMIT;
    let failures = match timeout(limit, perform(&stage, &plan, bounds.duration)).await {
        Ok(failures) => failures,
        Err(_) => vec![format!("not all was over after {limit:?}")],
    };
    let quiet_at = Timestamp::now();
    journal.tell("all tasks are over");
    let left = until_nothing_is_left(&stage).await?;
    let ended_at = Timestamp::now();
    evidence::keep_webhook_logs(&journal);
    let facts = Facts {
        plan,
        pods: stage.ledger.pods(|_| true),
        objects: stage.ledger.objects(),
        testimonies: stand.testimonies(),
        deeds: stage.deeds(),
        admissions: probe.answers(),
        quiet_at,
        left,
        ended_at,
        failures,
    };
    keep(&journal, &facts);
    Ok(facts)
}

/// Tells again and again how far it is, for whoever waits.
async fn report(stage: Stage, groups: usize) {
    loop {
        sleep(REPORT).await;
        let (objects, deeds) = (stage.ledger.objects(), stage.deeds());
        let pods = stage.ledger.pods(|record| record.member().is_some());
        let is_over = |deed: &&Deed| matches!(deed, Deed::Played { .. } | Deed::Skipped { .. });
        let over = deeds.iter().filter(is_over).count();
        let alive = pods.iter().filter(|record| !record.is_over()).count();
        let services = objects.iter().filter(|object| object.kind == Kind::StatefulSet);
        let (made, live) =
            (services.clone().count(), services.filter(|object| object.gone_at.is_none()).count());
        stage.journal.tell(format_args!(
            "{over} of {groups} tasks are over; {} pods so far, {alive} of them alive; {made} services, {live} alive",
            pods.len()
        ));
    }
}

/// Everything at its time; what could not be done.
async fn perform(stage: &Stage, plan: &Plan, duration: Duration) -> Vec<String> {
    let began = Instant::now();
    let groups = plan.groups.iter().map(|group| {
        let (stage, group) = (stage.clone(), group.clone());
        spawn_local(async move {
            sleep_until(began + group.at).await;
            let _room = stage.room(group.weight()).await?;
            if began.elapsed() > duration {
                stage.did(Deed::Skipped { group: group.number });
                return Ok(());
            }
            let text = group.to_string();
            Troupe::new(&stage, group)?.play().await.with_context(|| text)
        })
    });
    let strikes = plan.strikes.iter().map(|next| {
        let (stage, next) = (stage.clone(), *next);
        spawn_local(async move {
            sleep_until(began + next.at).await;
            strike(&stage, next).await.with_context(|| next.to_string())
        })
    });
    let all: Vec<_> = groups.chain(strikes).collect();
    let failures = join_all(all).await.into_iter().filter_map(|ended| match ended {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(format!("the run itself failed: {error:#}")),
        Err(panic) => Some(format!("the run itself failed: {panic}")),
    });
    failures.collect()
}

/// Waits until nothing of ours is there any more, and hands back what is there all the same.
async fn until_nothing_is_left(stage: &Stage) -> Result<Vec<String>> {
    let deadline = Instant::now() + QUIET;
    loop {
        let left = left(stage).await?;
        if left.is_empty() || Instant::now() > deadline {
            return Ok(left);
        }
        sleep(PAUSE).await;
    }
}

async fn left(stage: &Stage) -> Result<Vec<String>> {
    let (sandbox, all) = (&stage.sandbox, ListParams::default());
    let (manager, us) = dataservice_core::record::MANAGED_BY;
    let ours = ListParams::default().labels(&format!("{manager}={us}"));
    let (sets, services, pods) = (sandbox.stateful_sets(), sandbox.services(), sandbox.pods());
    let sets = persist("list StatefulSets", || sets.list(&ours)).await??;
    let services = persist("list Services", || services.list(&ours)).await??;
    let pods = persist("list pods", || pods.list(&all)).await??;
    let sets = sets.into_iter().filter_map(|set| Some(format!("StatefulSet {}", set.metadata.name?)));
    let services =
        services.into_iter().filter_map(|service| Some(format!("Service {}", service.metadata.name?)));
    let pods = pods.into_iter().filter_map(|pod| {
        let name = pod.metadata.name.clone()?;
        let is_ours = pod.metadata.labels.iter().flatten().any(|(key, value)| key == manager && value == us);
        let gates = pod.spec.and_then(|spec| spec.scheduling_gates).unwrap_or_default();
        let is_gated = gates.iter().any(|gate| gate.name == SCHEDULING_GATE);
        let what = if is_ours { "server" } else { "gated pod" };
        (is_ours || is_gated).then(|| format!("{what} {name}"))
    });
    Ok(sets.chain(services).chain(pods).collect())
}

/// An address of this machine that pods can reach: its node's.
async fn node_address(client: &Client) -> Result<IpAddr> {
    let nodes: Api<Node> = Api::all(client.clone());
    let node = nodes.list(&ListParams::default()).await?.items.into_iter().next().context("no node")?;
    let addresses = node.status.and_then(|status| status.addresses).unwrap_or_default();
    let address = addresses.into_iter().find(|address| address.type_ == "InternalIP");
    Ok(address.context("a node without an address")?.address.parse()?)
}

/// Everything that was seen, for whoever has to find out why.
fn keep(journal: &Journal, facts: &Facts) {
    let pods: Vec<&Value> = facts.pods.iter().map(|record| &record.pod).collect();
    journal.keep("pods.json", serde_json::to_vec_pretty(&pods).unwrap_or_default());
    journal.keep("objects.txt", format!("{:#?}", facts.objects));
    journal.keep("testimonies.txt", format!("{:#?}", facts.testimonies));
}

/// Beyond what is planned: groups have limits of their own.
const LIMIT: Duration = Duration::from_mins(6);
/// How long anything may stay after the last task, kept warm or not.
const QUIET: Duration = Duration::from_mins(2);
const PAUSE: Duration = Duration::from_millis(500);
const REPORT: Duration = Duration::from_secs(20);
