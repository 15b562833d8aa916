//! Having a service's other objects go with its StatefulSet.

use dataservice_controller::apply::Outcome;
use dataservice_core::reconcile::Kind;
use serde_json::json;

use crate::fixture::{just_made, known, object, pod, service_of};
use crate::scenario::{Server, line, play};

/// Applies where both objects of a living pod were just made.
async fn just_made_for_a(script: impl AsyncFnOnce(&mut Server)) -> Outcome {
    let pod = pod("a");
    let (there, service) = (just_made(&pod), service_of(&pod));
    play(&known(&[pod], &there), &service, script).await
}

fn patch() -> String {
    line("PATCH", Kind::Service, &service_of(&pod("a")))
}

#[tokio::test(start_paused = true)]
async fn once_both_are_there_the_stateful_set_owns_the_service() {
    let service = service_of(&pod("a"));
    let outcome = just_made_for_a(async |server: &mut Server| {
        let asked = server.answers(&patch(), 200, object(Kind::Service, &pod("a"))).await;
        let owner = json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "name": service.object, "uid": "uid-StatefulSet",
            "controller": false, "blockOwnerDeletion": false,
        });
        let operations = json!([
            {"op": "test", "path": "/metadata/uid", "value": "uid-Service"},
            {"op": "test", "path": "/metadata/resourceVersion", "value": "1"},
            {"op": "add", "path": "/metadata/ownerReferences", "value": [owner]},
        ]);
        assert_eq!(asked.body, operations);
    })
    .await;
    assert_eq!(outcome.updated, [(Kind::Service, object(Kind::Service, &pod("a")))]);
    assert!(outcome.error.is_none(), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn if_it_has_changed_since_it_is_looked_at_again() {
    let outcome = just_made_for_a(async |server: &mut Server| {
        server.refuses(&patch(), 422, "Invalid", "test failed").await;
    })
    .await;
    assert!(outcome.updated.is_empty(), "{outcome:?}");
    let why = format!("{} has changed meanwhile", service_of(&pod("a")));
    assert_eq!(outcome.error.unwrap().to_string(), why);
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_changed_is_an_error_and_told_to_whom_waits() {
    let why = format!("failed to update Service {}: may not patch", service_of(&pod("a")));
    let outcome = just_made_for_a(async |server: &mut Server| {
        server.refuses(&patch(), 403, "Forbidden", "may not patch").await;
        let told = server.is_told().await;
        assert_eq!((told.reason.as_str(), told.note.as_str()), ("DataServiceDelayed", why.as_str()));
    })
    .await;
    assert_eq!(outcome.error.unwrap().to_string(), why);
}
