//! Service account tokens, as a kubelet would get them for a pod, and as it would not.

use std::process::Command;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};

use crate::sandbox::Sandbox;

/// The pod that a token is bound to.
#[derive(Clone, Debug)]
pub struct Bound {
    /// Its name.
    pub pod: String,
    /// Its uid.
    pub uid: String,
}

/// A token of the sandbox's default service account.
pub async fn of(sandbox: &Sandbox, bound: Option<&Bound>, audience: &str) -> Result<String> {
    let accounts: Api<ServiceAccount> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
    let bound_object_ref = bound.map(|bound| BoundObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Pod".to_owned()),
        name: Some(bound.pod.clone()),
        uid: Some(bound.uid.clone()),
    });
    let spec = TokenRequestSpec {
        audiences: vec![audience.to_owned()],
        bound_object_ref,
        expiration_seconds: Some(600),
    };
    let request = TokenRequest { spec, ..TokenRequest::default() };
    let granted = accounts.create_token_request("default", &PostParams::default(), &request).await?;
    Ok(granted.status.context("a token request without a token")?.token)
}

/// A token that was good until a minute ago: signed with the cluster's own key, as the API server would have.
///
/// (It grants none for less than ten minutes.) Only where the cluster is the one of `tests/cluster`.
pub fn expired(sandbox: &Sandbox, bound: &Bound) -> Result<String> {
    let now = jiff::Timestamp::now().as_second();
    let claims = json!({
        "aud": ["dataservice.flyte.org"], "iss": "https://kubernetes.default.svc",
        "iat": now - 660, "nbf": now - 660, "exp": now - 60,
        "sub": format!("system:serviceaccount:{}:default", sandbox.namespace),
        "kubernetes.io": {
            "namespace": sandbox.namespace,
            "pod": {"name": bound.pod, "uid": bound.uid},
            "serviceaccount": {"name": "default", "uid": "00000000-0000-0000-0000-000000000000"},
        },
    });
    let header = json!({"alg": "RS256", "typ": "JWT"});
    let signed =
        format!("{}.{}", encoded(header.to_string().as_bytes()), encoded(claims.to_string().as_bytes()));
    let signature = sign(&signed)?;
    Ok(format!("{signed}.{}", encoded(&signature)))
}

/// Claims of a token, for a test that wants to know what it holds.
pub fn claims(token: &str) -> Result<Value> {
    use base64::Engine;
    let claims = token.split('.').nth(1).context("a token has three parts")?;
    Ok(serde_json::from_slice(&base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(claims)?)?)
}

fn encoded(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// By openssl, which the cluster's own certificates are made with.
fn sign(text: &str) -> Result<Vec<u8>> {
    let state = std::env::var("CLUSTER_STATE")
        .unwrap_or_else(|_| format!("{}/cluster/.state", env!("CARGO_MANIFEST_DIR")));
    let key = format!("{state}/pki/service-accounts.key");
    let file = std::env::temp_dir().join(format!("dataservice-claims-{}", std::process::id()));
    std::fs::write(&file, text)?;
    let signed = Command::new("openssl").args(["dgst", "-sha256", "-sign", &key]).arg(&file).output()?;
    std::fs::remove_file(&file)?;
    if !signed.status.success() {
        bail!("failed to sign with {key}: {}", String::from_utf8_lossy(&signed.stderr));
    }
    Ok(signed.stdout)
}
