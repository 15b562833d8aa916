//! The lifecycle API, asked as a pod asks it: over TLS, by the authority that pods are given.

use std::process::Stdio;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::{Secret, Service};
use kube::Client;
use kube::api::Api;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::cluster::SYSTEM;

/// The lifecycle API.
#[derive(Clone, Debug)]
pub struct Lifecycle {
    authority: String,
    address: String,
}

/// What it answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Why not, if it refused.
    pub message: String,
}

// === impl Lifecycle ===

impl Lifecycle {
    /// That of the installed webhook.
    pub async fn of(client: &Client) -> Result<Self> {
        let secrets: Api<Secret> = Api::namespaced(client.clone(), SYSTEM);
        let secret = secrets.get("flyte-dataservice-lifecycle-ca").await?;
        let authority =
            secret.data.and_then(|mut data| data.remove("ca.crt")).context("an authority without ca.crt")?;
        let services: Api<Service> = Api::namespaced(client.clone(), SYSTEM);
        let service = services.get("flyte-dataservice-webhook").await?;
        let address =
            service.spec.and_then(|spec| spec.cluster_ip).context("a Service without an address")?;
        Ok(Self { authority: String::from_utf8(authority.0)?, address })
    }

    /// Asks it to take back what the token's pod holds.
    pub async fn release(&self, token: Option<&str>) -> Result<Answer> {
        self.ask("POST", "/v1/release", token).await
    }

    /// Asks it how far the services of the token's pod are.
    pub async fn services(&self, token: Option<&str>) -> Result<Answer> {
        self.ask("GET", "/v1/services", token).await
    }

    /// By curl; the token goes in by its standard input, where nobody sees it.
    async fn ask(&self, method: &str, path: &str, token: Option<&str>) -> Result<Answer> {
        let host = format!("flyte-dataservice-webhook.{SYSTEM}.svc.cluster.local");
        let authority = tempfile(&self.authority)?;
        let mut curl = Command::new("curl")
            .args(["--silent", "--show-error", "--max-time", "20", "--request", method, "--config", "-"])
            .args(["--cacert", &authority, "--resolve", &format!("{host}:9444:{}", self.address)])
            .args(["--write-out", "\n%{http_code}", &format!("https://{host}:9444{path}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("curl is needed")?;
        let config =
            token.map_or_else(String::new, |token| format!("header = \"Authorization: Bearer {token}\"\n"));
        curl.stdin.take().context("curl without an input")?.write_all(config.as_bytes()).await?;
        let answer = curl.wait_with_output().await?;
        std::fs::remove_file(&authority)?;
        let text = String::from_utf8(answer.stdout)?;
        let Some((body, status)) = text.rsplit_once('\n') else { bail!("curl said {text:?}") };
        let message = serde_json::from_str::<serde_json::Value>(body.trim()).ok();
        let message =
            message.and_then(|body| body["message"].as_str().map(str::to_owned)).unwrap_or_default();
        Ok(Answer { status: status.trim().parse()?, message })
    }
}

fn tempfile(text: &str) -> Result<String> {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("dataservice-ca-{}-{number}", std::process::id()));
    std::fs::write(&path, text)?;
    Ok(path.to_string_lossy().into_owned())
}
