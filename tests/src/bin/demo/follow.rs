//! Watching a task and its data service, and telling each thing as it comes true.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, bail};
use dataservice_tests::sandbox::Sandbox;
use tokio::time::{Instant, sleep};

use crate::teller::Teller;
use crate::view::View;

/// Whose course is followed.
pub(crate) struct Course {
    pub(crate) sandbox: Sandbox,
    /// The task's pod.
    pub(crate) pod: String,
    /// The StatefulSet's name, and the Service's.
    pub(crate) object: String,
    told: BTreeSet<String>,
}

// === impl Course ===

impl Course {
    pub(crate) fn new(sandbox: Sandbox, pod: String, object: String) -> Self {
        Self { sandbox, pod, object, told: BTreeSet::new() }
    }

    /// Tells each fact once, when it comes true, until it is `enough`; fails after `DEADLINE`, naming what was waited
    /// for.
    pub(crate) async fn follow(
        &mut self,
        teller: &Teller,
        what: &str,
        facts: impl Fn(&View) -> Vec<String>,
        enough: impl Fn(&View) -> bool,
    ) -> Result<View> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let view = Box::pin(View::look(&self.sandbox, &self.pod, &self.object)).await?;
            for fact in facts(&view) {
                if self.told.insert(fact.clone()) {
                    teller.seen(&fact);
                }
            }
            if enough(&view) {
                return Ok(view);
            }
            if let Some(obstacle) = view.obstacle() {
                bail!("a container cannot start (for its images, see tests/demo --help): {obstacle}");
            }
            if Instant::now() > deadline {
                bail!("waited {} seconds for {what}", DEADLINE.as_secs());
            }
            sleep(PAUSE).await;
        }
    }
}

/// Long enough to pull two small images.
const DEADLINE: Duration = Duration::from_mins(2);
const PAUSE: Duration = Duration::from_millis(50);
