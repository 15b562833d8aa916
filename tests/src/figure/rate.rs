//! How soon services are there when pods come fast.

use anyhow::{Context, Result};
use futures::FutureExt;

use super::{ELSEWHERE, Figure, Row, Unit, Value};
use crate::bench::{Bench, Crowd, Pace, Paused, Reading, apart};

pub(super) const FIGURE: Figure = Figure {
    name: "rate",
    about: "the same at 20 pods a second, at 100 with API server and etcd alone, and for 1,000 at once",
    take: |bench| take(bench).boxed_local(),
};

async fn take(bench: &Bench) -> Result<Vec<Row>> {
    if !Reading::take(&bench.sandbox.client).await?.is_here() {
        return Ok(vec![row("pod created → both exist, at a pace".to_owned(), MADE, ELSEWHERE)]);
    }
    let mut rows = at(Pace::PerSecond(20), 200, "20 a second", false).await?;
    rows.extend(at(Pace::PerSecond(100), 1_000, "100 a second, alone", true).await?);
    rows.extend(at(Pace::AtOnce, 1_000, "1,000 at once", false).await?);
    Ok(rows)
}

async fn at(pace: Pace, count: usize, told: &str, is_alone: bool) -> Result<Vec<Row>> {
    eprintln!("figures: {count} pods, {told}");
    let gather = apart(async |sandbox| {
        let _paused = if is_alone { Some(Paused::all()?) } else { None };
        let before = Reading::take(&sandbox.client).await?;
        let crowd = Crowd::gather(sandbox, "crowd", pace, count).await?;
        let admissions = Reading::take(&sandbox.client).await?.admissions.since(&before.admissions)?;
        anyhow::Ok((crowd, admissions))
    });
    let (crowd, admissions) = gather.await.with_context(|| told.to_owned())?;
    let repeated = u32::try_from(crowd.repeated).map(f64::from).ok();
    Ok(vec![
        row(format!("pod created → both exist, {told}"), MADE, Value::spread(crowd.made_after())),
        row(format!("admission, p50, {told}"), ADMISSION, Value::at_most(admissions.quantile_at_most(0.50))),
        row(format!("admission, p99, {told}"), ADMISSION, Value::at_most(admissions.quantile_at_most(0.99))),
        Row { unit: Unit::Count, ..row(format!("made again, {told}"), REPEATED, Value::exactly(repeated)) },
    ])
}

fn row(what: String, how: &'static str, value: Value) -> Row {
    Row { what, how, unit: Unit::Seconds, value }
}

const MADE: &str = "as for one task after the other; the pods have one server each, and neither they nor their servers ever \
    get a node (schedulerName), so that the control plane is measured; all were admitted, or there is no figure. \"Alone\": \
    kube-controller-manager and kube-scheduler are stopped meanwhile";
const ADMISSION: &str = "as for one task after the other, of these pods";
const REPEATED: &str =
    "StatefulSets and Services that the watches showed added a second time under the same name";
