//! What a task costs the API server.

use anyhow::Result;
use futures::FutureExt;

use super::{Figure, Row, Unit, Value};
use crate::bench::Bench;

pub(super) const FIGURE: Figure = Figure {
    name: "calls",
    about: "requests that a task's data service costs the API server",
    take: |bench| take(bench).boxed_local(),
};

async fn take(bench: &Bench) -> Result<Vec<Row>> {
    let run = bench.run().await?;
    let calls = run.after.requests - run.before.requests;
    // At most 500.
    let tasks = u16::try_from(run.tasks.len()).unwrap_or(u16::MAX);
    Ok(vec![Row {
        what: "requests of ours per task, from creation to gone".to_owned(),
        how: "apiserver_flowcontrol_dispatched_requests_total{flow_schema=\"service-accounts\"} after the run less the \
              same before, by the number of tasks: all that ServiceAccounts outside kube-system asked of the API server. \
              Events, the TokenReview of the release and watches that start anew are in it; the sidecar asks nothing of \
              the API server",
        unit: Unit::Count,
        value: Value::Exactly(calls / f64::from(tasks)),
    }])
}
