//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use dataservice_core::image::ImageRef;
use dataservice_core::installation::Installation;
use dataservice_core::resources::Amounts;
use dataservice_core::settings::Settings;
use tracing_subscriber::EnvFilter;

/// The control plane of flyte-dataservice: a mutating admission webhook, the API that task pods give their data
/// services back by, and the controller that makes and deletes them.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub(crate) struct WebhookArgs {
    /// Namespace that this runs in; its Service and Secrets are there.
    #[arg(long, env = "POD_NAMESPACE")]
    pub(crate) namespace: String,
    /// Name of the pod that this runs in, for events.
    #[arg(long, env = "POD_NAME", default_value = "flyte-dataservice-webhook")]
    pub(crate) pod_name: String,
    /// Name of the Service in front of this.
    #[arg(long, default_value = "flyte-dataservice-webhook")]
    pub(crate) service: String,
    /// Name of the MutatingWebhookConfiguration whose caBundle this keeps.
    #[arg(long, default_value = "flyte-dataservice-webhook")]
    pub(crate) webhook_configuration: String,
    /// Secret that holds the admission webhook's authority.
    #[arg(long, default_value = "flyte-dataservice-admission-ca")]
    pub(crate) admission_secret: String,
    /// Secret that holds the lifecycle API's authority. Running pods trust it for as long as they run.
    #[arg(long, default_value = "flyte-dataservice-lifecycle-ca")]
    pub(crate) lifecycle_secret: String,
    /// File with the administrator's defaults and limits, in YAML; the built-in ones where it is not given.
    #[arg(long)]
    pub(crate) settings: Option<PathBuf>,
    /// The cluster's DNS domain.
    #[arg(long, default_value = "cluster.local")]
    pub(crate) cluster_domain: String,
    /// Image of the sidecar that is put into task pods.
    #[arg(long)]
    pub(crate) sidecar_image: String,
    /// imagePullPolicy of the sidecar; Kubernetes' default where it is not given.
    #[arg(long)]
    pub(crate) sidecar_pull_policy: Option<String>,
    /// CPU that the sidecar asks for, and its limit.
    #[arg(long, default_value = "50m")]
    pub(crate) sidecar_cpu: String,
    /// Memory that the sidecar asks for, and its limit. An OOM-killed sidecar fails a Flyte task: leave it ample.
    #[arg(long, default_value = "32Mi")]
    pub(crate) sidecar_memory: String,
    /// Where admission reviews are answered, over TLS.
    #[arg(long, default_value = "0.0.0.0:9443")]
    pub(crate) admission_address: SocketAddr,
    /// Where task pods give their services back, over TLS.
    #[arg(long, default_value = "0.0.0.0:9444")]
    pub(crate) lifecycle_address: SocketAddr,
    /// Where /healthz and /readyz are answered.
    #[arg(long, default_value = "0.0.0.0:8081")]
    pub(crate) health_address: SocketAddr,
    /// How long what is under way may take to finish after SIGTERM, in seconds.
    #[arg(long, default_value = "20", value_parser = seconds)]
    pub(crate) drain: Duration,
    /// How long requests are still taken after SIGTERM, while the API server finds out, in seconds.
    #[arg(long, default_value = "3", value_parser = seconds)]
    pub(crate) linger: Duration,
    /// What is logged, as for `tracing`: `info`, `debug`, `dataservice_controller=debug,warn`.
    #[arg(long, env = "LOG_LEVEL", default_value = "info")]
    pub(crate) log_level: String,
    /// How it is logged.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Json)]
    pub(crate) log_format: LogFormat,
}

/// How lines are logged.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For a person's eyes.
    Text,
}

// === impl WebhookArgs ===

impl WebhookArgs {
    /// The name under which task pods reach this, whatever their search list is.
    #[must_use]
    pub(crate) fn full_name(&self) -> String {
        format!("{}.{}", self.service_name(), self.cluster_domain)
    }

    /// The name under which the API server reaches this.
    #[must_use]
    pub(crate) fn service_name(&self) -> String {
        format!("{}.{}.svc", self.service, self.namespace)
    }

    /// The administrator's defaults and limits.
    pub(crate) fn settings(&self) -> Result<Settings> {
        let Some(path) = &self.settings else { return Ok(Settings::default()) };
        let text =
            std::fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))?;
        let settings: Option<Settings> = serde_saphyr::from_str(&text)
            .with_context(|| format!("{} is not a settings file", path.display()))?;
        Ok(settings.unwrap_or_default())
    }

    /// Logs as asked, from now on.
    pub(crate) fn start_logging(&self) -> Result<()> {
        let filter = EnvFilter::builder().parse(&self.log_level).context("--log-level")?;
        let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        match self.log_format {
            LogFormat::Json => logs.json().flatten_event(true).init(),
            LogFormat::Text => logs.init(),
        }
        Ok(())
    }

    /// What admission puts into pods; `lifecycle_ca` is the lifecycle API's authority, in PEM.
    pub(crate) fn installation(&self, lifecycle_ca: String) -> Result<Installation> {
        let image: ImageRef = self.sidecar_image.parse().context("--sidecar-image")?;
        let mut resources = Amounts::new();
        resources.insert("cpu".to_owned(), self.sidecar_cpu.parse().context("--sidecar-cpu")?);
        resources.insert("memory".to_owned(), self.sidecar_memory.parse().context("--sidecar-memory")?);
        Ok(Installation {
            cluster_domain: self.cluster_domain.clone(),
            lifecycle_url: format!("https://{}:{}", self.full_name(), self.lifecycle_address.port()),
            lifecycle_ca,
            sidecar_image: image,
            sidecar_pull_policy: self.sidecar_pull_policy.clone(),
            sidecar_resources: resources,
        })
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse().map(Duration::from_secs).map_err(|_| format!("{text:?} is not a number of seconds"))
}
