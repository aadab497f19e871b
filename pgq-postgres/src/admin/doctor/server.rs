use std::time::Duration;

use sqlx::{Connection, PgConnection, Row, query, raw_sql};

use super::finding::Finding;
use super::role::Role;
use crate::Error;
use crate::admin::{Admin, seconds, unsigned};
use crate::time::interval;

/// A standby that answers is never further behind than its `wal_receiver_status_interval` of 10 s and its longest query:
/// what it holds back has no age but this, in transactions.
const MANY_TRANSACTIONS: i32 = 200_000;

/// So many dead rows slow claims down.
const MANY_DEAD: u64 = 100_000;

/// How often to look whether a pooler gives a session to somebody else. It may have many that are free.
const POOLER_ROUNDS: u32 = 5;

impl Admin {
    /// What keeps dead rows from being removed, as far as this role can see it.
    pub(super) async fn old_transactions(&self, old: Duration, role: &Role) -> Result<Vec<Finding>, Error> {
        const CHECK: &str = "transactions";
        let mut tx = self.look().await?;
        let statement = query(self.schema.statements().doctor_transactions.clone());
        let rows = statement.bind(interval(old)).bind(MANY_TRANSACTIONS).fetch_all(&mut *tx).await?;
        tx.rollback().await?;
        let mut findings = Vec::new();
        if !role.sees_sessions {
            findings.push(Finding::warning(
                CHECK,
                "sessions of other roles cannot be seen, nor how old their transactions are",
                format!("grant pg_read_all_stats to {}", role.name),
            ));
        } else if rows.is_empty() {
            findings.push(Finding::fine(CHECK, "no old transaction keeps dead rows from being removed"));
        }
        for row in rows {
            let (what, who): (String, String) = (row.try_get("what")?, row.try_get("who")?);
            let age: Option<f64> = row.try_get("seconds")?;
            let behind: Option<i32> = row.try_get("transactions")?;
            let since = match (age, behind) {
                (Some(age), _) => format!(" for {} s", seconds(age).as_secs()),
                (None, Some(behind)) => format!(" for {behind} transactions"),
                (None, None) => String::new(),
            };
            let remedy = match what.as_str() {
                "session" => {
                    "end it with select pg_terminate_backend(its process), and set idle_in_transaction_session_timeout"
                }
                "prepared transaction" => "commit prepared or rollback prepared it",
                "standby" => {
                    "end the long query on the standby, or set max_standby_streaming_delay there instead of hot_standby_feedback"
                }
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

    pub(super) async fn dead_rows(&self) -> Result<Vec<Finding>, Error> {
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
    pub(super) async fn pooler(&self) -> Result<Finding, Error> {
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
}
