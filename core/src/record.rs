//! What a service's objects say of themselves, so that nothing has to be remembered elsewhere.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::annotation;
use crate::key::{Key, Scope, hash};
use crate::pod;
use crate::spec::SpecHash;

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
    /// Which making of it: old servers of the same name never answer for new ones.
    pub instance: Instance,
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
