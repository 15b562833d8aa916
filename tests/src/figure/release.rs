//! How soon a service is given back.

use anyhow::Result;
use futures::FutureExt;

use super::{ELSEWHERE, Figure, Row, Unit, Value};
use crate::bench::{Bench, Task};

pub(super) const FIGURE: Figure = Figure {
    name: "release",
    about: "SIGTERM → StatefulSet and Service deleted, and the same from the task's end",
    take: |bench| take(bench).boxed_local(),
};

async fn take(bench: &Bench) -> Result<Vec<Row>> {
    let run = bench.run().await?;
    let row = |what: &str, how, of: fn(&Task) -> f64| Row {
        what: what.to_owned(),
        how,
        unit: Unit::Seconds,
        value: if run.is_here() { Value::spread(run.spread(of)) } else { ELSEWHERE },
    };
    Ok(vec![
        row("SIGTERM → both deleted", TERMINATION, Task::deleted_after_termination),
        row("task's end → both deleted", END, Task::deleted_after_end),
        row("task's end → SIGTERM", KUBELET, Task::terminated_after),
    ])
}

const TERMINATION: &str = "from the moment when the container runtime had the sidecar's line \"SIGTERM: releasing\" \
    (the log's own times) to the moment when watches, opened before the pod's creation, had shown that both objects \
    are deleted; below zero where the controller had seen the pod's status before";
const END: &str =
    "from the moment that the task's last command printed (bash's EPOCHREALTIME) to that same deletion";
const KUBELET: &str = "what of that is the kubelet's: it notices the end, and signals the sidecar";
