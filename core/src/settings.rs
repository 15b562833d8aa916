//! The administrator's defaults and limits.

use serde::{Deserialize, Serialize};

use crate::ask::Hold;
use crate::duration::Span;
use crate::name::ObjectName;
use crate::resources::{Amounts, Resources};

/// What an administrator sets for all users.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Settings {
    /// As many servers as one service may have.
    pub max_replicas: u32,
    /// As many services as one pod may have.
    pub max_services: u32,
    /// What a server asks of its node where its user says nothing.
    pub default_resources: Resources,
    /// The `PodTemplate` of services whose user names none.
    pub default_pod_template: Option<ObjectName>,
    /// How long a pod waits for its services after their last progress, where its user says nothing.
    pub default_wait: Span,
    /// Where it waits, where its user says nothing.
    pub default_hold: Hold,
    /// How long a shared service outlives its last consumer, where its user says nothing: the tasks of an execution
    /// follow one another.
    pub default_keep_warm: Span,
    /// Whether each service gets a NetworkPolicy that lets only its consumers and its own servers reach its port.
    pub isolate: bool,
    /// Whether pods get the sidecar that gives their services back. Without it the controller sees their end by itself,
    /// as promptly as their status tells it.
    pub sidecar: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let amounts = |cpu: &str, memory: &str| -> Amounts {
            [("cpu", cpu), ("memory", memory)]
                .into_iter()
                .filter_map(|(name, amount)| Some((name.to_owned(), amount.parse().ok()?)))
                .collect()
        };
        Self {
            max_replicas: 64,
            max_services: 8,
            // As flytekitplugins-k8sdataservice has it.
            default_resources: Resources { requests: amounts("2", "10G"), limits: amounts("6", "16G") },
            default_pod_template: None,
            default_wait: Span::minutes(10),
            default_hold: Hold::Init,
            default_keep_warm: Span::minutes(10),
            isolate: false,
            sidecar: true,
        }
    }
}
