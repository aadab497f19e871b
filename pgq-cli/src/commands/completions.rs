use clap::Args;
use clap_complete::{Shell, generate};

#[derive(Debug, Args)]
pub struct Arguments {
    /// Which shell.
    shell: Shell,
}

pub(crate) fn print(arguments: &Arguments) {
    generate(arguments.shell, &mut crate::command(), "pgq", &mut std::io::stdout());
}
