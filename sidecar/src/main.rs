//! `dataservice-sidecar` runs in a task pod: it lets the task start when its data services are ready, and gives them
//! back when the task is done.

#![forbid(unsafe_code)]

use std::env;
use std::process::ExitCode;

use crate::args::Command;

mod args;
mod backoff;
mod client;
mod config;
mod dns;
mod endpoint;
mod last_resort;
mod log;
mod release;
mod run;
mod signal;
mod tls;
mod token;
mod wait;

fn main() -> ExitCode {
    match Command::parse(env::args_os().skip(1)) {
        Ok(Command::Help) => print!("{}", args::HELP),
        Ok(Command::Version) => println!("dataservice-sidecar {}", env!("CARGO_PKG_VERSION")),
        Ok(Command::Run(args)) => run::run(args),
        Ok(Command::Wait(args)) => return wait::wait(args),
        Err(error) => {
            log::say(format_args!("{error}; see --help"));
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
