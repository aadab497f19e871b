//! The producers: jobs of all sorts the whole time, each enqueue in their history with what became of it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::time::Duration;

use fastrand::Rng;
use pgq_postgres::{Enqueue, Error, Prepared, enqueue_all};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::history::{Event, History};
use crate::job::{Charge, Script, Work};

/// How long an enqueue may take before its producer gives it up.
const PATIENCE: Duration = Duration::from_secs(3);

/// The most jobs in one enqueue.
const LARGEST: i64 = 40;

/// Of so many enqueues whose end is unknown, one is tried again with the same jobs.
const AGAIN: u32 = 4;

/// What all producers share.
#[derive(Debug)]
pub struct Load {
    /// Where enqueues are noted.
    pub history: History,
    /// The number of the next job.
    pub next: AtomicI64,
    /// Ends them.
    pub stop: AtomicBool,
    /// Futures are dropped at random moments now.
    pub drops: AtomicBool,
    /// No job blocks its thread or takes its time.
    pub quick: bool,
}

impl Load {
    /// No jobs yet.
    pub fn new(history: History) -> Self {
        Self {
            history,
            next: AtomicI64::new(1),
            stop: AtomicBool::new(false),
            drops: AtomicBool::new(false),
            quick: false,
        }
    }

    /// How many jobs were thought of.
    pub fn jobs(&self) -> i64 {
        self.next.load(Relaxed) - 1
    }
}

/// One producer, making jobs at that rate until it is told to stop.
pub async fn produce(load: Arc<Load>, options: PgConnectOptions, jobs_per_second: f64, seed: u64) {
    let mut producer = Producer { load, options, session: None, rng: Rng::with_seed(seed) };
    let mut due = Instant::now();
    while !producer.load.stop.load(Relaxed) {
        let made = producer.turn().await;
        // What an outage held up is not made up for at once: the rate is a limit.
        due = due.max(Instant::now() - Duration::from_millis(200));
        due += Duration::from_secs_f64(made as f64 / jobs_per_second);
        sleep_until(due).await;
    }
}

struct Producer {
    load: Arc<Load>,
    options: PgConnectOptions,
    session: Option<PgConnection>,
    rng: Rng,
}

/// How one enqueue ended.
enum Ended {
    /// With these ids.
    Acknowledged(Vec<i64>),
    /// Nothing was enqueued.
    Refused,
    /// Nobody knows.
    Unknown,
}

/// In which way jobs are enqueued.
#[derive(Debug, Clone, Copy)]
enum Way {
    Alone,
    Together,
    RolledBack,
    Bulk,
}

impl Producer {
    /// One enqueue, of one job or several; how many.
    async fn turn(&mut self) -> i64 {
        let way = match self.rng.u32(0..10) {
            0..2 => Way::Alone,
            2..5 => Way::Together,
            5 => Way::RolledBack,
            _ => Way::Bulk,
        };
        let jobs = if matches!(way, Way::Alone) { 1 } else { self.rng.i64(1..=LARGEST) };
        let first = self.load.next.fetch_add(jobs, Relaxed);
        let numbers: Vec<i64> = (first..first + jobs).collect();
        let unknown = self.enqueue(&numbers, way).await;
        if unknown && self.rng.u32(0..AGAIN) == 0 {
            self.enqueue(&numbers, way).await;
        }
        jobs
    }

    /// Whether nobody knows how it ended.
    async fn enqueue(&mut self, numbers: &[i64], way: Way) -> bool {
        let Some(mut session) = self.connected().await else { return false };
        let jobs: Vec<Prepared> = numbers.iter().filter_map(|n| self.job(*n).ok()).collect();
        let load = self.load.clone();
        let note = |event: fn(i64) -> Event| numbers.iter().for_each(|n| load.history.note(event(*n)));
        note(|n| Event::Invoked { n });
        let patience = match self.load.drops.load(Relaxed) {
            true => Duration::from_micros(self.rng.u64(100..5000)),
            false => PATIENCE,
        };
        let ended = match timeout(patience, perform(&mut session, jobs, way)).await {
            Ok(Ok(Some(ids))) => Ended::Acknowledged(ids),
            Ok(Ok(None)) => Ended::Refused,
            Ok(Err(error)) if is_refusal(&error) => Ended::Refused,
            Ok(Err(_)) => Ended::Unknown,
            // Dropped half-way, whether its time was over or somebody wanted it so. What rolls back is sure to.
            Err(_) if matches!(way, Way::RolledBack) => Ended::Refused,
            Err(_) => Ended::Unknown,
        };
        match &ended {
            Ended::Acknowledged(ids) => {
                for (n, id) in numbers.iter().zip(ids) {
                    self.load.history.note(Event::Acknowledged { n: *n, id: *id });
                }
                // Only a session on which all went well is used again.
                self.session = Some(session);
            }
            Ended::Refused => note(|n| Event::Failed { n }),
            Ended::Unknown => note(|n| Event::Unknown { n }),
        }
        matches!(ended, Ended::Unknown)
    }

    async fn connected(&mut self) -> Option<PgConnection> {
        if let Some(session) = self.session.take() {
            return Some(session);
        }
        let connected = timeout(PATIENCE, PgConnection::connect_with(&self.options)).await;
        let session = connected.ok().and_then(Result::ok);
        if session.is_none() {
            sleep(Duration::from_millis(50)).await;
        }
        session
    }

    fn job(&mut self, n: i64) -> Result<Prepared, Error> {
        let script = match self.rng.u32(0..100) {
            0..10 => return Charge { n }.prepare(),
            10..30 => Script::Take(self.rng.u16(1..40)),
            30..34 if !self.load.quick => Script::Take(self.rng.u16(100..600)),
            34..37 => Script::FailFirst,
            37..39 => Script::PanicFirst,
            39..42 => Script::SnoozeYoung,
            42..43 if !self.load.quick => Script::Block(self.rng.u16(10..200)),
            43..50 => {
                let delay = Duration::from_millis(self.rng.u64(1..1500));
                return Work { n, script: Script::Delayed }.after(delay).prepare();
            }
            _ => Script::Complete,
        };
        Work { n, script }.prepare()
    }
}

/// The ids, or none if it was rolled back.
///
/// Boxed: the compiler cannot see that the whole may change threads otherwise.
fn perform(session: &mut PgConnection, jobs: Vec<Prepared>, way: Way) -> Performing<'_> {
    Box::pin(async move {
        if matches!(way, Way::Bulk) {
            let enqueued = enqueue_all(session, jobs).await?;
            return Ok(Some(enqueued.into_iter().map(|enqueued| enqueued.id().0).collect()));
        }
        let mut ids = Vec::new();
        if matches!(way, Way::Alone) {
            for job in jobs {
                ids.push(job.enqueue(&mut *session).await?.id().0);
            }
            return Ok(Some(ids));
        }
        let mut tx = session.begin().await?;
        for job in jobs {
            ids.push(job.enqueue(&mut *tx).await?.id().0);
        }
        if matches!(way, Way::RolledBack) {
            tx.rollback().await?;
            return Ok(None);
        }
        tx.commit().await?;
        Ok(Some(ids))
    })
}

type Performing<'a> = Pin<Box<dyn Future<Output = Result<Option<Vec<i64>>, Error>> + Send + 'a>>;

/// Whether the server said no. A session that it ended, or that broke, may have committed before.
fn is_refusal(error: &Error) -> bool {
    let Error::Database(sqlx::Error::Database(error)) = error else { return false };
    let code = error.code().unwrap_or_default();
    !["08", "57P"].iter().any(|class| code.starts_with(class))
}
