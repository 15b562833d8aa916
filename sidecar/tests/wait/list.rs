//! Lists of endpoints.

use std::fmt::Write as _;

use crate::gate::{CAUSE, Pod};
use crate::server::Service;

/// The list of a service's endpoints.
fn list(service: &Service, suffix: &str) -> String {
    let (object, port) = (&service.gate.object, service.gate.port);
    (0..service.gate.replicas).fold(String::new(), |mut list, ordinal| {
        writeln!(list, "{object}-{ordinal}.{object}{suffix}:{port}").unwrap();
        list
    })
}

#[test]
fn lists_are_written_in_order_for_all_services_and_for_each() {
    let services: [Service; 12] = std::array::from_fn(|index| {
        Service::made(&format!("graph{index}"), if index == 0 { 4_989 } else { 1 })
    });
    let pod = Pod::new(services.each_ref()).deadline(0).lists(".ns.svc");
    let gate = pod.start();
    gate.says_like("5000 endpoints written to ", "");
    let ended = gate.ends();
    assert_eq!(
        (ended.code, ended.last_line.as_str()),
        (Some(0), "dataservice-wait: not waiting, as the task asks")
    );
    let lists = services.each_ref().map(|service| list(service, ".ns.svc"));
    assert_eq!(ended.directory.text("endpoints"), lists.concat());
    for (service, list) in services.iter().zip(&lists) {
        assert_eq!(&ended.directory.text(&format!("endpoints-{}", service.gate.name)), list);
    }
    assert_eq!(ended.directory.names().len(), 14, "nothing unfinished is left");
}

#[test]
fn a_single_service_needs_no_list_of_its_own() {
    let graph = Service::made("graph", 2);
    let ended = Pod::new([&graph]).deadline(0).lists("").start().ends();
    assert_eq!(ended.directory.names(), ["endpoints", CAUSE]);
    assert_eq!(ended.directory.text("endpoints"), list(&graph, ""));
}

#[test]
fn lists_are_there_while_the_servers_are_waited_for() {
    let features = Service::existing("features", 1);
    let pod = Pod::new([&features]).lists("");
    let directory = std::rc::Rc::clone(&pod.directory);
    let gate = pod.start();
    gate.says_like("1 endpoints written to ", "").says_like("waiting for features, ", "progress");
    assert_eq!(directory.text("endpoints"), list(&features, ""));
}

#[test]
fn a_gate_that_runs_again_replaces_its_lists() {
    let graph = Service::made("graph", 2);
    let pod = Pod::new([&graph]).deadline(0).lists("");
    std::fs::write(pod.directory.file("endpoints"), "old").unwrap();
    std::fs::write(pod.directory.file(".endpoints.unfinished"), "older").unwrap();
    let ended = pod.start().ends();
    assert_eq!(ended.directory.names(), ["endpoints", CAUSE]);
    assert_eq!(ended.directory.text("endpoints"), list(&graph, ""));
}

#[test]
fn a_list_that_cannot_be_written_is_the_cause() {
    let pod = Pod::new([&Service::existing("graph", 2)]).lists_in("/nowhere", "");
    pod.start().fails("failed to write /nowhere/endpoints: No such file or directory (os error 2)");
}
