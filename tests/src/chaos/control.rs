//! The cluster's own processes, by `tests/cluster/cluster`.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::cluster::SCRIPT;
use tokio::time::sleep;

use super::journal::Journal;

/// A process of the cluster's own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Process {
    /// Where everything is kept.
    Etcd,
    /// The API server.
    ApiServer,
    /// The controllers, the StatefulSets' among them.
    Controllers,
    /// The node's agent.
    Kubelet,
    /// What places pods.
    Scheduler,
}

/// What can be done with it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Deed {
    /// SIGKILL.
    Kill,
    /// SIGSTOP.
    Pause,
    /// SIGCONT.
    Resume,
    /// By the same command line as before.
    Start,
}

// === impl Process ===

impl Process {
    /// Those that something is done with, in the order in which they are needed.
    const ALL: [Self; 5] = [Self::Etcd, Self::ApiServer, Self::Controllers, Self::Scheduler, Self::Kubelet];

    const fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::Controllers => "kube-controller-manager",
            Self::Kubelet => "kubelet",
            Self::Scheduler => "kube-scheduler",
        }
    }

    /// Does it.
    pub async fn undergo(self, deed: Deed) -> Result<()> {
        let verb = match deed {
            Deed::Kill => "kill",
            Deed::Pause => "pause",
            Deed::Resume => "resume",
            Deed::Start => "start",
        };
        let mut command = Command::new(SCRIPT);
        let output = command.args([verb, self.name()]).stdin(Stdio::null()).output().await;
        let output = output.with_context(|| format!("failed to run {SCRIPT}"))?;
        if !output.status.success() {
            bail!("failed to {verb} {}: {}", self.name(), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }
}

/// Starts the scheduler again whenever it has ended, as its kubelet does elsewhere: it ends by itself ("Scheduler cache is
/// corrupted") when a server's pod is deleted by force soon after the API server was started again, as seen with 1.36.3.
pub async fn supervise(journal: Journal) {
    loop {
        sleep(PAUSE).await;
        // One that runs is not started.
        if Process::Scheduler.undergo(Deed::Start).await.is_ok() {
            journal.tell("the scheduler has ended by itself, and is started again");
        }
    }
}

/// Makes all of them run again, whatever was done with them.
pub async fn restore() {
    for process in Process::ALL {
        // One that ran all the time is started in vain.
        let _ = process.undergo(Deed::Resume).await;
        let _ = process.undergo(Deed::Start).await;
    }
}

const PAUSE: Duration = Duration::from_secs(5);
