use serde_json::json;

use super::*;
use crate::annotation;
use crate::consumer::Ending;
use crate::inject::{Decision, Request, inject};
use crate::installation::Installation;
use crate::settings::Settings;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn installation() -> Installation {
    Installation {
        cluster_domain: "cluster.local".to_owned(),
        lifecycle_url: String::new(),
        lifecycle_ca: String::new(),
        sidecar_image: "sidecar".parse().unwrap(),
        sidecar_pull_policy: None,
        sidecar_resources: [].into(),
    }
}

/// A pod that was admitted by the request with this uid, for a service with this image.
fn consumer(admission: &str, uid: &str, image: &str) -> Consumer {
    let mut pod = json!({
        "metadata": {
            "annotations": {"dataservice.flyte.org/image": image},
            "name": format!("pod-{uid}"), "namespace": "ns", "uid": uid, "creationTimestamp": "1970-01-01T00:00:00Z",
        },
        "spec": {"containers": [{"name": "a"}]},
    });
    let request = Request { uid: admission, namespace: "ns", pod: &pod };
    let Decision::Inject { injection, .. } = inject(request, &Settings::default(), &installation()) else {
        panic!()
    };
    pod["metadata"]["annotations"][annotation::PLAN] = json!(injection.annotations[annotation::PLAN]);
    Consumer::read(&pod).unwrap()
}

fn ended(mut consumer: Consumer) -> Consumer {
    consumer.standing = Standing::Ended(Ending::Completed);
    consumer
}

fn claims(consumers: &[Consumer]) -> Vec<Claim<'_>> {
    consumers.iter().map(|consumer| Claim { consumer, service: &consumer.plan.services[0] }).collect()
}

fn act(consumers: &[Consumer], observed: &Observed) -> Vec<Action> {
    reconcile(&claims(consumers), observed, Knowledge::Watched, NOW)
}

/// Carries the actions out, as the API server would.
fn carry_out(actions: &[Action], observed: &mut Observed) {
    for action in actions {
        match action {
            Action::Create { creation, kinds } => {
                for kind in kinds {
                    let slot = slot(observed, *kind);
                    assert!(slot.is_none(), "made twice");
                    let uid = format!("{kind:?}-{}", creation.record.instance.as_str());
                    *slot = Some(Object { uid, record: creation.record.clone(), deleting: false });
                }
            }
            Action::Delete { kind, uid } => {
                let slot = slot(observed, *kind);
                assert_eq!(slot.as_ref().map(|object| &object.uid), Some(uid));
                *slot = None;
            }
            Action::Confirm | Action::Refuse { .. } | Action::Revisit(_) => {}
        }
    }
}

fn slot(observed: &mut Observed, kind: Kind) -> &mut Option<Object> {
    match kind {
        Kind::StatefulSet => &mut observed.stateful_set,
        Kind::Service => &mut observed.service,
    }
}

fn made_for(consumers: &[Consumer]) -> Observed {
    let mut observed = Observed::default();
    carry_out(&act(consumers, &Observed::default()), &mut observed);
    observed
}

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
        let whole = made_for(&consumers);
        let mut half = whole.clone();
        *slot(&mut half, kind) = None;
        carry_out(&act(&consumers, &half), &mut half);
        assert_eq!(half, whole);
    }
}

#[test]
fn when_the_last_consumer_ends_everything_is_deleted() {
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
    assert_eq!(reconcile(&[], &observed, Knowledge::Listed, NOW).len(), 2);
    assert_eq!(act(&[], &Observed::default()), []);
}

#[test]
fn nothing_is_deleted_twice() {
    let consumers = [consumer("r", "a", "x")];
    let mut observed = made_for(&consumers);
    for kind in [Kind::Service, Kind::StatefulSet] {
        slot(&mut observed, kind).as_mut().unwrap().deleting = true;
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
fn a_copied_pod_shares_the_service_and_the_first_one_makes_it() {
    let consumers = [consumer("r", "b", "x"), consumer("r", "a", "x")];
    let actions = act(&consumers, &Observed::default());
    let [Action::Create { creation, .. }] = actions.as_slice() else { panic!("{actions:?}") };
    assert_eq!(creation.record.instance, Instance::of_creator("a"));
    assert_eq!(creation.owners.len(), 2);
    let [first, second] = consumers;
    assert_eq!(act(&[ended(first), second], &made_for(&[consumer("r", "a", "x")])), []);
}

#[test]
fn who_asks_for_something_else_under_the_same_key_is_refused() {
    let first = consumer("r", "a", "x");
    let observed = made_for(std::slice::from_ref(&first));
    let other = consumer("r", "b", "y");
    let key = first.plan.services[0].key.clone();
    let cause = Refusal::OtherSpec(key.clone());
    assert_eq!(
        cause.to_string(),
        format!("its specification differs from that of the service that is there, key {key}")
    );
    let refused = vec![Action::Refuse { pod: other.pod.clone(), cause }];
    assert_eq!(act(&[first, other.clone()], &observed), refused);
    assert_eq!(act(&[other], &observed), refused);
}

#[test]
fn who_meets_another_keys_service_under_its_name_is_refused() {
    let observed = made_for(&[consumer("r", "a", "x")]);
    let mut stranger = consumer("r", "b", "x");
    stranger.plan.services[0].key = consumer("s", "c", "x").plan.services[0].key.clone();
    let actions = act(&[stranger], &observed);
    let [Action::Refuse { cause: Refusal::OtherKey(key), .. }] = actions.as_slice() else {
        panic!("{actions:?}")
    };
    assert!(key.as_str().starts_with("task/ns/pod:"));
}

#[test]
fn half_of_another_making_goes_before_the_whole_is_made() {
    let consumers = [consumer("r", "a", "x")];
    let mut observed = made_for(&consumers);
    observed.service.as_mut().unwrap().record.instance = Instance::of_creator("another");
    let uid = observed.service.as_ref().unwrap().uid.clone();
    assert_eq!(act(&consumers, &observed), [Action::Delete { kind: Kind::Service, uid }]);
}

#[test]
fn a_pod_on_a_silent_node_is_looked_at_again() {
    let mut lost = consumer("r", "a", "x");
    let at: Timestamp = "1970-01-01T00:01:00Z".parse().unwrap();
    lost.standing = Standing::LiveUntil(at);
    let lost = [lost];
    let observed = made_for(&lost);
    assert_eq!(act(&lost, &observed), [Action::Revisit(at)]);
    assert_eq!(reconcile(&claims(&lost), &observed, Knowledge::Watched, at).len(), 2);
}

mod any_order {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Event {
        Appear(usize),
        End(usize),
        Vanish(usize),
        /// The first of the actions is carried out, then the controller dies.
        Interrupted,
        Reconcile,
        LoseObject(Kind),
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            (0_usize..3).prop_map(Event::Appear),
            (0_usize..3).prop_map(Event::End),
            (0_usize..3).prop_map(Event::Vanish),
            Just(Event::Interrupted),
            Just(Event::Reconcile),
            prop_oneof![Just(Kind::Service), Just(Kind::StatefulSet)].prop_map(Event::LoseObject),
        ]
    }

    proptest! {
        /// I1 and I2: whatever happened in between, once things are quiet the objects are there if and only if a
        /// live consumer is, and no object of a live consumer was ever deleted.
        #[test]
        fn the_objects_follow_the_consumers(events in proptest::collection::vec(event(), 0..40)) {
            let all = ["a", "b", "c"].map(|uid| consumer("r", uid, "x"));
            let mut present: Vec<Consumer> = Vec::new();
            let mut observed = Observed::default();
            for event in events {
                match event {
                    Event::Appear(i) if !present.iter().any(|c| c.pod == all[i].pod) => present.push(all[i].clone()),
                    Event::Appear(_) => {}
                    Event::End(i) => {
                        for consumer in present.iter_mut().filter(|c| c.pod == all[i].pod) {
                            consumer.standing = Standing::Ended(Ending::Failed);
                        }
                    }
                    Event::Vanish(i) => present.retain(|c| c.pod != all[i].pod),
                    Event::Interrupted => step(&present, &mut observed, 1)?,
                    Event::Reconcile => step(&present, &mut observed, usize::MAX)?,
                    Event::LoseObject(kind) => *slot(&mut observed, kind) = None,
                }
            }
            for _ in 0..3 {
                step(&present, &mut observed, usize::MAX)?;
            }
            let wanted = present.iter().any(|c| c.standing.is_live(NOW));
            prop_assert_eq!(observed.objects().count(), if wanted { 2 } else { 0 });
        }
    }

    fn step(present: &[Consumer], observed: &mut Observed, most: usize) -> Result<(), TestCaseError> {
        let mut actions = reconcile(&claims(present), observed, Knowledge::Listed, NOW);
        actions.truncate(most);
        let live = present.iter().any(|c| c.standing.is_live(NOW));
        let one_making = observed
            .objects()
            .map(|(_, o)| &o.record.instance)
            .collect::<Vec<_>>()
            .windows(2)
            .all(|w| w[0] == w[1]);
        let deletes = actions.iter().any(|action| matches!(action, Action::Delete { .. }));
        prop_assert!(!(live && one_making && deletes), "{:?}", actions);
        carry_out(&actions, observed);
        Ok(())
    }
}
