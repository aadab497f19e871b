//! Runs the binary as a person does.

use std::process::{Command, Output, Stdio};

use pgq_devdb::Database;
use serde_json::Value;

/// The binary with those arguments, on that database, without a terminal.
pub(crate) fn pgq(database: &Database, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgq"));
    command.args(arguments).env("DATABASE_URL", database.url()).env_remove("PGQ_ACTOR").stdin(Stdio::null());
    command
}

/// What it did: its code, what it said, and its complaints.
pub(crate) async fn run(database: &Database, arguments: &[&str]) -> (i32, String, String) {
    let mut command = pgq(database, arguments);
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// What it said when all went well.
pub(crate) async fn said(database: &Database, arguments: &[&str]) -> String {
    let (code, said, complaints) = run(database, arguments).await;
    assert_eq!(code, 0, "pgq {arguments:?}: {said}{complaints}");
    said
}

/// What it said in JSON.
pub(crate) async fn told(database: &Database, arguments: &[&str]) -> Value {
    let mut arguments = arguments.to_vec();
    arguments.push("--json");
    serde_json::from_str(&said(database, &arguments).await).unwrap()
}

/// Its complaint when it should fail so.
pub(crate) async fn complaint(database: &Database, code: i32, arguments: &[&str]) -> String {
    let (ended, said, complaint) = run(database, arguments).await;
    assert_eq!(ended, code, "pgq {arguments:?}: {said}{complaint}");
    complaint
}
