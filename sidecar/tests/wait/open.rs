//! When the task may start.

use std::time::Duration;

use crate::api::{Api, ready, waiting};
use crate::gate::Pod;
use crate::name_server::NameServer;
use crate::server::Service;

#[test]
fn each_change_is_said_once_until_all_is_ready_and_answers() {
    let (api, names, graph) = (Api::start(), NameServer::start(), Service::made("graph", 4));
    graph.starts(&names);
    let gate = Pod::new([&graph]).asks(&api).resolves(&names).start();
    gate.says("waiting for graph, at most 10m from the last progress");
    let mut call = api.stream();
    call.say(&waiting("graph 3/4 ready; graph-x-2: pulling image", 600));
    gate.says("graph 3/4 ready; graph-x-2: pulling image");
    call.say(&waiting("graph 3/4 ready; graph-x-2: pulling image", 590));
    call.say(&ready("graph 4/4 ready"));
    gate.says("graph 4/4 ready").opens_with("all 4 servers of 1 service answer (after ", " s)");
}

#[test]
fn the_api_is_asked_once_and_as_the_pod() {
    let (api, names, graph) = (Api::start(), NameServer::start(), Service::made("graph", 1));
    let gate = Pod::new([&graph]).asks(&api).resolves(&names).waits();
    let mut call = api.stream();
    assert!(call.head.starts_with("GET /v1/services HTTP/1.1\r\n"), "{}", call.head);
    assert!(call.head.contains("authorization: Bearer a.pods.token\r\n"), "{}", call.head);
    graph.starts(&names);
    call.say(&ready("graph 1/1 ready"));
    gate.opens();
}

#[test]
fn answers_do_not_open_it_while_the_api_says_waiting() {
    let (api, names, graph) = (Api::start(), NameServer::start(), Service::made("graph", 2));
    graph.starts(&names);
    let gate = Pod::new([&graph]).asks(&api).resolves(&names).waits();
    let mut call = api.stream();
    call.say(&waiting("graph 0/2 ready; waiting for the previous servers to end", 600));
    gate.says("graph 0/2 ready; waiting for the previous servers to end");
    gate.is_silent_for(Duration::from_secs(1));
    assert_eq!(names.asked_names(), 0, "nobody else needs to be asked");
    call.say(&ready("graph 2/2 ready"));
    gate.opens();
}

#[test]
fn ready_does_not_open_it_before_the_servers_answer() {
    let (api, names, graph) = (Api::start(), NameServer::start(), Service::made("graph", 3));
    graph.names(0, &names);
    graph.listens(0);
    graph.names(2, &names);
    let gate = Pod::new([&graph]).asks(&api).resolves(&names).waits();
    api.stream().say(&ready("graph 3/3 ready"));
    gate.says("graph 3/3 ready");
    gate.says(&format!("graph 1/3 answer; {}: it has no address yet", graph.host(1)));
    graph.names(1, &names);
    graph.listens(1);
    let address = format!("{}:{}", graph.address(2), graph.gate.port);
    gate.says(&format!("graph 2/3 answer; {}: connection refused at {address}", graph.host(2)));
    graph.listens(2);
    gate.opens_with("all 3 servers of 1 service answer (after ", " s)");
}

#[test]
fn a_name_that_is_missing_is_asked_for_again_soon() {
    let (names, features) = (NameServer::start(), Service::existing("features", 1));
    features.listens(0);
    let gate = Pod::new([&features]).resolves(&names).waits();
    gate.says(&format!("features 0/1 answer; {}: it has no address yet", features.host(0)));
    features.names(0, &names);
    gate.opens_with("all 1 server of 1 service answer (after ", " s)");
    assert!((3..=8).contains(&names.asked(&features.host(0))), "{}", names.asked(&features.host(0)));
}

#[test]
fn services_that_are_not_made_need_no_api() {
    let (names, features) = (NameServer::start(), Service::existing("features", 3));
    features.starts(&names);
    let gate = Pod::new([&features]).resolves(&names).waits();
    gate.opens_with("all 3 servers of 1 service answer (after ", " s)");
}

#[test]
fn services_that_are_not_made_are_asked_while_the_others_are_waited_for() {
    let (api, names) = (Api::start(), NameServer::start());
    let (graph, features) = (Service::made("graph", 1), Service::existing("features", 2));
    let gate = Pod::new([&graph, &features]).asks(&api).resolves(&names).waits();
    let mut call = api.stream();
    call.say(&waiting("graph 0/1 ready", 600));
    gate.says("graph 0/1 ready");
    gate.says(&format!("features 0/2 answer; {}: it has no address yet", features.host(0)));
    graph.starts(&names);
    features.starts(&names);
    gate.is_silent_for(Duration::from_secs(1));
    assert_eq!(names.asked(&graph.host(0)), 0);
    call.say(&ready("graph 1/1 ready"));
    gate.says("graph 1/1 ready").opens_with("all 3 servers of 2 services answer (after ", " s)");
}

#[test]
fn a_task_that_does_not_want_to_wait_does_not() {
    let gate = Pod::new([&Service::made("graph", 1)]).deadline(0).start();
    gate.says("not waiting, as the task asks").opens();
}
