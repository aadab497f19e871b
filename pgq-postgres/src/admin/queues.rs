use std::time::{Duration, SystemTime};

use pgq_core::QueueName;
use sqlx::postgres::PgRow;
use sqlx::{Row, query};

use super::{Admin, COUNT_LIMIT, Count, seconds, unsigned};
use crate::Error;
use crate::time::Timestamp;

/// How many jobs at the head of each priority are looked at for the oldest.
const HEAD: i64 = 100;

/// How far each queue's jobs are counted where all queues are asked for.
const EACH_LIMIT: u32 = 2_500;

/// How a queue is.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct QueueStatistics {
    /// The queue.
    pub name: String,
    /// Since when it is paused.
    pub paused_at: Option<SystemTime>,
    /// Until when it rests because a handler said so.
    pub slow_until: Option<SystemTime>,
    /// How many of its jobs may run at a time in each runner, if that was set with [`Admin::limit_queue`].
    pub max_running: Option<u32>,
    /// Jobs that are due and wait.
    pub ready: Count,
    /// Jobs in the hands of runners.
    pub running: u64,
    /// Jobs for later, the parked ones included.
    pub scheduled: Count,
    /// Jobs whose payload cannot be read.
    pub parked: Count,
    /// How long the oldest ready job has been due, of the first hundred of each priority: the queue's latency.
    pub latency: Option<Duration>,
    /// Living runners that serve it.
    pub runners: u64,
    /// Jobs that those have completed since they started.
    pub completed: u64,
    /// Attempts that failed there.
    pub failed: u64,
    /// Jobs that were discarded there.
    pub discarded: u64,
    /// Jobs completed in the last minute, by the runners that live.
    pub completed_per_minute: u64,
    /// Attempts that failed in the last minute.
    pub failed_per_minute: u64,
}

impl QueueStatistics {
    /// Which part of the attempts of the last minute failed; none if there were none.
    pub fn failure_rate(&self) -> Option<f64> {
        let all = self.completed_per_minute + self.failed_per_minute;
        (all > 0).then(|| self.failed_per_minute as f64 / all as f64)
    }

    fn read(row: &PgRow, limit: u32) -> Result<Self, sqlx::Error> {
        let time = |column| row.try_get::<Option<Timestamp>, _>(column).map(|time| time.map(|time| time.0));
        let number = |column| row.try_get::<i64, _>(column).map(unsigned);
        let count = |column| row.try_get(column).map(|count| Count::capped_at(count, limit.into()));
        Ok(Self {
            name: row.try_get("name")?,
            paused_at: time("paused_at")?,
            slow_until: time("slow_until")?,
            max_running: row
                .try_get::<Option<i32>, _>("max_running")?
                .and_then(|limit| limit.try_into().ok()),
            ready: count("ready")?,
            running: number("running")?,
            scheduled: count("scheduled")?,
            parked: count("parked")?,
            latency: row.try_get::<Option<f64>, _>("oldest_seconds")?.map(seconds),
            runners: number("runners")?,
            completed: number("completed")?,
            failed: number("failed")?,
            discarded: number("discarded")?,
            completed_per_minute: number("minute_completed")?,
            failed_per_minute: number("minute_failed")?,
        })
    }
}

impl Admin {
    /// Every queue that holds jobs, that a runner serves or that has a setting, by name.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn queues(&self) -> Result<Vec<QueueStatistics>, Error> {
        self.queue_statistics(None).await
    }

    /// One queue; none if nobody knows it.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn queue(&self, queue: &str) -> Result<Option<QueueStatistics>, Error> {
        Ok(self.queue_statistics(Some(queue)).await?.pop())
    }

    async fn queue_statistics(&self, queue: Option<&str>) -> Result<Vec<QueueStatistics>, Error> {
        let limit = if queue.is_some() { COUNT_LIMIT } else { EACH_LIMIT };
        let mut tx = self.look().await?;
        let rows = query(self.schema.statements().queue_statistics.clone())
            .bind(i64::from(limit) + 1)
            .bind(HEAD)
            .bind(queue)
            .fetch_all(&mut *tx)
            .await?;
        tx.rollback().await?;
        Ok(rows.iter().map(|row| QueueStatistics::read(row, limit)).collect::<Result<_, _>>()?)
    }

    /// No runner claims from this queue until it is resumed. Jobs that run go on.
    ///
    /// # Errors
    /// A bad name, or a failure of the database.
    pub async fn pause(&self, queue: &str) -> Result<(), Error> {
        QueueName::new(queue)?;
        query(self.schema.statements().pause.clone())
            .bind(queue)
            .bind(&self.actor)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Ends a pause; nothing happens where there is none.
    ///
    /// # Errors
    /// A bad name, or a failure of the database.
    pub async fn resume(&self, queue: &str) -> Result<(), Error> {
        QueueName::new(queue)?;
        let resume = query(self.schema.statements().resume.clone()).bind(queue).bind(self.schema.channel());
        resume.bind(&self.actor).execute(&self.pool).await?;
        Ok(())
    }

    /// At most so many jobs of this queue at a time in each runner, whatever the runner was set to; `None` goes back to
    /// that. It is no limit across runners: with three of them, three times as many run. Runners that work notice
    /// within half a second, idle ones at their next look. Jobs that run go on.
    ///
    /// # Errors
    /// A bad name, a limit of zero, or a failure of the database.
    pub async fn limit_queue(&self, queue: &str, limit: Option<u32>) -> Result<(), Error> {
        QueueName::new(queue)?;
        if limit == Some(0) {
            return Err(Error::Setting(format!("the limit of queue {queue} is 0: pause the queue instead")));
        }
        let limit = limit.map(|limit| i32::try_from(limit).unwrap_or(i32::MAX));
        let limit_queue = query(self.schema.statements().limit_queue.clone()).bind(queue).bind(limit);
        limit_queue.bind(&self.actor).bind(self.schema.channel()).execute(&self.pool).await?;
        Ok(())
    }
}
