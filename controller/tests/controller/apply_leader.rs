//! The leader of a job that is a batch Job's pod, and has failed.

use dataservice_controller::apply::Outcome;
use dataservice_core::annotation::RELEASED;
use dataservice_core::reconcile::Kind;
use serde_json::{Value, json};

use crate::fixture::{admitted, both, known, service_of};
use crate::scenario::{Server, play};

const JOB: &str = "GET /apis/batch/v1/namespaces/ns-0/jobs/train";
const HEAD: &str = "PATCH /api/v1/namespaces/ns-0/pods/head";

fn pod(name: &str, labels: &Value, owner: &Value, spec: &Value) -> Value {
    admitted(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": "ns-0", "uid": format!("uid-{name}"),
            "creationTimestamp": "2026-06-01T00:00:00Z", "labels": labels, "ownerReferences": [owner],
            "annotations": {"dataservice.flyte.org/image": "ge-server:1.4"},
        },
        "spec": spec,
        "status": {"phase": "Running"},
    }))
}

/// The head of a Ray cluster: it stays for an hour.
fn head() -> Value {
    let owner = json!({
        "apiVersion": "ray.io/v1", "kind": "RayCluster", "name": "train-x7k2p", "uid": "uid-cluster",
        "controller": true,
    });
    let spec = json!({"restartPolicy": "Always", "containers": [{"name": "ray-head"}]});
    pod("head", &json!({"ray.io/cluster": "train-x7k2p"}), &owner, &spec)
}

/// What submits a job to it: by a batch Job.
fn submitter(name: &str) -> Value {
    let owner = json!({
        "apiVersion": "batch/v1", "kind": "Job", "name": "train", "uid": "uid-job", "controller": true,
    });
    let env = json!([
        {"name": "RAY_DASHBOARD_ADDRESS", "value": "train-x7k2p-head-svc.ns-0.svc.cluster.local:8265"},
        {"name": "RAY_JOB_SUBMISSION_ID", "value": "s"},
    ]);
    let spec = json!({"restartPolicy": "Never", "containers": [{"name": "submitter", "env": env}]});
    pod(name, &json!({}), &owner, &spec)
}

fn failed(mut pod: Value) -> Value {
    pod["status"] = json!({
        "phase": "Failed",
        "containerStatuses": [{"name": "submitter", "state": {"terminated": {"exitCode": 1}}}],
    });
    pod
}

fn job(conditions: &Value) -> Value {
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "train", "uid": "uid-job"},
           "status": {"conditions": conditions}})
}

/// Applies where the head lives and has all that it needs, and these have submitted.
async fn submitted(submitters: &[Value], script: impl AsyncFnOnce(&mut Server)) -> Outcome {
    let mut there = both(&head());
    let [_, (Kind::StatefulSet, set)] = &mut there else { panic!("the StatefulSet must be the second") };
    set["metadata"]["ownerReferences"][0]["uid"] = json!("uid-cluster");
    let pods = [&[head()], submitters].concat();
    play(&known(&pods, &there), &service_of(&head()), script).await
}

async fn releases_the_head(server: &mut Server) {
    let asked = server.answers(HEAD, 200, head()).await;
    let mark = asked.body.as_array().unwrap().last().unwrap();
    assert!(mark["path"].as_str().unwrap().ends_with(&RELEASED.replace('/', "~1")), "{mark}");
    assert_eq!(mark["value"], "uid-head/leader");
}

#[tokio::test(start_paused = true)]
async fn when_its_job_has_failed_the_others_need_the_service_no_more() {
    let outcome = submitted(&[failed(submitter("a"))], async |server: &mut Server| {
        server.answers(JOB, 200, job(&json!([{"type": "Failed", "status": "True"}]))).await;
        releases_the_head(server).await;
    })
    .await;
    assert!(outcome.error.is_none() && outcome.revisit.is_none(), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn when_its_job_is_gone_too() {
    let outcome = submitted(&[failed(submitter("a"))], async |server: &mut Server| {
        server.refuses(JOB, 404, "NotFound", "not found").await;
        releases_the_head(server).await;
    })
    .await;
    assert!(outcome.error.is_none() && outcome.revisit.is_none(), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn while_its_job_may_try_again_it_is_asked_again() {
    let outcome = submitted(&[failed(submitter("a"))], async |server: &mut Server| {
        server.answers(JOB, 200, job(&json!([{"type": "FailureTarget", "status": "True"}]))).await;
    })
    .await;
    assert!(outcome.error.is_none() && outcome.revisit.is_some(), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_says_nothing() {
    let outcome = submitted(&[failed(submitter("a"))], async |server: &mut Server| {
        server.refuses(JOB, 403, "Forbidden", "may not get").await;
    })
    .await;
    assert!(outcome.error.is_none() && outcome.revisit.is_some(), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_while_another_attempt_runs() {
    let pods = [failed(submitter("a")), submitter("b")];
    let mut there = both(&head());
    let [_, (Kind::StatefulSet, set)] = &mut there else { panic!("the StatefulSet must be the second") };
    let owner = |uid: &str| json!({"apiVersion": "v1", "kind": "X", "name": "x", "uid": uid});
    set["metadata"]["ownerReferences"] = json!([owner("uid-cluster"), owner("uid-job")]);
    let index = known(&[&[head()], &pods[..]].concat(), &there);
    let outcome = play(&index, &service_of(&head()), async |_: &mut Server| {}).await;
    assert!(outcome.error.is_none() && outcome.revisit.is_none(), "{outcome:?}");
}
