use serde_json::json;

use super::*;
use crate::standing::{Ending, Standing};
use crate::trouble::Trouble;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A pod made at 100 that waits for a minute.
fn consumer(wait: Waiting) -> Consumer {
    let plan = json!({"version": 1, "id": "0123456789abcdef", "services": [], "wait": 60});
    let pod = json!({"metadata": {
        "annotations": {"dataservice.flyte.org/plan": plan.to_string()},
        "name": "p", "namespace": "ns", "uid": "u", "creationTimestamp": at(100).to_string(),
    }});
    Consumer { wait, ..Consumer::read(&pod).unwrap() }
}

fn gate(placed_at: Option<i64>, runs_again: bool) -> Waiting {
    Waiting::Gate {
        placed_at: placed_at.map(at),
        trouble: Some(Trouble::new("ErrImagePull", "no")),
        runs_again,
        again_since: None,
    }
}

/// A pod whose own init containers run, before its gate does.
fn before_its_gate() -> Consumer {
    consumer(Waiting::Gate { placed_at: Some(at(120)), trouble: None, runs_again: false, again_since: None })
}

fn progress(state: State) -> Progress {
    Progress { state, message: "graph 0/1 ready".to_owned(), progressed_at: Some(at(110)) }
}

#[test]
fn a_held_pod_is_placed_when_there_is_nothing_to_wait_for_any_more() {
    let held = consumer(Waiting::Held);
    assert_eq!(usher(&held, &progress(State::Waiting), at(169)), Some(Step::Revisit(at(170))));
    for (state, now) in [(State::Waiting, 170), (State::Ready, 101), (State::Failed, 101)] {
        assert_eq!(usher(&held, &progress(state), at(now)), Some(Step::Lift));
    }
}

#[test]
fn a_pod_whose_gate_cannot_say_it_is_ended_after_the_gates_own_time() {
    let waiting = consumer(gate(Some(120), false));
    assert_eq!(usher(&waiting, &progress(State::Waiting), at(209)), Some(Step::Revisit(at(210))));
    assert_eq!(
        usher(&waiting, &progress(State::Waiting), at(210)),
        Some(Step::End { cause: "graph 0/1 ready; its wait gate: ErrImagePull: no".to_owned() })
    );
}

#[test]
fn a_pod_whose_service_is_ready_has_all_the_time_it_takes_to_get_to_its_gate() {
    assert_eq!(usher(&before_its_gate(), &progress(State::Ready), at(100_000)), None);
    assert!(matches!(usher(&before_its_gate(), &progress(State::Waiting), at(210)), Some(Step::End { .. })));
}

#[test]
fn a_pod_whose_service_is_ready_is_ended_where_its_gate_cannot_run_or_gets_no_further() {
    let pulls_in_vain = consumer(gate(Some(120), false));
    let mut again = before_its_gate();
    again.wait =
        Waiting::Gate { placed_at: Some(at(120)), trouble: None, runs_again: true, again_since: None };
    for consumer in [pulls_in_vain, again] {
        assert_eq!(usher(&consumer, &progress(State::Ready), at(209)), Some(Step::Revisit(at(210))));
        assert!(matches!(usher(&consumer, &progress(State::Ready), at(210)), Some(Step::End { .. })));
    }
}

#[test]
fn a_gate_that_gives_up_again_and_again_is_ended_at_once_when_waiting_cannot_mend_it() {
    assert!(matches!(
        usher(&consumer(gate(Some(120), true)), &progress(State::Failed), at(121)),
        Some(Step::End { .. })
    ));
    assert!(matches!(
        usher(&consumer(gate(Some(120), false)), &progress(State::Failed), at(121)),
        Some(Step::Revisit(_))
    ));
    assert!(matches!(
        usher(&consumer(gate(Some(120), true)), &progress(State::Waiting), at(121)),
        Some(Step::Revisit(_))
    ));
}

#[test]
fn a_pod_that_no_node_takes_is_not_ended() {
    assert_eq!(usher(&consumer(gate(None, false)), &progress(State::Waiting), at(100_000)), None);
}

#[test]
fn a_pod_that_runs_or_has_ended_is_left_alone() {
    assert_eq!(usher(&consumer(Waiting::Over), &progress(State::Failed), at(100_000)), None);
    let mut ended = consumer(Waiting::Held);
    ended.standing = Standing::Ended(Ending::Failed);
    assert_eq!(usher(&ended, &progress(State::Failed), at(100_000)), None);
}
