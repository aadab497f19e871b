//! The bare SQL for jobs that come one by one and take a while: loops that claim without a pause as long as there is
//! something, handlers that are nothing but their waits, and one session that settles. Producers wake the loops through
//! memory, which costs nothing: they are in the same process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use anyhow::Result;
use sqlx::{Connection, PgConnection, query};
use tokio::sync::Notify;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::CLAIMERS;
use super::claim::{Lease, claim};
use crate::database::Database;
use crate::job::Starts;
use crate::paced::{Bare, QUEUE};

/// How long a loop sleeps that found nothing and is not woken: what runs again wakes nobody.
const PAUSE: Duration = Duration::from_millis(10);

/// How many jobs a claim takes at most, and how many leases a settle ends.
const BATCH: u16 = 100;

/// The loops.
pub(crate) struct Consumer {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<Result<()>>,
}

impl Consumer {
    /// Starts them, which connects.
    pub(crate) fn start(database: &Database, starts: &Starts, wake: &Arc<Notify>) -> Self {
        let (stop, mut tasks, runner) = (Arc::<AtomicBool>::default(), JoinSet::new(), Uuid::new_v4());
        let loops = Loops { starts: starts.clone(), wake: Arc::clone(wake), stop: Arc::clone(&stop) };
        let (done, leases) = channel(usize::from(BATCH));
        for _ in 0..CLAIMERS {
            tasks.spawn(claims(database.clone(), runner, done.clone(), loops.clone()));
        }
        tasks.spawn(settles(database.clone(), runner, leases));
        Self { stop, tasks }
    }

    /// Ends them when nothing runs any more.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.stop.store(true, Relaxed);
        while let Some(task) = self.tasks.join_next().await {
            task??;
        }
        Ok(())
    }
}

/// What the loops share.
#[derive(Clone)]
struct Loops {
    starts: Starts,
    wake: Arc<Notify>,
    stop: Arc<AtomicBool>,
}

/// A lease all of whose jobs have run, and those of them that run again.
struct Ended {
    id: Uuid,
    again: Vec<Vec<u8>>,
}

async fn claims(database: Database, runner: Uuid, done: Sender<Ended>, loops: Loops) -> Result<()> {
    let mut connection = database.connect_as_runner().await?;
    let mut running = JoinSet::new();
    while !loops.stop.load(Relaxed) {
        match claim(&mut connection, QUEUE, BATCH.into(), runner).await? {
            Some(lease) => drop(running.spawn(run(lease, loops.starts.clone(), done.clone()))),
            // Not woken in that time: it looks all the same.
            None => drop(timeout(PAUSE, loops.wake.notified()).await),
        }
        while let Some(ended) = running.try_join_next() {
            ended??;
        }
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    Ok(connection.close().await?)
}

/// Runs the jobs of a lease side by side.
async fn run(lease: Lease, starts: Starts, done: Sender<Ended>) -> Result<()> {
    let (mut again, mut longest) = (Vec::new(), Duration::ZERO);
    for payload in lease.payloads.into_iter().flatten() {
        let job = Bare::read(&payload)?;
        if job.is_first {
            starts.began(job.n);
        }
        // They wait side by side, so their lease ends with the longest of them.
        longest = longest.max(Duration::from_micros(job.micros));
        if job.fails && job.is_first {
            again.push(Bare { is_first: false, ..job }.bytes());
        }
    }
    sleep(longest).await;
    Ok(done.send(Ended { id: lease.id, again }).await?)
}

async fn settles(database: Database, runner: Uuid, mut leases: Receiver<Ended>) -> Result<()> {
    let mut connection = database.connect_as_runner().await?;
    let mut ended = Vec::new();
    while leases.recv_many(&mut ended, BATCH.into()).await > 0 {
        settle(&mut connection, runner, &mut ended).await?;
    }
    Ok(connection.close().await?)
}

async fn settle(connection: &mut PgConnection, runner: Uuid, ended: &mut Vec<Ended>) -> Result<()> {
    let (ids, again): (Vec<Uuid>, Vec<Vec<Vec<u8>>>) =
        ended.drain(..).map(|lease| (lease.id, lease.again)).unzip();
    let settled = query(include_str!("../sql/floor_settle_many.sql")).bind(runner).bind(ids);
    settled.bind(again.concat()).bind(QUEUE).execute(connection).await?;
    Ok(())
}
