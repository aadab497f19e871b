//! Indexes the text files of a folder with pgq, and checks in SQL that no job was lost and none counted twice.
//!
//! ```text
//! cargo xtask demo [FOLDER]
//! ```
//!
//! `jobs` has the jobs and is the file to read; `register` enqueues them, `run` runs them, `report` tells.

mod database;
mod jobs;
mod progress;
mod register;
mod report;
mod run;
mod tables;
mod text;
mod walk;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use database::DemoDatabase;
use run::Ended;

/// As a shell counts a program that ctrl-c ended.
const INTERRUPTED: u8 = 130;

/// Indexes the text files of a folder with pgq, and checks in SQL that no job was lost and none counted twice.
#[derive(Parser)]
#[command(name = "demo")]
struct Arguments {
    /// The folder; this repository unless given.
    #[arg(value_parser = folder)]
    folder: Option<PathBuf>,
    /// Print one JSON object instead of tables.
    #[arg(long)]
    json: bool,
    /// Leave the demo's database there, and print its URL.
    #[arg(long)]
    keep: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    demo(arguments).await.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

async fn demo(arguments: Arguments) -> Result<ExitCode> {
    let root = arguments.folder.map_or_else(|| folder(concat!(env!("CARGO_MANIFEST_DIR"), "/..")), Ok);
    let root = root.map_err(anyhow::Error::msg)?;
    let mut interrupts = run::interrupts()?;
    let database = DemoDatabase::create().await?;
    let ended = run::run(&database.pool, root, &mut interrupts).await;
    if arguments.keep {
        eprintln!("the database stays: {}", database.keep().await);
    } else {
        database.remove().await?;
    }
    match ended? {
        Ended::Done(report) if arguments.json => {
            println!("{}", serde_json::to_string(&report)?);
            Ok(exit_code(report.ok))
        }
        Ended::Done(report) => {
            tables::print(&report);
            Ok(exit_code(report.ok))
        }
        Ended::NoText(message) => {
            eprintln!("error: {message}");
            Ok(ExitCode::FAILURE)
        }
        Ended::Interrupted => {
            eprintln!("interrupted");
            Ok(ExitCode::from(INTERRUPTED))
        }
    }
}

/// A folder that is there, by its full name: handlers need not care where the program was started.
fn folder(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text).canonicalize().map_err(|error| error.to_string())?;
    if path.is_dir() { Ok(path) } else { Err("it is a file; give the folder it is in".into()) }
}

fn exit_code(ok: bool) -> ExitCode {
    if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
