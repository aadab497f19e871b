//! Runs cargo on this workspace.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}

/// The cargo that runs us, in the root of the workspace.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// `cargo run` of a program of this workspace, wherever the person is: their paths are relative to that.
pub(crate) fn cargo_run(package: &str) -> Command {
    let mut command = Command::new(cargo().get_program());
    command.arg("run").arg("--manifest-path").arg(root().join("Cargo.toml")).args(["--package", package]);
    command
}

/// Runs it to its end; anything but success is an error.
pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {}", text(command)))?;
    if !status.success() {
        bail!("{} failed ({status})", text(command));
    }
    Ok(())
}

/// Becomes that program, so that ctrl-c and the exit code are its own.
pub(crate) fn become_it(command: &mut Command) -> anyhow::Error {
    let error = command.exec();
    anyhow::Error::new(error).context(format!("cannot run {}", text(command)))
}

/// As one would type it.
pub(crate) fn text(command: &Command) -> String {
    let args = command.get_args().map(|arg| arg.to_string_lossy());
    std::iter::once("cargo".into()).chain(args).collect::<Vec<_>>().join(" ")
}
