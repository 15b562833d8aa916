//! Making a service.

use std::time::Duration;

use dataservice_controller::apply::{Outcome, Past};
use dataservice_core::reconcile::Kind;
use serde_json::{Value, json};

use crate::fixture::{foreign_object, known, object, object_of, pod, service_of};
use crate::scenario::{Server, line, play, play_again, post};

#[tokio::test(start_paused = true)]
async fn the_service_is_made_before_the_stateful_set() {
    let pod = pod("a");
    let service = service_of(&pod);
    let script = async |server: &mut Server| {
        for kind in [Kind::Service, Kind::StatefulSet] {
            let asked = server.creates(kind).await;
            assert_eq!(asked.query, "&fieldManager=flyte-dataservice");
            assert_eq!(asked.body["kind"], format!("{kind:?}"));
            assert_eq!(asked.body["metadata"]["name"], json!(service.object));
        }
        server.is_told().await;
    };
    let outcome = play(&known(&[pod], &[]), &service, script).await;
    let uids = [Kind::Service, Kind::StatefulSet].map(|kind| (kind, format!("uid-{kind:?}")));
    assert_eq!(outcome.created, uids);
    assert!(outcome.error.is_none(), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_there_is_not_made_again() {
    let pod = pod("a");
    let there = [(Kind::Service, object(Kind::Service, &pod))];
    let service = service_of(&pod);
    let script = async |server: &mut Server| {
        server.creates(Kind::StatefulSet).await;
        server.is_told().await;
    };
    let outcome = play(&known(&[pod], &there), &service, script).await;
    assert_eq!(outcome.created, [(Kind::StatefulSet, "uid-StatefulSet".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn an_object_of_ours_that_no_watch_has_shown_is_as_good_as_made() {
    let pod = pod("a");
    let there = object(Kind::Service, &pod);
    let outcome = conflict(&pod, 200, there, false).await;
    assert!(outcome.created.is_empty() && outcome.error.is_none(), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_free_again_is_no_failure() {
    let pod = pod("a");
    let gone =
        json!({"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404, "message": ""});
    let outcome = conflict(&pod, 404, gone, false).await;
    assert!(outcome.created.is_empty() && outcome.error.is_none(), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_somebody_else_has_is_an_error_and_told() {
    let pod = pod("a");
    let outcome = conflict(&pod, 200, foreign_object(Kind::Service, &pod), true).await;
    assert_eq!(outcome.error.unwrap().to_string(), taken(&pod));
}

#[tokio::test(start_paused = true)]
async fn a_name_that_another_key_of_ours_has_is_an_error_and_told() {
    let pod = pod("a");
    let theirs = object_of(Kind::Service, &pod, "task/ns-0/pod:00000000/dataservice");
    let outcome = conflict(&pod, 200, theirs, true).await;
    assert!(outcome.created.is_empty() && outcome.error.is_some(), "{outcome:?}");
}

/// Applies where a Service of this name is there already; the API server shows it with this answer.
async fn conflict(pod: &Value, status: u16, there: Value, told: bool) -> Outcome {
    let service = service_of(pod);
    let seen = [(Kind::StatefulSet, object(Kind::StatefulSet, pod))];
    let script = async |server: &mut Server| {
        server.refuses(&post(Kind::Service), 409, "AlreadyExists", "already exists").await;
        server.answers(&line("GET", Kind::Service, &service), status, there).await;
        if told {
            assert_eq!(server.is_told().await.reason, "DataServiceFailed");
        }
    };
    play(&known(std::slice::from_ref(pod), &seen), &service, script).await
}

fn taken(pod: &Value) -> String {
    let service = service_of(pod);
    format!("Service {service} is there already and was not made by flyte-dataservice; it is left alone")
}

#[tokio::test(start_paused = true)]
async fn a_creation_that_is_refused_is_an_error_with_the_api_servers_words() {
    let pod = pod("a");
    let service = service_of(&pod);
    let told = format!("failed to create StatefulSet {service}: exceeded quota: servers");
    let script = async |server: &mut Server| {
        server.creates(Kind::Service).await;
        server.refuses(&post(Kind::StatefulSet), 403, "Forbidden", "exceeded quota: servers").await;
        assert_eq!(server.is_told().await.note, told);
    };
    let outcome = play(&known(&[pod], &[]), &service, script).await;
    // One refused, the other made all the same.
    assert_eq!(outcome.created, [(Kind::Service, "uid-Service".to_owned())]);
    assert_eq!(outcome.error.unwrap().to_string(), told);
}

#[tokio::test(start_paused = true)]
async fn a_quota_that_is_full_is_waited_for_as_long_as_servers_take_to_end() {
    let pod = pod("a");
    let service = service_of(&pod);
    for (seconds, reason) in
        [(0, "DataServiceDelayed"), (10, "DataServiceDelayed"), (11, "DataServiceFailed")]
    {
        let script = async |server: &mut Server| {
            let why = "services \"a\" is forbidden: exceeded quota: q";
            server.refuses(&post(Kind::Service), 403, "Forbidden", why).await;
            assert_eq!(server.is_told().await.reason, reason);
        };
        let index = known(std::slice::from_ref(&pod), &[]);
        let past = Past { failing_for: Duration::from_secs(seconds), ..Past::default() };
        let outcome = play_again(&index, &service, past, script).await;
        assert!(outcome.error.is_some(), "it is tried again all the same");
    }
}
