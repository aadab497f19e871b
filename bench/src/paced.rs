//! Jobs that come one by one while they are run, for the workloads about latency.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use pgq_postgres::{Enqueue, Job, Runner};
use sqlx::{PgConnection, query};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

use crate::arrivals::Pace;
use crate::database::Database;
use crate::floor::Consumer;
use crate::job::{Starts, Timed};
use crate::latency::Latencies;
use crate::measure::{Meter, Outcome, outcome};
use crate::ours::{Running, asleep};
use crate::produce::{Produce, paced};

/// The one queue of the bare SQL.
pub(crate) const QUEUE: &str = Timed::QUEUE;

/// How long nothing may begin before a measurement is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// One job, and where it goes.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    pub(crate) micros: u64,
    pub(crate) fails: bool,
    /// The type's own unless given.
    pub(crate) queue: Option<String>,
    pub(crate) priority: i16,
}

impl Work {
    /// One that takes that long, and nothing else about it.
    pub(crate) fn of(micros: u64) -> Self {
        Self { micros, fails: false, queue: None, priority: 0 }
    }
}

/// What comes, and how fast.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) jobs: u64,
    /// Jobs a second on average; 0 for as fast as they begin.
    pub(crate) rate: u64,
    pub(crate) producers: u64,
    /// What the n-th job is.
    pub(crate) work: Arc<dyn Fn(u64) -> Work + Send + Sync>,
}

impl Load {
    /// Lets that runner run it all; it gets the states that the jobs need.
    pub(crate) async fn ours(&self, database: &Database, runner: Runner) -> Result<Outcome> {
        let (starts, mut began) = Starts::new();
        let runner = runner.register::<Timed>().state(starts.clone()).pool(database.pool(10));
        let sessions = database.connect_many(self.producers).await?;
        let running = Running::start(runner);
        asleep(database, 1).await?;
        let mut meter = Meter::start(database, 0).await?;
        let committed = paced(sessions, self.jobs, &self.pace(&starts), Ours(self.clone())).await?;
        let latencies = waits(&committed, &mut began).await?;
        let time = meter.finish(|| running.completed(self.jobs)).await?;
        running.stop().await?;
        meter.close().await?;
        Ok(self.told(time, &latencies))
    }

    /// Lets the bare SQL run it all.
    pub(crate) async fn floor(&self, database: &Database) -> Result<Outcome> {
        let (starts, mut began) = Starts::new();
        let sessions = database.connect_many(self.producers).await?;
        let wake = Arc::<Notify>::default();
        let consumer = Consumer::start(database, &starts, &wake);
        let mut meter = Meter::start(database, 0).await?;
        let producer = Floor { load: self.clone(), wake };
        let committed = paced(sessions, self.jobs, &self.pace(&starts), producer).await?;
        let latencies = waits(&committed, &mut began).await?;
        let time = meter.finish(|| Ok(true)).await?;
        consumer.stop().await?;
        meter.close().await?;
        Ok(self.told(time, &latencies))
    }

    fn pace(&self, starts: &Starts) -> Pace {
        if self.rate == 0 { Pace::AsTheyBegin(starts.clone()) } else { Pace::Rate(self.rate) }
    }

    fn told(&self, time: Duration, latencies: &Latencies) -> Outcome {
        let mut outcome = outcome(self.jobs, time);
        outcome.extend(latencies.json());
        outcome
    }
}

/// From each commit's return to the first line of the handler.
async fn waits(committed: &[Instant], began: &mut UnboundedReceiver<(u64, Instant)>) -> Result<Latencies> {
    let mut latencies: Vec<Option<Duration>> = vec![None; committed.len()];
    for _ in committed {
        let next = timeout(PATIENCE, began.recv()).await.context("no job begins any more")?;
        let (n, at) = next.context("the runner has ended")?;
        let n = usize::try_from(n)?;
        // A handler may begin before its producer has read the reply to the commit.
        let latency = at.saturating_duration_since(committed[n]);
        ensure!(latencies[n].replace(latency).is_none(), "job {n} ran twice");
    }
    Ok(Latencies::of(latencies.into_iter().flatten().collect()))
}

#[derive(Clone)]
struct Ours(Load);

impl Produce for Ours {
    type To = PgConnection;

    async fn produce(&self, to: &mut PgConnection, n: u64) -> Result<()> {
        let Work { micros, fails, queue, priority } = (self.0.work)(n);
        let job = Timed { n, micros, fails }.to_enqueue().priority(priority);
        let job = match queue {
            Some(queue) => job.queue(queue),
            None => job,
        };
        job.enqueue(to).await?;
        Ok(())
    }
}

#[derive(Clone)]
struct Floor {
    load: Load,
    wake: Arc<Notify>,
}

impl Produce for Floor {
    type To = PgConnection;

    async fn produce(&self, to: &mut PgConnection, n: u64) -> Result<()> {
        let Work { micros, fails, .. } = (self.load.work)(n);
        let payload = Bare { n, micros, fails, is_first: true }.bytes();
        let job = query(include_str!("sql/floor_enqueue.sql")).bind(QUEUE).bind(Timed::KIND);
        let job = job.bind(0_i16).bind(1_i16).bind(0).bind(2_i16).bind(payload);
        job.execute(to).await?;
        self.wake.notify_one();
        Ok(())
    }
}

/// A job of the bare SQL.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bare {
    pub(crate) n: u64,
    pub(crate) micros: u64,
    pub(crate) fails: bool,
    pub(crate) is_first: bool,
}

impl Bare {
    pub(crate) fn bytes(self) -> Vec<u8> {
        let flags = [u8::from(self.fails), u8::from(self.is_first)];
        [&self.n.to_le_bytes()[..], &self.micros.to_le_bytes(), &flags].concat()
    }

    pub(crate) fn read(bytes: &[u8]) -> Result<Self> {
        let number = |from: usize| Some(u64::from_le_bytes(bytes.get(from..from + 8)?.try_into().ok()?));
        let flag = |at: usize| Some(*bytes.get(at)? == 1);
        let read = || Some(Self { n: number(0)?, micros: number(8)?, fails: flag(16)?, is_first: flag(17)? });
        read().context("this is no job of the bare SQL")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_job_is_read_as_it_was_written() {
        let job = Bare { n: 7, micros: 5000, fails: true, is_first: false };
        assert_eq!(Bare::read(&job.bytes()).unwrap(), job);
        assert!(Bare::read(&[0; 17]).is_err());
    }
}
