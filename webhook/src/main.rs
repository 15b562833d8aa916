//! The control plane of flyte-dataservice.

#![forbid(unsafe_code)]

mod args;
mod client;
mod open_files;
mod run;

use anyhow::Result;
use clap::Parser;

use crate::args::WebhookArgs;

fn main() -> Result<()> {
    let args = WebhookArgs::parse();
    args.start_logging()?;
    open_files::take_all();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run::run(args))
}
