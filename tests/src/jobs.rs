use std::sync::Arc;
use std::time::Duration;

use pgq_postgres::{Context, DatabaseContext, Job, JobError, JobResult, Perform};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A job that does as it is told and reports every attempt.
#[derive(Job, Debug, Clone)]
#[job(state = Probe, retry_waits = ["1m", "10m"])]
pub struct Step {
    /// Which one it is.
    pub n: i64,
    /// What it does.
    pub action: Action,
}

/// What a [`Step`] does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Action {
    /// Completes.
    Succeed,
    /// Fails with this error.
    Fail(String),
    /// Fails until that attempt, then completes.
    FailUntil(i16),
    /// Panics.
    Panic,
    /// Discards itself.
    Discard,
    /// Snoozes for that long the first time it is run, then completes.
    SnoozeOnce(Duration),
    /// Snoozes for that long.
    Snooze(Duration),
    /// Fails and slows its queue down.
    SlowQueue,
    /// Waits until the test lets it go on with [`Probe::open_gate`], then completes.
    Gate,
    /// Waits until it is cancelled, then completes.
    UntilCancelled,
    /// Computes without a pause until it is cancelled, then completes; panics if nobody tells it for that long.
    Compute(Duration),
    /// Waits until it is cancelled, then fails.
    FailOnceCancelled,
    /// Waits until it is cancelled, then snoozes.
    SnoozeOnceCancelled,
    /// Never returns.
    Hang,
    /// Blocks its thread for that long.
    Block(Duration),
    /// Takes its whole process down.
    Abort,
    /// Calls itself without end.
    Overflow,
    /// Asks for more memory than there is anywhere.
    ExhaustMemory,
    /// Holds its thread, deaf to being cancelled, until the test opens the gate; then does that. Needs a runtime
    /// of several threads.
    Deaf(Box<Action>),
    /// Waits until the test opens the gate; then does that.
    Gated(Box<Action>),
    /// Does the first of these in its first attempt, and so on; the last one in all that remain.
    InTurn(Vec<Action>),
}

/// One attempt at a [`Step`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ran {
    /// Which step.
    pub n: i64,
    /// Which attempt; 1 is the first.
    pub attempt: i16,
}

/// The state of [`Step`]: reports attempts and holds the gate.
#[derive(Debug, Clone)]
pub struct Probe {
    ran: UnboundedSender<Ran>,
    gate: Arc<Semaphore>,
    snoozed: Arc<Semaphore>,
}

impl Probe {
    /// A probe, and what receives its reports.
    #[must_use]
    pub fn new() -> (Self, UnboundedReceiver<Ran>) {
        let (ran, reports) = unbounded_channel();
        let closed = || Arc::new(Semaphore::new(0));
        (Self { ran, gate: closed(), snoozed: closed() }, reports)
    }

    /// Lets that many steps that wait at the gate go on.
    pub fn open_gate(&self, steps: usize) {
        self.gate.add_permits(steps);
    }

    /// Waits at the gate without giving up the thread.
    fn hold(&self) {
        let gate = self.gate.acquire();
        let opened = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(gate));
        opened.expect("the gate is never closed for good").forget();
    }
}

impl Step {
    /// Step `n`, which completes.
    #[must_use]
    pub fn succeed(n: i64) -> Self {
        Self { n, action: Action::Succeed }
    }

    /// Step `n`, which does that.
    #[must_use]
    pub fn of(n: i64, action: Action) -> Self {
        Self { n, action }
    }

    /// What it comes down to in that attempt, after it was held as long as it should be.
    async fn resolve(&self, attempt: i16, probe: &Probe) -> &Action {
        let mut action = &self.action;
        loop {
            action = match action {
                Action::InTurn(actions) => {
                    let turn = usize::try_from(attempt - 1).unwrap_or(0).min(actions.len() - 1);
                    &actions[turn]
                }
                Action::Deaf(then) => {
                    probe.hold();
                    then
                }
                Action::Gated(then) => {
                    probe.gate.acquire().await.expect("the gate is never closed for good").forget();
                    then
                }
                resolved => return resolved,
            }
        }
    }
}

impl Perform for Step {
    async fn perform(&self, ctx: &Context<Probe>) -> JobResult {
        let probe = ctx.state();
        // A test that has seen enough no longer listens.
        let _ = probe.ran.send(Ran { n: self.n, attempt: ctx.attempt() });
        match self.resolve(ctx.attempt(), probe).await {
            Action::Succeed => Ok(()),
            Action::Fail(error) => Err(error.as_str().into()),
            Action::FailUntil(attempt) if ctx.attempt() < *attempt => Err("not yet".into()),
            Action::FailUntil(_) => Ok(()),
            Action::Panic => panic!("step {} panics", self.n),
            Action::Discard => Err(JobError::discard("no use")),
            Action::SnoozeOnce(wait) if probe.snoozed.available_permits() == 0 => {
                probe.snoozed.add_permits(1);
                Err(JobError::snooze(*wait))
            }
            Action::SnoozeOnce(_) => Ok(()),
            Action::Snooze(wait) => Err(JobError::snooze(*wait)),
            Action::SlowQueue => Err(JobError::slow_queue("too fast")),
            Action::Gate => {
                probe.gate.acquire().await?.forget();
                Ok(())
            }
            Action::UntilCancelled => {
                ctx.cancelled().await;
                Ok(())
            }
            Action::Compute(longest) => {
                let started = std::time::Instant::now();
                while !ctx.is_cancelled() {
                    assert!(started.elapsed() < *longest, "nobody told step {} to end", self.n);
                    std::hint::spin_loop();
                }
                Ok(())
            }
            Action::FailOnceCancelled => {
                ctx.cancelled().await;
                Err("given up".into())
            }
            Action::SnoozeOnceCancelled => {
                ctx.cancelled().await;
                Err(JobError::snooze(Duration::ZERO))
            }
            Action::Hang => std::future::pending().await,
            Action::Block(time) => {
                std::thread::sleep(*time);
                Ok(())
            }
            Action::Abort => std::process::abort(),
            Action::Overflow => Err(descend(1).to_string().into()),
            Action::ExhaustMemory => {
                let hoard = std::hint::black_box(vec![1_u8; isize::MAX.unsigned_abs()]);
                Err(format!("there were {} bytes", hoard.len()).into())
            }
            Action::Deaf(_) | Action::Gated(_) | Action::InTurn(_) => unreachable!("they were resolved"),
        }
    }
}

/// Never comes back.
#[expect(unconditional_recursion, reason = "that is what it is for")]
fn descend(depth: u64) -> u64 {
    std::hint::black_box(descend(std::hint::black_box(depth + 1)) + depth)
}

/// A job whose only effect is a row of the table `effects`, which the test makes.
#[derive(Job, Debug, Clone)]
#[job(state = Probe, transactional)]
pub struct Effect {
    /// Which one it is.
    pub n: i64,
}

impl Perform for Effect {
    async fn perform(&self, ctx: &Context<Probe>) -> JobResult {
        // A test that has seen enough no longer listens.
        let _ = ctx.state().ran.send(Ran { n: self.n, attempt: ctx.attempt() });
        let mut tx = ctx.begin().await?;
        sqlx::query("insert into effects (n, attempt) values ($1, $2)")
            .bind(self.n)
            .bind(ctx.attempt())
            .execute(&mut *tx)
            .await?;
        Ok(ctx.complete_in(tx).await?)
    }
}
