//! How long the gate waits.

use std::time::Duration;

use crate::api::{Api, ready, waiting};
use crate::gate::Pod;
use crate::name_server::NameServer;
use crate::server::Service;

#[test]
fn at_the_deadline_the_last_that_was_told_is_the_cause() {
    let (api, graph) = (Api::start(), Service::made("graph", 4));
    let gate = Pod::new([&graph]).asks(&api).deadline(1).waits();
    let mut call = api.stream();
    call.say(&waiting("graph 2/4 ready", 1));
    call.say(&waiting("graph 3/4 ready; graph-x-2: ErrImagePull: no such tag", 1));
    gate.fails("not ready within 1s: graph 3/4 ready; graph-x-2: ErrImagePull: no such tag");
}

#[test]
fn a_deadline_is_extended_by_progress() {
    let (api, names, graph) = (Api::start(), NameServer::start(), Service::made("graph", 2));
    graph.starts(&names);
    let gate = Pod::new([&graph]).asks(&api).resolves(&names).deadline(1).waits();
    let mut call = api.stream();
    call.say(&waiting("graph 1/2 ready", 60));
    gate.says("graph 1/2 ready").is_silent_for(Duration::from_millis(1_500));
    call.say(&ready("graph 2/2 ready"));
    gate.says("graph 2/2 ready").opens();
}

#[test]
fn an_extended_deadline_is_told_as_one() {
    let (api, graph) = (Api::start(), Service::made("graph", 2));
    let gate = Pod::new([&graph]).asks(&api).deadline(1).waits();
    let mut call = api.stream();
    call.say(&waiting("graph 1/2 ready", 3));
    gate.fails("not ready within 1s of the last progress (after 3s): graph 1/2 ready");
}

#[test]
fn ready_leaves_time_for_the_servers_to_answer() {
    let (api, names, graph) = (Api::start(), NameServer::start(), Service::made("graph", 1));
    graph.names(0, &names);
    let gate = Pod::new([&graph]).asks(&api).resolves(&names).deadline(2).waits();
    let mut call = api.stream();
    call.say(&waiting("graph 0/1 ready", 1));
    call.say(&ready("graph 1/1 ready"));
    gate.says("graph 0/1 ready").says("graph 1/1 ready");
    let address = format!("{}:{}", graph.address(0), graph.gate.port);
    let why = format!("graph 0/1 answer; {}: connection refused at {address}", graph.host(0));
    gate.says(&why).fails(&format!("not ready within 2s: {why}"));
}

#[test]
fn at_the_deadline_it_is_said_who_does_not_answer_and_why_nobody_could_tell() {
    let (api, names, graph) = (Api::start(), NameServer::start(), Service::made("graph", 2));
    graph.names(0, &names);
    graph.listens(0);
    let gate = Pod::new([&graph]).asks(&api).resolves(&names).silence("1m").deadline(2).waits();
    api.call().refuse(503, "no leader");
    let _held = api.call();
    gate.fails(&format!(
        "not ready within 2s: graph 1/2 answer; {}: it has no address yet; \
         the lifecycle API could not be asked: {} answered 503 Service Unavailable: no leader",
        graph.host(1),
        api.url()
    ));
}

#[test]
fn a_name_server_that_is_silent_is_named() {
    let (names, features) = (NameServer::start(), Service::existing("features", 1));
    names.falls_silent();
    let gate = Pod::new([&features]).resolves(&names).deadline(2).waits();
    gate.fails(&format!(
        "not ready within 2s: features 0/1 answer; {}: the name server {} did not answer",
        features.host(0),
        names.address
    ));
}
