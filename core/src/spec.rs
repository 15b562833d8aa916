//! What a service is: what its user asked for, and what it is made from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::image::ImageRef;
use crate::key::hash;
use crate::name::ObjectName;
use crate::resources::{Amounts, Resources};

/// The fields that make a service what it is. Consumers of one key must agree in them.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// The servers' image; the pod template's where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageRef>,
    /// How many servers.
    pub replicas: u32,
    /// The port that each of them listens on.
    pub port: u16,
    /// Replaces the image's entrypoint, where not empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Replaces the image's arguments, where not empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// What each server asks of its node.
    #[serde(default)]
    pub resources: Resources,
    /// The servers' own environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// The `PodTemplate` that the servers' pod starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_template: Option<ObjectName>,
}

/// The hash of what a user asked for: the same for everything that means the same, whatever the defaults are.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct SpecHash(String);

// === impl Spec ===

impl Spec {
    /// The hash of this spec as its user wrote it.
    #[must_use]
    pub fn digest(&self) -> SpecHash {
        // By amount: `1` and `1000m` are the same.
        let amounts = |side: &Amounts| -> BTreeMap<String, String> {
            side.iter().map(|(name, amount)| (name.clone(), amount.nanos().to_string())).collect()
        };
        let bare = Self { resources: Resources::default(), ..self.clone() };
        let normal = (bare, amounts(&self.resources.requests), amounts(&self.resources.limits));
        let text = serde_json::to_string(&normal).unwrap_or_default();
        SpecHash(hash(&["spec", &text], 16))
    }
}
