//! Environments and flags that make no sense.

use std::process::Command;

use dataservice_wire::env;

use crate::api::Api;
use crate::gate::Pod;
use crate::server::Service;

#[test]
fn a_missing_gate_is_the_cause() {
    Pod::new([]).start_as_it_is().fails("DATASERVICE_GATE is not set");
}

#[test]
fn a_gate_that_is_not_one_is_the_cause() {
    let gate = Pod::new([]).variable(env::GATE, "{").start_as_it_is();
    gate.fails(
        "DATASERVICE_GATE is not a gate: it is not what a gate is told: \
         EOF while parsing an object at line 1 column 1",
    );
}

#[test]
fn a_missing_url_is_the_cause_where_there_is_anything_to_ask() {
    let graph = Service::made("graph", 1);
    Pod::new([&graph]).variable(env::CA, "").start().fails("DATASERVICE_CA is not set");
    let (api, nowhere) = (Api::start(), "http://api");
    Pod::new([&graph]).asks_at(nowhere, &api).start().fails(
        "DATASERVICE_URL is not the lifecycle API's URL: \
         \"http://api\": https://<host> or https://<host>:<port> is wanted, without a path",
    );
}

#[test]
fn flags_that_make_no_sense_are_the_cause() {
    let gate = Pod::new([]).flag("--silence", "5").start();
    gate.says("--silence \"5\": a duration from 100ms to 10m is wanted, such as 500ms, 5s or 1m");
    // The cause goes to the kubelet's own file, which is not there.
    gate.says_like("failed to write the cause to /dev/termination-log: ", "");
    assert_eq!(gate.ends().code, Some(1));
}

#[test]
fn help_covers_it() {
    let help =
        Command::new(env!("CARGO_BIN_EXE_dataservice-sidecar")).args(["wait", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for part in ["dataservice-sidecar wait", "--silence", "--termination-log", "DATASERVICE_GATE"] {
        assert!(help.contains(part), "{part} is not in {help}");
    }
}
