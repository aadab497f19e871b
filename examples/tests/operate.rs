//! Goal: a program that mounts the commands shows what is in its jobs, but for what is sensitive, and completes its own name.

use std::process::{Command, Output};

use pgq_postgres::{Enqueue, Job, migrate};
use serde_json::{Value, json};
use sqlx::PgPool;

/// As the program has it.
#[derive(Job)]
#[job(enqueue_only, index(user_id), sensitive(token))]
struct SendMail {
    user_id: i64,
    token: String,
}

async fn operate(database_url: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_operate"));
    command.args(arguments).env("DATABASE_URL", database_url);
    let output: Output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn with_database(test: impl AsyncFnOnce(String, PgPool)) {
    let nothing = async |_: &str| Ok::<(), sqlx::Error>(());
    pgq_devdb::test_database("empty", nothing, async |db| test(db.url().to_owned(), db.pool()).await).await;
}

#[tokio::test]
async fn a_payload_is_shown_as_json_without_what_is_sensitive() {
    with_database(async |url, pool| {
        migrate(&pool).await.unwrap();
        let mail = SendMail { user_id: 7, token: "let me in".into() };
        let id = mail.enqueue(&pool).await.unwrap().id().to_string();
        let told = operate(&url, &["jobs", "job", &id, "--json"]).await;
        let job: Value = serde_json::from_str(&told).unwrap();
        assert_eq!(job["payload"], json!({"value": {"user_id": 7, "token": "***"}}));
        assert_eq!(job["args"], json!({"user_id": 7}));
        let said = operate(&url, &["jobs", "job", &id]).await;
        assert!(said.contains(r#""token":"***""#) && said.contains(r#""user_id":7"#), "{said}");
        assert!(!told.contains("let me in") && !said.contains("let me in"), "{told}{said}");
    })
    .await;
}

#[tokio::test]
async fn completions_are_those_of_the_program() {
    // Asks no database.
    let script = operate("postgres://nobody@127.0.0.1:1/none", &["jobs", "completions", "bash"]).await;
    for part in ["complete -F _operate", "operate__subcmd__jobs", "reschedule", "work"] {
        assert!(script.contains(part), "{part}: {script}");
    }
}
