//! The cluster under test.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use http_body_util::BodyExt;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, LogParams};
use kube::client::Body;
use kube::{Client, Config};
use serde_json::Value;

/// The namespace that the webhook is installed in.
pub const SYSTEM: &str = "flyte-dataservice";
/// What starts, stops and speaks to a cluster of this machine.
pub(crate) const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cluster/cluster");

/// An answer of the API server to a request that creates something.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The object, or the Status that says why not.
    pub body: Value,
    /// What `kubectl` prints as `Warning: …`.
    pub warnings: Vec<String>,
}

/// Runs `tests/cluster/cluster`: `kubectl …`, `pause NAME`.
pub fn command(args: &[&str]) -> Result<()> {
    let status =
        Command::new(SCRIPT).args(args).status().with_context(|| format!("failed to run {SCRIPT}"))?;
    ensure!(status.success(), "{SCRIPT} {} failed", args.join(" "));
    Ok(())
}

/// A client of the cluster that `KUBECONFIG` names, as its administrator.
pub async fn client() -> Result<Client> {
    let config = Config::infer().await.context("no cluster: set KUBECONFIG, or run make cluster-test")?;
    Ok(Client::try_from(config)?)
}

/// Creates a pod, and hands back the whole answer, warnings included.
pub async fn create_pod(client: &Client, namespace: &str, pod: &Value, query: &str) -> Result<Answer> {
    let request = http::Request::post(format!("/api/v1/namespaces/{namespace}/pods?{query}"))
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(Body::from(serde_json::to_vec(pod)?))?;
    let response = client.send(request).await?;
    let status = response.status().as_u16();
    // `299 - "text"`, RFC 7234.
    let warnings = response.headers().get_all(http::header::WARNING).iter().filter_map(|value| {
        let text = value.to_str().ok()?.strip_prefix("299 - \"")?.strip_suffix('"')?;
        Some(text.replace("\\\"", "\""))
    });
    let warnings = warnings.collect();
    let body = response.into_body().collect().await?.to_bytes();
    Ok(Answer { status, body: serde_json::from_slice(&body)?, warnings })
}

/// What a container has printed.
pub async fn logs(client: &Client, namespace: &str, pod: &str, container: &str) -> Result<String> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let params = LogParams { container: Some(container.to_owned()), ..LogParams::default() };
    Ok(pods.logs(pod, &params).await?)
}

/// What a container has printed, each line after the moment when the runtime had it (RFC 3339, and a blank).
pub async fn timed_logs(client: &Client, namespace: &str, pod: &str, container: &str) -> Result<String> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let params =
        LogParams { container: Some(container.to_owned()), timestamps: true, ..LogParams::default() };
    Ok(pods.logs(pod, &params).await?)
}

/// The page of metrics of the API server itself.
pub async fn metrics(client: &Client) -> Result<String> {
    let request = http::Request::get("/metrics").body(Vec::new())?;
    Ok(client.request_text(request).await?)
}

/// A metric of the API server itself: the sum of all its series that carry every one of `labels`.
pub async fn metric(client: &Client, name: &str, labels: &[&str]) -> Result<f64> {
    Ok(sum(&metrics(client).await?, name, labels))
}

/// The sum of all series of a metric on a page of metrics that carry every one of `labels`.
#[must_use]
pub fn sum(page: &str, name: &str, labels: &[&str]) -> f64 {
    let is_it = |line: &&str| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
            && labels.iter().all(|label| line.contains(label))
    };
    let values = page.lines().filter(is_it).filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
    values.sum()
}
