//! What can be read of the webhook from outside.

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, ListParams};

use crate::cluster::{self, SYSTEM};
use crate::histogram::Histogram;
use crate::process::{Memory, Process};

/// What can be read of the webhook from outside.
#[derive(Debug)]
pub struct Reading {
    /// How long its admissions took, as the API server has counted them since it started.
    pub admissions: Histogram,
    /// How many requests service accounts outside kube-system have made of the API server since that started: on a
    /// cluster with nobody else, the webhook and its controller.
    pub requests: f64,
    /// Its memory; nothing, where it runs on another machine.
    pub webhook: Option<Memory>,
    /// Its pod.
    pub pod: String,
}

// === impl Reading ===

impl Reading {
    /// Reads it now.
    pub async fn take(client: &Client) -> Result<Self> {
        let pods: Api<Pod> = Api::namespaced(client.clone(), SYSTEM);
        let labels = ListParams::default().labels("app.kubernetes.io/component=webhook");
        let running = ListParams { field_selector: Some("status.phase=Running".to_owned()), ..labels };
        let pod = pods.list(&running).await?.items.into_iter().next();
        let pod = pod.with_context(|| format!("no webhook runs in namespace {SYSTEM}; make install"))?;
        let page = cluster::metrics(client).await?;
        Ok(Self {
            admissions: Histogram::read(&page, METRIC, WEBHOOK)?,
            requests: cluster::sum(&page, REQUESTS, &[SERVICE_ACCOUNTS]),
            webhook: Process::of(&pod, "webhook", "dataservice-webhook").and_then(|process| process.memory()),
            pod: pod.metadata.name.unwrap_or_default(),
        })
    }

    /// Whether the node is this machine, so that its clock is ours and its processes can be seen.
    #[must_use]
    pub fn is_here(&self) -> bool {
        self.webhook.is_some()
    }
}

const REQUESTS: &str = "apiserver_flowcontrol_dispatched_requests_total";
/// Those of kube-system have a flow of their own.
const SERVICE_ACCOUNTS: &str = "flow_schema=\"service-accounts\"";
const METRIC: &str = "apiserver_admission_webhook_admission_duration_seconds";
/// Its label there.
const WEBHOOK: &str = "name=\"pods.dataservice.flyte.org\"";
