//! How soon a service is there.

use anyhow::Result;
use futures::FutureExt;

use super::{Figure, Row, Unit, Value};
use crate::bench::Bench;

pub(super) const FIGURE: Figure = Figure {
    name: "creation",
    about: "pod created → StatefulSet and Service exist",
    take: |bench| take(bench).boxed_local(),
};

async fn take(bench: &Bench) -> Result<Vec<Row>> {
    let run = bench.run().await?;
    Ok(vec![Row {
        what: FIGURE.about.to_owned(),
        how: "from the moment when the API server's answer to the pod's creation was here to the moment when watches, \
              opened before, had shown both objects",
        unit: Unit::Seconds,
        value: Value::spread(run.spread(crate::bench::Task::made_after)),
    }])
}
