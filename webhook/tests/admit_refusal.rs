//! What the creator of a refused pod is told.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::core;
use crate::core::inject::Decision;
use crate::core::injection::Injection;
use crate::harness::{Running, serve};
use crate::judge::{Always, admit, annotated, plain, serve_native};
use crate::webhook::admission::Admission;
use crate::webhook::limits::Limits;
use crate::webhook::policy::PolicyError;

async fn failing(error: PolicyError) -> Running {
    serve(
        Admission::new(Arc::new(Always(move |_: core::inject::Request<'_>| Err(error)))),
        Limits::admission(),
    )
    .await
}

async fn refused(server: &Running, review: &Value) -> (u64, String, String) {
    admit(server, review).await.refused()
}

#[tokio::test]
async fn a_bad_annotation_is_refused_with_its_name_and_what_is_allowed() {
    let server = serve_native().await;
    let review = annotated(&[("image", "ge:1"), ("replicas", "many")]);
    let (code, reason, message) = refused(&server, &review).await;
    assert_eq!((code, reason.as_str()), (422, "Invalid"));
    let start = "flyte-dataservice: dataservice.flyte.org/replicas: \"many\"";
    assert!(message.starts_with(start), "{message}");
}

#[tokio::test]
async fn all_problems_of_a_pod_are_told_at_once() {
    let server = serve_native().await;
    let review = annotated(&[("image", "ge:1"), ("replica", "2"), ("port", "0")]);
    let (code, _, message) = refused(&server, &review).await;
    assert_eq!(code, 422);
    assert!(message.starts_with("flyte-dataservice: 2 problems:\n  "), "{message}");
    assert!(message.contains("did you mean \"replicas\"?"), "{message}");
}

#[tokio::test]
async fn what_may_pass_is_429_without_a_retry_after() {
    for (error, expected) in [
        (
            PolicyError::DeadlineExceeded,
            "flyte-dataservice: the policy took too long for this pod; try again",
        ),
        (PolicyError::Overloaded, "flyte-dataservice: too many pods are being created; try again"),
    ] {
        let server = failing(error).await;
        let answer = crate::judge::send(&server, &plain()).await.json();
        let status = json!({"code": 429, "reason": "TooManyRequests", "message": expected});
        assert_eq!(answer["response"]["status"], status);
    }
}

#[tokio::test]
async fn what_would_come_again_is_422() {
    for (error, expected) in [
        (
            PolicyError::Garbage,
            "flyte-dataservice: the policy's answer makes no sense; tell an administrator",
        ),
        (
            PolicyError::OutOfFuel,
            "flyte-dataservice: the policy needs more work for this pod than it is given",
        ),
        (PolicyError::Trapped, "flyte-dataservice: the policy failed on this pod; tell an administrator"),
    ] {
        let (code, reason, message) = refused(&failing(error).await, &plain()).await;
        assert_eq!((code, reason.as_str(), message.as_str()), (422, "Invalid", expected));
    }
}

#[tokio::test]
async fn a_panic_refuses_the_pod_and_nothing_else() {
    let policy = Always(|request: core::inject::Request<'_>| {
        assert!(request.uid != "poison", "a panic that the test wants");
        Ok(Decision::Inject { injection: Injection::default(), warnings: Vec::new() })
    });
    let server = serve(Admission::new(Arc::new(policy)), Limits::admission()).await;
    let mut review = plain();
    review["request"]["uid"] = json!("poison");
    let (code, _, message) = refused(&server, &review).await;
    assert_eq!(code, 422);
    assert_eq!(message, "flyte-dataservice: the policy failed on this pod; tell an administrator");
    admit(&server, &plain()).await.admitted();
}

#[tokio::test]
async fn an_injection_that_would_replace_is_refused() {
    let policy = Always(|_: core::inject::Request<'_>| {
        let annotations = [("dataservice.flyte.org/image".to_owned(), "another".to_owned())].into();
        let injection = Injection { annotations, ..Injection::default() };
        Ok(Decision::Inject { injection, warnings: Vec::new() })
    });
    let server = serve(Admission::new(Arc::new(policy)), Limits::admission()).await;
    let (code, reason, message) = refused(&server, &plain()).await;
    assert_eq!((code, reason.as_str()), (422, "Invalid"));
    let expected = "flyte-dataservice: refused to replace annotations \"dataservice.flyte.org/image\", which the \
                    pod has already";
    assert_eq!(message, expected);
}

#[tokio::test]
async fn a_malformed_object_is_denied_with_its_uid() {
    let server = serve_native().await;
    for (field, value, expected) in [
        ("object", Value::Null, "flyte-dataservice: the review has no request.object that is a pod"),
        ("object", json!("pod"), "flyte-dataservice: the review has no request.object that is a pod"),
        ("namespace", Value::Null, "flyte-dataservice: the review has no request.namespace"),
        ("namespace", json!(7), "flyte-dataservice: the review has no request.namespace"),
    ] {
        let mut review = plain();
        review["request"][field] = value;
        let (code, reason, message) = refused(&server, &review).await;
        assert_eq!((code, reason.as_str(), message.as_str()), (400, "BadRequest", expected));
    }
}
