//! What `tests/demo` hands over.

use std::env;

use anyhow::{Context, Result};

/// What `tests/demo` hands over.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The namespace that is made, and in which all of it takes place.
    pub(crate) namespace: String,
    /// The image of the task and of its servers.
    pub(crate) image: String,
    /// The number of the first step that is told here.
    pub(crate) first_step: u32,
    /// Whether a FlyteWorkflow can be made for the task. In a cluster with Flyte in it, Flyte would take it for an
    /// execution.
    pub(crate) with_workflow: bool,
}

// === impl Settings ===

impl Settings {
    pub(crate) fn from_env() -> Result<Self> {
        Ok(Self {
            namespace: var("DEMO_NAMESPACE")?,
            image: var("DEMO_IMAGE")?,
            first_step: var("DEMO_STEP")?.parse().context("DEMO_STEP is no number")?,
            with_workflow: env::var("CLUSTER").as_deref() != Ok("current"),
        })
    }
}

fn var(name: &str) -> Result<String> {
    env::var(name).with_context(|| format!("{name} is not set: run this by `make demo`"))
}
