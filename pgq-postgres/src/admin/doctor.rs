use std::time::Duration;

use sqlx::{Connection, PgConnection, Row, query, query_as, query_scalar, raw_sql};

use super::{Admin, seconds, unsigned};
use crate::Error;
use crate::migrate::NEWEST;
use crate::time::interval;

/// A transaction that is older than this holds up vacuum noticeably.
const OLD_TRANSACTION: Duration = Duration::from_secs(60);

/// So many dead rows slow claims down.
const MANY_DEAD: u64 = 100_000;

/// How many queues, and how far into each, to look for kinds that nobody serves.
const QUEUES: i64 = 1_000;
const LOOK_AT: i64 = 1_000;

/// How often to look whether a pooler gives a session to somebody else. It may have many that are free.
const POOLER_ROUNDS: u32 = 5;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Severity {
    /// As it should be.
    Fine,
    /// Worth knowing; jobs run.
    Warning,
    /// Jobs do not run, or will soon not.
    Problem,
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What was looked at.
    pub check: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is the case.
    pub text: String,
    /// What to do; none where all is fine.
    pub remedy: Option<String>,
}

impl Finding {
    fn fine(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, severity: Severity::Fine, text: text.into(), remedy: None }
    }

    fn warning(check: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, severity: Severity::Warning, text: text.into(), remedy: Some(remedy.into()) }
    }

    fn problem(check: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity: Severity::Problem, ..Self::warning(check, text, remedy) }
    }
}

impl Admin {
    /// Looks for what goes wrong in practice, with two connections of the pool. Behind a pooler in transaction mode, and where the schema is behind, that is
    /// all it says.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn doctor(&self) -> Result<Vec<Finding>, Error> {
        // First, since there no other statement can be relied on.
        let pooler = self.pooler().await?;
        if pooler.severity != Severity::Fine {
            return Ok(vec![pooler]);
        }
        let migrations = self.migrations().await?;
        if migrations.severity == Severity::Problem {
            return Ok(vec![migrations]);
        }
        let mut findings = vec![migrations];
        findings.extend(self.runner_findings().await?);
        findings.extend(self.unserved().await?);
        findings.extend(self.old_transactions().await?);
        findings.extend(self.dead_rows().await?);
        findings.push(pooler);
        findings.push(self.role().await?);
        Ok(findings)
    }

    async fn migrations(&self) -> Result<Finding, Error> {
        const CHECK: &str = "migrations";
        match self.check().await {
            Ok(()) => Ok(Finding::fine(CHECK, format!("the schema is at migration {NEWEST}"))),
            Err(Error::NotMigrated { found: 0, .. }) => {
                Ok(Finding::problem(CHECK, "the schema has no pgq tables", "run `pgq migrate`"))
            }
            Err(error @ (Error::NotMigrated { .. } | Error::SchemaTooNew { .. })) => {
                Ok(Finding::problem(CHECK, error.to_string(), "run `pgq migrate`, or a newer pgq"))
            }
            Err(error) => Err(error),
        }
    }

    async fn runner_findings(&self) -> Result<Vec<Finding>, Error> {
        const CHECK: &str = "runners";
        let runners = self.runners(0).await?;
        let (alive, dead): (Vec<_>, Vec<_>) = runners.iter().partition(|runner| runner.alive);
        let mut findings = Vec::new();
        if alive.is_empty() {
            findings.push(Finding::problem(
                CHECK,
                "no runner lives",
                "start a program that calls Runner::run",
            ));
        } else {
            findings.push(Finding::fine(CHECK, format!("{} live", alive.len())));
        }
        for runner in dead {
            let silent = runner.silent.as_secs();
            let remedy = if alive.is_empty() {
                "start a runner: it takes the jobs back"
            } else {
                "a living runner takes its jobs back within a minute; if this stays, look into the runners' logs"
            };
            findings.push(Finding::warning(
                CHECK,
                format!("{} is silent for {silent} s", runner.name),
                remedy,
            ));
        }
        let ours = env!("CARGO_PKG_VERSION");
        for runner in alive.iter().filter(|runner| runner.library != ours) {
            let text =
                format!("{} was built with pgq {}, this program with {ours}", runner.name, runner.library);
            findings.push(Finding::warning("versions", text, "deploy all programs with one version of pgq"));
        }
        Ok(findings)
    }

    async fn unserved(&self) -> Result<Vec<Finding>, Error> {
        const CHECK: &str = "kinds";
        let statements = self.schema.statements();
        let mut tx = self.look().await?;
        let queues: Vec<String> =
            query_scalar(statements.doctor_queues.clone()).bind(QUEUES).fetch_all(&mut *tx).await?;
        let kinds: Vec<(String, i16, i64)> = query_as(statements.unserved_kinds.clone())
            .bind(&queues)
            .bind(LOOK_AT)
            .fetch_all(&mut *tx)
            .await?;
        tx.rollback().await?;
        if kinds.is_empty() {
            return Ok(vec![Finding::fine(CHECK, "some runner knows every kind that waits")]);
        }
        let found = |(kind, version, jobs): (String, i16, i64)| {
            let text = format!(
                "{jobs} jobs of kind {kind}, version {version}, wait and no runner of their queue reads them"
            );
            Finding::problem(
                CHECK,
                text,
                "deploy a program that knows the kind and serves the queue, or cancel them",
            )
        };
        Ok(kinds.into_iter().map(found).collect())
    }

    async fn old_transactions(&self) -> Result<Vec<Finding>, Error> {
        const CHECK: &str = "transactions";
        let mut tx = self.look().await?;
        let statement = query(self.schema.statements().doctor_transactions.clone());
        let rows = statement.bind(interval(OLD_TRANSACTION)).fetch_all(&mut *tx).await?;
        tx.rollback().await?;
        if rows.is_empty() {
            return Ok(vec![Finding::fine(CHECK, "no old transaction keeps dead rows from being removed")]);
        }
        let mut findings = Vec::new();
        for row in rows {
            let (what, who): (String, String) = (row.try_get("what")?, row.try_get("who")?);
            let since = row.try_get::<Option<f64>, _>("seconds")?.map(|since| seconds(since).as_secs());
            let since = since.map_or_else(String::new, |since| format!(" for {since} s"));
            let remedy = match what.as_str() {
                "session" => {
                    "end it with select pg_terminate_backend(its process), and set idle_in_transaction_session_timeout"
                }
                "prepared transaction" => "commit prepared or rollback prepared it",
                _ => "drop the slot with pg_drop_replication_slot, or start what reads it",
            };
            findings.push(Finding::warning(
                CHECK,
                format!("{what} {who} keeps dead rows alive{since}"),
                remedy,
            ));
        }
        Ok(findings)
    }

    async fn dead_rows(&self) -> Result<Vec<Finding>, Error> {
        const CHECK: &str = "dead rows";
        let mut findings = Vec::new();
        for row in query(self.schema.statements().doctor_tables.clone()).fetch_all(&self.pool).await? {
            let name: String = row.try_get("name")?;
            let (live, dead) = (unsigned(row.try_get("live")?), unsigned(row.try_get("dead")?));
            if !row.try_get::<bool, _>("autovacuum")? {
                let remedy = format!(
                    "alter table {}.{name} reset (autovacuum_enabled), and set autovacuum = on",
                    self.schema.name()
                );
                findings.push(Finding::problem(CHECK, format!("autovacuum does not come to {name}"), remedy));
            } else if dead > MANY_DEAD.max(live / 5) {
                let last =
                    row.try_get::<Option<f64>, _>("vacuumed_seconds")?.map(|ago| seconds(ago).as_secs());
                let last = last.map_or("never".into(), |ago| format!("{ago} s ago"));
                let remedy = format!("see `transactions`; then vacuum {}.{name}", self.schema.name());
                let text = format!("{name} has {dead} dead rows beside {live}; autovacuum last came {last}");
                findings.push(Finding::warning(CHECK, text, remedy));
            }
        }
        if findings.is_empty() {
            findings.push(Finding::fine(CHECK, "autovacuum keeps up"));
        }
        Ok(findings)
    }

    /// In transaction mode clients of a pooler get whichever session of the server is free.
    async fn pooler(&self) -> Result<Finding, Error> {
        const CHECK: &str = "pooler";
        let (mut one, mut other) = (self.pool.acquire().await?, self.pool.acquire().await?);
        for _ in 0..POOLER_ROUNDS {
            if self.sessions_are_shared(&mut one, &mut other).await? {
                return Ok(Finding::warning(
                    CHECK,
                    "sessions go through a pooler in transaction mode: LISTEN and session locks do not work there",
                    "give runners the server's own address, or .without_notify(); a killed runner is then noticed after 30 s",
                ));
            }
            std::mem::swap(&mut one, &mut other);
        }
        Ok(Finding::fine(CHECK, "sessions are the server's own, or a pooler keeps them apart"))
    }

    /// Whether `one` changes its session while `other` is in a transaction, or has had the one that `other` gets.
    async fn sessions_are_shared(
        &self,
        one: &mut PgConnection,
        other: &mut PgConnection,
    ) -> Result<bool, Error> {
        // In one message each, since what follows a message may go to another session.
        let backend = || raw_sql(self.schema.statements().backend.clone());
        let before: i32 = backend().fetch_one(&mut *one).await?.try_get(0)?;
        let outside: i32 = backend().fetch_one(&mut *other).await?.try_get(0)?;
        let mut tx = other.begin().await?;
        let inside: i32 = backend().fetch_one(&mut *tx).await?.try_get(0)?;
        let after: i32 = backend().fetch_one(&mut *one).await?.try_get(0)?;
        tx.rollback().await?;
        Ok(before != after || outside != inside || before == inside)
    }

    async fn role(&self) -> Result<Finding, Error> {
        const CHECK: &str = "role";
        let row = query(self.schema.statements().doctor_roles.clone()).fetch_one(&self.pool).await?;
        let role: String = row.try_get("role")?;
        let may = |what: &str| row.try_get::<bool, _>(what);
        if row.try_get::<Option<bool>, _>("superuser")? == Some(true) {
            let text = format!("this session is {role}, who may do everything in every database");
            return Ok(Finding::warning(CHECK, text, "connect programs as a role of their own"));
        }
        let names = ["enqueue", "claim", "operate"];
        let allowed: Vec<_> = names.into_iter().filter(|what| may(what).unwrap_or(false)).collect();
        if allowed.is_empty() {
            let text = format!("{role} may neither enqueue, claim nor operate");
            return Ok(Finding::warning(
                CHECK,
                text,
                "fine for looking; else ask the schema's owner for grants",
            ));
        }
        Ok(Finding::fine(CHECK, format!("{role} may {}", allowed.join(", "))))
    }
}
