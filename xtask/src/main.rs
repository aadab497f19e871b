//! Developer commands, run as `cargo xtask <command>`. One file a command.

mod bench;
mod cargo;
mod ci;
mod compile_time;
mod db;
mod demo;
mod faults;
mod museum;
mod npm;
mod package;
mod postgres;
mod roles;
mod screen;
#[cfg(test)]
mod supply;
mod tally;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Developer commands of pgq.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run all tests against a real Postgres, which is started if need be.
    Test(test::Arguments),
    /// Run the demo.
    Demo(demo::Arguments),
    /// Run the benchmarks, optimised.
    Bench(bench::Arguments),
    /// Take the guards away one by one, and see that the tests notice.
    Museum(museum::Arguments),
    /// Run jobs while everything fails that can, and check that none is lost.
    Faults(faults::Arguments),
    /// Start, stop or ask about the development server.
    Db(db::Arguments),
    /// Measure what the derive costs at compile time.
    CompileTime(compile_time::Arguments),
    /// Run every check that a change must pass.
    Ci,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Test(arguments) => test::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Museum(arguments) => museum::run(&arguments),
        Command::Faults(arguments) => faults::run(&arguments),
        Command::Db(arguments) => db::run(&arguments),
        Command::CompileTime(arguments) => compile_time::run(&arguments),
        Command::Ci => ci::run(),
    };
    result.unwrap_or_else(|error| {
        eprintln!("{}: {error:#}", screen::red("error"));
        ExitCode::FAILURE
    })
}
