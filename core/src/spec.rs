//! What a service is: what its user asked for, and what it is made from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::image::ImageRef;
use crate::key::hash;
use crate::name::ObjectName;
use crate::problem::quote;
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

    /// In what `asked` differs from this, for a person: `image is a:1 and not a:2, port is …`.
    #[must_use]
    pub fn differences(&self, asked: &Self) -> String {
        let fields = [
            ("image", json!(self.image), json!(asked.image)),
            ("replicas", json!(self.replicas), json!(asked.replicas)),
            ("port", json!(self.port), json!(asked.port)),
            ("command", json!(self.command), json!(asked.command)),
            ("args", json!(self.args), json!(asked.args)),
            ("requests", json!(self.resources.requests), json!(asked.resources.requests)),
            ("limits", json!(self.resources.limits), json!(asked.resources.limits)),
            // Only the names: values may be nobody's business.
            ("env", json!(self.env.keys().collect::<Vec<_>>()), json!(asked.env.keys().collect::<Vec<_>>())),
            ("pod-template", json!(self.pod_template), json!(asked.pod_template)),
        ];
        let differing = fields.into_iter().filter(|(_, there, asked)| there != asked);
        let told: Vec<_> = differing
            .map(|(field, there, asked)| format!("{field} is {} and not {}", short(&there), short(&asked)))
            .collect();
        if told.is_empty() { "the values of env".to_owned() } else { told.join(", ") }
    }
}

/// A value as a message shows it.
fn short(value: &Value) -> String {
    match value {
        Value::Null => "not given".to_owned(),
        Value::String(text) => quote(text),
        value => quote(&value.to_string()).trim_matches('"').replace("\\\"", "\""),
    }
}
