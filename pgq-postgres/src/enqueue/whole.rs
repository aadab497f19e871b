//! A transaction that may be dropped at any moment.

use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::task::{Context, Waker};

use sqlx::postgres::{PgCopyIn, PgTransactionManager};
use sqlx::{AssertSqlSafe, Executor, PgConnection, SqlSafeStr, SqlStr};
use sqlx_core::transaction::TransactionManager;

/// Ends the session that says it.
const END: &str = "rollback; select pg_terminate_backend(pg_backend_pid())";

/// What a connection is told happens as a whole or not at all: in a transaction, or within the caller's.
///
/// The driver cannot be left half-way. It forgets a transaction whose `begin` was not answered (sqlx #4385), and
/// miscounts the answers of a session on which a copy was: whoever got that from the pool next would be inside of a
/// transaction, or read what others asked for. So the session is ended.
pub(super) struct Whole<'c> {
    connection: &'c mut PgConnection,
    /// The transaction is the caller's.
    nested: bool,
    copying: bool,
    over: bool,
}

impl<'c> Whole<'c> {
    pub(super) async fn begin(connection: &'c mut PgConnection) -> Result<Self, sqlx::Error> {
        let nested = PgTransactionManager::get_transaction_depth(connection) > 0;
        let whole = Self { connection, nested, copying: false, over: false };
        if nested {
            // The driver's own, if it is dropped, ends the caller's transaction and lets the caller go on without one.
            whole.connection.execute("savepoint pgq_whole").await?;
        } else {
            PgTransactionManager::begin(whole.connection, None).await?;
        }
        Ok(whole)
    }

    pub(super) async fn commit(mut self) -> Result<(), sqlx::Error> {
        if self.nested {
            self.connection.execute("release savepoint pgq_whole").await?;
        } else {
            PgTransactionManager::commit(self.connection).await?;
        }
        self.over = true;
        Ok(())
    }

    pub(super) async fn roll_back(mut self) -> Result<(), sqlx::Error> {
        if self.nested {
            self.connection.execute("rollback to savepoint pgq_whole").await?;
        } else {
            PgTransactionManager::rollback(self.connection).await?;
        }
        self.over = true;
        Ok(())
    }

    /// Begins a copy, after which [`copied`](Self::copied) must be called.
    pub(super) async fn copy(&mut self, statement: &str) -> Result<PgCopyIn<&mut PgConnection>, sqlx::Error> {
        self.copying = true;
        self.connection.copy_in_raw(statement).await
    }

    /// The copy was ended, and the end was answered.
    pub(super) fn copied(&mut self) {
        self.copying = false;
    }
}

impl Drop for Whole<'_> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        if self.copying {
            poll_once(self.connection.execute(END));
        }
        if !self.nested {
            PgTransactionManager::start_rollback(self.connection);
            // If a copy has only been asked for, the server takes what comes next for its first row, and refuses that.
            let end: SqlStr = AssertSqlSafe(END).into_sql_str();
            poll_once(PgTransactionManager::begin(self.connection, Some(end)));
        }
    }
}

/// The driver notes what it is to send before it waits for anything, and sends it before all that comes later.
fn poll_once(future: impl Future) {
    let _ = pin!(future).poll(&mut Context::from_waker(Waker::noop()));
}

impl Deref for Whole<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection
    }
}

impl DerefMut for Whole<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection
    }
}
