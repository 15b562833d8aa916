use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::annotation;
use crate::consumer::Owner;
use crate::inject::{Decision, Request, inject};
use crate::installation::Installation;
use crate::record::{MANAGED_BY, Record};
use crate::settings::Settings;
use crate::waiting::Waiting;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn consumer(replicas: u32) -> Consumer {
    let annotations = json!({
        "dataservice.flyte.org/image": "x", "dataservice.flyte.org/name": "graph",
        "dataservice.flyte.org/replicas": replicas.to_string(),
    });
    let mut pod = json!({
        "metadata": {
            "annotations": annotations, "name": "p", "namespace": "ns", "uid": "u",
            "creationTimestamp": at(100).to_string(),
        },
        "spec": {"containers": [{"name": "a"}]},
    });
    let installation = Installation::offline("sidecar".parse().unwrap());
    let request = Request { uid: "r", namespace: "ns", pod: &pod };
    let Decision::Inject { injection, .. } = inject(request, &Settings::default(), &installation) else {
        panic!()
    };
    pod["metadata"]["annotations"][annotation::PLAN] = json!(injection.annotations[annotation::PLAN]);
    Consumer::read(&pod).unwrap()
}

fn observed(consumer: &Consumer) -> Observed {
    let set = Object {
        uid: "s".to_owned(),
        resource_version: "1".to_owned(),
        created_at: at(101),
        record: Record::of(&consumer.plan.services[0], "u").into(),
        owners: vec![consumer.owner.clone()],
        attached_to: None,
        deleting: false,
    };
    let names = Object { uid: "n".to_owned(), attached_to: Some(set.uid.clone()), ..set.clone() };
    Observed { stateful_set: Some(Box::new(set)), service: Some(Box::new(names)), network_policy: None }
}

fn server(consumer: &Consumer, ordinal: u32, status: &Value) -> Server {
    let record = Record::of(&consumer.plan.services[0], "u");
    let pod = json!({
        "metadata": {
            "name": format!("graph-{ordinal}"), "creationTimestamp": at(102).to_string(),
            "labels": {MANAGED_BY.0: MANAGED_BY.1, "dataservice.flyte.org/instance": record.instance.as_str()},
        },
        "status": status,
    });
    Server::read(&pod).unwrap()
}

fn ready() -> Value {
    json!({"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": at(110).to_string()}]})
}

fn failing_to_pull() -> Value {
    json!({"containerStatuses": [{"name": "server", "state": {"waiting": {"reason": "ErrImagePull", "message": "no"}}}]})
}

fn progress(consumer: &Consumer, observed: &Observed, servers: &[Server], told: &[Told]) -> Progress {
    Progress::of_service(consumer, &consumer.plan.services[0], &Known { observed, servers, told })
}

#[test]
fn it_is_ready_when_all_servers_are() {
    let consumer = consumer(2);
    let servers = [0, 1].map(|ordinal| server(&consumer, ordinal, &ready()));
    let all = progress(&consumer, &observed(&consumer), &servers, &[]);
    assert_eq!((all.state, all.message.as_str()), (State::Ready, "graph 2/2 ready"));
    assert_eq!(all.progressed_at, Some(at(110)), "a gate that runs again has its time from then");
    let half = progress(&consumer, &observed(&consumer), &servers[..1], &[]);
    assert_eq!((half.state, half.message.as_str()), (State::Waiting, "graph 1/2 ready"));
    assert_eq!(half.progressed_at, Some(at(110)));
}

#[test]
fn a_service_whose_owners_do_not_include_the_pods_is_not_ready_yet() {
    let consumer = consumer(1);
    let mut observed = observed(&consumer);
    observed.stateful_set.as_mut().unwrap().owners.clear();
    let servers = [server(&consumer, 0, &ready())];
    let waiting = progress(&consumer, &observed, &servers, &[]);
    assert_eq!(waiting.state, State::Waiting);
    assert_eq!(waiting.message, "graph 1/1 ready; not yet owned by this pod's controller");
}

#[test]
fn a_service_that_has_all_the_owners_it_can_have_takes_no_other() {
    let consumer = consumer(1);
    let mut observed = observed(&consumer);
    let set = observed.stateful_set.as_mut().unwrap();
    let other = |n: usize| Owner { uid: format!("other-{n}"), ..consumer.owner.clone() };
    set.owners = (0..1_000).map(other).collect();
    let failed = progress(&consumer, &observed, &[server(&consumer, 0, &ready())], &[]);
    assert_eq!(failed.state, State::Failed);
    assert_eq!(
        failed.message,
        "graph: it is shared by the pods of 1000 controllers already, and of no more; ask for a service of another \
         name, or with scope namespace, which has no owners"
    );
}

#[test]
fn a_service_whose_names_may_go_before_its_servers_is_not_ready_yet() {
    let consumer = consumer(1);
    let servers = [server(&consumer, 0, &ready())];
    let (mut loose, mut nameless) = (observed(&consumer), observed(&consumer));
    loose.service.as_mut().unwrap().attached_to = None;
    nameless.service = None;
    for observed in [loose, nameless] {
        let waiting = progress(&consumer, &observed, &servers, &[]);
        assert_eq!(waiting.state, State::Waiting);
        assert!(waiting.message.contains("1/1 ready; its other objects"), "{}", waiting.message);
    }
}

#[test]
fn servers_of_another_making_and_those_that_end_do_not_count() {
    let consumer = consumer(1);
    let mut old = server(&consumer, 0, &ready());
    old.instance = "old".to_owned();
    let mut ending = server(&consumer, 0, &ready());
    ending.is_ending = true;
    let progress = progress(&consumer, &observed(&consumer), &[old, ending], &[]);
    assert_eq!(progress.message, "graph 0/1 ready");
}

#[test]
fn what_is_missing_is_named_with_the_troubled_first() {
    let consumer = consumer(6);
    let mut servers: Vec<_> = (0..5).map(|ordinal| server(&consumer, ordinal, &json!({}))).collect();
    servers.push(server(&consumer, 5, &failing_to_pull()));
    assert_eq!(
        progress(&consumer, &observed(&consumer), &servers, &[]).message,
        "graph 0/6 ready; graph-5: ErrImagePull: no; graph-0: not placed yet; graph-1: not placed yet; and 3 more"
    );
}

#[test]
fn a_service_that_is_about_to_go_is_waited_out() {
    let consumer = consumer(1);
    let mut closing = observed(&consumer);
    Arc::make_mut(&mut closing.stateful_set.as_mut().unwrap().record).closing = true;
    let mut deleting = observed(&consumer);
    deleting.stateful_set.as_mut().unwrap().deleting = true;
    let other = self::consumer(2);
    for observed in [closing, deleting] {
        // Whether for the same again, or for another.
        for successor in [&consumer, &other] {
            let progress = progress(successor, &observed, &[server(&consumer, 0, &ready())], &[]);
            assert_eq!(
                (progress.state, progress.message.as_str()),
                (State::Waiting, "graph: waiting for the previous servers to end")
            );
        }
    }
}

#[test]
fn a_conflict_fails_at_once() {
    let (first, other) = (consumer(1), consumer(2));
    let progress = progress(&other, &observed(&first), &[], &[]);
    assert_eq!(progress.state, State::Failed);
    assert!(progress.message.starts_with("graph: all who share the key"), "{}", progress.message);
    assert!(progress.message.contains("replicas is 1 and not 2; ask"), "{}", progress.message);
}

#[test]
fn what_cannot_be_made_fails_at_once_unless_waiting_may_mend_it() {
    let consumer = consumer(1);
    let told = |hope| [Told { text: "no template".to_owned(), at: at(101), hope }];
    let failed = progress(&consumer, &Observed::default(), &[], &told(Hope::Never));
    assert_eq!((failed.state, failed.message.as_str()), (State::Failed, "graph: not made yet; no template"));
    assert_eq!(progress(&consumer, &Observed::default(), &[], &told(Hope::Mends)).state, State::Waiting);
}

#[test]
fn a_servers_refusal_is_told_by_events_alone() {
    let consumer = consumer(1);
    let of = |text: &str, second| {
        let told = [Told::of_failed_creation(text, at(second))];
        progress(&consumer, &observed(&consumer), &[], &told)
    };
    let create = "create Pod graph-0 in StatefulSet graph failed error: pods \"graph-0\" is forbidden: ";
    let insecure = of(&format!("{create}violates PodSecurity \"restricted\""), 102);
    assert_eq!(insecure.state, State::Failed);
    assert_eq!(
        insecure.message,
        "graph 0/1 ready; pods \"graph-0\" is forbidden: violates PodSecurity \"restricted\""
    );
    let full = format!("{create}exceeded quota: q");
    assert_eq!(of(&full, 105).state, State::Waiting, "the servers that fill it may just be ending");
    assert_eq!(of(&full, 112).state, State::Failed);
    let uncounted = format!("{create}status unknown for quota: q, resources: pods");
    assert_eq!(of(&uncounted, 105).state, State::Waiting, "it is counted within seconds");
    assert_eq!(of(&full, 99).state, State::Waiting, "told of a predecessor");
    assert_eq!(of("Internal error occurred", 130).state, State::Waiting);
}

#[test]
fn what_the_api_server_refuses_is_mended_soon_or_never() {
    let full = Hope::of_refusal("statefulsets.apps \"g\" is forbidden: exceeded quota: q, requested: …");
    assert_eq!(full, Hope::MendsSoon);
    assert_eq!(Hope::of_refusal("services \"g\" is forbidden: not you"), Hope::Never);
    let lost = |seconds| {
        [Hope::Mends, full, Hope::Never].map(|hope| hope.is_lost_after(SignedDuration::from_secs(seconds)))
    };
    assert_eq!((lost(10), lost(11)), ([false, false, true], [false, true, true]));
}

#[test]
fn what_was_told_is_over_when_the_servers_are_there() {
    let consumer = consumer(1);
    let told = [Told::of_failed_creation("pods \"graph-0\" is forbidden: exceeded quota", at(120))];
    let progress = progress(&consumer, &observed(&consumer), &[server(&consumer, 0, &json!({}))], &told);
    assert_eq!(progress.message, "graph 0/1 ready; graph-0: not placed yet");
}

#[test]
fn the_deadline_counts_from_the_last_progress() {
    let consumer = consumer(1);
    let deadline =
        |servers: &[Server]| progress(&consumer, &observed(&consumer), servers, &[]).deadline(&consumer);
    assert_eq!(deadline(&[]), Some(at(101 + 600)));
    assert_eq!(deadline(&[server(&consumer, 0, &json!({}))]), Some(at(102 + 600)));
    let nothing = progress(&consumer, &Observed::default(), &[], &[]);
    assert_eq!(nothing.deadline(&consumer), Some(at(100 + 600)));
    let again_since = Some(at(5_000));
    let wait = Waiting::Gate { placed_at: None, trouble: None, runs_again: false, again_since };
    assert_eq!(nothing.deadline(&Consumer { wait, ..consumer.clone() }), Some(at(5_000 + 600)));
}

#[test]
fn servers_that_are_made_again_and_again_are_no_progress_for_ever() {
    let consumer = consumer(1);
    let deadline = |created_at: i64, placed_at: i64| {
        let mut server = server(&consumer, 0, &json!({}));
        (server.created_at, server.progressed_at) = (at(created_at), at(placed_at));
        progress(&consumer, &observed(&consumer), &[server], &[]).deadline(&consumer)
    };
    let last = 101 + 6 * 600;
    assert_eq!(deadline(last, last), Some(at(last + 600)));
    assert_eq!(deadline(last + 1, last + 1), Some(at(101 + 600)), "it has passed");
    assert_eq!(deadline(102, 100_000), Some(at(100_600)), "a cluster that was full for long");
}

#[test]
fn of_several_services_the_worst_counts() {
    let one = |state, message: &str| Progress { state, message: message.to_owned(), progressed_at: None };
    let all = Progress::of_all(vec![one(State::Ready, "a 1/1 ready"), one(State::Waiting, "b 0/1 ready")]);
    assert_eq!((all.state, all.message.as_str()), (State::Waiting, "a 1/1 ready; b 0/1 ready"));
    let failed = Progress::of_all(vec![one(State::Ready, "a 1/1 ready"), one(State::Failed, "b: no")]);
    assert_eq!((failed.state, failed.message.as_str()), (State::Failed, "b: no"));
}
