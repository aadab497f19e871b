//! The child process that tests signal and kill.

use std::process::{ExitStatus, Stdio};

use pgq_tests::Ran;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// A running worker process.
pub(crate) struct Worker {
    child: Child,
    gate: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    /// Starts one on that database; it is killed if the test ends before it does.
    pub(crate) fn start(database_url: &str, arguments: &[&str], settings: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_worker"));
        command.args(arguments).env("DATABASE_URL", database_url).envs(settings.iter().copied());
        Self::spawn(command)
    }

    /// Starts one whose environment names no database.
    pub(crate) fn start_without_database() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_worker"));
        command.env_remove("DATABASE_URL");
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let gate = child.stdin.take().unwrap();
        Self { child, gate, lines }
    }

    /// The next attempt it reports.
    pub(crate) async fn ran(&mut self) -> Ran {
        let line = self.lines.next_line().await.unwrap().expect("the worker ended before the next attempt");
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(words[0], "ran", "{line}");
        Ran { n: words[1].parse().unwrap(), attempt: words[2].parse().unwrap() }
    }

    /// What it takes for the time, in seconds after the Unix epoch.
    pub(crate) async fn clock(&mut self) -> i64 {
        let line = self.lines.next_line().await.unwrap().expect("the worker ended before it told the time");
        line.strip_prefix("clock ").and_then(|seconds| seconds.parse().ok()).expect(&line)
    }

    /// Lets that many of its steps go on.
    pub(crate) async fn open_gate(&mut self, steps: usize) {
        self.gate.write_all("go on\n".repeat(steps).as_bytes()).await.unwrap();
    }

    /// Sends it a signal by name.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().expect("it has not exited").to_string();
        let sent = std::process::Command::new("kill").args(["-s", signal, &pid]).status().unwrap();
        assert!(sent.success(), "kill -s {signal} {pid}");
    }

    /// Waits for its end.
    pub(crate) async fn exited(mut self) -> ExitStatus {
        self.child.wait().await.unwrap()
    }

    /// Waits for its end; its exit code, the rest of its output, and its errors.
    pub(crate) async fn ended(mut self) -> (Option<i32>, Vec<String>, String) {
        let mut rest = Vec::new();
        while let Some(line) = self.lines.next_line().await.unwrap() {
            rest.push(line);
        }
        let mut errors = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut errors).await.unwrap();
        (self.child.wait().await.unwrap().code(), rest, errors)
    }
}
