//! The wait gate's life: the task behind it starts when its data services are ready, or not at all.
//!
//! What it waits for, and for how long, is said in [`standing`].

use std::env;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::Instant;

pub(crate) use self::gate::InvalidGate;

use self::config::WaitConfig;
use self::gate::Gate;
use self::standing::{Standing, Terms};
use self::survey::Survey;
use self::watch::Watch;
use crate::args::{InvalidArgs, WaitArgs};
use crate::config::InvalidConfig;
use crate::last_resort;
use crate::log::{Chain, WAIT};
use crate::signal::Termination;

mod asking;
mod config;
#[cfg(test)]
mod fixture;
mod gate;
mod journal;
pub(crate) mod last_words;
mod line;
mod list;
mod probe;
mod span;
mod standing;
mod stream;
mod survey;
mod watch;

/// Why the task must not start.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Config(#[from] InvalidConfig),
    #[error(transparent)]
    List(#[from] list::Error),
    #[error("{0}")]
    NotReady(String),
    #[error("failed to start")]
    Start(#[from] io::Error),
}

/// Lives until the task may start, or must not.
pub(crate) fn wait(args: Result<WaitArgs, InvalidArgs>) -> ExitCode {
    let path = args.as_ref().map_or_else(|_| last_words::DEFAULT_PATH.into(), termination_log);
    let last_words = move |cause: &str| {
        WAIT.say(format_args!("{cause}"));
        if let Err(error) = last_words::write(&path, cause) {
            WAIT.say(format_args!("failed to write the cause to {}: {error}", path.display()));
        }
    };
    last_resort::fail_on_panic(last_words.clone());
    match run(args) {
        Ok(last) => {
            WAIT.say(format_args!("{last}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            last_words(&Chain(&error).to_string());
            ExitCode::FAILURE
        }
    }
}

fn termination_log(args: &WaitArgs) -> PathBuf {
    args.termination_log.clone()
}

fn run(args: Result<WaitArgs, InvalidArgs>) -> Result<String, Error> {
    Builder::new_current_thread().enable_all().build()?.block_on(live(args))
}

async fn live(args: Result<WaitArgs, InvalidArgs>) -> Result<String, Error> {
    // Before all else that could take time: a signal that comes during it is kept.
    let mut termination = Termination::install()?;
    let config = WaitConfig::new(args, |name| env::var_os(name))?;
    write_lists(&config.gate)?;
    if config.gate.deadline == Duration::ZERO {
        return Ok("not waiting, as the task asks".to_owned());
    }
    let mut watch = watch(config);
    tokio::select! {
        verdict = watch.verdict() => verdict.map_err(Error::NotReady),
        _ = termination.received() => Err(Error::NotReady(watch.stopped())),
    }
}

fn write_lists(gate: &Gate) -> Result<(), list::Error> {
    let Some(lists) = &gate.lists else { return Ok(()) };
    list::write(lists, &gate.services)?;
    WAIT.say(format_args!("{} endpoints written to {}", gate.servers(), lists.folder));
    Ok(())
}

fn watch(config: WaitConfig) -> Watch {
    let WaitConfig { api, gate, nameservers, silence } = config;
    let terms = Terms { deadline: gate.deadline, silence };
    WAIT.say(format_args!(
        "waiting for {gate}, at most {} from the last progress",
        span::Span(gate.deadline)
    ));
    let standing = Standing::new(Survey::new(Arc::new(gate)), terms, Instant::now());
    Watch::start(standing, api.as_ref(), nameservers, silence)
}
