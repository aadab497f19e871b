use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::yield_now;
use tokio::time::sleep;

use super::claim::{Claims, LARGE_CLAIM};
#[cfg(feature = "testing")]
use super::floor::Floors;
use super::pace::{LINGER, Pace};
use super::poll::{Idle, Seen, poll};
use super::room::Reserved;
use super::stretch::Stretch;
use crate::connection::Backoff;

/// How often due jobs are promoted while there is no lack of ready ones.
const BUSY_POLL_INTERVAL: Duration = Duration::from_millis(500);

/// How soon a runner that may not claim looks whether it may again.
const DOUBT_INTERVAL: Duration = Duration::from_millis(100);

/// Claims jobs as slots become free, and waits where there are none.
pub(crate) struct Claimer {
    claims: Claims,
    idle: Idle,
    pace: Pace,
    next_poll: Instant,
}

/// What to do after a turn.
enum Next {
    /// Look again at once.
    Turn,
    /// Look again when slots are free.
    Room,
    /// Look again in a moment: jobs come briskly.
    Linger,
    /// Look again after that time, or when woken.
    Sleep(Duration),
}

impl Claimer {
    pub(crate) fn new(claims: Claims) -> Self {
        let now = Instant::now();
        Self { claims, idle: Idle::default(), pace: Pace::new(now), next_poll: now }
    }

    pub(crate) async fn run(mut self) {
        let mut backoff = Backoff::default();
        let shared = self.claims.shared.clone();
        let stop = shared.handle.stop.clone();
        while !stop.is_cancelled() {
            // Dropped half-way, a claim may have been made: its lease is left to a rescuer.
            let turn = tokio::select! { turn = self.turn() => turn, () = shared.hurry() => break };
            let wait = match turn {
                Ok(next) => {
                    backoff.reset();
                    self.wait(next).await;
                    continue;
                }
                Err(error) => {
                    self.distrust(&error);
                    backoff.wait()
                }
            };
            tokio::select! { () = wait => {} () = stop.cancelled() => {} }
        }
        self.claims.session.close().await;
    }

    /// One look at the queues.
    async fn turn(&mut self) -> Result<Next, sqlx::Error> {
        let now = Instant::now();
        if !self.claims.shared.liveness.may_claim() {
            return Ok(Next::Sleep(DOUBT_INTERVAL));
        }
        let Some(room) = Reserved::of(&self.claims.shared) else { return Ok(Next::Room) };
        let free = room.jobs();
        let polls_first = self.idle.polls_first();
        if !polls_first {
            let told_of = self.told_of();
            if told_of.is_none() && now >= self.next_poll {
                self.poll().await?;
            }
            let found = match &told_of {
                Some(queue) => self.claims.claim_first(room, queue).await?,
                None => self.claims.claim(room).await?,
            };
            let brisk = self.pace.found(found, self.idle.was_notified(), Instant::now());
            match found {
                _ if brisk && found < free => {
                    self.idle.wake_up(&self.claims.shared, &mut self.claims.session).await?;
                    return Ok(Next::Linger);
                }
                0 if told_of.is_none() => self.idle.found_nothing(),
                all if all == free => {
                    if free >= LARGE_CLAIM && !self.claims.shared.in_a_crowd() {
                        self.claims.together.second.notify_one();
                    }
                    self.idle.found_all(&self.claims.shared, &mut self.claims.session).await?;
                    return Ok(Next::Turn);
                }
                _ => {
                    self.idle.found_the_rest();
                    // Handlers begin before the poll is put together.
                    yield_now().await;
                }
            }
        }
        let seen = self.poll().await?;
        if seen.promoted > 0 || self.idle.must_look_again() {
            return Ok(Next::Turn);
        }
        match self.idle.contention() {
            _ if !seen.claimable => {
                let waits = [seen.due_in, self.look_in(&seen), Some(self.poll_interval())];
                Ok(Next::Sleep(waits.into_iter().flatten().min().unwrap_or_default()))
            }
            Some(contention) if !polls_first => Ok(Next::Sleep(contention.min(self.poll_interval()))),
            _ => Ok(Next::Turn),
        }
    }

    /// The queue whose notification ended the sleep, if it has room. Its first job is claimed alone, which is sooner; the
    /// poll that follows says whether there is more.
    fn told_of(&self) -> Option<Arc<str>> {
        let shared = &self.claims.shared;
        let queue = shared.take_told_of().filter(|queue| shared.room.free_in(queue, 1) > 0)?;
        self.idle.is_notified().then(|| queue.into())
    }

    async fn wait(&mut self, next: Next) {
        let stop = self.claims.shared.handle.stop.cancelled();
        match next {
            Next::Turn => {}
            Next::Room => tokio::select! {
                () = self.claims.shared.room.freed() => {}
                () = stop => {}
            },
            Next::Linger => tokio::select! {
                () = sleep(LINGER) => {}
                () = stop => {}
            },
            Next::Sleep(time) => tokio::select! {
                () = sleep(time) => self.idle.overslept(),
                () = self.claims.shared.wake.notified() => self.idle.notified(),
                () = self.claims.shared.room.limit_freed() => self.idle.woken(),
                () = stop => {}
            },
        }
    }

    fn distrust(&mut self, error: &sqlx::Error) {
        self.claims.distrust(error);
        self.idle = Idle::default();
    }

    /// Nothing sleeps for long before it has looked behind its floors, or while another session does so.
    fn look_in(&self, seen: &Seen) -> Option<Duration> {
        if seen.from_start { None } else { self.claims.look_in() }
    }

    async fn poll(&mut self) -> Result<Seen, sqlx::Error> {
        let looks = self.claims.looks();
        let Claims { shared, together, session, queues, .. } = &mut self.claims;
        // An idle runner claims nothing until a poll tells it to, so polls must look behind the floors too.
        let now = Instant::now();
        let stretches = |queue| match looks {
            true => vec![Stretch::WHOLE],
            false => together.floors().of(queue, now),
        };
        let queues = queues.iter().map(|queue| (&**queue, stretches(queue))).collect();
        let mut seen = poll(shared, session, queues, self.idle.is_idle()).await?;
        seen.from_start = looks;
        if seen.promoted > 0 || (looks && seen.claimable) {
            together.floors().look();
        }
        self.idle.polled(&seen);
        self.next_poll = Instant::now() + seen.due_in.unwrap_or(Duration::MAX).min(BUSY_POLL_INTERVAL);
        Ok(seen)
    }

    /// Claims the next job that is due, and hands it over. False if there is none.
    #[cfg(feature = "testing")]
    pub(crate) async fn claim_one(&mut self) -> Result<bool, sqlx::Error> {
        self.poll().await?;
        *self.claims.together.floors() = Floors::default();
        let room = Reserved::one(&self.claims.shared);
        Ok(self.claims.claim(room).await? > 0)
    }

    /// A little more or less each time, so that runners that started together do not poll together.
    fn poll_interval(&self) -> Duration {
        self.claims.shared.settings.poll_interval.mul_f64(0.9 + fastrand::f64() / 5.0)
    }
}
