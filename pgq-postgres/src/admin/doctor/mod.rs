mod finding;
mod role;
mod server;

use std::time::Duration;

use sqlx::{query_as, query_scalar};

use super::{Admin, seconds};
use crate::Error;
use crate::migrate::NEWEST;

pub use finding::{Finding, Severity};

/// A transaction that is older than this holds up vacuum noticeably.
pub const OLD_TRANSACTION: Duration = Duration::from_secs(60);

/// How many queues, and how far into each, to look for kinds that nobody serves.
const QUEUES: i64 = 1_000;
const LOOK_AT: i64 = 1_000;

impl Admin {
    /// Looks for what goes wrong in practice, with two connections of the pool. Behind a pooler in transaction mode, and
    /// where the schema is behind, that is all it says.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn doctor(&self) -> Result<Vec<Finding>, Error> {
        self.doctor_with(OLD_TRANSACTION).await
    }

    /// As [`doctor`](Admin::doctor), which goes by [`OLD_TRANSACTION`], for programs whose transactions may be older or
    /// must be shorter.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn doctor_with(&self, old_transaction: Duration) -> Result<Vec<Finding>, Error> {
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
        let role = self.role().await?;
        findings.extend(self.old_transactions(old_transaction, &role).await?);
        findings.extend(self.dead_rows().await?);
        findings.push(pooler);
        findings.push(role.finding());
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
        let ours = env!("CARGO_PKG_VERSION");
        let mut tx = self.look().await?;
        let runners: Vec<(String, String, f64, bool)> =
            query_as(self.schema.statements().doctor_runners.clone()).fetch_all(&mut *tx).await?;
        tx.rollback().await?;
        let alive = runners.iter().filter(|(.., alive)| *alive).count();
        let first = match alive {
            0 => Finding::problem(CHECK, "no runner lives", "start a program that calls Runner::run"),
            _ => Finding::fine(CHECK, format!("{alive} live")),
        };
        let remedy = match alive {
            0 => "start a runner: it takes the jobs back",
            _ => {
                "a living runner takes its jobs back within a minute; if this stays, look into the runners' logs"
            }
        };
        let of_one = |(name, library, silent, lives): &(String, String, f64, bool)| match lives {
            false => {
                let silent = seconds(*silent).as_secs();
                Some(Finding::warning(CHECK, format!("{name} is silent for {silent} s"), remedy))
            }
            true if library != ours => {
                let text = format!("{name} was built with pgq {library}, this program with {ours}");
                Some(Finding::warning("versions", text, "deploy all programs with one version of pgq"))
            }
            true => None,
        };
        Ok(std::iter::once(first).chain(runners.iter().filter_map(of_one)).collect())
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
}
