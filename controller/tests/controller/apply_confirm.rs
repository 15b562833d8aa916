//! Objects without a consumer in sight: the API server is asked before anything is deleted.

use dataservice_controller::apply::Outcome;
use dataservice_core::annotation::PLAN;
use dataservice_core::reconcile::Kind;
use serde_json::{Value, json};

use crate::fixture::{ended, known, object, pod, service_of};
use crate::scenario::{Asked, Server, line, play};

const LIST: &str = "GET /api/v1/namespaces/ns-0/pods";

/// Applies where a Service is there and no pod is known.
async fn orphan(script: impl AsyncFnOnce(&mut Server)) -> Outcome {
    let pod = pod("a");
    let there = [(Kind::Service, object(Kind::Service, &pod))];
    play(&known(&[], &there), &service_of(&pod), script).await
}

async fn lists(server: &mut Server, pods: &[Value]) -> Asked {
    let list = json!({"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": pods});
    server.answers(LIST, 200, list).await
}

#[tokio::test(start_paused = true)]
async fn what_nobody_claims_is_deleted() {
    let outcome = orphan(async |server: &mut Server| {
        let asked = lists(server, &[]).await;
        let object = service_of(&pod("a")).object;
        let selector = format!(
            "labelSelector=dataservice.flyte.org%2Fconsumer%3Dtrue%2Capp.kubernetes.io%2Fmanaged-by%21%3D\
             flyte-dataservice%2Cdataservice.flyte.org%2Fuses-{object}%3Dtrue"
        );
        assert!(asked.query.split('&').any(|part| part == selector), "{selector} is not in {}", asked.query);
        let delete = line("DELETE", Kind::Service, &service_of(&pod("a")));
        server.answers(&delete, 200, json!({"kind": "Status", "status": "Success"})).await;
    })
    .await;
    assert_eq!(outcome.deleted, [(Kind::Service, "uid-Service".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_claims_after_all_is_completed() {
    let outcome = orphan(async |server: &mut Server| {
        lists(server, &[pod("a")]).await;
        server.creates(Kind::StatefulSet).await;
        server.is_told().await;
    })
    .await;
    assert!(outcome.deleted.is_empty(), "{outcome:?}");
    assert_eq!(outcome.created, [(Kind::StatefulSet, "uid-StatefulSet".to_owned())]);
}

/// A pod whose plan is a later version's.
fn misunderstood() -> Value {
    let mut later = pod("a");
    later["metadata"]["annotations"][PLAN] = json!(r#"{"version": 2}"#);
    later
}

#[tokio::test(start_paused = true)]
async fn what_a_pod_may_need_that_cannot_be_understood_is_kept() {
    let outcome = orphan(async |server: &mut Server| {
        lists(server, &[misunderstood()]).await;
    })
    .await;
    assert!(outcome.deleted.is_empty(), "{outcome:?}");
    let why = format!(
        "pod ns-0/a cannot be understood, and {} is kept for it: the plan has version 2; this webhook reads 1",
        service_of(&pod("a"))
    );
    assert_eq!(outcome.error.unwrap().to_string(), why);
}

#[tokio::test(start_paused = true)]
async fn what_only_pods_have_that_have_ended_is_deleted_though_they_cannot_be_understood() {
    let mut lost = misunderstood();
    lost["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    for over in [ended(misunderstood()), lost] {
        let outcome = orphan(async |server: &mut Server| {
            lists(server, &[over]).await;
            let delete = line("DELETE", Kind::Service, &service_of(&pod("a")));
            server.answers(&delete, 200, json!({"kind": "Status", "status": "Success"})).await;
        })
        .await;
        assert_eq!(outcome.deleted.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_list_nothing_is_deleted() {
    let outcome = orphan(async |server: &mut Server| {
        server.refuses(LIST, 500, "InternalError", "etcd is away").await;
    })
    .await;
    assert!(outcome.deleted.is_empty(), "{outcome:?}");
    let why = format!("failed to list the consumers of {}: etcd is away", service_of(&pod("a")));
    assert_eq!(outcome.error.unwrap().to_string(), why);
}

#[tokio::test(start_paused = true)]
async fn nobody_and_nothing_is_nothing_to_do() {
    let outcome = play(&known(&[], &[]), &service_of(&pod("a")), async |_: &mut Server| {}).await;
    assert!(outcome.deleted.is_empty() && outcome.error.is_none(), "{outcome:?}");
}
