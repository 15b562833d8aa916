use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::annotation;
use crate::inject::{Decision, Request, inject};
use crate::installation::Installation;
use crate::settings::Settings;
use crate::standing::Ending;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn installation() -> Installation {
    Installation::offline("sidecar".parse().unwrap())
}

/// A pod that was admitted by the request with this uid.
fn admitted(admission: &str, uid: &str, annotations: &Value, metadata: &Value) -> Consumer {
    let ours = annotations.as_object().unwrap().iter();
    let ours: Value = ours.map(|(k, v)| (format!("dataservice.flyte.org/{k}"), v.clone())).collect();
    let mut pod = json!({
        "metadata": {
            "annotations": ours,
            "name": format!("pod-{uid}"), "namespace": "ns", "uid": uid, "creationTimestamp": "1970-01-01T00:00:00Z",
        },
        "spec": {"containers": [{"name": "a"}]},
    });
    for (key, value) in metadata.as_object().into_iter().flatten() {
        pod["metadata"][key] = value.clone();
    }
    let request = Request { uid: admission, namespace: "ns", pod: &pod };
    let Decision::Inject { injection, .. } = inject(request, &Settings::default(), &installation()) else {
        panic!()
    };
    pod["metadata"]["annotations"][annotation::PLAN] = json!(injection.annotations[annotation::PLAN]);
    Consumer::read(&pod).unwrap()
}

/// A task's pod with a service of its own from this image.
fn consumer(admission: &str, uid: &str, image: &str) -> Consumer {
    admitted(admission, uid, &json!({"image": image}), &json!({}))
}

/// A pod of an execution that shares a service, kept warm for a minute.
fn sharer(uid: &str) -> Consumer {
    let annotations = json!({"image": "x", "scope": "execution", "keep-warm": "1m"});
    admitted(uid, uid, &annotations, &json!({"labels": {"execution-id": "e"}}))
}

/// A pod of the same execution that asks for something else.
fn sharer_of_another(uid: &str) -> Consumer {
    let annotations = json!({"image": "y", "replicas": "3", "scope": "execution"});
    admitted(uid, uid, &annotations, &json!({"labels": {"execution-id": "e"}}))
}

/// A pod of the batch Job `j`.
fn jobs(uid: &str) -> Consumer {
    let owner =
        json!([{"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "j", "controller": true}]);
    admitted(uid, uid, &json!({"image": "x"}), &json!({"ownerReferences": owner}))
}

/// A pod of the `MPIJob` `m`.
fn mpis(uid: &str, replica: &str) -> Consumer {
    let owner = json!([{"apiVersion": "kubeflow.org/v1", "kind": "MPIJob", "name": "m", "uid": "m", "controller": true}]);
    let labels =
        json!({"training.kubeflow.org/job-name": "m", "training.kubeflow.org/replica-type": replica});
    admitted(uid, uid, &json!({"image": "x"}), &json!({"ownerReferences": owner, "labels": labels}))
}

fn ended(consumer: Consumer) -> Consumer {
    Consumer { standing: Standing::Ended(Ending::Completed), concluded: consumer.plan.leads, ..consumer }
}

fn claims(consumers: &[Consumer]) -> Vec<Claim<'_>> {
    consumers.iter().map(|consumer| Claim { consumer, service: &consumer.plan.services[0] }).collect()
}

fn act(consumers: &[Consumer], observed: &Observed) -> Vec<Action> {
    reconcile(&claims(consumers), observed, Knowledge::Watched, NOW)
}

fn confirmed(consumers: &[Consumer], observed: &Observed, job: Job, now: Timestamp) -> Vec<Action> {
    reconcile(&claims(consumers), observed, Knowledge::Confirmed(job), now)
}

/// Carries the actions out, as the API server would.
fn carry_out(actions: &[Action], observed: &mut Observed) {
    for action in actions {
        match action {
            Action::Create { creation, kinds } => {
                for kind in kinds {
                    let slot = observed.slot(*kind);
                    assert!(slot.is_none(), "made twice");
                    *slot = Some(Box::new(Object {
                        uid: format!("{kind:?}-{}", creation.record.instance.as_str()),
                        resource_version: "1".to_owned(),
                        created_at: NOW,
                        record: creation.record.clone().into(),
                        owners: creation.owners.clone(),
                        attached_to: None,
                        deleting: false,
                    }));
                }
            }
            Action::Delete { kind, uid, resource_version } => {
                let slot = observed.slot(*kind);
                let there = slot.take().unwrap();
                assert_eq!(&there.uid, uid);
                assert!(resource_version.as_ref().is_none_or(|version| *version == there.resource_version));
            }
            Action::Attach(attachment) => {
                let there = observed.slot(attachment.kind).as_mut().unwrap();
                assert_eq!(
                    (&there.uid, &there.resource_version),
                    (&attachment.uid, &attachment.resource_version)
                );
                there.resource_version = next(&there.resource_version);
                there.owners = vec![attachment.set.clone()];
                there.attached_to = Some(attachment.set.uid.clone());
            }
            Action::Update(update) => {
                let set = observed.stateful_set.as_mut().unwrap();
                assert_eq!((&set.uid, &set.resource_version), (&update.uid, &update.resource_version));
                set.resource_version = next(&set.resource_version);
                set.record = update.record.clone().into();
                set.owners.extend(update.owners.clone());
            }
            Action::Confirm | Action::Refuse { .. } | Action::Release(_) | Action::Revisit(_) => {}
        }
    }
    collect(observed);
}

fn next(version: &str) -> String {
    (version.parse::<u32>().unwrap() + 1).to_string()
}

/// The collector takes what its StatefulSet has left.
fn collect(observed: &mut Observed) {
    let set = observed.stateful_set.as_ref().map(|set| set.uid.clone());
    for kind in [Kind::NetworkPolicy, Kind::Service] {
        let is_left = |object: &Object| object.attached_to.is_some() && object.attached_to != set;
        if observed.get(kind).is_some_and(is_left) {
            *observed.slot(kind) = None;
        }
    }
}

/// A service whose objects were just made.
fn just_made_for(consumers: &[Consumer]) -> Observed {
    let mut observed = Observed::default();
    carry_out(&act(consumers, &Observed::default()), &mut observed);
    observed
}

/// A service whose other objects go with its StatefulSet.
fn made_for(consumers: &[Consumer]) -> Observed {
    let mut observed = just_made_for(consumers);
    carry_out(&act(consumers, &observed), &mut observed);
    observed
}

fn record(object: &mut Option<Box<Object>>) -> &mut Record {
    Arc::make_mut(&mut object.as_mut().unwrap().record)
}

fn update(actions: &[Action]) -> &Record {
    let updates: Vec<_> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Update(update) => Some(&update.record),
            _ => None,
        })
        .collect();
    let [record] = updates.as_slice() else { panic!("{actions:?}") };
    record
}

// === A service of one pod's own ===

#[test]
fn a_live_consumer_gets_its_service_once() {
    let consumers = [consumer("r", "a", "x")];
    let actions = act(&consumers, &Observed::default());
    let [Action::Create { creation, kinds }] = actions.as_slice() else { panic!("{actions:?}") };
    assert_eq!(kinds, &[Kind::Service, Kind::StatefulSet]);
    assert_eq!(creation.owners[0].kind, "Pod");
    assert_eq!(act(&consumers, &made_for(&consumers)), []);
}

#[test]
fn what_is_half_made_is_completed_from_the_record() {
    let consumers = [consumer("r", "a", "x")];
    for kind in [Kind::Service, Kind::StatefulSet] {
        let whole = just_made_for(&consumers);
        let mut half = whole.clone();
        *half.slot(kind) = None;
        carry_out(&act(&consumers, &half), &mut half);
        assert_eq!(half, whole);
    }
}

#[test]
fn once_all_is_there_the_rest_goes_with_the_stateful_set() {
    let consumers = [consumer("r", "a", "x")];
    let mut observed = just_made_for(&consumers);
    let actions = act(&consumers, &observed);
    let [Action::Attach(attachment)] = actions.as_slice() else { panic!("{actions:?}") };
    assert_eq!((attachment.kind, attachment.resource_version.as_str()), (Kind::Service, "1"));
    let set = observed.stateful_set.as_ref().unwrap().uid.clone();
    let name = consumers[0].plan.services[0].object.as_str();
    assert_eq!((attachment.set.uid.as_str(), attachment.set.name.as_str()), (set.as_str(), name));
    carry_out(&actions, &mut observed);
    assert_eq!(act(&consumers, &observed), []);
}

#[test]
fn what_another_stateful_set_has_is_left_alone() {
    // The StatefulSet that has it may be there, and not be seen yet; or be gone, and the collector takes it.
    let consumers = [sharer("a"), sharer("b")];
    let mut unseen = made_for(&consumers);
    let predecessor = unseen.stateful_set.take();
    let mut other = unseen.clone();
    other.stateful_set = predecessor;
    other.stateful_set.as_mut().unwrap().uid = "predecessor".to_owned();
    for observed in [unseen, other] {
        assert_eq!(act(&consumers[1..], &observed), []);
        assert_eq!(act(&consumers, &observed), []);
        let gone = confirmed(&[], &observed, Job::Over, NOW);
        let deletes_names = |action: &Action| matches!(action, Action::Delete { kind: Kind::Service, .. });
        assert!(!gone.iter().any(deletes_names), "{gone:?}");
    }
}

#[test]
fn what_nothing_has_yet_is_deleted_only_as_it_was_seen() {
    let mut observed = just_made_for(&[sharer("a")]);
    observed.stateful_set = None;
    assert_eq!(act(&[], &observed), [Action::Confirm]);
    let actions = confirmed(&[], &observed, Job::Over, NOW);
    let [Action::Delete { kind: Kind::Service, resource_version: Some(version), .. }] = actions.as_slice()
    else {
        panic!("{actions:?}")
    };
    assert_eq!(version, "1");
}

#[test]
fn when_its_pod_ends_everything_is_deleted_at_once() {
    let consumers = [consumer("r", "a", "x")];
    let mut observed = made_for(&consumers);
    let consumers = consumers.map(ended);
    let actions = act(&consumers, &observed);
    assert_eq!(actions.len(), 2);
    carry_out(&actions, &mut observed);
    assert_eq!(observed, Observed::default());
    assert_eq!(act(&consumers, &observed), []);
}

#[test]
fn a_consumer_that_is_not_seen_is_looked_for_before_anything_is_deleted() {
    let observed = made_for(&[consumer("r", "a", "x")]);
    assert_eq!(act(&[], &observed), [Action::Confirm]);
    assert_eq!(confirmed(&[], &observed, Job::Over, NOW).len(), 2);
    assert_eq!(act(&[], &Observed::default()), []);
}

#[test]
fn nothing_is_deleted_twice() {
    let consumers = [consumer("r", "a", "x")];
    let mut observed = made_for(&consumers);
    for kind in [Kind::Service, Kind::StatefulSet] {
        observed.slot(kind).as_mut().unwrap().deleting = true;
    }
    assert_eq!(act(&consumers.map(ended), &observed), []);
}

#[test]
fn nothing_is_made_while_its_name_is_still_being_deleted() {
    let consumers = [consumer("r", "a", "x")];
    let mut observed = made_for(&consumers);
    observed.service.as_mut().unwrap().deleting = true;
    observed.stateful_set = None;
    assert_eq!(act(&consumers, &observed), []);
}

#[test]
fn half_of_another_making_goes_before_the_whole_is_made() {
    let consumers = [consumer("r", "a", "x")];
    let mut observed = just_made_for(&consumers);
    record(&mut observed.service).instance = crate::record::Instance::of_creator("another");
    let uid = observed.service.as_ref().unwrap().uid.clone();
    assert_eq!(
        act(&consumers, &observed),
        [Action::Delete { kind: Kind::Service, uid, resource_version: Some("1".to_owned()) }]
    );
}

#[test]
fn a_pod_on_a_silent_node_is_looked_at_again() {
    let mut lost = [consumer("r", "a", "x")];
    let observed = made_for(&lost);
    lost[0].standing = Standing::LiveUntil(at(60));
    assert_eq!(act(&lost, &observed), [Action::Revisit(at(60))]);
    assert_eq!(reconcile(&claims(&lost), &observed, Knowledge::Watched, at(60)).len(), 2);
}

#[test]
fn no_servers_are_made_for_pods_that_are_being_deleted() {
    let leaving = |consumer| Consumer { standing: Standing::LiveUntil(at(60)), ..consumer };
    let made = made_for(&[sharer("a"), sharer("b")]);
    let all_leave = [leaving(sharer("a")), leaving(sharer("b"))];
    assert_eq!(act(&all_leave, &Observed::default()), [Action::Revisit(at(60))]);
    // They keep those that they have, and the names of those.
    assert_eq!(act(&all_leave, &made), [Action::Revisit(at(60))]);
    let nameless = Observed { service: None, ..made };
    assert!(matches!(act(&all_leave, &nameless).as_slice(), [Action::Create { .. }, Action::Revisit(_)]));
    let one_stays = [leaving(sharer("a")), sharer("b")];
    assert!(matches!(act(&one_stays, &Observed::default()).as_slice(), [Action::Create { .. }, _]));
}

#[test]
fn the_controller_of_a_pod_that_is_being_deleted_is_not_put_on_again() {
    let mut observed = made_for(&[sharer("a"), sharer("b")]);
    observed.stateful_set.as_mut().unwrap().owners.retain(|owner| owner.uid == "b");
    let leaving = Consumer { standing: Standing::LiveUntil(at(60)), ..sharer("a") };
    assert_eq!(act(&[leaving, sharer("b")], &observed), [Action::Revisit(at(60))]);
}

#[test]
fn who_is_being_deleted_does_not_keep_a_name_from_others() {
    let annotations = json!({"image": "y", "scope": "execution"});
    let labels = json!({"labels": {"execution-id": "e"}});
    let (mut leaving, other) = (sharer("a"), admitted("b", "b", &annotations, &labels));
    leaving.standing = Standing::LiveUntil(at(60));
    let both = [leaving, other];
    let actions = act(&both, &Observed::default());
    let Some(Action::Create { creation, .. }) = actions.first() else { panic!("{actions:?}") };
    assert_eq!(creation.record.instance, crate::record::Instance::of_creator("b"));
    // Nor by the half that was made for it.
    let half = Observed { stateful_set: None, ..just_made_for(&[sharer("a")]) };
    assert!(matches!(act(&both, &half).as_slice(), [Action::Delete { kind: Kind::Service, .. }, ..]));
}

#[test]
fn a_failed_pods_service_is_retained_from_its_end_on() {
    let annotations = json!({"image": "x", "on-failure": "retain=1h"});
    let mut failed = admitted("r", "a", &annotations, &json!({}));
    let mut observed = made_for(std::slice::from_ref(&failed));
    failed.standing = Standing::Ended(Ending::Failed);
    failed.ended_at = Some(at(10));
    let failed = [failed];
    let actions = reconcile(&claims(&failed), &observed, Knowledge::Watched, at(12));
    assert_eq!(update(&actions).retain_until, Some(at(3_610)));
    carry_out(&actions, &mut observed);
    // The clock is on the object: it goes on when the pod is gone.
    let later = reconcile(&[], &observed, Knowledge::Watched, at(3_609));
    assert_eq!(later, [Action::Revisit(at(3_610))]);
    assert_eq!(reconcile(&[], &observed, Knowledge::Watched, at(3_610)), [Action::Confirm]);
    assert_eq!(confirmed(&failed, &observed, Job::Over, at(3_610)).len(), 2);
}

#[test]
fn a_pod_that_succeeded_retains_nothing() {
    let annotations = json!({"image": "x", "on-failure": "retain=1h"});
    let done = [ended(admitted("r", "a", &annotations, &json!({})))];
    let live = admitted("r", "a", &annotations, &json!({}));
    assert_eq!(act(&done, &made_for(&[live])).len(), 2);
}

// === A shared service ===

#[test]
fn pods_of_an_execution_share_and_the_first_one_makes_it() {
    let consumers = [sharer("b"), sharer("a")];
    let actions = act(&consumers, &Observed::default());
    let [Action::Create { creation, .. }] = actions.as_slice() else { panic!("{actions:?}") };
    assert_eq!(creation.record.instance, crate::record::Instance::of_creator("a"));
    assert_eq!(creation.owners.len(), 2);
    let [b, a] = consumers;
    assert_eq!(act(&[ended(a), b], &made_for(&[sharer("a"), sharer("b")])), []);
}

#[test]
fn who_joins_brings_its_owner_and_the_longest_life_wins() {
    let mut observed = made_for(&[sharer("a")]);
    let mut b = sharer("b");
    b.plan.services[0].lifetime.keep_warm = Some("1h".parse().unwrap());
    let both = [sharer("a"), b];
    let actions = act(&both, &observed);
    let [Action::Update(update)] = actions.as_slice() else { panic!("{actions:?}") };
    assert_eq!(update.owners.iter().map(|owner| owner.uid.as_str()).collect::<Vec<_>>(), ["b"]);
    assert_eq!(update.record.lifetime.keep_warm, Some("1h".parse().unwrap()));
    carry_out(&actions, &mut observed);
    assert_eq!(act(&both, &observed), []);
}

#[test]
fn it_is_kept_warm_and_then_closed_in_two_phases() {
    let mut observed = made_for(&[sharer("a")]);
    let gone = [ended(sharer("a"))];
    let run = |consumers: &[Consumer], observed: &mut Observed, knowledge, now| {
        let actions = reconcile(&claims(consumers), observed, knowledge, now);
        carry_out(&actions, observed);
        actions
    };
    let idle = run(&gone, &mut observed, Knowledge::Watched, NOW);
    assert_eq!((update(&idle).idle_since, idle.last()), (Some(NOW), Some(&Action::Revisit(at(60)))));
    assert_eq!(run(&[], &mut observed, Knowledge::Watched, at(59)), [Action::Revisit(at(60))]);
    assert!(update(&run(&[], &mut observed, Knowledge::Watched, at(60))).closing);
    assert_eq!(run(&[], &mut observed, Knowledge::Watched, at(60)), [Action::Confirm]);
    let deletion = run(&[], &mut observed, Knowledge::Confirmed(Job::Over), at(60));
    let [Action::Delete { kind: Kind::StatefulSet, resource_version: Some(_), .. }] = deletion.as_slice()
    else {
        panic!("{deletion:?}")
    };
    run(&[], &mut observed, Knowledge::Confirmed(Job::Over), at(60));
    assert_eq!(observed, Observed::default());
}

#[test]
fn who_comes_while_it_is_kept_warm_takes_it_over() {
    let mut observed = made_for(&[sharer("a")]);
    carry_out(&act(&[ended(sharer("a"))], &observed), &mut observed);
    let uid = observed.stateful_set.as_ref().unwrap().uid.clone();
    let actions = reconcile(&claims(&[sharer("b")]), &observed, Knowledge::Watched, at(30));
    assert_eq!(update(&actions).idle_since, None);
    carry_out(&actions, &mut observed);
    assert_eq!(observed.stateful_set.as_ref().unwrap().uid, uid);
}

#[test]
fn who_comes_while_it_is_closing_has_the_mark_taken_off() {
    let mut observed = made_for(&[sharer("a")]);
    record(&mut observed.stateful_set).closing = true;
    record(&mut observed.stateful_set).idle_since = Some(NOW);
    for knowledge in [Knowledge::Watched, Knowledge::Confirmed(Job::Over)] {
        let actions = reconcile(&claims(&[sharer("b")]), &observed, knowledge, at(61));
        assert!(!update(&actions).closing);
    }
}

#[test]
fn left_over_from_a_service_that_is_gone_is_not_taken_over() {
    let mut observed = just_made_for(&[sharer("a")]);
    observed.stateful_set = None;
    let actions = act(&[sharer("b")], &observed);
    let [Action::Delete { kind: Kind::Service, .. }] = actions.as_slice() else { panic!("{actions:?}") };
    carry_out(&actions, &mut observed);
    let actions = act(&[sharer("b")], &observed);
    let [Action::Create { creation, .. }] = actions.as_slice() else { panic!("{actions:?}") };
    assert_eq!(creation.record.instance, crate::record::Instance::of_creator("b"));
}

#[test]
fn a_namespaces_service_has_no_owner() {
    let annotations = json!({"image": "x", "scope": "namespace", "name": "cache"});
    let consumers = [admitted("r", "a", &annotations, &json!({}))];
    let actions = act(&consumers, &Observed::default());
    let [Action::Create { creation, .. }] = actions.as_slice() else { panic!("{actions:?}") };
    assert_eq!((creation.owners.len(), creation.service.object.as_str()), (0, "cache"));
}

#[test]
fn who_asks_for_something_else_under_the_same_key_is_refused_and_told_what_differs() {
    let first = sharer("a");
    let observed = made_for(std::slice::from_ref(&first));
    let other = sharer_of_another("b");
    let actions = act(&[first, other.clone()], &observed);
    let refusals: Vec<_> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Refuse { pod, cause } => Some((pod, cause.to_string())),
            _ => None,
        })
        .collect();
    let [(pod, cause)] = refusals.as_slice() else { panic!("{actions:?}") };
    assert_eq!(*pod, &other.pod);
    assert_eq!(
        cause,
        "all who share the key execution/ns/execution:e/dataservice must ask for the same, and this pod asks for \
         something else than the service that is there: image is \"x\" and not \"y\", replicas is 1 and not 3; ask for the same, \
         or for a service of another name"
    );
}

#[test]
fn a_service_has_so_many_owners_and_no_more() {
    let mut observed = made_for(&[sharer("a")]);
    let set = observed.stateful_set.as_mut().unwrap();
    let owner = set.owners[0].clone();
    set.owners.extend((2..MOST_OWNERS).map(|n| Owner { uid: format!("other-{n}"), ..owner.clone() }));
    let three = [sharer("a"), sharer("b"), sharer("c")];
    let actions = act(&three, &observed);
    let Some(Action::Update(change)) = actions.first() else { panic!("{actions:?}") };
    assert_eq!(change.owners, [three[1].owner.clone()], "the last that there is room for");
    carry_out(&actions, &mut observed);
    let refused = Action::Refuse { pod: three[2].pod.clone(), cause: Refusal::TooManyOwners };
    assert_eq!(act(&three, &observed), [refused]);
    let mut past_its_gate = three[2].clone();
    past_its_gate.wait = Waiting::Over;
    assert_eq!(act(&[past_its_gate], &observed), [], "nothing is closed under it");
}

#[test]
fn what_is_about_to_go_refuses_nobody() {
    let (mut closing, mut deleting) = (made_for(&[sharer("a")]), made_for(&[sharer("a")]));
    let record = Arc::make_mut(&mut closing.stateful_set.as_mut().unwrap().record);
    (record.closing, record.idle_since) = (true, Some(at(-60)));
    deleting.stateful_set.as_mut().unwrap().deleting = true;
    let gone = [ended(sharer("a")), sharer_of_another("b")];
    assert_eq!(act(&gone, &closing), [Action::Confirm]);
    assert_eq!(act(&gone, &deleting), []);
    let actions = act(&gone, &Observed::default());
    let [Action::Create { creation, .. }] = actions.as_slice() else { panic!("{actions:?}") };
    assert_eq!(creation.spec.replicas, 3);
}

#[test]
fn who_meets_another_keys_service_under_its_name_is_refused() {
    let observed = made_for(&[consumer("r", "a", "x")]);
    let mut stranger = consumer("r", "b", "x");
    stranger.plan.services[0].key = consumer("s", "c", "x").plan.services[0].key.clone();
    let actions = act(&[stranger], &observed);
    let Some(Action::Refuse { cause: Refusal::OtherKey(key), .. }) = actions.last() else {
        panic!("{actions:?}")
    };
    assert!(key.as_str().starts_with("task/ns/pod:"));
}

// === A job's service ===

#[test]
fn a_jobs_service_is_held_between_two_attempts_until_the_job_is_over() {
    let mut observed = made_for(&[jobs("a")]);
    let gone = [ended(jobs("a"))];
    assert_eq!(act(&gone, &observed), [Action::Confirm]);
    let held = confirmed(&gone, &observed, Job::Unfinished, NOW);
    assert_eq!(update(&held).idle_since, Some(NOW));
    assert!(matches!(held.last(), Some(Action::Revisit(_))));
    carry_out(&held, &mut observed);
    let joined = reconcile(&claims(&[jobs("b")]), &observed, Knowledge::Watched, at(9));
    assert_eq!(update(&joined).idle_since, None);
    assert!(update(&confirmed(&gone, &observed, Job::Over, at(9))).closing);
}

#[test]
fn a_job_that_cannot_be_read_holds_its_service_for_a_while() {
    let mut observed = made_for(&[jobs("a")]);
    carry_out(&confirmed(&[], &observed, Job::Unreadable, NOW), &mut observed);
    assert_eq!(confirmed(&[], &observed, Job::Unreadable, at(299)), [Action::Revisit(at(300))]);
    assert!(update(&confirmed(&[], &observed, Job::Unreadable, at(300))).closing);
}

#[test]
fn when_the_leader_has_ended_the_others_are_told_and_the_service_goes() {
    let all = [mpis("launcher", "launcher"), mpis("w0", "worker"), mpis("w1", "worker")];
    let mut observed = made_for(&all);
    let [launcher, w0, w1] = all;
    let workers = [w0.pod.clone(), w1.pod.clone()];
    let told = act(&[ended(launcher.clone()), w0.clone(), w1.clone()], &observed);
    assert_eq!(told, workers.map(Action::Release));
    let over = [launcher, w0, w1].map(ended);
    // No look at the MPIJob: it may say `Running` for a while.
    let actions = act(&over, &observed);
    assert!(update(&actions).closing);
    carry_out(&actions, &mut observed);
    assert_eq!(act(&over, &observed), [Action::Confirm]);
    assert_eq!(confirmed(&over, &observed, Job::Unfinished, NOW).len(), 1);
}

#[test]
fn an_absent_leader_says_nothing_nor_does_one_that_has_a_successor() {
    let workers = [mpis("w0", "worker"), mpis("w1", "worker")];
    let observed = made_for(&workers);
    assert_eq!(act(&workers, &observed), []);
    let [w0, w1] = workers;
    let succeeded = [ended(mpis("l0", "launcher")), mpis("l1", "launcher"), w0, w1];
    assert!(!act(&succeeded, &observed).iter().any(|action| matches!(action, Action::Release(_))));
}

mod any_order;
