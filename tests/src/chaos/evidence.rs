//! What is left on the machine for whoever has to find out why.

use std::fs;

use super::journal::Journal;

/// Keeps what the webhook's containers have said so far: Kubernetes keeps one container's before the last.
///
/// The kubelet names each container's log in a folder for log collectors.
pub fn keep_webhook_logs(journal: &Journal) {
    for entry in fs::read_dir(LOGS).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(WEBHOOK)
            && let Ok(log) = fs::read(entry.path())
        {
            journal.keep(&name, log);
        }
    }
}

const LOGS: &str = "/var/log/containers";
const WEBHOOK: &str = "flyte-dataservice-webhook-";
