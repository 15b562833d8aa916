//! The API server's side of an admission: it sends reviews and takes our answers apart as the API server does
//! (k8s.io/apiserver `pkg/admission/plugin/webhook/request/admissionreview.go`).

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::Method;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use crate::core::inject::{Decision, Request};
use crate::core::installation::Installation;
use crate::core::settings::Settings;
use crate::harness::{self, Answer, Running};
use crate::webhook::admission::Admission;
use crate::webhook::limits::Limits;
use crate::webhook::policy::{Native, Policy, PolicyError};

/// What the API server makes of an answer.
#[derive(Debug)]
pub(crate) enum Judgement {
    Admitted { pod: Value, warnings: Vec<String> },
    Refused { code: u64, reason: String, message: String },
}

/// A policy that is a function.
pub(crate) struct Always<F>(pub(crate) F);

impl<F> Policy for Always<F>
where
    F: Fn(Request<'_>) -> Result<Decision, PolicyError> + Send + Sync + 'static,
{
    fn decide(&self, request: Request<'_>) -> Result<Decision, PolicyError> {
        self.0(request)
    }
}

/// Admission as it is installed.
pub(crate) fn native() -> Admission {
    let installation = Installation {
        cluster_domain: "cluster.local".to_owned(),
        lifecycle_url: "https://dataservice.example:9444".to_owned(),
        lifecycle_ca: "PEM".to_owned(),
        sidecar_image: "localhost/dataservice-sidecar:dev".parse().unwrap(),
        sidecar_pull_policy: None,
        sidecar_resources: [("cpu".to_owned(), "50m".parse().unwrap())].into(),
    };
    Admission::new(Arc::new(Native::new(Settings::default(), installation)))
}

pub(crate) async fn serve_native() -> Running {
    harness::serve(native(), Limits::admission()).await
}

/// The reviews of real Flyte pods.
pub(crate) fn reviews() -> BTreeMap<String, Value> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/reviews");
    let reviews: BTreeMap<_, _> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let review: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), review)
        })
        .collect();
    assert!(reviews.len() > 15);
    reviews
}

pub(crate) fn plain() -> Value {
    reviews().remove("plain").unwrap()
}

/// The plain review with other annotations of ours.
pub(crate) fn annotated(annotations: &[(&str, &str)]) -> Value {
    let mut review = plain();
    let there = review["request"]["object"]["metadata"]["annotations"].as_object_mut().unwrap();
    there.retain(|key, _| !key.starts_with("dataservice.flyte.org/"));
    there.extend(annotations.iter().map(|(k, v)| (format!("dataservice.flyte.org/{k}"), json!(v))));
    review
}

pub(crate) async fn send(server: &Running, review: &Value) -> Answer {
    // The API server names its own timeout in the query.
    server.send(Method::POST, "/mutate--v1-pod?timeout=10s", review.to_string()).await
}

/// Sends `review` and judges the answer.
pub(crate) async fn admit(server: &Running, review: &Value) -> Judgement {
    judge(review, &send(server, review).await)
}

/// Judges `answer` to `review`.
pub(crate) fn judge(review: &Value, answer: &Answer) -> Judgement {
    assert_eq!(answer.status, 200);
    let answer = answer.json();
    assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
    assert_eq!(answer["kind"], "AdmissionReview");
    let response = &answer["response"];
    assert_eq!(response["uid"], review["request"]["uid"]);
    for (key, value) in response["auditAnnotations"].as_object().unwrap() {
        assert!(key.bytes().all(|byte| byte.is_ascii_lowercase()) && value.is_string(), "{key}: {value}");
    }
    if !response["allowed"].as_bool().unwrap() {
        assert!(response.get("patch").is_none() && response.get("patchType").is_none());
        let status = &response["status"];
        return Judgement::Refused {
            code: status["code"].as_u64().unwrap(),
            reason: status["reason"].as_str().unwrap().to_owned(),
            message: status["message"].as_str().unwrap().to_owned(),
        };
    }
    assert!(response.get("status").is_none());
    let mut pod = review["request"]["object"].clone();
    match (response.get("patchType"), response.get("patch")) {
        (None, None) => {}
        (Some(kind), Some(patch)) => {
            assert_eq!(kind, "JSONPatch");
            let patch = BASE64_STANDARD.decode(patch.as_str().unwrap()).unwrap();
            let patch: json_patch::Patch = serde_json::from_slice(&patch).unwrap();
            assert!(!patch.0.is_empty());
            json_patch::patch(&mut pod, &patch).unwrap();
            serde_json::from_value::<Pod>(pod.clone()).unwrap();
        }
        (kind, patch) => panic!("one without the other: {kind:?}, {patch:?}"),
    }
    let warnings = response.get("warnings").cloned().unwrap_or_else(|| json!([]));
    Judgement::Admitted { pod, warnings: serde_json::from_value(warnings).unwrap() }
}

// === impl Judgement ===

impl Judgement {
    /// The pod as it is stored, of which its user need not be told anything.
    pub(crate) fn admitted(self) -> Value {
        match self {
            Self::Admitted { pod, warnings } if warnings.is_empty() => pod,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn refused(self) -> (u64, String, String) {
        match self {
            Self::Refused { code, reason, message } => (code, reason, message),
            Self::Admitted { pod, .. } => panic!("admitted {pod}"),
        }
    }
}
