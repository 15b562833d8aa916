//! The pod template that a service starts from.

use dataservice_controller::apply::Outcome;
use dataservice_core::reconcile::Kind;
use serde_json::{Value, json};

use crate::fixture::{known, object, pod_asking, service_of};
use crate::scenario::{Server, play};

const GET: &str = "GET /api/v1/namespaces/ns-0/podtemplates/gpu";

/// Applies for a pod that names a template, where only the StatefulSet is missing.
async fn apply(script: impl AsyncFnOnce(&mut Server)) -> Outcome {
    let pod = pod_asking("a", &[("pod-template", "gpu")]);
    let there = [(Kind::Service, object(Kind::Service, &pod))];
    let service = service_of(&pod);
    play(&known(&[pod], &there), &service, script).await
}

/// Applies where the template is no use; its user is told why.
async fn fails(status: u16, answer: Value, reason: &str, why: &str) {
    let outcome = apply(async |server: &mut Server| {
        server.answers(GET, status, answer).await;
        let told = server.is_told().await;
        assert_eq!((told.reason.as_str(), told.note.as_str()), (reason, why));
    })
    .await;
    assert_eq!(outcome.error.unwrap().to_string(), why);
}

#[tokio::test(start_paused = true)]
async fn servers_start_from_the_template() {
    let container = json!({"name": "server", "image": "ge-server:gpu"});
    let template = json!({"template": {"spec": {"nodeSelector": {"gpu": "yes"}, "containers": [container]}}});
    let outcome = apply(async |server: &mut Server| {
        server.answers(GET, 200, template).await;
        let asked = server.creates(Kind::StatefulSet).await;
        assert_eq!(asked.body["spec"]["template"]["spec"]["nodeSelector"], json!({"gpu": "yes"}));
        server.is_told().await;
    })
    .await;
    assert!(outcome.error.is_none(), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_template_that_is_missing_is_an_error_and_told() {
    let missing =
        json!({"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404, "message": ""});
    let why = "there is no pod template \"gpu\" in namespace ns-0";
    fails(404, missing, "DataServiceFailed", why).await;
}

#[tokio::test(start_paused = true)]
async fn a_template_that_may_not_be_read_is_told_in_the_api_servers_words() {
    let refused = json!({"kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403, "message": "not you"});
    fails(
        403,
        refused,
        "DataServiceDelayed",
        "failed to read pod template \"gpu\" in namespace ns-0: not you",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_template_without_an_image_is_an_error_and_told() {
    let why = "pod template \"gpu\" has no image for the servers, and neither have the annotations";
    fails(200, json!({"template": {"spec": {"containers": []}}}), "DataServiceFailed", why).await;
}
