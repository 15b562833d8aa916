//! Kills whatever data services lean on, at random, while tasks of all kinds come and go: make chaos

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Parser, ValueEnum as _};
use dataservice_tests::chaos::control;
use dataservice_tests::chaos::fault::Fault;
use dataservice_tests::chaos::plan::{Bounds, Plan};
use dataservice_tests::chaos::run;
use dataservice_tests::chaos::verdict::Verdict;
use dataservice_tests::sandbox::Sandbox;
use jiff::Timestamp;
use kube::api::ObjectMeta;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

/// Kills, at random, the webhook, the API server, etcd, sidecars and pods, and stops the kubelet, while tasks of all
/// kinds come and go on the cluster that tests/cluster has started; then looks whether anything was lost or is left.
#[derive(Debug, Parser)]
struct Args {
    /// What everything random is drawn from; another one each time, if none is given.
    #[arg(long)]
    seed: Option<u64>,
    /// For how many minutes tasks are made and things go wrong; one to three more pass until all is over.
    #[arg(long, default_value_t = 20.0, value_parser = minutes)]
    minutes: f64,
    /// How many tasks a minute; those that find no room for their pods in time are left out.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=120))]
    rate: u32,
    /// What may go wrong, after commas.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Fault::value_variants().iter().copied())]
    faults: Vec<Fault>,
    /// Print what would be done, and do nothing.
    #[arg(long)]
    plan: bool,
    /// Where the journal and what else may be of use goes; what an earlier run left there is deleted.
    #[arg(long, value_name = "FOLDER", default_value = "target/chaos")]
    logs: PathBuf,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    let (seed, bounds) = (args.seed(), args.bounds());
    let plan = Plan::draw(seed, &bounds);
    if args.plan {
        print!("{plan}");
        return ExitCode::SUCCESS;
    }
    eprintln!(
        "chaos: seed {seed}: up to {} tasks with {} pods, {} faults",
        plan.groups.len(),
        plan.pods(),
        plan.strikes.len()
    );
    match LocalSet::new().run_until(perform(plan, &bounds, &args)).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("chaos: {error:#} (seed {seed}, journal in {})", args.logs.display());
            ExitCode::FAILURE
        }
    }
}

/// Whether nothing was lost and nothing is left.
async fn perform(plan: Plan, bounds: &Bounds, args: &Args) -> Result<bool> {
    let metadata =
        ObjectMeta { generate_name: Some("dataservice-chaos-".to_owned()), ..ObjectMeta::default() };
    let (seed, sandbox) = (plan.seed, Sandbox::create(metadata).await?);
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let facts = tokio::select! {
        facts = run(sandbox.clone(), plan, bounds, &args.logs) => facts,
        _ = interrupt.recv() => Err(anyhow::anyhow!("interrupted")),
        _ = terminate.recv() => Err(anyhow::anyhow!("terminated")),
    };
    control::restore().await;
    let verdict = Verdict::of(&facts?);
    println!("make chaos ARGS='--seed {seed} --minutes {}'\n\n{verdict}", args.minutes);
    if verdict.violations.is_empty() {
        sandbox.delete().await;
        return Ok(true);
    }
    println!(
        "seed {seed}; the namespace {} is kept; what happened is in {}",
        sandbox.namespace,
        args.logs.display()
    );
    Ok(false)
}

/// Bounded, as everything about a run is.
fn minutes(text: &str) -> Result<f64> {
    let minutes = text.parse()?;
    ensure!((0.5..=240.0).contains(&minutes), "a run takes from 0.5 to 240 minutes");
    Ok(minutes)
}

// === impl Args ===

impl Args {
    fn seed(&self) -> u64 {
        // Short enough to be typed.
        self.seed
            .unwrap_or_else(|| u64::from(Timestamp::now().subsec_nanosecond().unsigned_abs()) % 1_000_000)
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            duration: Duration::from_secs_f64(self.minutes * 60.0),
            rate: self.rate,
            faults: self.faults.clone(),
        }
    }
}
