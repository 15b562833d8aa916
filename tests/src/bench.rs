//! Where figures are taken: a cluster, a namespace, and the run of tasks that several figures share.

mod crowd;
mod reading;
mod run;
mod task;

use anyhow::Result;
use tokio::sync::OnceCell;

pub use self::crowd::{Crowd, Pace, Paused, apart};
pub use self::reading::Reading;
pub use self::run::Run;
pub use self::task::{END, Task, end, pod, remove};
use crate::sandbox::Sandbox;

/// Where figures are taken.
pub struct Bench {
    /// The namespace.
    pub sandbox: Sandbox,
    /// How many tasks a figure is taken from.
    pub count: usize,
    run: OnceCell<Run>,
}

// === impl Bench ===

impl Bench {
    /// A bench for figures of `count` tasks.
    #[must_use]
    pub fn new(sandbox: Sandbox, count: usize) -> Self {
        Self { sandbox, count, run: OnceCell::new() }
    }

    /// The run of `count` tasks, one after the other: made for the first figure that asks, the same for all.
    pub async fn run(&self) -> Result<&Run> {
        self.run.get_or_try_init(|| Run::make(&self.sandbox, self.count)).await
    }
}
