//! What the environment says, checked at start so that a mistake shows in the log of a pod that still runs.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use dataservice_wire::env;

use crate::args::{InvalidArgs, RunArgs};
use crate::endpoint::{Endpoint, InvalidEndpoint};
use crate::tls::{Authority, InvalidAuthority};
use crate::wait::InvalidGate;

/// All that a release takes.
#[derive(Debug)]
pub(crate) struct Config {
    /// Where to release.
    pub(crate) api: Api,
    /// How long the release may take in all.
    pub(crate) deadline: Duration,
}

/// All that it takes to speak to the lifecycle API.
#[derive(Debug)]
pub(crate) struct Api {
    /// Whom its certificate has to come from.
    pub(crate) authority: Authority,
    /// Where it is.
    pub(crate) endpoint: Endpoint,
    /// The name servers to ask; those of `/etc/resolv.conf` where empty.
    pub(crate) nameservers: Vec<SocketAddr>,
    /// Where the pod's token is.
    pub(crate) token_file: PathBuf,
}

/// Why the flags and the environment make no sense.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidConfig {
    #[error(transparent)]
    Args(#[from] InvalidArgs),
    #[error("{} is not an authority", env::CA)]
    Authority(#[source] InvalidAuthority),
    #[error("{} is not the lifecycle API's URL", env::URL)]
    Endpoint(#[source] InvalidEndpoint),
    #[error("{} is not a gate", env::GATE)]
    Gate(#[source] InvalidGate),
    #[error("{0} is not set")]
    Missing(&'static str),
    #[error("{0} is not UTF-8")]
    NotUtf8(&'static str),
}

// === impl Config ===

impl Config {
    /// Checks the flags and the environment. No file is read: the token is by the time it is shown.
    pub(crate) fn new(
        args: Result<RunArgs, InvalidArgs>,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, InvalidConfig> {
        let RunArgs { deadline, nameservers } = args?;
        Ok(Self { api: Api::new(nameservers, &variable)?, deadline })
    }
}

// === impl Api ===

impl Api {
    /// Checks the environment.
    pub(crate) fn new(
        nameservers: Vec<SocketAddr>,
        variable: &impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, InvalidConfig> {
        Ok(Self {
            authority: Authority::from_pem(&text(env::CA, variable)?).map_err(InvalidConfig::Authority)?,
            endpoint: text(env::URL, variable)?.parse().map_err(InvalidConfig::Endpoint)?,
            nameservers,
            token_file: raw(env::TOKEN_FILE, variable)?.into(),
        })
    }
}

/// A variable's value, which must not be empty.
pub(crate) fn text(
    name: &'static str,
    variable: &impl Fn(&str) -> Option<OsString>,
) -> Result<String, InvalidConfig> {
    raw(name, variable)?.into_string().map_err(|_| InvalidConfig::NotUtf8(name))
}

fn raw(name: &'static str, variable: &impl Fn(&str) -> Option<OsString>) -> Result<OsString, InvalidConfig> {
    variable(name).filter(|value| !value.is_empty()).ok_or(InvalidConfig::Missing(name))
}
