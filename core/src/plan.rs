//! Admission's answer for the controller, on the pod: everything it needs, so that it never reads the user's
//! annotations again.

use serde::{Deserialize, Serialize};

use crate::ask::{Lifetime, OnFailure};
use crate::duration::Span;
use crate::key::{Key, PodId, Scope, ServiceObject};
use crate::name::ServiceName;
use crate::resources::Resources;
use crate::sealed::Sealed;
use crate::spec::{Spec, SpecHash};

/// What an injected pod was promised. It travels as the pod's annotation
/// [`PLAN`](crate::annotation::PLAN).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The format's version, [`VERSION`].
    pub version: u32,
    /// The pod's id.
    pub id: PodId,
    /// The services that are made for it; those that were there already are not among them.
    pub services: Vec<PlannedService>,
    /// How long the pod waits for its services after their last progress; not at all where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Span>,
    /// Whether it is not even placed before they are ready.
    #[serde(default, skip_serializing_if = "is_false")]
    pub gated: bool,
    /// Whether its endpoints are in files, being too long for its environment.
    #[serde(default, skip_serializing_if = "is_false")]
    pub listed: bool,
    /// Whether its end is the end of its job.
    #[serde(default, skip_serializing_if = "is_false")]
    pub leads: bool,
}

/// One service that is made for a pod.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedService {
    /// Its name, as its user knows it.
    pub name: ServiceName,
    /// Which service it is.
    pub key: Key,
    /// Who shares it.
    pub scope: Scope,
    /// What its objects are called.
    pub object: ServiceObject,
    /// What its user asked for, and the administrator's `PodTemplate` where the user named none.
    pub spec: Sealed<Spec>,
    /// How many servers that is.
    pub replicas: u32,
    /// What a server asks of its node where neither its user nor its template says.
    pub default_resources: Sealed<Resources>,
    /// What its user asked for, to tell two consumers that disagree.
    pub hash: SpecHash,
    /// How long it outlives its consumers.
    #[serde(default)]
    pub lifetime: Lifetime,
    /// Whether only its consumers may reach it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub isolated: bool,
}

/// A pod's plan cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPlan {
    /// Not the JSON of a plan.
    #[error("failed to read the plan: {0}")]
    Json(#[from] serde_json::Error),
    /// A later version of this software wrote it, or a much earlier one.
    #[error("the plan has version {0}; this webhook reads {VERSION}")]
    Version(u32),
}

/// The version that is written.
pub const VERSION: u32 = 1;

// === impl Plan ===

impl Plan {
    /// Reads a plan back from its annotation.
    pub fn read(text: &str) -> Result<Self, InvalidPlan> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let Versioned { version } = serde_json::from_str(text)?;
        if version != VERSION {
            return Err(InvalidPlan::Version(version));
        }
        Ok(serde_json::from_str(text)?)
    }

    /// What becomes of its services when the pod fails: the longest of them.
    #[must_use]
    pub fn on_failure(&self) -> OnFailure {
        self.services.iter().map(|service| service.lifetime.on_failure).max().unwrap_or_default()
    }

    /// The plan as its annotation has it: the same text for the same plan.
    #[must_use]
    pub fn to_text(&self) -> String {
        // Strings, numbers and maps with string keys: nothing here can fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields so")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}
