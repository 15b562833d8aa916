//! What this installation of the webhook is, as far as pods need to know.

use serde::{Deserialize, Serialize};

use crate::image::ImageRef;
use crate::resources::Amounts;

/// What admission puts into every pod that it injects.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Installation {
    /// The cluster's DNS domain, `cluster.local` almost everywhere.
    pub cluster_domain: String,
    /// The lifecycle API's base URL.
    pub lifecycle_url: String,
    /// The authority of the lifecycle API's certificate, in PEM.
    pub lifecycle_ca: String,
    /// Our containers' image.
    pub sidecar_image: ImageRef,
    /// `imagePullPolicy` of our containers; Kubernetes' own default where there is none.
    pub sidecar_pull_policy: Option<String>,
    /// Requests, and limits equal to them, of each of our containers: a Guaranteed pod stays Guaranteed.
    pub sidecar_resources: Amounts,
}

// === impl Installation ===

impl Installation {
    /// One whose lifecycle API is nowhere, in a cluster with the usual domain: for looking at what admission would do
    /// without a webhook that runs.
    #[must_use]
    pub fn offline(sidecar_image: ImageRef) -> Self {
        Self {
            cluster_domain: "cluster.local".to_owned(),
            lifecycle_url: String::new(),
            lifecycle_ca: String::new(),
            sidecar_image,
            sidecar_pull_policy: None,
            sidecar_resources: Amounts::new(),
        }
    }
}
