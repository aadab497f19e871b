//! The fault suite.
//!
//! ```text
//! cargo xtask faults [--seconds 60] [--seed N] [--scenario NAME] [--json] [--report FILE]
//! ```

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Parser;
use pgq_faults::report::{Report, markdown};
use pgq_faults::run::{Options, Outcome, run};
use pgq_faults::scenario::{ALL, DEFAULT, Scenario, find};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

/// Jobs under load while processes, connections and the server fail, from a schedule that is a function of a seed.
#[derive(Parser)]
#[command(name = "cargo xtask faults", bin_name = "cargo xtask faults")]
struct Arguments {
    /// How long load and faults go on, in seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// What the schedule is made from; one is chosen and told if none is given.
    #[arg(long)]
    seed: Option<u64>,
    /// Which scenario, or `all`; `list` names them.
    #[arg(long, default_value = DEFAULT)]
    scenario: String,
    /// Ends with a line that is one JSON object.
    #[arg(long)]
    json: bool,
    /// Writes what was found to this file, as Markdown.
    #[arg(long)]
    report: Option<PathBuf>,
    /// How many worker processes there are.
    #[arg(long, default_value_t = 4)]
    workers: usize,
    /// How often they say that they live, in milliseconds. The default of the library is 2,000.
    #[arg(long, default_value_t = 300)]
    heartbeat_ms: u64,
    /// How many jobs are made in a second.
    #[arg(long, default_value_t = 900.0)]
    rate: f64,
    /// Keeps histories and logs in this folder, which must be empty or not be there.
    #[arg(long)]
    keep: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "off".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let arguments = Arguments::parse();
    let ended = tokio::select! {
        ended = faults(&arguments) => ended,
        // Dropping a run ends its server and its workers.
        signal = interrupted() => signal.and_then(|()| bail!("interrupted")),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Waits for ctrl-c or SIGTERM.
async fn interrupted() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
        _ = terminate.recv() => Ok(()),
    }
}

/// Whether all is good.
async fn faults(arguments: &Arguments) -> Result<bool> {
    let Some(scenarios) = chosen(&arguments.scenario)? else { return Ok(true) };
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let options = Options {
        span: Duration::from_secs(arguments.seconds),
        seed,
        workers: arguments.workers.max(1),
        heartbeat: Duration::from_millis(arguments.heartbeat_ms),
        jobs_per_second: arguments.rate,
        keep: arguments.keep.clone(),
    };
    let (mut reports, mut skipped) = (Vec::new(), Vec::new());
    for scenario in scenarios {
        println!("{}: {} seconds of load and faults, seed {seed}", scenario.name, arguments.seconds);
        let outcome = run(scenario, &options).await.with_context(|| format!("scenario {}", scenario.name))?;
        match outcome {
            Outcome::Ran(report) => {
                println!("{}\n{}", report.line(), report.details());
                reports.push(*report);
            }
            Outcome::Skipped(why) => {
                println!("{}: skipped: {why}\n", scenario.name);
                skipped.push(json!({ "scenario": scenario.name, "why": why }));
            }
        }
    }
    if let Some(file) = &arguments.report {
        std::fs::write(file, markdown(&reports))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    if arguments.json {
        println!("{}", object(&reports, skipped, seed));
    }
    Ok(are_good(&reports))
}

/// None if only their names are wanted.
fn chosen(name: &str) -> Result<Option<Vec<&'static Scenario>>> {
    match name {
        "all" => Ok(Some(ALL.iter().collect())),
        "list" => {
            ALL.iter().for_each(|scenario| println!("{}", scenario.name));
            Ok(None)
        }
        name => match find(name) {
            Some(scenario) => Ok(Some(vec![scenario])),
            None => bail!("there is no scenario {name}: --scenario list names them"),
        },
    }
}

/// Nothing is good where nothing ran.
fn are_good(reports: &[Report]) -> bool {
    !reports.is_empty() && reports.iter().all(Report::is_good)
}

/// One scenario's object, or one that sums all of them up.
fn object(reports: &[Report], skipped: Vec<Value>, seed: u64) -> Value {
    if let ([report], []) = (reports, &*skipped) {
        return report.json();
    }
    let all: Vec<Value> = reports.iter().map(Report::json).collect();
    let sum = |key: &str| all.iter().filter_map(|one| one[key].as_u64()).sum::<u64>();
    let longest = all.iter().filter_map(|one| one["longest_recovery_s"].as_f64()).fold(0.0, f64::max);
    let mut object = json!({ "seed": seed, "longest_recovery_s": longest });
    for key in [
        "faults",
        "jobs",
        "lost",
        "unexpected",
        "duplicates_explained",
        "duplicates_unexplained",
        "stale_refused",
    ] {
        object[key] = json!(sum(key));
    }
    object["good"] = json!(are_good(reports));
    object["scenarios"] = json!(all);
    object["skipped"] = json!(skipped);
    object
}
