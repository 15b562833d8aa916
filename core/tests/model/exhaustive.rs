//! All that may happen in small worlds.
//!
//! Worlds grow by a factor of ten or so with each thing that may go wrong, so that no scenario has everything: some
//! have watches that get stuck, some crashes and requests that fail, some a stale leader that ends some day.

use crate::cast::{
    dissenter, everybody, named, of_action, of_job, of_mpi_job, own, retaining, sharer, with_both,
};
use crate::cluster::Deed::{self, Complete, Delete, Fail, Release, Rerun, Vanish};
use crate::model::explore;
use crate::properties::{ALL_RUN, CLOSING, EMPTY, REFUSED};
use crate::scenario::{Limits, Scenario};

#[test]
fn own_service() {
    let scripts = vec![own("a").that_may(&[Complete, Delete, Fail, Release, Vanish])];
    let limits = Limits { crashes: 1, losses: 1, lags: 1, ..Limits::LEAST };
    explore("own service", Scenario::new(scripts, limits), &[ALL_RUN, EMPTY]);
}

#[test]
fn own_service_of_a_pod_that_restarts() {
    let scripts = vec![own("a").restarting().that_may(&[Complete, Delete, Fail, Rerun, Vanish])];
    let limits = Limits { crashes: 1, lags: 1, ..Limits::LEAST };
    explore("own service of a pod that restarts", Scenario::new(scripts, limits), &[ALL_RUN, EMPTY]);
}

#[test]
fn retained_service() {
    let scripts = vec![retaining("a").that_may(&[Complete, Delete, Fail, Release, Vanish])];
    let limits = Limits { crashes: 1, losses: 1, ticks: 2, ..Limits::LEAST };
    explore("retained service", Scenario::new(scripts, limits), &[ALL_RUN, EMPTY]);
}

#[test]
fn shared_service_and_a_stale_leader_that_sees_nothing() {
    let scripts = vec![sharer("a").that_may(&[Vanish]), sharer("b").that_may(&[Vanish])];
    let limits = Limits { works: Some(1), lags: 1, ..Limits::LEAST };
    explore(
        "shared service, a stale leader that is behind",
        Scenario::new(scripts, limits),
        &[ALL_RUN, CLOSING, EMPTY],
    );
}

#[test]
fn shared_service_and_crashes() {
    let scripts = vec![
        sharer("a").that_may(&[Release, Vanish]),
        sharer("b").restarting().that_may(&[Delete, Rerun, Vanish]),
    ];
    let limits = Limits { works: Some(1), crashes: 1, losses: 1, ..Limits::LEAST };
    explore("shared service, crashes and losses", Scenario::new(scripts, limits), &[ALL_RUN, CLOSING, EMPTY]);
}

#[test]
fn service_of_a_namespace() {
    let scripts = vec![everybody("a").that_may(&[Complete, Vanish]), everybody("b").that_may(&[Vanish])];
    let limits = Limits { lags: 1, ..Limits::LEAST };
    explore("service of a namespace", Scenario::new(scripts, limits), &[ALL_RUN, CLOSING, EMPTY]);
}

#[test]
fn two_services_three_consumers_and_a_stale_leader() {
    let limits = Limits { works: Some(1), ..Limits::LEAST };
    let scenario = two_services(&[Delete, Rerun], &[Release], limits);
    explore("two services, three consumers, a stale leader", scenario, &[CLOSING]);
}

#[test]
fn two_services_three_consumers_and_all_that_goes_wrong_for_one_leader() {
    let limits = Limits { replicas: 1, crashes: 1, losses: 1, lags: 1, ..Limits::LEAST };
    let scenario = two_services(&[Delete, Rerun], &[Release], limits);
    explore("two services, three consumers, crashes and losses", scenario, &[CLOSING]);
}

#[test]
fn two_services_three_consumers_that_go() {
    let limits = Limits { replicas: 1, crashes: 1, ..Limits::LEAST };
    let scenario = two_services(&[Delete, Rerun, Vanish], &[Release, Vanish], limits);
    explore("two services, three consumers that go", scenario, &[CLOSING, EMPTY]);
}

fn two_services(second: &[Deed], third: &[Deed], limits: Limits) -> Scenario {
    let scripts = vec![
        with_both("a").that_may(&[Release]),
        sharer("b").restarting().that_may(second),
        sharer("c").that_may(third).after("a"),
    ];
    Scenario::new(scripts, limits)
}

#[test]
fn service_of_a_batch_job() {
    let scripts = vec![of_job("a").that_may(&[Complete, Fail]), of_job("b").that_may(&[Complete])];
    explore("service of a batch Job", Scenario::new(scripts, Limits::LEAST), &[ALL_RUN, CLOSING]);
}

#[test]
fn service_of_a_job_with_a_leader() {
    let launcher = of_mpi_job("l", "launcher").that_may(&[Complete, Fail]);
    let worker = of_mpi_job("w", "worker").that_may(&[Complete]);
    explore(
        "service of an MPI job",
        Scenario::new(vec![launcher, worker], Limits::LEAST),
        &[ALL_RUN, CLOSING],
    );
}

#[test]
fn service_that_outlives_its_first_owner() {
    let scripts = vec![of_action("a", "x"), of_action("b", "y")];
    let limits = Limits { works: Some(1), ..Limits::LEAST };
    explore("service of two Flyte 2 actions", Scenario::new(scripts, limits), &[ALL_RUN]);
}

#[test]
fn two_specifications_of_one_service() {
    let scripts = vec![
        sharer("a").that_may(&[Complete, Vanish]),
        dissenter("b").restarting().that_may(&[Rerun, Vanish]),
    ];
    let limits = Limits { crashes: 1, losses: 1, ..Limits::LEAST };
    explore("two specifications of one service", Scenario::new(scripts, limits), &[REFUSED, EMPTY]);
}

#[test]
fn two_keys_of_one_name_and_an_object_of_somebody_elses() {
    let own = own("a");
    let name = Scenario::new(vec![own.clone()], Limits::LEAST).services[0].to_string();
    let scripts = vec![own.that_may(&[Complete, Vanish]), named("b", &name).that_may(&[Vanish])];
    let limits = Limits { lags: 1, intrusions: 1, ..Limits::LEAST };
    explore(
        "two keys of one name, and somebody else's object",
        Scenario::new(scripts, limits),
        &[REFUSED, EMPTY],
    );
}
