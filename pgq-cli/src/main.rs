//! `pgq`: looks at the jobs of a database and changes them.

use std::process::ExitCode;

fn main() -> ExitCode {
    pgq_cli::main()
}
