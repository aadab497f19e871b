//! The development server from the command line; `cargo xtask db` does the same.

use std::error::Error as _;
use std::process::ExitCode;

use pgq_devdb::{Error, Server};

const USAGE: &str = "usage: pgq-devdb url|start|stop|status|download FOLDER";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match args[..] {
        ["url"] => pgq_devdb::url().map(|url| println!("{url}")),
        ["start"] => Server::shared().map(|server| println!("{}", server.url())),
        ["stop"] => {
            Server::stop_shared().map(|was_up| println!("{}", if was_up { "stopped" } else { "not running" }))
        }
        ["status"] => Server::status().map(|status| println!("{status}")),
        ["download", folder] => download(folder),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    result.map_or_else(report, |()| ExitCode::SUCCESS)
}

#[cfg(feature = "download")]
fn download(folder: &str) -> Result<(), Error> {
    pgq_devdb::download(folder.as_ref())
}

#[cfg(not(feature = "download"))]
fn download(_folder: &str) -> Result<(), Error> {
    Err(Error::NoBinaries { reason: "this build lacks the feature download".into() })
}

fn report(error: Error) -> ExitCode {
    eprintln!("error: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        eprintln!("  because {cause}");
        source = cause.source();
    }
    ExitCode::FAILURE
}
