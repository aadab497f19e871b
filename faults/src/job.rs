//! The jobs of the load.

use std::sync::Arc;
use std::time::Duration;

use pgq_postgres::{Context, DatabaseContext, Error, Job, JobError, JobResult, Perform};
use serde::{Deserialize, Serialize};

use crate::history::{End, Event, History, now};

/// What a handler writes its history to.
#[derive(Debug, Clone)]
pub struct Recorder(pub Arc<History>);

/// A job that does as it is told. Its effect is a line of its runner's history.
#[derive(Job, Debug, Clone)]
#[job(state = Recorder, kind = "fault_work", backoff = fixed("100ms"), max_attempts = 1000)]
pub struct Work {
    /// Which one it is.
    pub n: i64,
    /// What it does.
    pub script: Script,
}

/// What [`Work`] does.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Script {
    /// Completes.
    Complete,
    /// Takes that many milliseconds, then completes.
    Take(u16),
    /// Fails in its first attempt.
    FailFirst,
    /// Panics in its first attempt.
    PanicFirst,
    /// Snoozes as long as it is young.
    SnoozeYoung,
    /// Was enqueued for later.
    Delayed,
    /// Blocks its thread for that many milliseconds.
    Block(u16),
}

/// A job whose effect is a row, and which completes in the same transaction.
#[derive(Job, Debug, Clone)]
#[job(state = Recorder, kind = "fault_charge", transactional, backoff = fixed("100ms"), max_attempts = 1000)]
pub struct Charge {
    /// Which one it is.
    pub n: i64,
}

/// Until this age a job that snoozes does.
const YOUNG: Duration = Duration::from_millis(300);

/// How long a handler's own use of the database may take.
const DATABASE_PATIENCE: Duration = Duration::from_secs(5);

impl Perform for Work {
    async fn perform(&self, ctx: &Context<Recorder>) -> JobResult {
        let due_at_enqueue = !matches!(self.script, Script::Delayed);
        let mut run = RunOf::begin(ctx, self.n, due_at_enqueue);
        match self.script {
            Script::Complete | Script::Delayed => {}
            Script::Take(millis) => tokio::time::sleep(Duration::from_millis(millis.into())).await,
            Script::Block(millis) => std::thread::sleep(Duration::from_millis(millis.into())),
            Script::FailFirst if ctx.attempt() == 1 => {
                run.ends(End::Retry);
                return Err("told to fail".into());
            }
            Script::PanicFirst if ctx.attempt() == 1 => {
                run.ends(End::Retry);
                panic!("told to panic");
            }
            Script::SnoozeYoung if age(ctx) < YOUNG => {
                run.ends(End::Snooze);
                return Err(JobError::snooze(YOUNG));
            }
            Script::FailFirst | Script::PanicFirst | Script::SnoozeYoung => {}
        }
        run.effect();
        run.ends(End::Complete);
        Ok(())
    }
}

impl Perform for Charge {
    async fn perform(&self, ctx: &Context<Recorder>) -> JobResult {
        let mut run = RunOf::begin(ctx, self.n, true);
        let charged = tokio::time::timeout(DATABASE_PATIENCE, self.charge(ctx)).await;
        match charged {
            Ok(Ok(())) => {
                run.ends(End::Complete);
                Ok(())
            }
            Ok(Err(error)) => {
                run.ends(End::Error);
                Err(error.into())
            }
            Err(_) => {
                run.ends(End::Error);
                Err("the database did not answer".into())
            }
        }
    }
}

impl Charge {
    async fn charge(&self, ctx: &Context<Recorder>) -> Result<(), Error> {
        let mut tx = ctx.begin().await?;
        sqlx::query("insert into faults.effects (n, job) values ($1, $2)")
            .bind(self.n)
            .bind(ctx.id().0)
            .execute(&mut *tx)
            .await?;
        ctx.complete_in(tx).await
    }
}

fn age(ctx: &Context<Recorder>) -> Duration {
    let enqueued = ctx.enqueued_at().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Duration::from_micros(now()).saturating_sub(enqueued)
}

/// Notes the end of a run when its handler returns or is dropped.
struct RunOf {
    history: Arc<History>,
    n: i64,
    id: i64,
    end: End,
}

impl RunOf {
    fn begin(ctx: &Context<Recorder>, n: i64, due_at_enqueue: bool) -> Self {
        let (history, id) = (ctx.state().0.clone(), ctx.id().0);
        let first = due_at_enqueue && ctx.attempt() == 1;
        let waited = first.then(|| u64::try_from(age(ctx).as_micros()).unwrap_or(u64::MAX));
        history.note(Event::Started { n, id, attempt: ctx.attempt(), waited });
        Self { history, n, id, end: End::Dropped }
    }

    fn effect(&self) {
        self.history.note(Event::Effect { n: self.n, id: self.id });
    }

    fn ends(&mut self, end: End) {
        self.end = end;
    }
}

impl Drop for RunOf {
    fn drop(&mut self) {
        self.history.note(Event::Ended { n: self.n, id: self.id, end: self.end });
    }
}
