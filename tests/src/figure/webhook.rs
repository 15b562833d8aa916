//! What the control plane costs.

use anyhow::{Result, ensure};
use futures::FutureExt;

use super::{ELSEWHERE, Figure, Row, Unit, Value};
use crate::bench::Bench;
use crate::process::Memory;

pub(super) const FIGURE: Figure = Figure {
    name: "webhook",
    about: "the webhook's resident memory, idle and after the run",
    take: |bench| take(bench).boxed_local(),
};

async fn take(bench: &Bench) -> Result<Vec<Row>> {
    let run = bench.run().await?;
    ensure!(run.before.pod == run.after.pod, "the webhook was replaced while figures were taken");
    let row = |what: String, how, memory: Option<Memory>, of: fn(Memory) -> f64| Row {
        what,
        how,
        unit: Unit::Bytes,
        value: memory.map_or(ELSEWHERE, |memory| Value::Exactly(of(memory))),
    };
    let (before, after, tasks) = (run.before.webhook, run.after.webhook, run.tasks.len());
    Ok(vec![
        row("webhook, resident, idle".to_owned(), IDLE, before, |memory| memory.resident),
        row(format!("webhook, resident, after {tasks} tasks"), AFTER, after, |memory| memory.resident),
        row("webhook, resident, at most".to_owned(), HIGHEST, after, |memory| memory.highest),
    ])
}

const IDLE: &str = "VmRSS in /proc/<pid>/status, read on the node before the run's first pod; the process is the one whose \
    cgroup has the container's id and whose file is dataservice-webhook";
const AFTER: &str = "the same when the run's last service was gone";
const HIGHEST: &str = "VmHWM at the same time: the most since it started";
