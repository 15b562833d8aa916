//! What the API server is told: the one place where decisions and failures become an `AdmissionResponse`.

use std::borrow::Cow;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use serde_json::{Value, json};

use crate::core::inject::{Decision, DenyReason, Refusal, SkipReason};
use crate::core::injection::Injection;
use crate::core::patch;
use crate::policy::PolicyError;
use crate::review::Malformed;
use crate::warning;

/// An answer to a review, whichever it is.
#[derive(Debug)]
pub(crate) struct Answer {
    /// For logs and audit: what was decided…
    pub(crate) decision: &'static str,
    /// …and why.
    pub(crate) reason: &'static str,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Admitted { patch: Option<Vec<u8>>, warnings: Vec<String> },
    Refused { code: u16, message: String },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Value>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    warnings: &'a [String],
    audit_annotations: Value,
}

// === impl Answer ===

impl Answer {
    /// To a decision about `pod`, or its failure.
    pub(crate) fn of(pod: &Value, decided: Result<Decision, PolicyError>) -> Self {
        match decided {
            Ok(Decision::Deny(refusal)) => Self::refusal(&refusal),
            Ok(Decision::Inject { injection, warnings }) => Self::injection(pod, &injection, &warnings),
            Ok(Decision::Skip(SkipReason::NotAnnotated)) => Self::skip("not-annotated"),
            Ok(Decision::Skip(SkipReason::SwitchedOff)) => Self::skip("switched-off"),
            Err(error) => Self::failure(error),
        }
    }

    /// To a review of something else than a pod's creation.
    pub(crate) fn not_a_pod_creation() -> Self {
        Self::skip("not-a-pod-creation")
    }

    /// To a review that lacks something.
    pub(crate) fn malformed(malformed: Malformed) -> Self {
        Self::deny("malformed-review", 400, &malformed.to_string())
    }

    fn refusal(refusal: &Refusal) -> Self {
        let reason = match refusal.reason {
            DenyReason::Contradiction => "contradiction",
            DenyReason::Forged => "forged",
            DenyReason::InvalidAnnotations => "invalid-annotations",
            DenyReason::UnsuitablePod => "unsuitable-pod",
        };
        Self::deny(reason, refusal.code, &refusal.to_string())
    }

    fn injection(pod: &Value, injection: &Injection, warnings: &[String]) -> Self {
        let patch = match patch::patch(pod, injection) {
            Ok(patch) => patch,
            Err(error) => return Self::deny("not-only-additions", 422, &error.to_string()),
        };
        let patch = match (patch.0.is_empty(), serde_json::to_vec(&patch)) {
            (true, _) => None,
            (false, Ok(patch)) => Some(patch),
            (false, Err(_)) => return Self::failure(PolicyError::Garbage),
        };
        let reason = if patch.is_some() { "injected" } else { "injected-before" };
        Self { decision: "inject", reason, body: Body::Admitted { patch, warnings: warning::fit(warnings) } }
    }

    /// 429 for what may pass: Flyte waits and tries again (500 and 503 would fail the execution at once). 422 for
    /// what would come again: Flyte ends the task with the message. A trap is one of these, since the same pod
    /// meets the same code.
    fn failure(error: PolicyError) -> Self {
        let (reason, code, message) = match error {
            PolicyError::DeadlineExceeded => {
                ("deadline-exceeded", 429, "the policy took too long for this pod; try again")
            }
            PolicyError::Overloaded => ("overloaded", 429, "too many pods are being created; try again"),
            PolicyError::Garbage => {
                ("garbage", 422, "the policy's answer makes no sense; tell an administrator")
            }
            PolicyError::OutOfFuel => {
                ("out-of-fuel", 422, "the policy needs more work for this pod than it is given")
            }
            PolicyError::Trapped => ("trapped", 422, "the policy failed on this pod; tell an administrator"),
        };
        Self::deny(reason, code, message)
    }

    fn skip(reason: &'static str) -> Self {
        Self { decision: "skip", reason, body: Body::Admitted { patch: None, warnings: Vec::new() } }
    }

    /// The API server puts the webhook's name before the message; Flyte shows only the rest in places.
    fn deny(reason: &'static str, code: u16, message: &str) -> Self {
        let message = format!("flyte-dataservice: {message}");
        Self { decision: "deny", reason, body: Body::Refused { code, message } }
    }

    /// The whole review, to the one with `uid`.
    pub(crate) fn to_review(&self, uid: &str) -> Value {
        let audit_annotations = json!({"decision": self.decision, "reason": self.reason});
        let response = match &self.body {
            Body::Admitted { patch, warnings } => Response {
                uid,
                allowed: true,
                patch_type: patch.is_some().then_some("JSONPatch"),
                patch: patch.as_ref().map(|patch| BASE64_STANDARD.encode(patch)),
                status: None,
                warnings,
                audit_annotations,
            },
            Body::Refused { code, message } => Response {
                uid,
                allowed: false,
                patch_type: None,
                patch: None,
                status: Some(status(*code, message)),
                warnings: &[],
                audit_annotations,
            },
        };
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
    }
}

/// A `Status`. Without `retryAfterSeconds`: client-go would retry by itself and block its caller meanwhile.
fn status(code: u16, message: &str) -> Value {
    let reason: Cow<'_, str> = match code {
        400 => "BadRequest".into(),
        422 => "Invalid".into(),
        429 => "TooManyRequests".into(),
        _ => "".into(),
    };
    json!({"code": code, "reason": reason, "message": message})
}
