//! What the sidecar costs each task.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::FutureExt;
use tokio::time::sleep;

use super::{ELSEWHERE, Figure, Row, Unit, Value};
use crate::bench::{self, Bench};
use crate::process::{Memory, Process, file_size};
use crate::sandbox::{self, Sandbox};
use crate::spread::Spread;
use crate::wait;

pub(super) const FIGURE: Figure = Figure {
    name: "sidecar",
    about: "the sidecar's size and resident memory",
    take: |bench| take(bench).boxed_local(),
};

/// A sidecar that was looked at from its idleness to its end.
struct Life {
    file_size: Option<f64>,
    idle: Memory,
    last: Memory,
}

async fn take(bench: &Bench) -> Result<Vec<Row>> {
    let mut lives = Vec::new();
    for number in 1..=bench.count.min(PODS) {
        lives.extend(look(&bench.sandbox, &format!("sidecar-{number}")).await?);
    }
    let size = lives.first().map_or_else(size_of_build, |life| life.file_size);
    let row = |what: &str, how, unit, value| Row { what: what.to_owned(), how, unit, value };
    let spread =
        |of: fn(&Life) -> f64| Spread::of(lives.iter().map(of).collect()).map_or(ELSEWHERE, Value::Spread);
    Ok(vec![
        row("sidecar, size", SIZE, Unit::Bytes, Value::exactly(size)),
        row("sidecar, resident, idle", IDLE, Unit::Bytes, spread(|life| life.idle.resident)),
        row("sidecar, resident, at most", HIGHEST, Unit::Bytes, spread(|life| life.last.highest)),
    ])
}

/// Runs a task, and looks at its sidecar until that has ended; nothing, where it runs on another machine.
async fn look(sandbox: &Sandbox, name: &str) -> Result<Option<Life>> {
    let pod = bench::pod(sandbox, name, TASK).await?;
    let object = sandbox::object(&sandbox.create_pod(&pod).await?)?;
    let running = sandbox.until_phase(name, "Running").await?;
    let life = match Process::of(&running, NAME, NAME) {
        Some(process) => Some(Life::until_end(&process).await?),
        None => None,
    };
    sandbox.until_phase(name, "Succeeded").await?;
    bench::remove(sandbox, name, &object).await?;
    Ok(life)
}

/// Without a process to look at: the one that was built beside this program.
fn size_of_build() -> Option<f64> {
    let beside: PathBuf = std::env::current_exe().ok()?.with_file_name(NAME);
    file_size(&beside)
}

// === impl Life ===

impl Life {
    async fn until_end(process: &Process) -> Result<Self> {
        sleep(SETTLE).await;
        let idle = process.memory().context("the sidecar ended before its task")?;
        let file_size = process.file_size();
        let last = wait::within("the sidecar to end", async {
            let mut last = idle;
            while let Some(memory) = process.memory() {
                last = memory;
                sleep(LOOK_EVERY).await;
            }
            Ok(last)
        });
        Ok(Self { file_size, idle, last: last.await? })
    }
}

/// They differ by little.
const PODS: usize = 5;
/// Longer than `SETTLE`, and than it takes to see that the pod runs.
const TASK: &str = "sleep 5";
const SETTLE: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// Its container's and its file's.
const NAME: &str = dataservice_core::container::SIDECAR;

const SIZE: &str = "of the file that the process runs; where the node is another machine, of dataservice-sidecar beside this \
    program";
const IDLE: &str = "VmRSS in /proc/<pid>/status, read on the node while the task runs, a second after the pod did; the \
    process is the one whose cgroup has the container's id and whose file is dataservice-sidecar";
const HIGHEST: &str = "VmHWM of the same, the last of readings a millisecond apart until it had ended: TLS, the token and the \
    release are in it";
