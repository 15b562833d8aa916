//! The annotations and labels that are ours: what users write, and what admission puts on the pod.

use serde_json::Value;

use crate::pod;
use crate::problem::{Problem, nearest, quote};

/// The prefix of every annotation and label of ours.
pub const PREFIX: &str = "dataservice.flyte.org/";
/// Admission's answer, for the controller: a [`Plan`](crate::plan::Plan) in JSON. An output.
pub const PLAN: &str = "dataservice.flyte.org/plan";
/// The uid of the pod that gave its services back. An output, of the lifecycle API.
pub const RELEASED: &str = "dataservice.flyte.org/released";
/// A [`Record`](crate::record::Record), on the objects that we make.
pub const RECORD: &str = "dataservice.flyte.org/record";
/// Label of pods that were injected: `"true"`. An output.
pub const CONSUMER: &str = "dataservice.flyte.org/consumer";
/// Label of pods that were injected: the [`PodId`](crate::key::PodId). An output.
pub const ID: &str = "dataservice.flyte.org/id";
/// What the labels of injected pods begin with that say which services they were promised. Outputs.
pub const USES: &str = "dataservice.flyte.org/uses-";
/// The scheduling gate of pods that are not placed before their services are ready. An output.
pub const SCHEDULING_GATE: &str = "dataservice.flyte.org/ready";

/// What all annotations of ours may be together, in bytes; checked before any of it is parsed.
pub const MOST_BYTES: usize = 32 * 1024;

/// The keys of a whole pod, which cannot stand inside `services`.
pub const POD_KEYS: [&str; 4] = ["hold", "inject", "services", "wait"];

/// The keys of one service, as an annotation or as a field inside `services`.
pub const SERVICE_KEYS: [&str; 14] = [
    "args",
    "command",
    "env",
    "existing",
    "image",
    "keep-warm",
    "limits",
    "name",
    "on-failure",
    "pod-template",
    "port",
    "replicas",
    "requests",
    "scope",
];

/// What a pod carries of ours.
#[derive(Debug, Default)]
pub(crate) struct Carried<'a> {
    /// What its user wrote: keys without the prefix.
    pub(crate) written: Vec<(&'a str, &'a str)>,
    /// The plan, where admission was here before.
    pub(crate) plan: Option<&'a str>,
    /// The mark of a pod that gave its services back.
    pub(crate) released: Option<&'a str>,
    /// The label that says that the pod was injected.
    pub(crate) consumer: Option<&'a str>,
    /// The pod's id.
    pub(crate) id: Option<&'a str>,
    /// All labels of ours, the two above among them.
    pub(crate) labels: Vec<(&'a str, &'a str)>,
}

// === impl Carried ===

impl<'a> Carried<'a> {
    /// What of ours is on `pod`.
    pub(crate) fn read(pod: &'a Value) -> Self {
        let mut carried = Self {
            consumer: pod::label(pod, CONSUMER),
            id: pod::label(pod, ID),
            labels: pod::labels(pod).filter(|(key, _)| key.starts_with(PREFIX)).collect(),
            ..Self::default()
        };
        for (key, value) in pod::annotations(pod) {
            match (key, key.strip_prefix(PREFIX)) {
                (PLAN, _) => carried.plan = Some(value),
                (RELEASED, _) => carried.released = Some(value),
                (_, Some(key)) => carried.written.push((key, value)),
                (_, None) => {}
            }
        }
        carried
    }

    /// Whether nothing at all of ours is on the pod.
    pub(crate) fn is_nothing(&self) -> bool {
        self.written.is_empty() && !self.has_outputs()
    }

    /// Whether something is there that only admission and the lifecycle API write.
    pub(crate) fn has_outputs(&self) -> bool {
        self.plan.is_some() || self.released.is_some() || !self.labels.is_empty()
    }

    /// What its user wrote, in bytes.
    pub(crate) fn written_bytes(&self) -> usize {
        self.written.iter().map(|(key, value)| PREFIX.len() + key.len() + value.len()).sum()
    }

    /// The value of the annotation `key`, without prefix.
    pub(crate) fn value(&self, key: &str) -> Option<&'a str> {
        self.written.iter().find(|(written, _)| *written == key).map(|(_, value)| *value)
    }
}

/// The problem of a key that nobody here knows, with the one that was probably meant.
pub(crate) fn unknown_key(place: String, key: &str, known: &[&'static str]) -> Problem {
    let meant = nearest(key, known.iter().copied())
        .map_or_else(String::new, |near| format!(" (did you mean {near:?}?)"));
    Problem::new(place, format!("{} is not known{meant}; allowed: {}", quote(key), known.join(", ")))
}
