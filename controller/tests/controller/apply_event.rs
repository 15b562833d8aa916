//! What a pod's user is told.

use dataservice_controller::apply::Past;
use dataservice_core::annotation::PLAN;
use dataservice_core::reconcile::Kind;
use serde_json::json;

use crate::fixture::{both, ended, known, object, object_of, pod, pod_asking, service_of};
use crate::scenario::{EVENT, Server, Told, line, play, play_again, post};

#[tokio::test(start_paused = true)]
async fn of_a_service_that_was_made() {
    let pod = pod_asking("a", &[("image", "ge-server:1.4"), ("replicas", "4")]);
    let service = service_of(&pod);
    let note = format!("created StatefulSet and Service {} with 4 servers", service.object);
    let script = async |server: &mut Server| {
        server.creates(Kind::Service).await;
        server.creates(Kind::StatefulSet).await;
        let told = Told { pod: "a".to_owned(), reason: "DataServiceCreated".to_owned(), note };
        assert_eq!(server.is_told().await, told);
    };
    play(&known(&[pod], &[]), &service, script).await;
}

#[tokio::test(start_paused = true)]
async fn of_a_service_that_was_deleted() {
    let pod = pod("a");
    let (there, service) = (both(&pod), service_of(&pod));
    let note = format!("deleted StatefulSet and Service {}", service.object);
    let script = async |server: &mut Server| {
        for kind in [Kind::StatefulSet, Kind::Service] {
            let success = json!({"kind": "Status", "status": "Success"});
            server.answers(&line("DELETE", kind, &service), 200, success).await;
        }
        let told = Told { pod: "a".to_owned(), reason: "DataServiceDeleted".to_owned(), note };
        assert_eq!(server.is_told().await, told);
    };
    play(&known(&[ended(pod)], &there), &service, script).await;
}

#[tokio::test(start_paused = true)]
async fn of_a_service_that_it_cannot_have() {
    let pod = pod("a");
    let other = "task/ns-0/pod:00000000/dataservice";
    let there = both(&pod).map(|(kind, ours)| {
        let mut object = object_of(kind, &pod, other);
        object["metadata"]["ownerReferences"] = ours["metadata"]["ownerReferences"].clone();
        if kind == Kind::StatefulSet {
            object["metadata"]["ownerReferences"][0]["uid"] = json!("uid-b");
        }
        (kind, object)
    });
    let service = service_of(&pod);
    let note = format!(
        "this pod does not get its data service {}: its name is taken by the service with the key {other}; \
         choose another name",
        service.object
    );
    let script = async |server: &mut Server| {
        // Whether the other's pods are there after all: they are, in this case, and it stays.
        let mut theirs = pod_asking("b", &[("image", "ge-server:1.4")]);
        let plan = theirs["metadata"]["annotations"][PLAN].as_str().unwrap();
        let key = crate::fixture::plan(&theirs)["services"][0]["key"].as_str().unwrap().to_owned();
        let object = service_of(&theirs).object;
        let plan = plan.replace(&key, other).replace(object.as_str(), service.object.as_str());
        theirs["metadata"]["annotations"][PLAN] = json!(plan);
        let list = json!({"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": [pod, theirs]});
        server.answers("GET /api/v1/namespaces/ns-0/pods", 200, list).await;
        let event = server.takes_event().await.body;
        assert_eq!((&event["regarding"]["name"], &event["note"]), (&json!("a"), &json!(note)));
        assert_eq!(event["reason"], "DataServiceFailed");
        assert_eq!(event.get("related"), None, "others have the service, and have not failed");
    };
    let outcome = play(&known(std::slice::from_ref(&pod), &there), &service, script).await;
    assert!(
        outcome.error.is_none() && outcome.deleted.is_empty(),
        "to try again would not help: {outcome:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn of_a_service_that_it_cannot_have_only_once() {
    let cache = |name, image| {
        pod_asking(name, &[("image", image), ("scope", "namespace"), ("name", "cache"), ("keep-warm", "1m")])
    };
    let (first, other) = (cache("a", "x"), cache("b", "y"));
    let service = service_of(&first);
    let index = known(&[first.clone(), other], &both(&first));
    // Its record is to say how long it is kept, and has just changed.
    let patch = line("PATCH", Kind::StatefulSet, &service);
    let outcome = play(&index, &service, async |server: &mut Server| {
        server.refuses(&patch, 409, "Conflict", "").await;
        assert_eq!(server.is_told().await.pod, "b");
    })
    .await;
    let past = Past { refused: outcome.refused.clone(), ..Past::default() };
    let again = play_again(&index, &service, past, async |server: &mut Server| {
        server.refuses(&patch, 409, "Conflict", "").await;
    })
    .await;
    assert_eq!((outcome.refused.len(), again.refused), (1, outcome.refused));
}

#[tokio::test(start_paused = true)]
async fn that_it_cannot_be_told_is_no_failure() {
    for (code, reason) in
        [(403, "Forbidden"), (404, "NotFound"), (409, "AlreadyExists"), (500, "InternalError")]
    {
        let pod = pod("a");
        let there = [(Kind::Service, object(Kind::Service, &pod))];
        let service = service_of(&pod);
        let script = async |server: &mut Server| {
            server.creates(Kind::StatefulSet).await;
            server.refuses(EVENT, code, reason, "no").await;
        };
        let outcome = play(&known(&[pod], &there), &service, script).await;
        assert!(outcome.error.is_none() && outcome.created.len() == 1, "{code}: {outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_long_story_as_much_as_an_event_may_hold() {
    let pod = pod("a");
    let there = [(Kind::Service, object(Kind::Service, &pod))];
    let service = service_of(&pod);
    let script = async |server: &mut Server| {
        server.refuses(&post(Kind::StatefulSet), 403, "Forbidden", &"é".repeat(2_000)).await;
        let note = server.is_told().await.note;
        assert!((900..=1024).contains(&note.len()), "{} bytes", note.len());
    };
    play(&known(&[pod], &there), &service, script).await;
}

#[tokio::test(start_paused = true)]
async fn by_an_event_with_a_good_name_whatever_the_pods_is() {
    // The last two are cut behind what no part of a name may end with.
    for end in ["", "-bcdefghi", ".bcdefghi"] {
        let name = "a".repeat(235) + end;
        let pod = pod(&name);
        let there = [(Kind::Service, object(Kind::Service, &pod))];
        let service = service_of(&pod);
        let script = async |server: &mut Server| {
            server.creates(Kind::StatefulSet).await;
            let event = server.takes_event().await.body;
            let name = event["metadata"]["name"].as_str().unwrap();
            assert!(name.len() <= 253 && !name.contains("-.") && !name.contains(".."), "{name}");
            assert_eq!(event["regarding"]["name"], pod["metadata"]["name"]);
        };
        play(&known(std::slice::from_ref(&pod), &there), &service, script).await;
    }
}
