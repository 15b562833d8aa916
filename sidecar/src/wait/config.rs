//! What `wait` needs to know.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use dataservice_wire::env;

use super::gate::Gate;
use crate::args::{InvalidArgs, WaitArgs};
use crate::config::{self, Api, InvalidConfig};

/// All that waiting takes.
#[derive(Debug)]
pub(crate) struct WaitConfig {
    /// Whom to ask, where there is anything to ask for.
    pub(crate) api: Option<Api>,
    /// What to wait for.
    pub(crate) gate: Gate,
    /// The name servers to ask; those of `/etc/resolv.conf` where empty.
    pub(crate) nameservers: Vec<SocketAddr>,
    /// How long the lifecycle API may be silent.
    pub(crate) silence: Duration,
}

// === impl WaitConfig ===

impl WaitConfig {
    /// Checks the flags and the environment.
    pub(crate) fn new(
        args: Result<WaitArgs, InvalidArgs>,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, InvalidConfig> {
        let WaitArgs { nameservers, silence, .. } = args?;
        let gate = Gate::from_json(&config::text(env::GATE, &variable)?).map_err(InvalidConfig::Gate)?;
        let asks = gate.is_made() && gate.deadline > Duration::ZERO;
        let api = asks.then(|| Api::new(nameservers.clone(), &variable)).transpose()?;
        Ok(Self { api, gate, nameservers, silence })
    }
}
