//! A Flyte task gets its data service and gives it back, told step by step: the part of `make demo` that speaks to
//! the cluster.
//!
//! `tests/demo` has built everything, started the cluster and installed the webhook; it deletes the namespace again
//! and ends the cluster, however this ends.

#![forbid(unsafe_code)]
#![allow(
    clippy::indexing_slicing,
    reason = "a pod as JSON: what is missing is null when read, and made when written"
)]

mod additions;
mod follow;
mod script;
mod settings;
mod story;
mod teller;
mod view;

use std::process::ExitCode;

use settings::Settings;
use teller::Teller;

#[tokio::main]
async fn main() -> ExitCode {
    match demo().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn demo() -> anyhow::Result<()> {
    let settings = Settings::from_env()?;
    let teller = Teller::starting_at(settings.first_step);
    story::tell(&settings, teller).await
}
