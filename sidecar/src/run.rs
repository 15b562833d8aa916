//! The native sidecar's life: idle until the main containers are done, then one release.

use std::env;
use std::io;
use std::time::Duration;

use tokio::runtime::Builder;

use crate::args::{InvalidArgs, RunArgs};
use crate::config::Config;
use crate::last_resort;
use crate::log::{self, Chain};
use crate::release::{UNHARMED, release};
use crate::signal::Termination;

/// Lives until SIGTERM, releases, and returns whatever happens: a task that succeeded is not to fail for our sake.
pub(crate) fn run(args: Result<RunArgs, InvalidArgs>) {
    last_resort::exit_on_panic();
    let lived =
        Builder::new_current_thread().enable_all().build().and_then(|runtime| runtime.block_on(live(args)));
    if let Err(error) = lived {
        log::say(format_args!("failed to start: {error}; {UNHARMED}"));
    }
}

async fn live(args: Result<RunArgs, InvalidArgs>) -> io::Result<()> {
    // Before all else that could take time: a signal that comes during it is kept.
    let mut termination = Termination::install()?;
    let config = Config::new(args, |name| env::var_os(name));
    match &config {
        Ok(config) => {
            log::say(format_args!("waiting for SIGTERM, then releasing at {}", config.api.endpoint));
        }
        Err(error) => {
            log::say(format_args!("there will be no release: {}; {UNHARMED}", Chain(error)));
        }
    }
    let signal = termination.received().await;
    if let Ok(config) = config {
        last_resort::arm(config.deadline + MARGIN);
        log::say(format_args!("{signal}: releasing"));
        log::say(format_args!("{}", release(&config).await));
    }
    Ok(())
}

/// What a deadline that was kept needs for the last line.
const MARGIN: Duration = Duration::from_millis(500);
