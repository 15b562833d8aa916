//! Objects come, change and go.

use std::collections::HashSet;

use dataservice_controller::index::Index;
use dataservice_core::reconcile::Kind;
use serde_json::json;

use crate::fixture::{both, foreign_object, known, object, pod, service_of};

#[test]
fn an_object_of_ours_touches_its_service() {
    let pod = pod("a");
    let service = service_of(&pod);
    let mut index = Index::default();
    let touched = index.apply_object(Kind::Service, &object(Kind::Service, &pod));
    assert_eq!(touched.as_ref(), Some(&service));
    assert!(index.has(&service, Kind::Service, "uid-Service"));
    assert!(!index.has(&service, Kind::Service, "uid-another"));
    assert!(!index.has(&service, Kind::StatefulSet, "uid-Service"));
}

#[test]
fn an_object_that_has_not_changed_touches_nothing() {
    let pod = pod("a");
    let mut index = known(&[], &both(&pod));
    let mut scaled = object(Kind::StatefulSet, &pod);
    scaled["status"] = json!({"readyReplicas": 1});
    assert_eq!(index.apply_object(Kind::StatefulSet, &scaled), None);
}

#[test]
fn an_object_that_is_not_ours_counts_as_absent() {
    let pod = pod("a");
    let mut unlabelled = object(Kind::Service, &pod);
    unlabelled["metadata"]["labels"] = json!({});
    let mut unrecorded = object(Kind::Service, &pod);
    unrecorded["metadata"]["annotations"] = json!({});
    for not_ours in [foreign_object(Kind::Service, &pod), unlabelled, unrecorded] {
        let mut index = Index::default();
        assert_eq!(index.apply_object(Kind::Service, &not_ours), None);
        assert_eq!(index.services().count(), 0);
    }
}

#[test]
fn an_object_that_ceases_to_be_ours_touches_its_service() {
    let pod = pod("a");
    let mut index = known(&[], &both(&pod));
    let touched = index.apply_object(Kind::Service, &foreign_object(Kind::Service, &pod));
    assert_eq!(touched, Some(service_of(&pod)));
    assert!(index.snapshot(&service_of(&pod)).observed.service.is_none());
}

#[test]
fn an_object_being_deleted_touches_its_service() {
    let pod = pod("a");
    let mut index = known(&[], &both(&pod));
    let mut going = object(Kind::Service, &pod);
    going["metadata"]["deletionTimestamp"] = json!("2026-06-01T00:00:00Z");
    assert_eq!(index.apply_object(Kind::Service, &going), Some(service_of(&pod)));
    assert!(index.snapshot(&service_of(&pod)).observed.service.unwrap().deleting);
}

#[test]
fn a_deletion_that_was_taken_is_known_before_it_is_seen() {
    let pod = pod("a");
    let service = service_of(&pod);
    let mut index = known(&[], &both(&pod));
    index.mark_deleting(&service, Kind::Service, "uid-another");
    assert!(!index.snapshot(&service).observed.service.unwrap().deleting);
    index.mark_deleting(&service, Kind::Service, "uid-Service");
    assert!(index.snapshot(&service).observed.service.unwrap().deleting);
    assert!(!index.snapshot(&service).observed.stateful_set.unwrap().deleting);
}

#[test]
fn an_answer_does_not_bring_back_what_is_gone() {
    let pod = pod("a");
    let service = service_of(&pod);
    let mut index = known(&[], &both(&pod));
    let mut changed = object(Kind::StatefulSet, &pod);
    changed["metadata"]["resourceVersion"] = json!("2");
    changed["metadata"]["ownerReferences"] = json!([]);
    assert_eq!(index.apply_answer(Kind::StatefulSet, &changed), Some(service.clone()));
    let version = |index: &Index| index.snapshot(&service).observed.stateful_set.unwrap().resource_version;
    assert_eq!(version(&index), "2");
    index.delete_object(Kind::StatefulSet, &changed);
    assert_eq!(index.apply_answer(Kind::StatefulSet, &changed), None);
    assert!(!index.has(&service, Kind::StatefulSet, "uid-StatefulSet"));
    // Nor does it take the place of a successor.
    let mut successor = object(Kind::StatefulSet, &pod);
    successor["metadata"]["uid"] = json!("uid-successor");
    index.apply_object(Kind::StatefulSet, &successor);
    assert_eq!(index.apply_answer(Kind::StatefulSet, &changed), None);
    assert!(index.has(&service, Kind::StatefulSet, "uid-successor"));
}

#[test]
fn a_service_is_forgotten_with_its_last_object() {
    let pod = pod("a");
    let mut index = known(&[], &both(&pod));
    for (kind, object) in both(&pod) {
        assert_eq!(index.delete_object(kind, &object), Some(service_of(&pod)));
        assert_eq!(index.delete_object(kind, &object), None);
    }
    assert_eq!(index.services().count(), 0);
}

#[test]
fn objects_that_are_not_listed_are_gone() {
    let (kept, gone) = (pod("a"), pod("b"));
    let mut others = both(&gone);
    for (kind, object) in &mut others {
        object["metadata"]["uid"] = json!(format!("uid-other-{kind:?}"));
    }
    let mut index = known(&[], &[both(&kept), others].concat());
    let listed = HashSet::from(["uid-Service".to_owned()]);
    assert_eq!(index.retain_objects(Kind::Service, &listed), [service_of(&gone)]);
    assert!(index.has(&service_of(&kept), Kind::Service, "uid-Service"));
    // The list was of Services.
    assert!(index.has(&service_of(&gone), Kind::StatefulSet, "uid-other-StatefulSet"));
}

#[test]
fn deleting_what_nobody_knows_leaves_nothing_behind() {
    let pod = pod("a");
    let mut index = Index::default();
    assert_eq!(index.delete_object(Kind::Service, &object(Kind::Service, &pod)), None);
    index.mark_deleting(&service_of(&pod), Kind::Service, "uid-Service");
    assert_eq!(index.services().count(), 0);
}
