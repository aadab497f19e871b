//! `cargo xtask compile-time`: what the derive costs at compile time, beside serde's derives on the same structs.

use std::cmp::Ordering;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::cargo::{cargo, root, succeed};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many structs to derive for.
    #[arg(long, default_value_t = 200)]
    structs: usize,
    /// How often each is compiled, in turns.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

/// What is compiled.
#[derive(Clone, Copy)]
enum Side {
    /// `Serialize` and `Deserialize`, and nothing else.
    Serde,
    /// `Job` on types whose handlers live elsewhere.
    EnqueueOnly,
    /// `Job` and `Perform`, registered.
    Perform,
}

const SIDES: [(Side, &str); 3] = [
    (Side::Serde, "serde's derives"),
    (Side::EnqueueOnly, "derive(Job), enqueue_only"),
    (Side::Perform, "derive(Job) with handlers"),
];

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let crates = SIDES.map(|(side, name)| (write_crate(side, arguments.structs), name));
    for command in ["check", "build"] {
        let mut times = vec![Vec::new(); crates.len()];
        for round in 0..=arguments.rounds {
            for ((folder, _), times) in crates.iter().zip(&mut times) {
                let time = compile(folder.as_ref().map_err(|error| anyhow::anyhow!("{error}"))?, command)?;
                // The first round compiles the dependencies.
                if round > 0 {
                    times.push(time);
                }
            }
        }
        println!("cargo {command} of {} structs, medians of {} rounds", arguments.structs, arguments.rounds);
        for ((_, name), theirs) in crates.iter().zip(&times) {
            // Of each round by itself: a machine that other work slows down slows neighbours alike.
            let ratios = theirs.iter().zip(&times[0]).map(|(time, base)| time.div_duration_f64(*base));
            let ratio = median(ratios.collect(), f64::total_cmp);
            let time = median(theirs.clone(), Ord::cmp);
            println!("  {name:<28}{:>7.2} s  {ratio:>5.2}", time.as_secs_f64());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn write_crate(side: Side, structs: usize) -> Result<PathBuf> {
    let (name, dependency) = match side {
        Side::Serde => ("serde", "serde = { version = \"1\", features = [\"derive\"] }".to_owned()),
        Side::EnqueueOnly => ("enqueue_only", on_core()),
        Side::Perform => ("perform", on_core()),
    };
    let folder = root().join("target/compile-time").join(name);
    fs::create_dir_all(folder.join("src"))?;
    let manifest = format!(
        "[package]\nname = \"compile-time-{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\n{dependency}\n"
    );
    fs::write(folder.join("Cargo.toml"), manifest)?;
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock"))?;
    fs::write(folder.join("src/lib.rs"), source(side, structs)?)?;
    Ok(folder)
}

fn on_core() -> String {
    format!("pgq-core = {{ path = {:?} }}", root().join("pgq-core"))
}

fn source(side: Side, structs: usize) -> Result<String> {
    let mut text = String::new();
    for n in 0..structs {
        let derives = match side {
            Side::Serde => "#[derive(serde::Serialize, serde::Deserialize)]",
            Side::EnqueueOnly => "#[derive(pgq_core::Job)]\n#[job(enqueue_only)]",
            Side::Perform => "#[derive(pgq_core::Job)]",
        };
        writeln!(
            text,
            "{derives}\npub struct Job{n} {{ pub user_id: i64, pub name: String, pub tags: Vec<String>, \
             pub amount: Option<f64>, pub urgent: bool }}"
        )?;
        if let Side::Perform = side {
            writeln!(
                text,
                "impl pgq_core::Perform for Job{n} {{\n    async fn perform(&self, _: &pgq_core::Context) -> \
                 pgq_core::JobResult {{ Ok(()) }}\n}}"
            )?;
        }
    }
    Ok(text)
}

/// Compiles the crate anew, and it alone.
fn compile(folder: &Path, command: &str) -> Result<Duration> {
    let source = folder.join("src/lib.rs");
    let text = fs::read_to_string(&source)?;
    fs::write(&source, text)?;
    let mut compile = Command::new(cargo().get_program());
    compile.current_dir(folder).arg(command).arg("--quiet").stderr(Stdio::inherit());
    compile.env("CARGO_TARGET_DIR", root().join("target/compile-time/target")).env("CARGO_INCREMENTAL", "0");
    let begin = Instant::now();
    succeed(&mut compile)?;
    Ok(begin.elapsed())
}

fn median<T: Copy>(mut values: Vec<T>, order: fn(&T, &T) -> Ordering) -> T {
    values.sort_by(order);
    values[values.len() / 2]
}
