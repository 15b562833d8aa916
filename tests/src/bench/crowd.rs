//! Pods that come at a pace and never get a node: what many of them cost the control plane, and nothing else.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, PodTemplate};
use kube::api::{Api, PostParams};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::sandbox::{self, Sandbox};
use crate::spread::Spread;
use crate::watch::Watch;
use crate::{cluster, flyte};

/// How fast pods come.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// As fast as the API server takes them from 64 clients.
    AtOnce,
    /// As many in each second, evenly.
    PerSecond(u32),
}

/// Pods that came at a pace, and when their services were there.
#[derive(Debug)]
pub struct Crowd {
    /// Seconds from each pod's creation until its StatefulSet and Service were there.
    made_after: Vec<f64>,
    /// How many StatefulSets and Services were made a second time.
    pub repeated: usize,
}

/// While it is there, no controller of Kubernetes' own does anything: API server and etcd are alone.
pub struct Paused(());

// === impl Crowd ===

impl Crowd {
    /// Creates `count` pods at this pace, each with a service of its own, and waits for their services.
    pub async fn gather(sandbox: &Sandbox, name: &str, pace: Pace, count: usize) -> Result<Self> {
        let pod = unplaced(sandbox).await?;
        let mut sets = Watch::open(&sandbox.stateful_sets()).await?;
        let mut services = Watch::open(&sandbox.services()).await?;
        let all = async {
            tokio::try_join!(
                create(sandbox, name, &pod, pace, count),
                sets.until_all_added(count),
                services.until_all_added(count)
            )
        };
        let all = timeout(LIMIT, all).await.with_context(|| format!("{count} pods took {LIMIT:?}"))?;
        let (created, sets, services) = all?;
        Self::of(created, &sets, &services)
    }

    fn of(
        created: Vec<(String, Timestamp)>,
        sets: &HashMap<String, Vec<Timestamp>>,
        services: &HashMap<String, Vec<Timestamp>>,
    ) -> Result<Self> {
        let mut made_after = Vec::with_capacity(created.len());
        for (object, created) in created {
            let made =
                sets.get(&object).zip(services.get(&object)).context("a service of no pod was made")?;
            let made = made.0.first().max(made.1.first()).context("never seen")?;
            made_after.push(made.duration_since(created).as_secs_f64());
        }
        let repeated = sets.values().chain(services.values()).map(|times| times.len() - 1).sum();
        Ok(Self { made_after, repeated })
    }

    /// Seconds from each pod's creation until its StatefulSet and Service were there.
    #[must_use]
    pub fn made_after(&self) -> Option<Spread> {
        Spread::of(self.made_after.clone())
    }
}

// === impl Paused ===

impl Paused {
    /// Stops them, until this is dropped.
    pub fn all() -> Result<Self> {
        let paused = Self(());
        PROCESSES.iter().try_for_each(|process| cluster::command(&["pause", process]))?;
        Ok(paused)
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        for process in PROCESSES {
            if let Err(error) = cluster::command(&["resume", process]) {
                eprintln!("figures: {error:#}");
            }
        }
    }
}

/// Does `work` in a namespace of its own, and waits until nothing is left of it: what is being cleared up would be in
/// the next figure.
pub async fn apart<T>(work: impl AsyncFnOnce(&Sandbox) -> Result<T>) -> Result<T> {
    let (outcome, namespace) =
        sandbox::in_sandbox(async |sandbox| Ok((work(&sandbox).await?, sandbox.namespace.clone()))).await?;
    let namespaces: Api<Namespace> = Api::all(cluster::client().await?);
    let gone = async {
        while namespaces.get_opt(&namespace).await?.is_some() {
            sleep(Duration::from_millis(500)).await;
        }
        anyhow::Ok(())
    };
    timeout(LIMIT, gone)
        .await
        .with_context(|| format!("namespace {namespace} was there after {LIMIT:?}"))??;
    Ok(outcome)
}

/// A pod that no scheduler takes, and neither its servers.
async fn unplaced(sandbox: &Sandbox) -> Result<Value> {
    let templates: Api<PodTemplate> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
    let template = json!({"metadata": {"name": TEMPLATE}, "template": {"spec": {"schedulerName": NOBODY, "containers": [{"name": "primary", "image": flyte::IMAGE}]}}});
    match templates.create(&PostParams::default(), &serde_json::from_value(template)?).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => (),
        created => {
            created?;
            // The webhook's memory follows by a watch.
            sleep(Duration::from_secs(1)).await;
        }
    }
    let mut pod = sandbox.pod("plain", "true").await?;
    flyte::annotate(&mut pod, &[("replicas", "1"), ("pod-template", TEMPLATE)]);
    pod["spec"]["schedulerName"] = json!(NOBODY);
    Ok(pod)
}

/// Each pod's service by name, and when the API server's answer was here; fails if any pod was refused.
async fn create(
    sandbox: &Sandbox,
    name: &str,
    pod: &Value,
    pace: Pace,
    count: usize,
) -> Result<Vec<(String, Timestamp)>> {
    let clients = Arc::new(Semaphore::new(CLIENTS));
    let mut ticks = match pace {
        Pace::AtOnce => None,
        Pace::PerSecond(pods) => Some(interval(Duration::from_secs(1) / pods)),
    };
    if let Some(ticks) = &mut ticks {
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    }
    let mut created = JoinSet::new();
    for number in 1..=count {
        if let Some(ticks) = &mut ticks {
            ticks.tick().await;
        }
        let client = Arc::clone(&clients).acquire_owned().await?;
        let mut pod = pod.clone();
        pod["metadata"]["name"] = json!(format!("{name}-{number}"));
        let sandbox = sandbox.clone();
        created.spawn(async move {
            let admitted = sandbox.create_pod(&pod).await?;
            let at = Timestamp::now();
            drop(client);
            Ok((sandbox::object(&admitted)?, at))
        });
    }
    let created: Result<Vec<_>> = created.join_all().await.into_iter().collect();
    created.with_context(|| format!("not all of {count} pods were admitted"))
}

const CLIENTS: usize = 64;
const LIMIT: Duration = Duration::from_mins(5);
const TEMPLATE: &str = "unplaced";
/// A scheduler that is not there.
const NOBODY: &str = "nobody";
/// Kubernetes' own that act on pods and on what is made for them.
const PROCESSES: [&str; 2] = ["kube-controller-manager", "kube-scheduler"];
