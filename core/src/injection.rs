//! What admission adds to a pod, as data.
//!
//! The type has no way to say "remove" or "replace": whatever a policy module answers, the patch only adds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is added to a pod. [`patch`](crate::patch::patch) adds it where it is missing.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Injection {
    /// Annotations; their keys have our prefix.
    pub annotations: BTreeMap<String, String>,
    /// Labels; their keys have our prefix.
    pub labels: BTreeMap<String, String>,
    /// Environment of the user's containers and init containers. It goes first, in this order, so that
    /// `$(MY_DATASERVICES)` expands in the variables that follow; a name that a container has already is left.
    pub env: Vec<EnvVar>,
    /// Containers appended to `initContainers`; their names start with `dataservice-`.
    pub init_containers: Vec<Value>,
    /// Scheduling gates; their names have our prefix.
    pub scheduling_gates: Vec<Value>,
    /// Mounts in the user's containers and init containers, of volumes whose names start with `dataservice-`.
    pub volume_mounts: Vec<Value>,
    /// Volumes; their names start with `dataservice-`.
    pub volumes: Vec<Value>,
}

/// An environment variable.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct EnvVar {
    /// Its name; it starts with `MY_DATASERVICES`.
    pub name: String,
    /// Its value.
    pub value: String,
}
