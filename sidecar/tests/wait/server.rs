//! A data service: servers at addresses of the loopback interface.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;

use dataservice_wire::GateService;

use crate::name_server::NameServer;

/// A service on a port of its own, none of whose servers listens yet.
pub(crate) struct Service {
    pub(crate) gate: GateService,
    /// Of its own: servers listen to the end of all tests.
    network: u8,
    _port: TcpListener,
}

// === impl Service ===

impl Service {
    /// One that is made for its consumers.
    pub(crate) fn made(name: &str, replicas: u32) -> Self {
        // Held, so that no other test is given the port: the servers listen at other addresses.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let gate = GateService {
            name: name.to_owned(),
            object: format!("{name}-x"),
            replicas,
            port: port.local_addr().unwrap().port(),
            made: true,
        };
        let network = 1 + NETWORKS.fetch_add(1, Ordering::Relaxed) % 250;
        Self { gate, network, _port: port }
    }

    /// One that was there before.
    pub(crate) fn existing(name: &str, replicas: u32) -> Self {
        let mut service = Self::made(name, replicas);
        service.gate.made = false;
        service
    }

    /// A server's full name.
    pub(crate) fn host(&self, ordinal: u32) -> String {
        let object = &self.gate.object;
        format!("{object}-{ordinal}.{object}.{DOMAIN}")
    }

    /// Where a server listens, or will.
    pub(crate) fn address(&self, ordinal: u32) -> Ipv4Addr {
        let [.., high, low] = ordinal.to_be_bytes();
        Ipv4Addr::from([127, self.network, high, low])
    }

    /// Gives a server its address, as a pod has one before it is ready.
    pub(crate) fn names(&self, ordinal: u32, names: &NameServer) {
        names.knows(self.host(ordinal), self.address(ordinal));
    }

    /// Lets a server listen, to the end of all tests.
    pub(crate) fn listens(&self, ordinal: u32) {
        let listener = TcpListener::bind((self.address(ordinal), self.gate.port)).unwrap();
        thread::spawn(move || listener.incoming().for_each(drop));
    }

    /// Starts all servers.
    pub(crate) fn starts(&self, names: &NameServer) {
        for ordinal in 0..self.gate.replicas {
            self.names(ordinal, names);
            self.listens(ordinal);
        }
    }
}

/// What follows a server's name.
pub(crate) const DOMAIN: &str = "ns.svc.cluster.local";

static NETWORKS: AtomicU8 = AtomicU8::new(0);
