//! `cargo xtask db`

use std::process::ExitCode;

use anyhow::Result;
use pgq_devdb::Server;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Start the development server if it is not up, and print its URL.
    Start,
    /// Stop the development server.
    Stop,
    /// Say whether the development server is up.
    Status,
    /// Print the URL that tests and programs get: DATABASE_URL, or the development server's.
    Url,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    match arguments.command {
        Command::Start => println!("{}", Server::shared()?.url()),
        Command::Stop => println!("{}", if Server::stop_shared()? { "stopped" } else { "was not running" }),
        Command::Status => println!("{}", Server::status()?),
        Command::Url => println!("{}", pgq_devdb::url()?),
    }
    Ok(ExitCode::SUCCESS)
}
