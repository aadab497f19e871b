//! The heartbeat lives on a thread and a runtime of its own: a handler that blocks the application's runtime
//! must not make the runner look dead.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sqlx::types::Json;
use sqlx::{Connection, PgConnection, query, query_as, query_scalar};
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{error, warn};

use super::settings::DEAD_AFTER_BEATS_UNLOCKED;
use super::shared::Shared;
use crate::Error;
use crate::connection::{Backoff, Commit, Route, SessionOptions, is_permanent, timed_out};
use crate::time::interval as sql_interval;

/// How long the goodbye may take when the database does not answer. A rescuer finds what was left.
const GOODBYE_PATIENCE: Duration = Duration::from_secs(5);

/// Registers the runner and keeps its heartbeat until it rests. Returns when the runner is registered.
pub(crate) async fn start(shared: Arc<Shared>) -> Result<JoinHandle<()>, Error> {
    let (registered, first) = oneshot::channel();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Thread)?;
    let thread = thread::Builder::new()
        .name("pgq heartbeat".into())
        .spawn(move || runtime.block_on(live(&shared, registered)))
        .map_err(Error::Thread)?;
    match first.await {
        Ok(result) => result.map(|()| thread).map_err(Error::Database),
        Err(_) => Err(Error::Setting("the heartbeat's thread ended before its first beat".into())),
    }
}

async fn live(shared: &Shared, registered: oneshot::Sender<Result<(), sqlx::Error>>) {
    tokio::select! {
        () = keep_beating(shared, registered) => {}
        () = watch(shared) => {}
        () = rest_overdue(shared) => warn!(runner = %shared.name, "the database does not answer: left without a word"),
    }
}

/// Returns when the heartbeat should have said goodbye.
async fn rest_overdue(shared: &Shared) {
    shared.rest.cancelled().await;
    sleep(GOODBYE_PATIENCE).await;
}

async fn keep_beating(shared: &Shared, registered: oneshot::Sender<Result<(), sqlx::Error>>) {
    let mut backoff = Backoff::default();
    let started = Instant::now();
    let mut session = loop {
        match open(shared).await {
            Ok(session) => break session,
            Err(error) if is_permanent(&error) || started.elapsed() >= shared.settings.start_patience => {
                return drop(registered.send(Err(error)));
            }
            Err(error) => shared.survived("heartbeat", &error),
        }
        backoff.wait().await;
    };
    // Nobody waits any more if the start was given up; the heartbeat then rests at once.
    if registered.send(Ok(())).is_err() {
        return leave(shared, session).await;
    }
    while let Err(error) = beat_until_rest(shared, &mut session, &mut backoff).await {
        shared.liveness.session_lost();
        shared.survived("heartbeat", &error);
        drop(session);
        session = match reopen(shared, &mut backoff).await {
            Some(session) => session,
            None => return,
        };
    }
    leave(shared, session).await;
}

/// A new session, however long it takes; none if the runner rests before.
async fn reopen(shared: &Shared, backoff: &mut Backoff) -> Option<PgConnection> {
    while !shared.rest.is_cancelled() {
        backoff.wait().await;
        match open(shared).await {
            Ok(session) => return Some(session),
            Err(error) => shared.survived("heartbeat", &error),
        }
    }
    None
}

/// Opens a session, takes its lock and registers the runner; a row that is still there stays as it is.
async fn open(shared: &Shared) -> Result<PgConnection, sqlx::Error> {
    let options = options(shared);
    let mut session = options.connect().await?;
    let sent = Instant::now();
    options.begin(&mut session).await?;
    lock(shared, &mut session).await?;
    query(shared.statements().register_runner.clone())
        .persistent(shared.keeps_statements())
        .bind(shared.id)
        .bind(&shared.name)
        .bind(lock_key(shared))
        .bind(env!("CARGO_PKG_VERSION"))
        .bind(i32::try_from(shared.settings.slots).unwrap_or(i32::MAX))
        .bind(&shared.queues)
        .bind(&shared.kinds.names)
        .bind(&shared.kinds.versions)
        .bind(sql_interval(shared.liveness.interval()))
        .execute(&mut session)
        .await?;
    shared.meter.clock.read(shared, &mut session).await?;
    options.commit(&mut session).await?;
    shared.liveness.beat(sent);
    Ok(session)
}

fn options(shared: &Shared) -> SessionOptions {
    shared.session_options("heartbeat", Commit::Asynchronous)
}

async fn beat_until_rest(
    shared: &Shared,
    session: &mut PgConnection,
    backoff: &mut Backoff,
) -> Result<(), sqlx::Error> {
    let mut ticks = interval(shared.liveness.interval());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shared.rest.cancelled() => return Ok(()),
            _ = ticks.tick() => {}
            () = shared.cancellation.notified() => {}
        }
        let sent = Instant::now();
        let trust = shared.liveness.trust();
        let answer = tokio::select! {
            answer = beat(shared, session) => answer?,
            // Kept open until here: while the server has not lost the session, its lock is held.
            () = trust.cancelled() => return Err(timed_out()),
        };
        let Some((late, alike, cancelled)) = answer else {
            warn!(runner = %shared.name, "this runner was taken for dead: its jobs belong to others now");
            shared.liveness.lose_trust();
            return Err(sqlx::Error::RowNotFound);
        };
        shared.liveness.beat(sent);
        backoff.reset();
        if !shared.liveness.is_locked() {
            lock(shared, session).await?;
        }
        shared.running.cancel(cancelled);
        shared.alike.store(u32::try_from(alike).unwrap_or(1), Relaxed);
        if late {
            shared.suspicion.notify_one();
        }
    }
}

/// What a runner that lives is told: whether another one may be dead, how many share all of its work, itself among them, and
/// which jobs somebody cancelled.
type Alive = (bool, i64, Vec<i64>);

/// Says that the runner lives; none if others do not think so.
async fn beat(shared: &Shared, session: &mut PgConnection) -> Result<Option<Alive>, sqlx::Error> {
    let options = options(shared);
    options.begin(session).await?;
    let answer = query_as(shared.statements().heartbeat.clone())
        .persistent(shared.keeps_statements())
        .bind(shared.id)
        .bind(f64::from(DEAD_AFTER_BEATS_UNLOCKED))
        .bind(shared.tally.report(Instant::now()).map(Json))
        .fetch_optional(&mut *session)
        .await?;
    options.commit(session).await?;
    Ok(answer)
}

/// Takes the lock of this runner. A lost session may still hold it, until the server notices its loss.
async fn lock(shared: &Shared, session: &mut PgConnection) -> Result<(), sqlx::Error> {
    let Some(key) = lock_key(shared) else { return Ok(()) };
    let locked = query_scalar(shared.statements().lock_runner.clone()).bind(key);
    shared.liveness.locked(locked.fetch_one(session).await?);
    Ok(())
}

/// Ends the runner's jobs when their time without a heartbeat is over. A part of its own, since the heartbeat
/// itself may hang in a statement.
async fn watch(shared: &Shared) {
    loop {
        sleep(shared.liveness.interval() / 16).await;
        if shared.liveness.enforce_deadline() {
            error!(runner = %shared.name, "no heartbeat reached the database: cancelled all jobs before others take them");
        }
    }
}

async fn leave(shared: &Shared, mut session: PgConnection) {
    if let Err(error) = say_goodbye(shared, &mut session).await {
        // A rescuer finds the row of a runner that is silent.
        shared.survived("heartbeat", &error);
    }
    // The server notices a lost session by itself.
    let _ = session.close().await;
}

async fn say_goodbye(shared: &Shared, session: &mut PgConnection) -> Result<(), sqlx::Error> {
    let options = options(shared);
    options.begin(session).await?;
    query(shared.statements().unregister_runner.clone())
        .persistent(shared.keeps_statements())
        .bind(shared.id)
        .execute(&mut *session)
        .await?;
    options.commit(session).await
}

/// The lower half of the runner's id, which is random. None behind a pooler, which may give each statement of this
/// runner to another session.
fn lock_key(shared: &Shared) -> Option<i64> {
    (shared.settings.route == Route::Direct).then(|| shared.id.as_u64_pair().1.cast_signed())
}
