//! What many consumers cost the webhook, and what they cost the next one.

use anyhow::{Context, Result};
use futures::FutureExt;

use super::{ELSEWHERE, Figure, Row, Unit, Value};
use crate::bench::{Bench, Crowd, Pace, Paused, Reading, apart};
use crate::sandbox::Sandbox;

pub(super) const FIGURE: Figure = Figure {
    name: "memory",
    about: "the webhook's memory with 100 and 5,000 live consumers, and how soon the next one's service is there",
    take: |bench| take(bench).boxed_local(),
};

async fn take(bench: &Bench) -> Result<Vec<Row>> {
    let bytes = |what: &str, how, value| Row { what: what.to_owned(), how, unit: Unit::Bytes, value };
    if !Reading::take(&bench.sandbox.client).await?.is_here() {
        return Ok(vec![bytes("webhook, per further consumer", PER_CONSUMER, ELSEWHERE)]);
    }
    apart(async |sandbox| {
        let _paused = Paused::all()?;
        Crowd::gather(sandbox, "few", Pace::AtOnce, FEW).await?;
        let few = resident(sandbox).await?;
        let beside_few = Crowd::gather(sandbox, "beside-few", NEXT, NEXT_COUNT).await?;
        Crowd::gather(sandbox, "many", Pace::AtOnce, MANY - FEW - NEXT_COUNT).await?;
        eprintln!("figures: {MANY} consumers");
        let many = resident(sandbox).await?;
        let beside_many = Crowd::gather(sandbox, "beside-many", NEXT, NEXT_COUNT).await?;
        let seconds = |what: &str, crowd: &Crowd| Row {
            what: what.to_owned(),
            how: NEXT_ONE,
            unit: Unit::Seconds,
            value: Value::spread(crowd.made_after()),
        };
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        let further = (MANY - FEW) as f64;
        Ok(vec![
            bytes("webhook, resident, 100 consumers", RESIDENT, Value::Exactly(few)),
            bytes("webhook, resident, 5,000 consumers", RESIDENT, Value::Exactly(many)),
            bytes("webhook, per further consumer", PER_CONSUMER, Value::Exactly((many - few) / further)),
            seconds("pod created → both exist, beside 100", &beside_few),
            seconds("pod created → both exist, beside 5,000", &beside_many),
        ])
    })
    .await
}

async fn resident(sandbox: &Sandbox) -> Result<f64> {
    let memory = Reading::take(&sandbox.client).await?.webhook;
    Ok(memory.context("the webhook ended")?.resident)
}

const FEW: usize = 100;
const MANY: usize = 5_000;
const NEXT: Pace = Pace::PerSecond(20);
const NEXT_COUNT: usize = 100;

const RESIDENT: &str =
    "VmRSS in /proc/<pid>/status, when so many pods without a node have each a service of their own";
const PER_CONSUMER: &str = "the difference of both, by 4,900";
const NEXT_ONE: &str =
    "as for one task after the other, of 100 pods at 20 a second; API server and etcd are alone";
