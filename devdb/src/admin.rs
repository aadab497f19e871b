//! Statements about whole databases, sent over a connection to the server's own.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::error::Error;

/// How long a session may take to end, and how often it is looked for.
const SESSION_END: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(2);

/// A connection that creates and drops databases.
pub(crate) struct Admin {
    connection: PgConnection,
}

impl Admin {
    pub(crate) async fn connect(url: &str) -> Result<Admin, Error> {
        let connection = PgConnection::connect(url).await.map_err(failed("connect to the server"))?;
        Ok(Admin { connection })
    }

    /// A name nobody else has, with the server's time in it, by which leftovers are told from the living.
    pub(crate) async fn fresh_name(&mut self, prefix: &str) -> Result<String, Error> {
        sqlx::query_scalar(
            "select $1 || extract(epoch from clock_timestamp())::bigint || '_' || replace(gen_random_uuid()::text, '-', '')",
        )
        .bind(prefix)
        .fetch_one(&mut self.connection)
        .await
        .map_err(failed("name a database"))
    }

    pub(crate) async fn exists(&mut self, name: &str) -> Result<bool, Error> {
        sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
            .bind(name)
            .fetch_one(&mut self.connection)
            .await
            .map_err(failed("look for a database"))
    }

    pub(crate) async fn create(&mut self, name: &str, template: &str) -> Result<(), Error> {
        let statement = format!("create database {} template {}", quoted(name), quoted(template));
        self.execute(statement, "create a database").await
    }

    pub(crate) async fn drop(&mut self, name: &str) -> Result<(), Error> {
        self.execute(format!("drop database if exists {} with (force)", quoted(name)), "drop a database")
            .await
    }

    /// Closes a database to everybody, as a database that is copied must have no sessions.
    pub(crate) async fn seal(&mut self, name: &str) -> Result<(), Error> {
        let statement = format!("alter database {} with allow_connections false", quoted(name));
        self.execute(statement, "seal a template database").await?;
        // Postgres 13 cannot wait for their end by itself.
        let left = "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = $1";
        let deadline = Instant::now() + SESSION_END;
        loop {
            let left: i64 = sqlx::query_scalar(left)
                .bind(name)
                .fetch_one(&mut self.connection)
                .await
                .map_err(failed("end the sessions of a template database"))?;
            if left == 0 || Instant::now() > deadline {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Renames a database. `false` if there is one of that name, made by somebody else meanwhile.
    pub(crate) async fn rename(&mut self, from: &str, to: &str) -> Result<bool, Error> {
        const DUPLICATE_DATABASE: &str = "42P04";
        let statement = format!("alter database {} rename to {}", quoted(from), quoted(to));
        match self.execute(statement, "rename a database").await {
            Err(Error::Database { source: sqlx::Error::Database(error), .. })
                if error.code().as_deref() == Some(DUPLICATE_DATABASE) =>
            {
                Ok(false)
            }
            other => other.map(|()| true),
        }
    }

    /// Notes on a database, with the server's time, that it is in use.
    pub(crate) async fn touch(&mut self, name: &str) -> Result<(), Error> {
        let comment: String = sqlx::query_scalar(
            "select format('comment on database %I is %L', $1, extract(epoch from clock_timestamp())::bigint::text)",
        )
        .bind(name)
        .fetch_one(&mut self.connection)
        .await
        .map_err(failed("read the time"))?;
        self.execute(comment, "comment on a database").await
    }

    /// One process at a time, over all processes that use this server.
    pub(crate) async fn lock(&mut self, key: i64) -> Result<(), Error> {
        sqlx::query("select pg_advisory_lock($1)")
            .bind(key)
            .execute(&mut self.connection)
            .await
            .map(drop)
            .map_err(failed("lock the template databases"))
    }

    /// Drops what crashed processes left: tests' databases after an hour, templates unused for a week.
    pub(crate) async fn sweep(&mut self) -> Result<(), Error> {
        let stale: Vec<String> = sqlx::query_scalar(
            r"select datname from pg_database
              where datname ~ '^pgq_(test|unfinished)_[0-9]{10}_'
                and substr(split_part(datname, '_', 3), 1, 10)::bigint < extract(epoch from now()) - 3600
              union all
              select datname from pg_database
              where datname ~ '^pgq_template_'
                and shobj_description(oid, 'pg_database') ~ '^[0-9]{10}$'
                and shobj_description(oid, 'pg_database')::bigint < extract(epoch from now()) - 604800",
        )
        .fetch_all(&mut self.connection)
        .await
        .map_err(failed("look for old databases"))?;
        for name in stale {
            // Somebody else may be dropping it too, or own it.
            let _ = self.drop(&name).await;
        }
        Ok(())
    }

    /// Ends the session, and with it its locks, before the caller goes on.
    pub(crate) async fn close(self) -> Result<(), Error> {
        self.connection.close().await.map_err(failed("close a connection"))
    }

    async fn execute(&mut self, statement: String, action: &'static str) -> Result<(), Error> {
        let result = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut self.connection).await;
        result.map(drop).map_err(failed(action))
    }
}

/// For `map_err` on the driver's errors.
pub(crate) fn failed(action: &'static str) -> impl FnOnce(sqlx::Error) -> Error {
    move |source| Error::Database { action, source }
}

/// An identifier as SQL wants it, whatever is in it.
fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_quoted() {
        assert_eq!(quoted("pgq_test"), "\"pgq_test\"");
        assert_eq!(quoted("a\"; drop"), "\"a\"\"; drop\"");
    }
}
