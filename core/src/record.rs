//! What a service's objects say of themselves, so that nothing has to be remembered elsewhere.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::annotation;
use crate::ask::Lifetime;
use crate::duration::Span;
use crate::key::{Key, Scope, hash};
use crate::plan::PlannedService;
use crate::pod;
use crate::sealed::Sealed;
use crate::spec::{Spec, SpecHash};

/// The record on a StatefulSet and its Service, as the annotation [`RECORD`](annotation::RECORD).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The format's version, [`VERSION`].
    pub version: u32,
    /// Whose objects they are, in full: names hold only a hash.
    pub key: Key,
    /// Who shares it.
    pub scope: Scope,
    /// What the consumer that it was made for asked for.
    pub hash: SpecHash,
    /// The same in words, to tell in what another one differs.
    pub spec: Sealed<Spec>,
    /// Which making of it: old servers of the same name never answer for new ones.
    pub instance: Instance,
    /// Whether only its consumers may reach it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub isolated: bool,
    /// The longest that any of its consumers has asked for.
    #[serde(default)]
    pub lifetime: Lifetime,
    /// Since when it has had no consumer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_since: Option<Timestamp>,
    /// Until when it is kept because a consumer failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retain_until: Option<Timestamp>,
    /// Whether it is about to be deleted: who comes now waits, or has the mark taken off.
    #[serde(default, skip_serializing_if = "is_false")]
    pub closing: bool,
}

/// One making of a service: in the selectors of its objects.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Instance(String);

/// The version that is written.
pub const VERSION: u32 = 1;

/// The label by which our objects are known, and who manages them.
pub const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "flyte-dataservice");

// === impl Record ===

impl Record {
    /// Reads the record of an object, if it is ours: our manager label, and a record that can be read.
    #[must_use]
    pub fn read(object: &Value) -> Option<Self> {
        if pod::label(object, MANAGED_BY.0) != Some(MANAGED_BY.1) {
            return None;
        }
        let record: Self = serde_json::from_str(pod::annotation(object, annotation::RECORD)?).ok()?;
        (record.version == VERSION).then_some(record)
    }

    /// The record of a service that is about to be made.
    #[must_use]
    pub fn of(service: &PlannedService, creator: &str) -> Self {
        Self {
            version: VERSION,
            key: service.key.clone(),
            scope: service.scope,
            hash: service.hash.clone(),
            spec: service.spec.clone(),
            instance: Instance::of_creator(creator),
            isolated: service.isolated,
            lifetime: service.lifetime,
            idle_since: None,
            retain_until: None,
            closing: false,
        }
    }

    /// Until when a service without consumers is kept, if it is.
    #[must_use]
    pub fn kept_until(&self) -> Option<Timestamp> {
        let warm_until = self.idle_since.zip(self.lifetime.keep_warm).map(|(since, span)| later(since, span));
        warm_until.max(self.retain_until)
    }

    /// The record as its annotation has it.
    #[must_use]
    pub fn to_text(&self) -> String {
        // Strings and numbers: nothing here can fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

// === impl Instance ===

impl Instance {
    /// The making for the consumer with this uid.
    #[must_use]
    pub fn of_creator(uid: &str) -> Self {
        Self(hash(&["instance", uid], 16))
    }

    /// The instance as text, good as a label's value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// So long after a moment, or the end of time.
pub(crate) fn later(at: Timestamp, span: Span) -> Timestamp {
    at.checked_add(span.as_duration()).unwrap_or(Timestamp::MAX)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields so")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}
