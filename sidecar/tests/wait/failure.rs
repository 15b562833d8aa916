//! When the task must not start, and what is left behind then.

use std::time::Duration;

use crate::api::{Api, failed, waiting};
use crate::gate::Pod;
use crate::name_server::NameServer;
use crate::server::Service;

#[test]
fn a_cause_that_waiting_cannot_mend_is_the_termination_message() {
    let (api, names, graph) = (Api::start(), NameServer::start(), Service::made("graph", 1));
    graph.starts(&names);
    let gate = Pod::new([&graph]).asks(&api).resolves(&names).waits();
    let cause = "graph: pods \"graph-x-0\" is forbidden: exceeded quota: cpu";
    api.stream().say(&failed(cause));
    gate.fails(cause);
}

#[test]
fn a_termination_message_is_one_line() {
    let (api, graph) = (Api::start(), Service::made("graph", 1));
    let gate = Pod::new([&graph]).asks(&api).waits();
    api.stream().say(&failed("graph-x-0: CrashLoopBackOff:\nat main.py\u{1b}[2K"));
    gate.fails("graph-x-0: CrashLoopBackOff: at main.py [2K");
}

#[test]
fn a_termination_message_is_cut_to_what_the_kubelet_reads() {
    let (api, graph) = (Api::start(), Service::made("graph", 1));
    let gate = Pod::new([&graph]).asks(&api).waits();
    api.stream().say(&failed(&format!("a{}", "é".repeat(3_000))));
    let ended = gate.ends();
    assert_eq!((ended.code, ended.cause), (Some(1), format!("a{}", "é".repeat(2_047))));
}

#[test]
fn a_termination_message_that_cannot_be_written_is_said_to_be_so() {
    let (api, graph) = (Api::start(), Service::made("graph", 1));
    let gate = Pod::new([&graph]).asks(&api).flag("--termination-log", "/nowhere/log").waits();
    api.stream().say(&failed("no"));
    gate.says("no");
    let last = gate.ends();
    assert_eq!(last.code, Some(1));
    assert_eq!(
        last.last_line,
        "dataservice-wait: failed to write the cause to /nowhere/log: No such file or directory (os error 2)"
    );
}

#[test]
fn who_is_told_to_stop_stops_at_once_and_says_what_for() {
    let (api, names) = (Api::start(), NameServer::start());
    let (graph, features) = (Service::made("graph", 2), Service::existing("features", 1));
    let gate = Pod::new([&graph, &features]).asks(&api).resolves(&names).waits();
    let mut call = api.stream();
    call.say(&waiting("graph 1/2 ready", 600));
    let missing = format!("features 0/1 answer; {}: it has no address yet", features.host(0));
    gate.says("graph 1/2 ready").says(&missing).is_told_to_stop();
    gate.fails(&format!("told to stop while waiting for graph, features: graph 1/2 ready; {missing}"));
}

#[test]
fn who_is_told_to_stop_before_anything_is_known_stops_too() {
    let (api, graph) = (Api::start(), Service::made("graph", 2));
    let gate = Pod::new([&graph]).asks(&api).waits();
    let _held = api.call();
    gate.is_silent_for(Duration::from_millis(100)).is_told_to_stop();
    gate.fails("told to stop while waiting for graph: graph 0/2 answer; the lifecycle API has not answered");
}
