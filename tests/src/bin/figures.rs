//! Measures, on a cluster, what the README and the closing notes say.

#![forbid(unsafe_code)]

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use clap::builder::{PossibleValue, PossibleValuesParser};
use dataservice_tests::bench::Bench;
use dataservice_tests::figure::{ALL, Figure, Row};
use dataservice_tests::machine::Machine;
use dataservice_tests::report::Report;
use dataservice_tests::sandbox::{Sandbox, in_sandbox};
use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

/// Measures flyte-dataservice on the cluster that KUBECONFIG names: `make figures ARGS='[OPTIONS] [FIGURE]...'`
#[derive(Debug, Parser)]
struct Args {
    /// What to measure; everything, if nothing is named.
    #[arg(value_name = "FIGURE", value_parser = names())]
    figures: Vec<String>,
    /// How many tasks to run, one after the other (some ten seconds each).
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=500))]
    count: u16,
    /// Print JSON, in seconds and bytes.
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    match in_sandbox(|sandbox| unless_interrupted(report(sandbox, &args))).await {
        Ok(Some(report)) if args.json => println!("{:#}", report.json()),
        Ok(Some(report)) => print!("{}", report.table()),
        Ok(None) => {
            eprintln!("figures: interrupted");
            return ExitCode::from(130);
        }
        Err(error) => {
            eprintln!("figures: {error:#}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

async fn report(sandbox: Sandbox, args: &Args) -> Result<Report> {
    let (began, before) = (Timestamp::now(), Machine::now());
    let kubernetes = sandbox.client.apiserver_version().await?.git_version;
    let limit = args.limit();
    let figures = timeout(limit, take(sandbox, args)).await;
    let figures = figures.with_context(|| format!("figures were not taken in {limit:?}"))??;
    Ok(Report { command: command(), began, kubernetes, machine: (before, Machine::now()), figures })
}

async fn take(sandbox: Sandbox, args: &Args) -> Result<Vec<(&'static Figure, Vec<Row>)>> {
    let bench = Bench::new(sandbox, args.count.into());
    let mut figures = Vec::new();
    for figure in ALL.iter().filter(|figure| args.asks_for(figure)) {
        figures.push((figure, figure.take(&bench).await?));
    }
    Ok(figures)
}

/// A signal ends the work, not the process: there is a namespace to delete.
async fn unless_interrupted<T>(work: impl Future<Output = Result<T>>) -> Result<Option<T>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        done = work => Ok(Some(done?)),
        _ = interrupt.recv() => Ok(None),
        _ = terminate.recv() => Ok(None),
    }
}

/// What gives the same figures again.
fn command() -> String {
    let args: Vec<String> = env::args().skip(1).collect();
    if args.is_empty() {
        "make figures".to_owned()
    } else {
        format!("make figures ARGS='{}'", args.join(" "))
    }
}

fn names() -> PossibleValuesParser {
    ALL.iter().map(|figure| PossibleValue::new(figure.name).help(figure.about)).into()
}

// === impl Args ===

impl Args {
    fn asks_for(&self, figure: &Figure) -> bool {
        self.figures.is_empty() || self.figures.iter().any(|name| name == figure.name)
    }

    /// Long enough for a machine with much else to do; every single wait has its own, shorter one.
    fn limit(&self) -> Duration {
        PER_TASK * u32::from(self.count) + Duration::from_mins(5)
    }
}

const PER_TASK: Duration = Duration::from_secs(30);
