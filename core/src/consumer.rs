//! The pods that services are made for, and whether they still need them.

use jiff::Timestamp;
use serde_json::Value;

use crate::annotation;
use crate::plan::{InvalidPlan, Plan};
use crate::pod;
use crate::standing::Standing;
use crate::waiting::Waiting;

/// An injected pod, as far as its services are concerned.
#[derive(Clone, Debug, PartialEq)]
pub struct Consumer {
    /// The pod.
    pub pod: PodRef,
    /// When it was created, to tell which of several was first.
    pub created_at: Timestamp,
    /// What the services made for it are owned by: its direct controller, or itself.
    pub owner: Owner,
    /// What it was promised.
    pub plan: Plan,
    /// Whether it still needs it.
    pub standing: Standing,
    /// When its containers ended, if they have and their status says so.
    pub ended_at: Option<Timestamp>,
    /// Whether it led its job and has ended, so that the job is over.
    pub concluded: bool,
    /// How far its wait for its services is.
    pub wait: Waiting,
}

/// Which pod.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PodRef {
    /// Its namespace.
    pub namespace: String,
    /// Its name; it may come again.
    pub name: String,
    /// Its uid, which does not.
    pub uid: String,
}

/// An object that services are owned by, so that Kubernetes collects them if nobody else does.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Owner {
    /// `apiVersion`, as the pod says it.
    pub api_version: String,
    /// `kind`, as the pod says it (Flyte writes `flyteworkflow`, and the collector takes it).
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// A pod that carries our label cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum InvalidConsumer {
    /// A field that every pod has is missing.
    #[error("the pod has no {0}")]
    Missing(&'static str),
    /// Its plan.
    #[error(transparent)]
    Plan(#[from] InvalidPlan),
}

// === impl Consumer ===

impl Consumer {
    /// Reads an injected pod.
    pub fn read(pod: &Value) -> Result<Self, InvalidConsumer> {
        let text =
            |pointer, what| pod::text(pod, pointer).map(str::to_owned).ok_or(InvalidConsumer::Missing(what));
        let plan = pod::annotation(pod, annotation::PLAN).ok_or(InvalidConsumer::Missing("plan"))?;
        let created_at = pod::timestamp(pod, "/metadata/creationTimestamp");
        let plan = Plan::read(plan)?;
        let standing = Standing::of(pod, plan.on_failure());
        let pod_ref = PodRef {
            namespace: text("/metadata/namespace", "namespace")?,
            name: text("/metadata/name", "name")?,
            uid: text("/metadata/uid", "uid")?,
        };
        Ok(Self {
            owner: Owner::of(pod, &pod_ref),
            pod: pod_ref,
            created_at: created_at.ok_or(InvalidConsumer::Missing("creationTimestamp"))?,
            ended_at: ended_at(pod),
            concluded: plan.leads && standing.is_for_good(pod),
            wait: Waiting::of(pod),
            plan,
            standing,
        })
    }

    /// Since when it waits for its services: it was created, or it begins anew.
    #[must_use]
    pub fn waits_since(&self) -> Timestamp {
        match self.wait {
            Waiting::Gate { again_since: Some(again), .. } => again.max(self.created_at),
            Waiting::Gate { again_since: None, .. } | Waiting::Held | Waiting::Over => self.created_at,
        }
    }
}

// === impl Owner ===

impl Owner {
    /// Reads an owner reference.
    #[must_use]
    pub fn read(reference: &Value) -> Option<Self> {
        let text = |key: &str| Some(reference.get(key)?.as_str()?.to_owned());
        Some(Self {
            api_version: text("apiVersion")?,
            kind: text("kind")?,
            name: text("name")?,
            uid: text("uid")?,
        })
    }

    /// The StatefulSet of this name.
    #[must_use]
    pub(crate) fn stateful_set(name: &str, uid: &str) -> Self {
        let (api_version, kind) = STATEFUL_SET;
        Self {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            uid: uid.to_owned(),
        }
    }

    /// Whether it is the StatefulSet of this name.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        (self.api_version.as_str(), self.kind.as_str()) == STATEFUL_SET && self.name == name
    }

    fn of(pod: &Value, pod_ref: &PodRef) -> Self {
        pod::controller(pod).and_then(Self::read).unwrap_or_else(|| Self {
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            name: pod_ref.name.clone(),
            uid: pod_ref.uid.clone(),
        })
    }
}

/// The API version and the kind of StatefulSets.
const STATEFUL_SET: (&str, &str) = ("apps/v1", "StatefulSet");

/// When the last of its containers ended.
fn ended_at(pod: &Value) -> Option<Timestamp> {
    let statuses = pod::list(pod, "/status/containerStatuses").iter();
    statuses.filter_map(|status| pod::timestamp(status, "/state/terminated/finishedAt")).max()
}
