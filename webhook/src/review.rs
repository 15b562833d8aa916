//! The `AdmissionReview` that the API server sends.

use serde::Deserialize;
use serde_json::Value;

use crate::core::inject::Request;

/// A review: whatever is wrong with the rest of it, it can be answered.
#[derive(Debug)]
pub(crate) struct Review {
    asked: Asked,
}

/// Not a review, or none that could be answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("failed to read the review: {0}")]
    Json(#[from] serde_json::Error),
    #[error("expected an AdmissionReview of admission.k8s.io/v1")]
    Kind,
    #[error("the review has more than {MOST_VALUES} values")]
    Large,
    #[error("the review has no request.uid of at most {MOST_UID_BYTES} bytes")]
    Uid,
}

/// A review of a pod's creation that lacks what every such review has.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("the review has no request.namespace")]
    Namespace,
    #[error("the review has no request.object that is a pod")]
    Object,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    #[serde(default)]
    api_version: Value,
    #[serde(default)]
    kind: Value,
    #[serde(default)]
    request: Option<Asked>,
}

/// Values, not types, wherever a wrong type would cost us the uid.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Asked {
    uid: Value,
    namespace: Value,
    operation: Value,
    resource: Value,
    sub_resource: Value,
    dry_run: Value,
    object: Value,
}

// === impl Review ===

impl Review {
    /// Reads a review as far as it takes to answer it.
    pub(crate) fn read(body: &[u8]) -> Result<Self, Unreadable> {
        if values(body) > MOST_VALUES {
            return Err(Unreadable::Large);
        }
        let envelope: Envelope = serde_json::from_slice(body)?;
        if envelope.api_version != "admission.k8s.io/v1" || envelope.kind != "AdmissionReview" {
            return Err(Unreadable::Kind);
        }
        let asked = envelope.request.unwrap_or_default();
        match asked.uid.as_str() {
            Some(uid) if (1..=MOST_UID_BYTES).contains(&uid.len()) => Ok(Self { asked }),
            Some(_) | None => Err(Unreadable::Uid),
        }
    }

    /// What the answer must repeat.
    pub(crate) fn uid(&self) -> &str {
        self.asked.uid.as_str().unwrap_or_default()
    }

    /// Whether it is what admission decides about at all.
    pub(crate) fn is_pod_creation(&self) -> bool {
        let resource = |field: &str| self.asked.resource.get(field).and_then(Value::as_str);
        self.asked.operation == "CREATE"
            && (resource("group"), resource("resource")) == (Some(""), Some("pods"))
            && self.asked.sub_resource.as_str().is_none_or(str::is_empty)
    }

    /// The pod on its way in.
    pub(crate) fn pod(&self) -> Result<Request<'_>, Malformed> {
        let namespace = self.asked.namespace.as_str().filter(|namespace| !namespace.is_empty());
        let pod = Some(&self.asked.object).filter(|object| object.is_object());
        Ok(Request {
            uid: self.uid(),
            namespace: namespace.ok_or(Malformed::Namespace)?,
            pod: pod.ok_or(Malformed::Object)?,
        })
    }

    /// The namespace, for the log.
    pub(crate) fn namespace(&self) -> &str {
        self.asked.namespace.as_str().map_or("", loggable)
    }

    /// The pod's name, or what its name will start with, for the log.
    pub(crate) fn pod_name(&self) -> &str {
        let text = |field| self.asked.object.pointer(field).and_then(Value::as_str);
        text("/metadata/name")
            .filter(|name| !name.is_empty())
            .or_else(|| text("/metadata/generateName"))
            .map_or("", loggable)
    }

    /// Whether nothing will come of it.
    pub(crate) fn is_dry_run(&self) -> bool {
        self.asked.dry_run == true
    }
}

/// How many values of JSON there are in `body` at most. Each takes some 80 bytes of memory where it is one or two here:
/// seven megabytes of `[0,0,…` would be more than the container may have.
fn values(body: &[u8]) -> usize {
    let (mut values, mut is_text, mut is_escaped) = (1, false, false);
    for byte in body {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_text,
            b'"' => is_text = !is_text,
            b',' | b'[' | b'{' if !is_text => values += 1,
            _ => {}
        }
    }
    values
}

/// No log line longer than a name can be.
fn loggable(name: &str) -> &str {
    name.get(..name.floor_char_boundary(MOST_NAME_BYTES)).unwrap_or_default()
}

/// 20 MB of memory. A pod of 60 KB with 12 containers has 3,000; the API server takes 3 MiB, which is mostly text.
const MOST_VALUES: usize = 250_000;
/// A UUID has 36.
const MOST_UID_BYTES: usize = 128;
/// A DNS subdomain's.
const MOST_NAME_BYTES: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_a_text_is_no_value() {
        for (json, count) in [
            ("0", 1),
            ("[]", 2),
            (r#"{"a": [1, 2], "b": "x"}"#, 5),
            (r#""[,{\", {[""#, 1),
            (r#"["\\", 1]"#, 3),
        ] {
            assert_eq!(values(json.as_bytes()), count, "{json}");
        }
    }
}
