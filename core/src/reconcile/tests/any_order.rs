//! Whatever happens, in whatever order.

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
    /// I1 and I2: whatever happened in between, once things are quiet the objects are there if and only if a live
    /// consumer is, and no object of a live consumer was ever deleted.
    #[test]
    fn the_objects_follow_the_consumers(
        events in proptest::collection::vec(event(), 0..40), is_shared in any::<bool>(),
    ) {
        let one = |uid| if is_shared { sharer(uid) } else { consumer("r", uid, "x") };
        let all = ["a", "b", "c"].map(one);
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
                Event::Interrupted => step(&present, &mut observed, 1, NOW)?,
                Event::Reconcile => step(&present, &mut observed, usize::MAX, NOW)?,
                Event::LoseObject(kind) => {
                    *observed.slot(kind) = None;
                    collect(&mut observed);
                }
            }
        }
        // The last of them twice: idle from here on, closed when it has been warm for long enough.
        for now in [NOW, NOW, NOW, at(60), at(60), at(60), at(60)] {
            step(&present, &mut observed, usize::MAX, now)?;
        }
        let wanted = present.iter().any(|c| c.standing.is_live(NOW));
        prop_assert_eq!(observed.objects().count(), if wanted { 2 } else { 0 });
    }
}

fn step(
    present: &[Consumer],
    observed: &mut Observed,
    most: usize,
    now: Timestamp,
) -> Result<(), TestCaseError> {
    let mut actions = confirmed(present, observed, Job::Over, now);
    actions.truncate(most);
    let live = present.iter().any(|c| c.standing.is_live(now));
    let one_making = observed
        .objects()
        .map(|(_, o)| &o.record.instance)
        .collect::<Vec<_>>()
        .windows(2)
        .all(|w| w[0] == w[1]);
    let deletes_set =
        actions.iter().any(|action| matches!(action, Action::Delete { kind: Kind::StatefulSet, .. }));
    let deletes = actions.iter().any(|action| matches!(action, Action::Delete { .. }));
    prop_assert!(!(live && deletes_set), "{:?}", actions);
    prop_assert!(!(live && one_making && observed.stateful_set.is_some() && deletes), "{:?}", actions);
    carry_out(&actions, observed);
    Ok(())
}
