use std::fmt;
use std::time::{Duration, SystemTime};

use pgq_core::JobId;
use sqlx::postgres::PgRow;
use sqlx::{Row, query};

use super::{Admin, COUNT_LIMIT, Count, JobDetails, State, unsigned};
use crate::Error;
use crate::time::Timestamp;

/// Why a job has not run, in one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The job.
    pub job: JobId,
    /// Where it is.
    pub state: State,
    /// The sentence.
    pub text: String,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl Admin {
    /// Why this job has not run; none if there is none of that id (any more).
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn explain(&self, job: impl Into<JobId>) -> Result<Option<Explanation>, Error> {
        let Some(details) = self.job(job).await? else { return Ok(None) };
        let mut tx = self.look().await?;
        let row = query(self.schema.statements().explain.clone())
            .bind(&details.summary.queue)
            .bind(&details.summary.kind)
            .bind(details.version)
            .bind(details.summary.priority)
            .bind(details.summary.id.0)
            .bind(i64::from(COUNT_LIMIT) + 1)
            .fetch_one(&mut *tx)
            .await?;
        tx.rollback().await?;
        let facts = Facts::read(&row)?;
        let (job, state) = (details.summary.id, details.summary.state);
        Ok(Some(Explanation { job, state, text: sentence(&details, &facts) }))
    }
}

/// What decides whether a job is claimed.
#[derive(Debug, Clone)]
struct Facts {
    now: SystemTime,
    runners: u64,
    serving: u64,
    know_kind: u64,
    know_version: u64,
    know_kind_elsewhere: u64,
    slots: u64,
    in_hand: u64,
    running_here: u64,
    ahead: Count,
    paused_at: Option<SystemTime>,
    slow_until: Option<SystemTime>,
    max_running: Option<i32>,
}

impl Facts {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let number = |column| row.try_get::<i64, _>(column).map(unsigned);
        let time = |column| row.try_get::<Option<Timestamp>, _>(column).map(|time| time.map(|time| time.0));
        Ok(Self {
            now: row.try_get::<Timestamp, _>("now")?.0,
            runners: number("runners")?,
            serving: number("serving")?,
            know_kind: number("know_kind")?,
            know_version: number("know_version")?,
            know_kind_elsewhere: number("know_kind_elsewhere")?,
            slots: number("slots")?,
            in_hand: number("in_hand")?,
            running_here: number("running_here")?,
            ahead: Count::capped(row.try_get("ahead")?),
            paused_at: time("paused_at")?,
            slow_until: time("slow_until")?,
            max_running: row.try_get("max_running")?,
        })
    }

    fn until(&self, time: Option<SystemTime>) -> String {
        let left = time.and_then(|time| time.duration_since(self.now).ok()).unwrap_or_default();
        rough(left)
    }

    fn since(&self, time: Option<SystemTime>) -> String {
        let gone = time.and_then(|time| self.now.duration_since(time).ok()).unwrap_or_default();
        rough(gone)
    }
}

fn sentence(job: &JobDetails, facts: &Facts) -> String {
    let summary = &job.summary;
    let last_error = job.failures.last().map(|failure| first_line(&failure.error));
    match summary.state {
        State::Completed => {
            format!("it completed {} ago, at attempt {}", facts.since(summary.finished_at), summary.attempts)
        }
        State::Discarded | State::Cancelled => {
            let reason =
                summary.reason.as_deref().map(first_line).unwrap_or_else(|| "no reason was given".into());
            let state = summary.state;
            let ago = facts.since(summary.finished_at);
            format!(
                "it was {state} {ago} ago after {} attempts ({reason}): retry it to run it again",
                summary.attempts
            )
        }
        State::Running => running(job, facts),
        State::Parked => {
            let error = last_error.unwrap_or_else(|| "its payload cannot be read".into());
            format!(
                "it is parked ({error}): deploy a program that reads its payload, and the next runner tries it again"
            )
        }
        State::Scheduled => {
            let left = facts.until(summary.run_at);
            match last_error {
                _ if left == "0 s" => match obstacle(job, facts) {
                    Some(obstacle) => format!("it is due now, but {obstacle}"),
                    None => "it is due now, and moves to its queue with the next look of any runner".into(),
                },
                Some(error) if summary.attempts > 0 => {
                    format!("attempt {} failed ({error}): it is retried in {left}", summary.attempts)
                }
                _ => format!("it is scheduled to run in {left}"),
            }
        }
        State::Ready => ready(job, facts),
    }
}

fn running(job: &JobDetails, facts: &Facts) -> String {
    let runner = job.runner.as_deref().unwrap_or("a runner that is gone and will be rescued");
    let asked = if job.cancel_asked { "; somebody asked to cancel it" } else { "" };
    let attempt = job.summary.attempts.saturating_add(1);
    format!(
        "it is in the hands of {runner} since {}, as attempt {attempt}{asked}",
        facts.since(job.claimed_at)
    )
}

/// The first thing that keeps every runner from it, whatever stands before it.
fn obstacle(job: &JobDetails, facts: &Facts) -> Option<String> {
    let (queue, kind) = (&job.summary.queue, &job.summary.kind);
    if facts.paused_at.is_some() {
        return Some(format!(
            "its queue {queue} is paused since {}: resume it",
            facts.since(facts.paused_at)
        ));
    }
    if facts.runners == 0 {
        return Some("no runner lives: start one".into());
    }
    if facts.serving == 0 {
        return Some(format!(
            "none of the {} living runners serves its queue {queue}: add it to .queues(..) of one",
            facts.runners
        ));
    }
    if facts.know_kind == 0 {
        let elsewhere = if facts.know_kind_elsewhere > 0 { "; runners of other queues do" } else { "" };
        return Some(format!(
            "no runner of its queue {queue} knows its kind {kind}{elsewhere}: deploy a program that does"
        ));
    }
    if facts.know_version == 0 {
        return Some(format!(
            "no runner of its queue {queue} reads version {} of its kind {kind}: deploy a newer program",
            job.version
        ));
    }
    if facts.slow_until.is_some() {
        return Some(format!(
            "a handler slowed its queue {queue} down: it goes on in {}",
            facts.until(facts.slow_until)
        ));
    }
    None
}

/// The first thing that stands in its way.
fn ready(job: &JobDetails, facts: &Facts) -> String {
    if let Some(obstacle) = obstacle(job, facts) {
        return obstacle;
    }
    let queue = &job.summary.queue;
    let ahead = match facts.ahead {
        Count::Exactly(0) => "it is the next of its queue".to_owned(),
        ahead => format!("{ahead} jobs of its queue stand before it"),
    };
    match facts.max_running {
        Some(limit) if facts.running_here >= u64::try_from(limit).unwrap_or(0) * facts.know_version => {
            format!("its queue {queue} is limited to {limit} jobs a runner, and as many run; {ahead}")
        }
        _ if facts.in_hand >= facts.slots => {
            format!("all {} slots of the runners that know it are taken; {ahead}", facts.slots)
        }
        // What a runner was set to at its start stands in no table.
        _ if facts.running_here > 0 => format!(
            "{ahead}: it runs as soon as a runner comes to it, or, where its runners were given a Runner::queue_limit for \
             {queue}, once fewer of its jobs run"
        ),
        _ => format!("{ahead}: it runs as soon as a runner comes to it"),
    }
}

fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let short: String = line.chars().take(160).collect();
    if short.len() < line.len() { format!("{short}...") } else { short }
}

/// Two units at most.
fn rough(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 if time.as_millis() > 0 => format!("{} ms", time.as_millis()),
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_roughly() {
        for (seconds, text) in
            [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7_260, "2 h 1 min"), (864_000, "10 days")]
        {
            assert_eq!(rough(Duration::from_secs(seconds)), text);
        }
        assert_eq!(rough(Duration::from_millis(20)), "20 ms");
    }
}
