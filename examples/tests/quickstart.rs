//! The text of the README runs: a struct becomes a job, a row, and a call to `perform`.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use sqlx::query_as;

#[tokio::test]
async fn the_quickstart_runs_its_jobs_until_it_is_told_to_stop() {
    let nothing = async |_: &str| Ok::<(), sqlx::Error>(());
    pgq_devdb::test_database("empty", nothing, async |db| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_quickstart"))
            .env("DATABASE_URL", db.url())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
        for _ in 0..2 {
            assert_eq!(lines.next().unwrap().unwrap(), "welcome, user 7");
        }
        let pid = program.id().to_string();
        assert!(Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap().success());
        assert!(program.wait().unwrap().success());
        let left: Vec<(String, String, bool)> =
            query_as("select state, queue, run_at - enqueued_at = interval '1 day' from pgq.jobs")
                .fetch_all(&db.pool())
                .await
                .unwrap();
        assert_eq!(left, [("scheduled".to_owned(), "send_welcome".to_owned(), true)]);
    })
    .await;
}
