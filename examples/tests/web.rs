//! The web server and the worker as processes: from a request to a job that has run, and to a clean end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::{PgPool, query_scalar};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// One of the programs, killed when a test fails.
struct Program {
    child: Child,
    address: String,
    _lines: BufReader<ChildStdout>,
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    fn start(path: &str, database_url: &str) -> Self {
        let mut child = Command::new(path)
            .env("DATABASE_URL", database_url)
            .env("ADDRESS", "127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { child, address, _lines: lines }
    }

    /// The status and the body of an answer.
    fn request(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        write!(stream, "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    fn get(&self, path: &str) -> (u16, String) {
        self.request("GET", path, "")
    }

    /// Waits until the metrics have that line.
    fn until_told(&self, line: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (status, metrics) = self.get("/metrics");
            if status == 200 && metrics.lines().any(|told| told == line) {
                return;
            }
            assert!(Instant::now() < deadline, "no {line} in\n{metrics}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn until_ready(&self) {
        let deadline = Instant::now() + PATIENCE;
        while self.get("/health/ready").0 != 200 {
            assert!(Instant::now() < deadline, "{}", self.get("/health/ready").1);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Tells it to stop, and returns its exit code.
    fn terminate(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

async fn count(pool: &PgPool, query: &'static str) -> i64 {
    query_scalar(query).fetch_one(pool).await.unwrap()
}

async fn with_database(test: impl AsyncFnOnce(String, PgPool)) {
    let nothing = async |_: &str| Ok::<(), sqlx::Error>(());
    pgq_devdb::test_database("empty", nothing, async |db| test(db.url().to_owned(), db.pool()).await).await;
}

#[tokio::test]
async fn a_request_enqueues_in_its_transaction_its_job_runs_and_sigterm_ends_all_cleanly() {
    with_database(async |url, pool| {
        let web = Program::start(env!("CARGO_BIN_EXE_web"), &url);
        web.until_ready();
        assert_eq!(web.get("/health/live"), (200, "ok\n".to_owned()));
        assert_eq!(web.request("POST", "/users", "ann@example.com").0, 201);
        web.until_told("pgq_completed_total{queue=\"mail\",kind=\"send_welcome\"} 1");
        assert_eq!(web.request("POST", "/users", "ann@example.com").0, 500, "she is there already");
        let (_, metrics) = web.get("/metrics");
        assert!(
            metrics.contains("pgq_enqueued_total{queue=\"mail\",kind=\"send_welcome\"} 1\n"),
            "{metrics}"
        );
        assert!(
            metrics
                .contains("pgq_attempt_seconds_bucket{queue=\"mail\",kind=\"send_welcome\",le=\"+Inf\"} 1\n")
        );
        assert_eq!(web.terminate(), Some(0));
        assert_eq!(count(&pool, "select count(*) from users").await, 1);
        assert_eq!(count(&pool, "select count(*) from pgq.jobs").await, 0, "what rolled back left no job");
        assert_eq!(count(&pool, "select count(*) from pgq.runners").await, 0, "it has said goodbye");
    })
    .await;
}

#[tokio::test]
async fn a_worker_runs_what_others_enqueue_and_tells_its_probes() {
    with_database(async |url, pool| {
        let worker = Program::start(env!("CARGO_BIN_EXE_job_worker"), &url);
        worker.until_ready();
        let email = "bob@example.com".to_owned();
        pgq_postgres::Enqueue::enqueue(pgq_examples::SendWelcome { email }, &pool).await.unwrap();
        worker.until_told("pgq_completed_total{queue=\"mail\",kind=\"send_welcome\"} 1");
        assert_eq!(worker.terminate(), Some(0));
        assert_eq!(count(&pool, "select count(*) from pgq.runners").await, 0);
    })
    .await;
}
