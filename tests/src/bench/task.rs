//! One task, and the moments of its data service.

use anyhow::{Context, Result};
use jiff::Timestamp;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::sandbox::{self, Sandbox};
use crate::watch::Watch;
use crate::{cluster, flyte, wait};

/// The moments of one task's data service.
///
/// All by the machine's clock, which node and watcher share where they are one machine.
#[derive(Debug)]
pub struct Task {
    /// The API server has answered that the pod is created.
    created: Timestamp,
    /// The watches have shown StatefulSet and Service.
    made: Timestamp,
    /// The last thing that the task did.
    ended: Timestamp,
    /// The sidecar has said that it got SIGTERM.
    terminated: Timestamp,
    /// The watches have shown that StatefulSet and Service are deleted.
    deleted: Timestamp,
}

// === impl Task ===

impl Task {
    /// Runs a task that reaches its server and ends, and leaves nothing of it.
    pub(super) async fn run(sandbox: &Sandbox, name: &str) -> Result<Self> {
        let pod = pod(sandbox, name, &format!("{}; {END}", flyte::TASK)).await?;
        let mut sets = Watch::open(&sandbox.stateful_sets()).await?;
        let mut services = Watch::open(&sandbox.services()).await?;

        let admitted = sandbox.create_pod(&pod).await?;
        let created = Timestamp::now();
        let object = sandbox::object(&admitted)?;
        let made = tokio::try_join!(sets.until_added(&object), services.until_added(&object))?;
        let deleted = tokio::try_join!(sets.until_deleted(&object), services.until_deleted(&object))?;

        sandbox.until_phase(name, "Succeeded").await?;
        let printed = cluster::logs(&sandbox.client, &sandbox.namespace, name, "primary").await?;
        let said = cluster::timed_logs(&sandbox.client, &sandbox.namespace, name, SIDECAR).await?;
        remove(sandbox, name, &object).await?;
        Ok(Self {
            created,
            made: made.0.max(made.1),
            ended: end(&printed).with_context(|| format!("the task printed {printed:?}"))?,
            terminated: termination(&said).with_context(|| format!("the sidecar said {said:?}"))?,
            deleted: deleted.0.max(deleted.1),
        })
    }

    /// Seconds from the pod's creation until StatefulSet and Service were there.
    #[must_use]
    pub fn made_after(&self) -> f64 {
        seconds(self.created, self.made)
    }

    /// Seconds from the task's end until its sidecar got SIGTERM.
    #[must_use]
    pub fn terminated_after(&self) -> f64 {
        seconds(self.ended, self.terminated)
    }

    /// Seconds from SIGTERM until StatefulSet and Service were deleted.
    #[must_use]
    pub fn deleted_after_termination(&self) -> f64 {
        seconds(self.terminated, self.deleted)
    }

    /// Seconds from the task's end until StatefulSet and Service were deleted.
    #[must_use]
    pub fn deleted_after_end(&self) -> f64 {
        seconds(self.ended, self.deleted)
    }
}

/// A pod of this name that runs `task` beside one small server.
pub async fn pod(sandbox: &Sandbox, name: &str, task: &str) -> Result<Value> {
    let mut pod = sandbox.pod("plain", task).await?;
    pod["metadata"]["name"] = json!(name);
    let command = json!(["sh", "-c", SERVER]).to_string();
    flyte::annotate(&mut pod, &[("replicas", "1"), ("command", &command)]);
    Ok(pod)
}

/// Removes a pod that has ended, and waits until nothing of its service is left that the next could meet.
pub async fn remove(sandbox: &Sandbox, name: &str, object: &str) -> Result<()> {
    sandbox.pods().delete(name, &DeleteParams::default().grace_period(0)).await?;
    wait::until(&format!("pod {name} to be gone"), || async {
        Ok(sandbox.pods().get_opt(name).await?.is_none().then_some(()))
    })
    .await?;
    sandbox.until_gone(object).await
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

/// When a task ended that ran [`END`]: seconds since 1970, with six digits after the point.
#[must_use]
pub fn end(printed: &str) -> Option<Timestamp> {
    let (seconds, microseconds) = printed.lines().last()?.split_once('.')?;
    if microseconds.len() != 6 {
        return None;
    }
    let microseconds: i64 = format!("{seconds}{microseconds}").parse().ok()?;
    Timestamp::from_microsecond(microseconds).ok()
}

/// When the sidecar got SIGTERM, from its log with times.
fn termination(said: &str) -> Option<Timestamp> {
    let line = said.lines().find(|line| line.contains(TERMINATION))?;
    line.split_once(' ')?.0.parse().ok()
}

const SIDECAR: &str = dataservice_core::container::SIDECAR;
/// What the sidecar says, before all else, when it gets SIGTERM.
const TERMINATION: &str = "SIGTERM: releasing";
/// The last thing that a task does: it says when that is.
pub const END: &str = "exec bash -c 'echo $EPOCHREALTIME'";
/// As `flyte::SERVER`, but it ends at once, so that no task has to wait for the grace of its predecessor's server.
const SERVER: &str = "mkdir /tmp/www && hostname > /tmp/www/index.html && trap 'exit 0' TERM; \
    httpd -f -p $SERVER_PORT -h /tmp/www & wait";

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_tasks_end_is_its_last_line() {
        let printed = "dataservice-1-0.dataservice-1:40000 is x\n1795576948.049655\n";
        assert_eq!(end(printed), Some(at("2026-11-25T03:22:28.049655Z")));
    }

    #[test]
    fn an_end_that_is_no_moment_is_none() {
        for printed in ["", "1795576948\n", "1795576948.5\n", "x.049655\n"] {
            assert_eq!(end(printed), None, "{printed:?}");
        }
    }

    #[test]
    fn termination_is_when_the_sidecar_said_so() {
        let said = "2026-11-25T03:22:25.1Z dataservice-sidecar: waiting for SIGTERM, then releasing at https://a\n\
            2026-11-25T03:22:28.123456789Z dataservice-sidecar: SIGTERM: releasing\n\
            2026-11-25T03:22:28.2Z dataservice-sidecar: released in 7ms\n";
        assert_eq!(termination(said), Some(at("2026-11-25T03:22:28.123456789Z")));
        assert_eq!(termination(said.lines().next().unwrap()), None);
    }
}
