//! A measured program, seen from the program that measures it.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child as Process, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::gate::READY;

/// The longest that preparing, or one measurement, may take.
const LONGEST: Duration = Duration::from_secs(2 * 3600);

/// A program that knows the steps of `gate`, and what stands before the workload in its command line.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) arguments: Vec<String>,
}

impl Program {
    /// This very program, as that side of a workload.
    pub(crate) fn side(side: &str) -> Result<Self> {
        let path = std::env::current_exe().context("cannot find this program")?;
        Ok(Self { path, arguments: vec!["side".into(), side.into()] })
    }
}

/// A running one. It is killed if it is dropped before its end.
pub(crate) struct Child {
    process: Process,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts it on the database at `url`.
    pub(crate) fn spawn(program: &Program, arguments: &[String], url: &str) -> Result<Self> {
        let mut command = Command::new(&program.path);
        command.args(&program.arguments).args(arguments).env("DATABASE_URL", url);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process =
            command.spawn().with_context(|| format!("cannot run {}", program.path.display()))?;
        let input = process.stdin.take().context("the program has no input")?;
        let output = process.stdout.take().context("the program has no output")?;
        Ok(Self { process, input, output: BufReader::new(output).lines() })
    }

    /// Waits until it has prepared.
    pub(crate) async fn ready(&mut self) -> Result<()> {
        let line = self.line().await?;
        ensure!(line == READY, "the measured program said {line:?} instead of {READY:?}");
        Ok(())
    }

    /// Lets it go on by a step.
    pub(crate) async fn go(&mut self) -> Result<()> {
        self.input.write_all(b"\n").await?;
        Ok(self.input.flush().await?)
    }

    /// Waits for its figures. It lives on until `end`.
    pub(crate) async fn outcome(&mut self) -> Result<Value> {
        let line = self.line().await?;
        serde_json::from_str(&line).with_context(|| format!("the measured program said {line:?}"))
    }

    /// Its process, as long as it lives.
    pub(crate) fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Lets it end.
    pub(crate) async fn end(mut self) -> Result<()> {
        drop(self.input);
        let status = timeout(LONGEST, self.process.wait()).await.context("it did not end")??;
        ensure!(status.success(), "the measured program failed ({status})");
        Ok(())
    }

    async fn line(&mut self) -> Result<String> {
        let line = timeout(LONGEST, self.output.next_line()).await.context("it took too long")??;
        match line {
            Some(line) => Ok(line),
            None => bail!("the measured program failed ({})", self.process.wait().await?),
        }
    }
}
