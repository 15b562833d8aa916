//! Tasks, one after the other, and what was read before and after.

use anyhow::{Context, Result};

use super::{Reading, Task};
use crate::sandbox::Sandbox;
use crate::spread::Spread;

/// Tasks, one after the other, and what was read before and after.
#[derive(Debug)]
pub struct Run {
    /// Before the first.
    pub before: Reading,
    /// Each of them.
    pub tasks: Vec<Task>,
    /// After the last one's service was gone.
    pub after: Reading,
}

// === impl Run ===

impl Run {
    pub(super) async fn make(sandbox: &Sandbox, count: usize) -> Result<Self> {
        let before = Reading::take(&sandbox.client).await?;
        let mut tasks = Vec::with_capacity(count);
        for number in 1..=count {
            let task = Task::run(sandbox, &format!("task-{number}")).await;
            tasks.push(task.with_context(|| format!("failed to measure task {number} of {count}"))?);
            if number % TELL_EVERY == 0 {
                eprintln!("figures: {number} of {count} tasks");
            }
        }
        Ok(Self { before, tasks, after: Reading::take(&sandbox.client).await? })
    }

    /// One measurement of every task.
    pub fn spread(&self, of: impl FnMut(&Task) -> f64) -> Option<Spread> {
        Spread::of(self.tasks.iter().map(of).collect())
    }

    /// Whether the node is this machine, so that its clock is ours and its processes can be seen.
    #[must_use]
    pub fn is_here(&self) -> bool {
        self.before.is_here()
    }
}

/// So that one sees that it goes on.
const TELL_EVERY: usize = 10;
