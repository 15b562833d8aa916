//! Which service a pod means, and what its objects are called.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::annotation::USES;
use crate::holder::Holder;
use crate::name::{InvalidObjectName, ObjectName, ServiceName};

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
///
/// It is read from a plan only as what an object can be called: whoever may change a pod may change its plan, and the
/// name becomes part of a path.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
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
    /// The key of the service that `holder` has by this name.
    #[must_use]
    pub fn new(scope: Scope, namespace: &str, holder: &Holder, name: &ServiceName) -> Self {
        Self(format!("{scope}/{namespace}/{holder}/{name}"))
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether one pod alone can ever have it, so that nobody else can come while that pod's service is closed.
    #[must_use]
    pub fn is_one_pods(&self) -> bool {
        self.holder().starts_with("pod:")
    }

    /// The uid of the controller that its pods share, if that is what makes them share.
    #[must_use]
    pub fn controller(&self) -> Option<&str> {
        self.holder().strip_prefix("controller:")
    }

    fn holder(&self) -> &str {
        self.0.split('/').nth(2).unwrap_or_default()
    }

    /// The whole key's hash, good as a label's value.
    #[must_use]
    pub fn digest(&self) -> String {
        hash(&["key", &self.0], 32)
    }

    /// What the objects of this key are called: the service's name and eight characters of the key's hash; in scope
    /// `namespace` the name alone, by which everybody knows it.
    #[must_use]
    pub fn object(&self, scope: Scope, name: &ServiceName) -> ServiceObject {
        match scope {
            Scope::Task | Scope::Execution => ServiceObject(format!("{name}-{}", hash(&["key", &self.0], 8))),
            Scope::Namespace => ServiceObject(name.to_string()),
        }
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

    /// The label that every pod carries which was promised the service: by it they are listed, and let through by a
    /// NetworkPolicy. (At most 63 characters after the slash, RFC 1123.)
    #[must_use]
    pub fn label(&self) -> String {
        format!("{USES}{}", self.0)
    }
}

impl TryFrom<String> for ServiceObject {
    type Error = InvalidObjectName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        ObjectName::try_from(text).map(|name| Self(name.into()))
    }
}

impl From<ServiceObject> for String {
    fn from(object: ServiceObject) -> Self {
        object.0
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

    fn own(namespace: &str, request: &str, name: &str) -> Key {
        let holder = Holder::Pod(PodId::from_request_uid(request));
        Key::new(Scope::Task, namespace, &holder, &name.parse().unwrap())
    }

    #[test]
    fn an_objects_name_fits_a_statefulset_and_its_label_a_label() {
        let name: ServiceName = "a".repeat(40).parse().unwrap();
        let object = own("ns", "x", name.as_str()).object(Scope::Task, &name);
        assert!(object.as_str().len() <= 52, "{object}");
        assert!(object.label().split_once('/').unwrap().1.len() <= 63);
    }

    #[test]
    fn what_no_object_can_be_called_is_not_read() {
        let read = |name: &str| serde_json::from_value::<ServiceObject>(name.into());
        assert_eq!(read("graph-7f3k2m9x").unwrap().as_str(), "graph-7f3k2m9x");
        for bad in ["", "..", "graph?watch=true", "graph/status", "../../other/services/graph", "graph,a=b"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_namespaces_service_is_called_by_its_name() {
        let name: ServiceName = "cache".parse().unwrap();
        let key = Key::new(Scope::Namespace, "ns", &Holder::Namespace, &name);
        assert_eq!(key.object(Scope::Namespace, &name).as_str(), "cache");
    }

    #[test]
    fn a_key_says_whether_others_can_come() {
        assert!(own("ns", "x", "a").is_one_pods());
        let name = ServiceName::default();
        let job = Key::new(Scope::Task, "ns", &Holder::Controller("u".to_owned()), &name);
        assert_eq!((job.is_one_pods(), job.controller()), (false, Some("u")));
        let shared = Key::new(Scope::Namespace, "ns", &Holder::Namespace, &name);
        assert_eq!((shared.is_one_pods(), shared.controller()), (false, None));
    }

    #[test]
    fn namespace_holder_and_name_each_make_another_service() {
        let keys = [own("ns", "a", "x"), own("ns", "b", "x"), own("ns", "a", "y"), own("ns2", "a", "x")];
        let digests: std::collections::BTreeSet<_> = keys.iter().map(Key::digest).collect();
        assert_eq!(digests.len(), keys.len());
    }
}
