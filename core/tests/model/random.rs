//! Random schedules, with more of everything than can be explored.

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::cast::{
    dissenter, everybody, named, of_action, of_job, of_mpi_job, own, retaining, sharer, with_both,
};
use crate::cluster::Deed;
use crate::role::Script;
use crate::scenario::{Limits, Precaution, Scenario, Watching};
use crate::schedule::{choices, run};

proptest! {
    #![proptest_config(Config { cases: Config::default().cases.max(20_000), max_shrink_iters: 20_000, ..Config::default() })]
    #[test]
    fn everything_holds_whatever_happens_in_whatever_order(
        which in 0..SCENARIOS.len(), choices in choices(400),
    ) {
        run(&SCENARIOS[which], &choices)?;
    }
}

#[test]
fn schedules_find_that_what_is_gone_is_remembered() {
    let sharers = vec![sharer("a").that_may(&Deed::ALL), sharer("b").that_may(&Deed::ALL)];
    let scenario = Scenario::new(sharers, LIMITS).without(Precaution::Memory);
    let config =
        Config { cases: 20_000, max_shrink_iters: 0, failure_persistence: None, ..Config::default() };
    let found = TestRunner::new(config).run(&choices(400), |choices| run(&scenario, &choices));
    assert!(found.is_err(), "not found");
}

static SCENARIOS: LazyLock<Vec<Scenario>> = LazyLock::new(|| {
    let name = Scenario::new(vec![own("a")], LIMITS).services[0].to_string();
    let of_actions = [("a", "x"), ("b", "x"), ("c", "y"), ("d", "z")];
    let of_mpi = [("l0", "launcher"), ("l1", "launcher"), ("w0", "worker"), ("w1", "worker")];
    let all: [Vec<Script>; 11] = [
        vec![own("a"), own("b").restarting()],
        ["a", "b", "c", "d"].map(sharer).into(),
        vec![with_both("a"), sharer("b").restarting(), sharer("c")],
        ["a", "b", "c"].map(everybody).into(),
        vec![of_job("a"), of_job("b").restarting(), of_job("c")],
        of_mpi.map(|(uid, role)| of_mpi_job(uid, role)).into(),
        of_actions.map(|(uid, action)| of_action(uid, action)).into(),
        vec![retaining("a"), retaining("b").restarting()],
        vec![sharer("a"), dissenter("b"), sharer("c"), dissenter("d")],
        vec![own("a"), named("b", &name), named("c", &name)],
        vec![named("0", &name), own("a")],
    ];
    let may_all =
        |scripts: Vec<Script>| scripts.into_iter().map(|script| script.that_may(&Deed::ALL)).collect();
    all.map(|scripts| Scenario::new(may_all(scripts), LIMITS)).into()
});

const LIMITS: Limits = Limits {
    replicas: 2,
    works: None,
    crashes: 2,
    losses: 2,
    lags: 0,
    intrusions: 1,
    ticks: 8,
    watching: Watching::Free { backlog: 3 },
};
