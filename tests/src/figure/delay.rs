//! How much later a task has succeeded because of its sidecar.

use anyhow::{Context, Result};
use futures::FutureExt;
use kube::api::DeleteParams;

use super::{Figure, Row, Unit, Value};
use crate::bench::{self, Bench};
use crate::sandbox::{self, Sandbox};
use crate::spread::Spread;
use crate::watch::Watch;
use crate::{cluster, flyte};

pub(super) const FIGURE: Figure = Figure {
    name: "delay",
    about: "how much later a task is Succeeded with the sidecar than without",
    take: |bench| take(bench).boxed_local(),
};

async fn take(bench: &Bench) -> Result<Vec<Row>> {
    let pairs = bench.count.min(PAIRS);
    let (mut with, mut without) = (Vec::new(), Vec::new());
    // In turn, so that whatever else goes on meets both.
    for number in 1..=pairs {
        with.push(succeeded_after(&bench.sandbox, &format!("with-{number}"), true).await?);
        without.push(succeeded_after(&bench.sandbox, &format!("without-{number}"), false).await?);
    }
    let later = with.iter().zip(&without).map(|(with, without)| with - without).collect();
    let row = |what: &str, how, values| Row {
        what: what.to_owned(),
        how,
        unit: Unit::Seconds,
        value: Value::spread(Spread::of(values)),
    };
    Ok(vec![
        row("task's end → Succeeded, with the sidecar", END, with),
        row("task's end → Succeeded, without", "the same of the same pod without our annotations", without),
        row("later with the sidecar", "the differences, pair by pair", later),
    ])
}

/// Seconds from the end of what the task does to the moment when the API server tells that its pod has succeeded.
async fn succeeded_after(sandbox: &Sandbox, name: &str, with_service: bool) -> Result<f64> {
    let mut pod = bench::pod(sandbox, name, &format!("sleep 1; {}", bench::END)).await?;
    if !with_service {
        flyte::strip(&mut pod);
    }
    let mut pods = Watch::open(&sandbox.pods()).await?;
    let admitted = sandbox.create_pod(&pod).await?;
    let succeeded = pods.until_phase(name, "Succeeded").await?;
    let printed = cluster::logs(&sandbox.client, &sandbox.namespace, name, "primary").await?;
    if with_service {
        bench::remove(sandbox, name, &sandbox::object(&admitted)?).await?;
    } else {
        sandbox.pods().delete(name, &DeleteParams::default().grace_period(0)).await?;
    }
    let ended = bench::end(&printed).with_context(|| format!("the task printed {printed:?}"))?;
    Ok(succeeded.duration_since(ended).as_secs_f64())
}

/// Each pair takes ten seconds.
const PAIRS: usize = 20;
const END: &str = "from the moment that the task's last command printed (bash's EPOCHREALTIME) to the moment when a watch, \
    opened before the pod's creation, showed its phase";
