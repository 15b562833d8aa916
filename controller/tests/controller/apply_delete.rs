//! Deleting a service that nobody needs.

use dataservice_controller::apply::Outcome;
use dataservice_core::reconcile::Kind;
use serde_json::{Value, json};

use crate::fixture::{both, ended, known, object, pod, service_of};
use crate::scenario::{Server, line, play};

/// Applies where the only consumer has ended and only the Service is left.
async fn last_of_all(script: impl AsyncFnOnce(&mut Server)) -> Outcome {
    let pod = pod("a");
    let there = [(Kind::Service, object(Kind::Service, &pod))];
    let service = service_of(&pod);
    play(&known(&[ended(pod)], &there), &service, script).await
}

fn delete() -> String {
    line("DELETE", Kind::Service, &service_of(&pod("a")))
}

fn success() -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Success"})
}

#[tokio::test(start_paused = true)]
async fn both_objects_are_deleted_if_they_are_still_the_same() {
    let pod = pod("a");
    let (there, service) = (both(&pod), service_of(&pod));
    let script = async |server: &mut Server| {
        for kind in [Kind::StatefulSet, Kind::Service] {
            let asked = server.answers(&line("DELETE", kind, &service), 200, success()).await;
            assert_eq!(asked.body["preconditions"], json!({"uid": format!("uid-{kind:?}")}));
            assert_eq!(asked.body["propagationPolicy"], "Background");
        }
        server.is_told().await;
    };
    let outcome = play(&known(&[ended(pod)], &there), &service, script).await;
    let uids = [Kind::StatefulSet, Kind::Service].map(|kind| (kind, format!("uid-{kind:?}")));
    assert_eq!(outcome.deleted, uids);
    assert!(outcome.error.is_none(), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_gone_is_deleted() {
    let outcome = last_of_all(async |server: &mut Server| {
        server.refuses(&delete(), 404, "NotFound", "not found").await;
    })
    .await;
    assert_eq!(outcome.deleted.len(), 1);
    assert!(outcome.error.is_none(), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_another_one_by_now_is_left_alone() {
    let outcome = last_of_all(async |server: &mut Server| {
        server.refuses(&delete(), 409, "Conflict", "the UID in the precondition does not match").await;
    })
    .await;
    assert!(outcome.deleted.is_empty(), "{outcome:?}");
    // It is looked at again when the watch has shown what is there.
    let why = format!("{} has changed meanwhile", service_of(&pod("a")));
    assert_eq!(outcome.error.unwrap().to_string(), why);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_fails_is_an_error_and_nobody_is_told() {
    let outcome = last_of_all(async |server: &mut Server| {
        server.refuses(&delete(), 500, "InternalError", "etcd is away").await;
    })
    .await;
    assert!(outcome.deleted.is_empty(), "{outcome:?}");
    let why = format!("failed to delete Service {}: etcd is away", service_of(&pod("a")));
    assert_eq!(outcome.error.unwrap().to_string(), why);
}

#[tokio::test(start_paused = true)]
async fn while_it_is_being_deleted_nothing_is_done() {
    let pod = pod("a");
    let service = service_of(&pod);
    let mut index = known(&[ended(pod.clone())], &both(&pod));
    index.mark_deleting(&service, Kind::Service, "uid-Service");
    index.mark_deleting(&service, Kind::StatefulSet, "uid-StatefulSet");
    let outcome = play(&index, &service, async |_: &mut Server| {}).await;
    assert!(outcome.deleted.is_empty() && outcome.error.is_none(), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_service_in_use_is_left_as_it_is() {
    let pod = pod("a");
    let (there, service) = (both(&pod), service_of(&pod));
    let outcome = play(&known(&[pod], &there), &service, async |_: &mut Server| {}).await;
    assert!(
        outcome.created.is_empty() && outcome.deleted.is_empty() && outcome.error.is_none(),
        "{outcome:?}"
    );
}
