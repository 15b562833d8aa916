//! What the gate takes.

use std::net::Ipv4Addr;
use std::time::Duration;

use dataservice_wire::GateService;

use crate::gate::Pod;
use crate::name_server::NameServer;
use crate::server::Service;

/// Of the container, in KiB, as the webhook sets it.
const MOST_MEMORY: u64 = 32 * 1024;
/// At once.
const MOST_PROBES: usize = 64;

/// A service of many servers, all of which are at the same address. The first has no name yet.
fn crowd() -> (NameServer, Service, Ipv4Addr) {
    let (names, mut crowd) = (NameServer::start(), Service::existing("crowd", 5_000));
    let one = Service::existing("one", 1);
    one.listens(0);
    crowd.gate = GateService { port: one.gate.port, ..crowd.gate };
    for ordinal in 1..crowd.gate.replicas {
        names.knows(crowd.host(ordinal), one.address(0));
    }
    (names, crowd, one.address(0))
}

#[test]
fn five_thousand_servers_are_asked_within_the_containers_memory() {
    let (names, crowd, address) = crowd();
    let gate = Pod::new([&crowd]).resolves(&names).waits();
    let missing = format!("; {}: it has no address yet", crowd.host(0));
    let all_but_one = format!("crowd 4999/5000 answer{missing}");
    gate.says_then(&all_but_one);
    let memory = gate.status("VmHWM");
    assert!(memory < MOST_MEMORY / 2, "{memory} KiB");
    names.knows(crowd.host(0), address);
    gate.opens_with("all 5000 servers of 1 service answer (after ", " s)");
}

#[test]
fn few_servers_are_asked_at_once() {
    let (names, crowd, _) = crowd();
    names.falls_silent();
    let gate = Pod::new([&crowd]).resolves(&names).waits();
    gate.says_like("crowd 0/5000 answer; ", " did not answer");
    let open = (0..20).map(|_| {
        gate.is_silent_for(Duration::from_millis(20));
        gate.open_files()
    });
    let open = open.max().unwrap();
    assert!((MOST_PROBES / 2..MOST_PROBES + 16).contains(&open), "{open}");
    assert!(names.asked_names() <= 3 * MOST_PROBES, "{}", names.asked_names());
}

/// The profile that all is built with makes it fast rather than small: `design.md`, 6, wants 3,500,000.
#[test]
fn the_binary_does_not_grow_unnoticed() {
    let size = std::fs::metadata(env!("CARGO_BIN_EXE_dataservice-sidecar")).unwrap().len();
    assert!(size <= 6_300_000, "{size} bytes");
}
