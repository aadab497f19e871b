//! Looks at the server's list of sessions for statements that have just ended.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use sqlx::{Connection, PgConnection, query_as};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::database::Database;

/// How often it looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// So many bytes of a statement's text tell it from others. The server keeps a thousand.
const WORDS_BYTES: usize = 60;

/// One run of a statement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// When it began, after the first one that was seen.
    pub(crate) at: Duration,
    pub(crate) took: Duration,
}

/// Looks until it is stopped.
pub(crate) struct Sampler {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<Vec<Seen>>>,
}

impl Sampler {
    /// Looks for statements that begin like this one.
    pub(crate) async fn start(database: &Database, statement: &str) -> Result<Self> {
        let words: String = statement.chars().take(WORDS_BYTES).collect();
        let (stop, stopped) = oneshot::channel();
        let connection = database.connect().await?;
        Ok(Self { stop, task: tokio::spawn(look(connection, words, stopped)) })
    }

    /// All that were seen, in their order.
    pub(crate) async fn stop(self) -> Result<Vec<Seen>> {
        // It has failed if it does not listen any more; its error comes next.
        let _ = self.stop.send(());
        self.task.await?
    }
}

async fn look(
    mut connection: PgConnection,
    words: String,
    mut stopped: oneshot::Receiver<()>,
) -> Result<Vec<Seen>> {
    // By their beginnings, in microseconds: what is seen twice is one.
    let mut seen = BTreeMap::new();
    let mut ticks = interval(LOOK_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stopped.try_recv().is_err() {
        ticks.tick().await;
        let rows: Vec<(f64, f64)> =
            query_as(include_str!("sql/claims.sql")).bind(&words).fetch_all(&mut connection).await?;
        seen.extend(rows.into_iter().map(|(at, took)| ((at * 1e6) as i64, took)));
    }
    connection.close().await?;
    let first = seen.first_key_value().map_or(0, |(at, _)| *at);
    let seen = seen.into_iter().map(|(at, took)| Seen {
        at: Duration::from_micros((at - first).unsigned_abs()),
        took: Duration::from_secs_f64(took.max(0.0)),
    });
    Ok(seen.collect())
}
