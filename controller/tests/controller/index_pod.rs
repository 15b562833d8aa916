//! Pods come, change and go.

use dataservice_controller::index::{Index, Notice, ServiceRef};
use dataservice_core::annotation::PLAN;
use dataservice_core::progress::{Hope, Told};
use dataservice_core::standing::{Ending, Standing};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::fixture::{both, ended, known, plan, pod, pod_asking, service_of};

/// A pod with two services.
fn pod_with_two(name: &str) -> Value {
    pod_asking(name, &[("services", r#"{"graph": {"image": "a"}, "cache": {"image": "b"}}"#)])
}

/// What the pod `a` was told.
fn no_template() -> Notice {
    let told = Told { text: "no template".to_owned(), at: Timestamp::UNIX_EPOCH, hope: Hope::Never };
    Notice { about: "uid-a".to_owned(), told }
}

fn none() -> [ServiceRef; 0] {
    []
}

#[test]
fn a_pod_touches_its_service() {
    let pod = pod("a");
    let mut index = Index::default();
    assert_eq!(index.apply_pod(&pod).unwrap(), [service_of(&pod)]);
    assert_eq!(index.consumers(), 1);
    assert_eq!(index.snapshot(&service_of(&pod)).claims(&service_of(&pod)).len(), 1);
}

#[test]
fn a_pod_touches_all_of_its_services() {
    let pod = pod_with_two("a");
    let mut index = Index::default();
    assert_eq!(index.apply_pod(&pod).unwrap().len(), 2);
    assert_eq!(index.services().count(), 2);
}

#[test]
fn a_pod_that_has_not_changed_touches_nothing() {
    let pod = pod("a");
    let mut index = known(std::slice::from_ref(&pod), &[]);
    let mut relabelled = pod;
    relabelled["metadata"]["labels"]["a"] = json!("b");
    assert_eq!(index.apply_pod(&relabelled).unwrap(), none());
}

#[test]
fn a_pod_that_ends_touches_its_service() {
    let pod = pod("a");
    let service = service_of(&pod);
    let mut index = known(std::slice::from_ref(&pod), &[]);
    assert_eq!(index.apply_pod(&ended(pod)).unwrap(), std::slice::from_ref(&service));
    let standings: Vec<_> = index.snapshot(&service).consumers.iter().map(|pod| pod.standing).collect();
    assert_eq!(standings, [Standing::Ended(Ending::Completed)]);
}

#[test]
fn a_pod_whose_plan_was_changed_touches_both() {
    let (first, second) = (pod("a"), pod("b"));
    let mut changed = first.clone();
    changed["metadata"]["annotations"][PLAN] = json!(plan(&second).to_string());
    let mut index = known(std::slice::from_ref(&first), &[]);
    assert_eq!(index.apply_pod(&changed).unwrap(), [service_of(&second), service_of(&first)]);
    assert!(index.snapshot(&service_of(&first)).consumers.is_empty());
}

#[test]
fn a_pod_that_cannot_be_understood_changes_nothing() {
    let mut index = known(&[pod("a")], &[]);
    let mut unplanned = ended(pod("a"));
    unplanned["metadata"]["annotations"][PLAN] = json!("{}");
    assert!(index.apply_pod(&unplanned).is_err());
    assert_eq!(index.snapshot(&service_of(&pod("a"))).consumers[0].standing, Standing::Live);
}

#[test]
fn a_pod_that_goes_touches_its_services_and_is_forgotten() {
    let pod = pod_with_two("a");
    let mut index = known(&[pod], &[]);
    assert_eq!(index.delete_pod("uid-a").len(), 2);
    assert_eq!((index.consumers(), index.services().count()), (0, 0));
    assert_eq!(index.delete_pod("uid-a"), none());
}

#[test]
fn a_pod_that_goes_leaves_what_is_there() {
    let pod = pod("a");
    let mut index = known(std::slice::from_ref(&pod), &both(&pod));
    index.delete_pod("uid-a");
    let snapshot = index.snapshot(&service_of(&pod));
    assert!(snapshot.consumers.is_empty());
    assert!(snapshot.observed.service.is_some() && snapshot.observed.stateful_set.is_some());
}

#[test]
fn pods_that_are_not_listed_are_gone() {
    let (kept, gone) = (pod("a"), pod("b"));
    let mut index = known(&[kept.clone(), gone.clone()], &[]);
    assert_eq!(index.retain_pods(&["uid-a".to_owned()].into()), [service_of(&gone)]);
    assert_eq!(index.services().collect::<Vec<_>>(), [&service_of(&kept)]);
}

#[test]
fn a_name_that_comes_again_is_another_pod() {
    let mut again = pod("a");
    again["metadata"]["uid"] = json!("uid-again");
    let service = service_of(&again);
    let mut index = known(&[pod("a"), again], &[]);
    assert_eq!(index.consumers(), 2);
    index.delete_pod("uid-a");
    assert_eq!(index.snapshot(&service).consumers[0].pod.uid, "uid-again");
}

#[test]
fn what_a_pod_was_told_is_kept_when_it_changes_and_goes_with_it() {
    let pod = pod("a");
    let service = service_of(&pod);
    let mut index = known(std::slice::from_ref(&pod), &[]);
    index.tell(&service, no_template());
    let mut placed = pod;
    placed["status"]["conditions"] =
        json!([{"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-06-01T00:00:01Z"}]);
    assert_eq!(index.apply_pod(&placed).unwrap(), std::slice::from_ref(&service));
    let progress = index.progress(index.consumer("uid-a").unwrap()).0;
    assert_eq!(progress.message, "dataservice: not made yet; no template");
    index.delete_pod("uid-a");
    index.apply_pod(&placed).unwrap();
    assert_eq!(index.progress(index.consumer("uid-a").unwrap()).0.message, "dataservice: not made yet");
}

#[test]
fn what_was_listed_before_the_pod_it_is_for_is_told_when_all_has_been_seen() {
    let (mut index, service) = (Index::default(), service_of(&pod("a")));
    assert_eq!(index.tell(&service, no_template()), None);
    assert_eq!(index.services().count(), 0);
    index.apply_pod(&pod("a")).unwrap();
    assert_eq!(index.complete(), std::slice::from_ref(&service));
    let progress = index.progress(index.consumer("uid-a").unwrap()).0;
    assert_eq!(progress.message, "dataservice: not made yet; no template");
    assert_eq!(index.complete(), none());
}

#[test]
fn what_is_told_of_a_service_that_nobody_knows_when_all_has_been_seen_is_not_kept() {
    let (mut index, service) = (Index::default(), service_of(&pod("a")));
    index.tell(&service, no_template());
    assert_eq!(index.complete(), none());
    index.tell(&service, no_template());
    index.apply_pod(&pod("a")).unwrap();
    assert_eq!(index.complete(), none());
    assert_eq!(index.progress(index.consumer("uid-a").unwrap()).0.message, "dataservice: not made yet");
}

#[test]
fn only_so_much_is_kept_that_is_told_of_services_that_nobody_knows_yet() {
    let mut index = Index::default();
    for number in 0..10_000 {
        let object = format!("foreign-{number}").as_str().into();
        index.tell(&ServiceRef { namespace: "ns-0".to_owned(), object }, no_template());
    }
    index.tell(&service_of(&pod("a")), no_template());
    index.apply_pod(&pod("a")).unwrap();
    assert_eq!(index.complete(), none());
}
