//! What the model finds where a precaution is not taken: the properties can fail.

use crate::cast::{everybody, own, retaining, sharer};
use crate::cluster::Deed::{Complete, Fail, Vanish};
use crate::model::{counterexample, tell};
use crate::properties::{HELD_ONLY, KEPT, NAMED, NOT_OURS, RETAINED, SERVED};
use crate::role::Script;
use crate::scenario::{Limits, Precaution, Scenario};

#[test]
fn the_model_finds_that_names_go_alone() {
    finds(NAMED, Precaution::Attachment, shared(), BEHIND);
}

#[test]
fn the_model_finds_that_a_consumer_is_not_counted() {
    let scripts = vec![sharer("a").that_may(&[Complete]), sharer("b")];
    finds(KEPT, Precaution::Census, scripts, Limits::LEAST);
}

#[test]
fn the_model_finds_that_nobody_looks_before_a_service_is_closed() {
    finds(KEPT, Precaution::Confirmation, shared(), BEHIND);
}

#[test]
fn the_model_finds_that_failures_are_not_told_from_ends() {
    let scripts = vec![retaining("a").that_may(&[Fail])];
    finds(RETAINED, Precaution::Failure, scripts, Limits::LEAST);
}

#[test]
fn the_model_finds_that_nobody_looks_at_what_is_nobodys() {
    finds(HELD_ONLY, Precaution::Orphans, of_namespace(), Limits::LEAST);
}

#[test]
fn the_model_finds_that_the_gate_believes_a_controller() {
    finds(KEPT, Precaution::LiveGate, of_namespace(), BEHIND);
}

#[test]
fn the_model_finds_that_a_service_is_closed_without_a_mark() {
    finds(KEPT, Precaution::Mark, of_namespace(), BEHIND);
}

#[test]
fn the_model_finds_that_a_pod_starts_before_it_owns_its_service() {
    finds(KEPT, Precaution::Ownership, shared(), BEHIND);
}

#[test]
fn the_model_finds_that_whatever_has_the_name_is_deleted() {
    let scripts = vec![own("a").that_may(&[Vanish])];
    finds(NOT_OURS, Precaution::Uid, scripts, Limits { intrusions: 1, ..BEHIND });
}

#[test]
fn the_model_finds_that_a_mark_stays() {
    finds(SERVED, Precaution::Unmark, of_namespace(), Limits::LEAST);
}

#[test]
fn the_model_finds_that_another_version_than_the_marked_one_is_deleted() {
    finds(KEPT, Precaution::Version, of_namespace(), BEHIND);
}

fn finds(property: &'static str, without: Precaution, scripts: Vec<Script>, limits: Limits) {
    let way = counterexample(Scenario::new(scripts, limits).without(without), property);
    let way = way.unwrap_or_else(|| panic!("not found without {without:?}: {property}"));
    tell(&format!("without {without:?}: not {property}, after {} steps", way.len()));
}

fn shared() -> Vec<Script> {
    ["a", "b"].map(|uid| sharer(uid).that_may(&[Vanish])).into()
}

fn of_namespace() -> Vec<Script> {
    ["a", "b"].map(|uid| everybody(uid).that_may(&[Vanish])).into()
}

const BEHIND: Limits = Limits { lags: 1, ..Limits::LEAST };
