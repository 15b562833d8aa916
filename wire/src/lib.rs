//! What the sidecar and the webhook say to each other: paths, environment, bodies.
//!
//! Both sides link this crate, so that neither can change a word alone. A pod keeps the sidecar it was admitted
//! with for weeks: what stands here may be added to, never changed.

#![forbid(unsafe_code)]

use serde::{Deserialize, Serialize};

/// Where a pod gives its data services back: `POST`, no body. Answered with 204, or a [`Problem`].
pub const RELEASE_PATH: &str = "/v1/release";

/// The audience of the service account token that a pod shows to the lifecycle API, and of no other token.
pub const AUDIENCE: &str = "dataservice.flyte.org";

/// The environment of our containers in a task pod.
pub mod env {
    /// The lifecycle API's base URL, `https://<host>:<port>`.
    pub const URL: &str = "DATASERVICE_URL";
    /// The authority that the lifecycle API's certificate is checked against, in PEM.
    pub const CA: &str = "DATASERVICE_CA";
    /// The file that holds the pod's token for [`AUDIENCE`](super::AUDIENCE); the kubelet renews it.
    pub const TOKEN_FILE: &str = "DATASERVICE_TOKEN_FILE";
}

/// Why the lifecycle API refused: the body of every answer that is not a success.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Problem {
    /// One sentence for a person; it holds no secret.
    pub message: String,
}
