//! What the gate does without the lifecycle API's word.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use crate::api::{Api, ready, waiting};
use crate::gate::Pod;
use crate::name_server::NameServer;
use crate::server::Service;

/// Where nobody listens, as long as the listener beside it lives.
fn nowhere() -> (TcpListener, String) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = format!("127.0.0.77:{}", listener.local_addr().unwrap().port());
    (listener, address)
}

#[test]
fn an_api_that_is_down_is_enough_when_all_servers_answer() {
    let (api, names, graph) = (Api::start(), NameServer::start(), Service::made("graph", 3));
    let (_held, nowhere) = nowhere();
    graph.starts(&names);
    let pod = Pod::new([&graph]).asks_at(&format!("https://{nowhere}"), &api).resolves(&names);
    let gate = pod.silence("1s").waits();
    let why = format!("failed to connect to {nowhere}: Connection refused (os error 111)");
    gate.says(&format!("{why}; asking again"));
    gate.opens_with(
        "all 3 servers of 1 service answer (after ",
        &format!(" s); the lifecycle API could not be asked: {why}"),
    );
}

#[test]
fn an_api_that_is_down_for_a_moment_is_asked_again() {
    let (api, names, graph) = (Api::start(), NameServer::start(), Service::made("graph", 1));
    graph.starts(&names);
    let gate = Pod::new([&graph]).asks(&api).resolves(&names).waits();
    drop(api.call());
    gate.says_like("failed to get an answer from ", "; asking again");
    let mut call = api.stream();
    call.say(&waiting("graph 0/1 ready", 600));
    gate.says("graph 0/1 ready").is_silent_for(Duration::from_secs(1));
    call.say(&ready("graph 1/1 ready"));
    gate.opens();
}

#[test]
fn an_api_that_takes_connections_and_nothing_more_is_not_waited_for() {
    let (api, names, graph) = (Api::start(), NameServer::start(), Service::made("graph", 1));
    graph.starts(&names);
    let gate = Pod::new([&graph]).asks(&api).resolves(&names).silence("1500ms").waits();
    let _held = [api.call(), api.call()];
    let why = format!("failed to get an answer from {}: timed out", api.address);
    gate.says(&format!("{why}; asking again"));
    gate.opens_with(
        "all 1 server of 1 service answer (after ",
        &format!(" s); the lifecycle API could not be asked: {why}"),
    );
}

#[test]
fn an_api_that_does_not_know_the_pod_yet_is_waited_for() {
    let (api, names, graph) = (Api::start(), NameServer::start(), Service::made("graph", 1));
    graph.starts(&names);
    let gate = Pod::new([&graph]).asks(&api).resolves(&names).silence("500ms").waits();
    api.stream().end();
    gate.says(
        "the lifecycle API's stream ended before its first line: the pod may not be known yet; asking again",
    );
    let _held = api.stream();
    gate.says("the lifecycle API was silent for 500ms; asking again");
    let mut call = api.stream();
    assert_eq!(names.asked_names(), 0, "it is reached");
    call.say(&ready("graph 1/1 ready"));
    gate.says("graph 1/1 ready").opens();
}

#[test]
fn an_api_that_answers_errors_is_asked_again() {
    let (api, names, graph) = (Api::start(), NameServer::start(), Service::made("graph", 1));
    graph.starts(&names);
    let gate = Pod::new([&graph]).asks(&api).resolves(&names).waits();
    for (status, name) in [
        (401, "401 Unauthorized"),
        (429, "429 Too Many Requests"),
        (500, "500 Internal Server Error"),
        (503, "503 Service Unavailable"),
    ] {
        api.call().refuse(status, "not now");
        gate.says(&format!("{} answered {name}: not now; asking again", api.url()));
    }
    api.stream().say(&ready("graph 1/1 ready"));
    gate.says("graph 1/1 ready").opens();
}

#[test]
fn an_api_of_another_version_is_not_waited_for() {
    for (status, name) in [(404, "404 Not Found"), (405, "405 Method Not Allowed")] {
        let (api, names, graph) = (Api::start(), NameServer::start(), Service::made("graph", 2));
        graph.starts(&names);
        let gate = Pod::new([&graph]).asks(&api).resolves(&names).waits();
        api.call().refuse(status, "no such path");
        let answer = format!("{} answered {name}: no such path", api.url());
        gate.says(&format!("{answer}; it is of another version, and the servers' own answers are enough"));
        gate.opens_with(
            "all 2 servers of 1 service answer (after ",
            &format!(" s); the lifecycle API could not be asked: {answer}"),
        );
    }
}

#[test]
fn a_webhook_of_another_version_may_be_replaced_by_ours() {
    let (api, names, graph) = (Api::start(), NameServer::start(), Service::made("graph", 1));
    let gate = Pod::new([&graph]).asks(&api).resolves(&names).silence("1s").waits();
    api.call().refuse(404, "no such path");
    api.is_left_alone_for(Duration::from_millis(800));
    let mut call = api.stream();
    call.say(&waiting("graph 0/1 ready", 600));
    gate.says_then("graph 0/1 ready");
    graph.starts(&names);
    gate.is_silent_for(Duration::from_millis(700));
    call.say(&ready("graph 1/1 ready"));
    gate.says("graph 1/1 ready").opens();
}

#[test]
fn a_pod_that_is_not_known_yet_is_known_later() {
    for (status, name) in [(403, "403 Forbidden"), (410, "410 Gone")] {
        let (api, names, graph) = (Api::start(), NameServer::start(), Service::made("graph", 1));
        graph.starts(&names);
        let gate = Pod::new([&graph]).asks(&api).resolves(&names).silence("1s").waits();
        api.call().refuse(status, "no such pod");
        gate.says(&format!("{} answered {name}: no such pod; asking again", api.url()));
        api.call().refuse(status, "no such pod");
        let call = api.call();
        gate.is_silent_for(Duration::from_millis(200));
        assert_eq!(names.asked_names(), 0, "who refuses is reached");
        call.refuse(status, "no such pod");
        api.stream().say(&ready("graph 1/1 ready"));
        gate.says("graph 1/1 ready").opens();
    }
}

#[test]
fn a_refusal_lasts_to_the_deadline() {
    let (api, names, graph) = (Api::start(), NameServer::start(), Service::made("graph", 1));
    graph.starts(&names);
    let gate = Pod::new([&graph]).asks(&api).resolves(&names).silence("500ms").deadline(1).waits();
    for _ in 0..3 {
        api.call().refuse(410, "no such pod");
    }
    gate.fails(&format!("not ready within 1s: {} answered 410 Gone: no such pod", api.url()));
}

#[test]
fn a_token_that_is_not_there_yet_is_read_again() {
    let (api, names, graph) = (Api::start(), NameServer::start(), Service::made("graph", 1));
    graph.starts(&names);
    let pod = Pod::new([&graph]).asks(&api).resolves(&names);
    let directory = std::rc::Rc::clone(&pod.directory);
    let path = directory.file("token");
    std::fs::remove_file(&path).unwrap();
    let gate = pod.waits();
    gate.says(&format!(
        "failed to read the token from {}: No such file or directory (os error 2); asking again",
        path.display()
    ));
    std::fs::write(&path, "a.pods.token").unwrap();
    api.stream().say(&ready("graph 1/1 ready"));
    gate.says("graph 1/1 ready").opens();
}
