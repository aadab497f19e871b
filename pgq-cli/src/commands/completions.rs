use clap::Args;
use clap_complete::{Shell, generate};

#[derive(Debug, Args)]
pub struct Arguments {
    /// Which shell.
    shell: Shell,
}

/// Those of a program in which the commands are mounted, or of `pgq`.
pub(crate) fn print(arguments: &Arguments, program: Option<clap::Command>) {
    let mut program = program.unwrap_or_else(crate::command);
    let name = program.get_name().to_owned();
    generate(arguments.shell, &mut program, name, &mut std::io::stdout());
}
