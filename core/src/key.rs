//! Which service a pod means, and what its objects are called.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::annotation;
use crate::name::ServiceName;

/// Who shares a service.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The pod alone, or all pods of its job.
    #[default]
    Task,
    /// All tasks of the execution.
    Execution,
    /// Every pod of the namespace that asks for the name.
    Namespace,
}

/// A pod's random id: pods' names come again, and a pod has no uid yet when it is admitted.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct PodId(String);

/// Not a [`PodId`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a pod's id: {0:?}")]
pub struct InvalidPodId(String);

/// A service's full key: equal keys are one service.
///
/// It is text, `<scope>/<namespace>/<holder>/<name>`, kept whole on the objects, so that two keys whose
/// hashes meet in an object's name are told apart.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Key(String);

/// The name that a service's StatefulSet and Service share: at most 52 characters.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct ServiceObject(String);

// === impl Scope ===

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Task => "task",
            Self::Execution => "execution",
            Self::Namespace => "namespace",
        })
    }
}

// === impl PodId ===

impl PodId {
    /// The id of the pod whose first admission has this uid (the API server draws it at random).
    #[must_use]
    pub fn from_request_uid(uid: &str) -> Self {
        Self(hash(&["pod-id", uid], ID_CHARS))
    }

    /// The id as text, good as a label's value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PodId {
    type Err = InvalidPodId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_id = text.len() == ID_CHARS && text.bytes().all(|b| ALPHABET.contains(&b));
        if is_id { Ok(Self(text.to_owned())) } else { Err(InvalidPodId(text.to_owned())) }
    }
}

impl TryFrom<String> for PodId {
    type Error = InvalidPodId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PodId> for String {
    fn from(id: PodId) -> Self {
        id.0
    }
}

impl fmt::Display for PodId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl Key ===

impl Key {
    /// The key of a service that one pod has for itself.
    #[must_use]
    pub fn of_pod(namespace: &str, id: &PodId, name: &ServiceName) -> Self {
        Self(format!("{}/{namespace}/pod:{id}/{name}", Scope::Task))
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The label selector that finds every pod that may have been promised the service of this key.
    #[must_use]
    pub fn consumers(&self) -> String {
        let holder = self.0.split('/').nth(2).and_then(|holder| holder.strip_prefix("pod:"));
        let consumer = format!("{}=true", annotation::CONSUMER);
        holder.map_or_else(|| consumer.clone(), |id| format!("{consumer},{}={id}", annotation::ID))
    }

    /// The whole key's hash, good as a label's value.
    #[must_use]
    pub fn digest(&self) -> String {
        hash(&["key", &self.0], 32)
    }

    /// What the objects of this key are called: the service's name and eight characters of the key's hash.
    #[must_use]
    pub fn object(&self, name: &ServiceName) -> ServiceObject {
        ServiceObject(format!("{name}-{}", hash(&["key", &self.0], 8)))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl ServiceObject ===

impl ServiceObject {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for ServiceObject {
    fn from(name: &str) -> Self {
        Self(name.to_owned())
    }
}

impl fmt::Display for ServiceObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The first `chars` characters, of five bits each, of the SHA-256 of `parts` (at most 51).
///
/// The parts are set apart by a byte that occurs in none of them.
pub fn hash(parts: &[&str], chars: usize) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    let mut bits: u32 = 0;
    let mut held = 0;
    let mut text = String::with_capacity(chars);
    for byte in digest.finalize() {
        bits = (bits << 8) | u32::from(byte);
        held += 8;
        while held >= 5 && text.len() < chars {
            held -= 5;
            let index = (bits >> held) & 31;
            text.extend(ALPHABET.get(index as usize).copied().map(char::from));
        }
    }
    text
}

/// Digits and lower-case letters without the four that are easily misread: good in DNS labels.
const ALPHABET: [u8; 32] = *b"0123456789abcdefghjkmnpqrstvwxyz";
/// 80 bits: no two pods of a cluster's life meet.
const ID_CHARS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_label_value_and_reads_back() {
        let id = PodId::from_request_uid("e8fb93fa-576c-454c-8d00-256e53f6f8c6");
        assert_eq!(id.as_str().parse(), Ok(id.clone()));
        assert_ne!(id, PodId::from_request_uid("e8fb93fa-576c-454c-8d00-256e53f6f8c7"));
        for bad in ["", "short", "UPPERCASEUPPERCA", "0000000000000000o", "0123456789abcdeu"] {
            assert!(bad.parse::<PodId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_objects_name_fits_a_statefulset() {
        let id = PodId::from_request_uid("x");
        let name: ServiceName = "a".repeat(40).parse().unwrap();
        let object = Key::of_pod("ns", &id, &name).object(&name);
        assert!(object.as_str().len() <= 52, "{object}");
    }

    #[test]
    fn the_consumers_of_a_pods_own_service_are_found_by_its_id() {
        let id = PodId::from_request_uid("x");
        let key = Key::of_pod("ns", &id, &ServiceName::default());
        assert_eq!(
            key.consumers(),
            format!("dataservice.flyte.org/consumer=true,dataservice.flyte.org/id={id}")
        );
    }

    #[test]
    fn namespace_pod_and_name_each_make_another_service() {
        let (a, b) = (PodId::from_request_uid("a"), PodId::from_request_uid("b"));
        let (x, y): (ServiceName, ServiceName) = ("x".parse().unwrap(), "y".parse().unwrap());
        let keys = [
            Key::of_pod("ns", &a, &x),
            Key::of_pod("ns", &b, &x),
            Key::of_pod("ns", &a, &y),
            Key::of_pod("ns2", &a, &x),
        ];
        let digests: std::collections::BTreeSet<_> = keys.iter().map(Key::digest).collect();
        assert_eq!(digests.len(), keys.len());
    }
}
