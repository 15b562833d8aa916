//! What the gate waits for, as it was told at admission.

use std::fmt;
use std::time::Duration;

use dataservice_wire::{self as wire, GateService, Lists};

use super::span;
use crate::dns::Name;

/// A gate whose servers all have names that can be asked for.
#[derive(Debug)]
pub(crate) struct Gate {
    /// How long it waits, counted from the last progress; zero: not at all.
    pub(crate) deadline: Duration,
    /// Where the lists of endpoints go.
    pub(crate) lists: Option<Lists>,
    /// What it waits for, in the order in which the pod's user wrote them.
    pub(crate) services: Vec<GateService>,
    domain: String,
}

/// One server of one of a gate's services; in the order of services, then ordinals.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Server {
    /// Which of the gate's services, from 0.
    pub(crate) service: usize,
    /// Which of the service's servers, from 0.
    pub(crate) ordinal: u32,
}

/// A text that says nothing to wait for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidGate {
    #[error("the service's name {0:?} cannot be part of a file's")]
    FileName(String),
    #[error("the service {service:?} has servers such as {host:?}, which is no host name")]
    Host { service: String, host: String },
    #[error("{0} servers are more than a gate can wait for; at most {MOST_SERVERS}")]
    TooManyServers(u64),
    #[error("it is not what a gate is told")]
    Wire(#[source] serde_json::Error),
}

// === impl Gate ===

impl Gate {
    /// Reads a [`wire::Gate`] in JSON.
    pub(crate) fn from_json(text: &str) -> Result<Self, InvalidGate> {
        let gate: wire::Gate = serde_json::from_str(text).map_err(InvalidGate::Wire)?;
        let gate = Self {
            deadline: Duration::from_secs(gate.deadline_seconds).min(span::LONGEST),
            lists: gate.lists,
            services: gate.services,
            domain: gate.domain,
        };
        gate.services.iter().try_for_each(|service| gate.check(service))?;
        match gate.servers() {
            0..=MOST_SERVERS => Ok(gate),
            servers => Err(InvalidGate::TooManyServers(servers)),
        }
    }

    /// How many servers there are in all.
    pub(crate) fn servers(&self) -> u64 {
        self.services.iter().map(|service| u64::from(service.replicas)).sum()
    }

    /// Whether the lifecycle API knows of any of them.
    pub(crate) fn is_made(&self) -> bool {
        self.services.iter().any(|service| service.made)
    }

    /// Where a server listens: its full name and port.
    pub(crate) fn address(&self, server: Server) -> (Name, u16) {
        let service = self.services.get(server.service).expect("a server must be of one of the services");
        let name = self.host(service, server.ordinal).parse();
        (name.expect("names of servers must have been checked"), service.port)
    }

    fn host(&self, service: &GateService, ordinal: u32) -> String {
        let object = &service.object;
        format!("{object}-{ordinal}.{object}.{}", self.domain)
    }

    /// Its last server has the longest name.
    fn check(&self, service: &GateService) -> Result<(), InvalidGate> {
        let host = self.host(service, service.replicas.saturating_sub(1));
        if host.parse::<Name>().is_err() {
            return Err(InvalidGate::Host { service: service.name.clone(), host });
        }
        let in_a_file_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if service.name.is_empty() || service.name.len() > 63 || !service.name.chars().all(in_a_file_name) {
            return Err(InvalidGate::FileName(service.name.clone()));
        }
        Ok(())
    }
}

/// Its services' names, for people: `graph, features`.
impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, service) in self.services.iter().enumerate().take(MOST_NAMED) {
            if index > 0 {
                f.write_str(", ")?;
            }
            f.write_str(&service.name)?;
        }
        match self.services.len().saturating_sub(MOST_NAMED) {
            0 => Ok(()),
            others => write!(f, " and {others} more"),
        }
    }
}

/// Above what any cluster runs, and small enough to keep a byte for each.
const MOST_SERVERS: u64 = 1_000_000;
/// More than a person reads.
pub(crate) const MOST_NAMED: usize = 8;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::log::Chain;
    use crate::wait::fixture::{mk_gate, needs};

    fn refused(text: &str) -> String {
        Chain(&Gate::from_json(text).unwrap_err()).to_string()
    }

    #[test]
    fn a_servers_full_name_and_port_are_its_address() {
        let gate = mk_gate([needs("graph", 4)]);
        let (name, port) = gate.address(Server { service: 0, ordinal: 3 });
        assert_eq!((name.to_string().as_str(), port), ("graph-x-3.graph-x.ns.svc.cluster.local", 40_000));
    }

    #[test]
    fn what_a_gate_is_not_is_refused_with_the_reason() {
        assert_eq!(
            refused("{"),
            "it is not what a gate is told: EOF while parsing an object at line 1 column 1"
        );
        let gate = |name: &str, object: &str, replicas: u32| {
            let service =
                json!({"name": name, "object": object, "replicas": replicas, "port": 1, "made": true});
            refused(&json!({"services": [service], "domain": "ns.svc", "deadlineSeconds": 1}).to_string())
        };
        assert_eq!(
            gate("graph", "a b", 10),
            "the service \"graph\" has servers such as \"a b-9.a b.ns.svc\", which is no host name"
        );
        assert_eq!(
            gate("../graph", "graph", 1),
            "the service's name \"../graph\" cannot be part of a file's"
        );
        assert_eq!(
            gate("graph", "graph", 1_000_001),
            "1000001 servers are more than a gate can wait for; at most 1000000"
        );
    }

    #[test]
    fn what_a_later_version_adds_is_passed_over() {
        let later = json!({"services": [], "domain": "ns.svc", "deadlineSeconds": 1, "pace": "slow"});
        assert_eq!(Gate::from_json(&later.to_string()).unwrap().servers(), 0);
    }

    #[test]
    fn a_deadline_beyond_all_clocks_is_a_year() {
        let gate = json!({"services": [], "domain": "ns.svc", "deadlineSeconds": u64::MAX});
        assert_eq!(Gate::from_json(&gate.to_string()).unwrap().deadline, span::LONGEST);
    }

    #[test]
    fn of_many_services_the_first_are_named() {
        let few = mk_gate([needs("graph", 1), needs("features", 1)]);
        assert_eq!(few.to_string(), "graph, features");
        let many = mk_gate((0..11).map(|index| needs(&format!("s{index}"), 1)));
        assert_eq!(many.to_string(), "s0, s1, s2, s3, s4, s5, s6, s7 and 3 more");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in any::<String>()) {
            let _ = Gate::from_json(&text);
        }
    }
}
