//! What tests of the gate are about.

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;

use dataservice_wire::{self as wire, GateService};

use super::gate::{Gate, Server};
use super::probe::Cause;
use super::survey::Survey;

/// A service that is made for its consumers.
pub(crate) fn needs(name: &str, replicas: u32) -> GateService {
    GateService { name: name.to_owned(), object: format!("{name}-x"), replicas, port: 40_000, made: true }
}

/// A service that was there before.
pub(crate) fn existing(name: &str, replicas: u32) -> GateService {
    GateService { made: false, ..needs(name, replicas) }
}

/// A gate that waits ten minutes.
pub(crate) fn mk_gate(services: impl IntoIterator<Item = GateService>) -> Gate {
    let gate = wire::Gate {
        services: services.into_iter().collect(),
        domain: "ns.svc.cluster.local".to_owned(),
        deadline_seconds: 600,
        lists: None,
    };
    Gate::from_json(&serde_json::to_string(&gate).unwrap()).unwrap()
}

/// Its servers, none of which has answered.
pub(crate) fn mk_survey(services: impl IntoIterator<Item = GateService>) -> Survey {
    Survey::new(Arc::new(mk_gate(services)))
}

/// One of the servers.
pub(crate) fn at(service: usize, ordinal: u32) -> Server {
    Server { service, ordinal }
}

/// What a server does that does not listen.
pub(crate) fn refused() -> Result<(), Cause> {
    let source = Error::from(ErrorKind::ConnectionRefused);
    Err(Cause::Connect { address: SocketAddr::from(([10, 0, 0, 1], 40_000)), source })
}
