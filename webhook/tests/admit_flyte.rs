//! Admission of what Flyte creates.

use serde_json::{Value, json};

use crate::judge::{Judgement, admit, annotated, plain, reviews, send, serve_native};

#[tokio::test]
async fn every_flyte_pod_is_admitted() {
    let server = serve_native().await;
    for (name, review) in reviews() {
        let pod = admit(&server, &review).await.admitted();
        if name.starts_with("control") {
            assert_eq!(pod, review["request"]["object"], "{name}");
            continue;
        }
        assert_eq!(pod["metadata"]["labels"]["dataservice.flyte.org/consumer"], "true", "{name}");
        for container in pod["spec"]["containers"].as_array().unwrap() {
            assert_eq!(container["env"][0]["name"], "MY_DATASERVICES", "{name}");
        }
    }
}

#[tokio::test]
async fn a_second_review_of_the_same_pod_adds_nothing() {
    let server = serve_native().await;
    let mut review = plain();
    let pod = admit(&server, &review).await.admitted();
    review["request"]["object"] = pod.clone();
    review["request"]["uid"] = json!("another");
    let answer = send(&server, &review).await.json();
    assert_eq!(answer["response"].get("patch"), None);
    assert_eq!(
        answer["response"]["auditAnnotations"],
        json!({"decision": "inject", "reason": "injected-before"})
    );
    assert_eq!(admit(&server, &review).await.admitted(), pod);
}

#[tokio::test]
async fn a_dry_run_gets_the_same_answer() {
    let server = serve_native().await;
    let review = plain();
    let mut dry = review.clone();
    dry["request"]["dryRun"] = json!(true);
    assert_eq!(send(&server, &review).await.json(), send(&server, &dry).await.json());
}

#[tokio::test]
async fn what_is_no_creation_of_a_pod_is_left_alone() {
    let server = serve_native().await;
    let changes = [
        ("/request/operation", json!("UPDATE")),
        ("/request/operation", json!("DELETE")),
        ("/request/operation", Value::Null),
        ("/request/resource/resource", json!("deployments")),
        ("/request/subResource", json!("status")),
    ];
    for (pointer, value) in changes {
        let mut review = annotated(&[("image", "no such image!")]);
        review["request"]["subResource"] = json!("");
        *review.pointer_mut(pointer).unwrap() = value.clone();
        let pod = admit(&server, &review).await.admitted();
        assert_eq!(pod, review["request"]["object"], "{pointer} {value}");
    }
}

#[tokio::test]
async fn a_users_own_variable_stands_with_a_warning() {
    let server = serve_native().await;
    let mut review = plain();
    review["request"]["object"]["spec"]["containers"][0]["env"] =
        json!([{"name": "MY_DATASERVICES", "value": "mine"}]);
    let Judgement::Admitted { pod, warnings } = admit(&server, &review).await else { panic!() };
    assert_eq!(pod["spec"]["containers"][0]["env"], json!([{"name": "MY_DATASERVICES", "value": "mine"}]));
    let expected = "flyte-dataservice: container \"primary\" sets MY_DATASERVICES itself, and that value stands; \
                    the data service's endpoints are: dataservice-";
    assert!(warnings[0].starts_with(expected), "{warnings:?}");
}

#[tokio::test]
async fn a_hundred_reviews_at_once_are_answered() {
    let server = serve_native().await;
    let review = plain();
    let all = (0..100).map(|index| {
        let mut review = review.clone();
        review["request"]["uid"] = json!(format!("uid-{index}"));
        let server = &server;
        async move { admit(server, &review).await.admitted() }
    });
    let ids: std::collections::BTreeSet<_> = futures::future::join_all(all)
        .await
        .into_iter()
        .map(|pod| pod["metadata"]["labels"]["dataservice.flyte.org/id"].to_string())
        .collect();
    assert_eq!(ids.len(), 100);
}
