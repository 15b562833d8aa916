//! How long admissions take.

use anyhow::Result;
use futures::FutureExt;

use super::{Figure, Row, Unit, Value};
use crate::bench::Bench;

pub(super) const FIGURE: Figure = Figure {
    name: "admission",
    about: "time that the API server waits for the webhook, by its own histogram",
    take: |bench| take(bench).boxed_local(),
};

async fn take(bench: &Bench) -> Result<Vec<Row>> {
    let run = bench.run().await?;
    let took = run.after.admissions.since(&run.before.admissions)?;
    let row = |what: String, how, value| Row { what, how, unit: Unit::Seconds, value };
    let mean = format!("admission, mean ({} for {} pods)", took.count(), run.tasks.len());
    Ok(vec![
        row("admission, p50".to_owned(), QUANTILE, Value::at_most(took.quantile_at_most(0.50))),
        row("admission, p99".to_owned(), "the same", Value::at_most(took.quantile_at_most(0.99))),
        row(mean, MEAN, Value::exactly(took.mean())),
    ])
}

const QUANTILE: &str = "upper bound of the bucket that it ends in, of \
    apiserver_admission_webhook_admission_duration_seconds{name=\"pods.dataservice.flyte.org\"} after the run less \
    the same before: of the run's own pods; the buckets are the API server's (5, 25, 100, 500 ms, 1, 2.5, 10, 25 s)";
const MEAN: &str = "the sum of that histogram by its count; if the API server asked more often than there are pods, others' \
    pods were admitted meanwhile, or another plugin changed ours after the first answer (reinvocationPolicy IfNeeded)";
