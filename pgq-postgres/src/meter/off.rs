use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use pgq_core::Outcome;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::connection::Session;
use crate::runner::Shared;
use crate::time::Timestamp;

#[derive(Default)]
pub(crate) struct EnqueueMeter(());

impl EnqueueMeter {
    #[expect(clippy::ptr_arg, reason = "a name that is borrowed is cloned for nothing")]
    pub(crate) fn add(&mut self, _: &Cow<'static, str>, _: &'static str) {}

    pub(crate) fn tell(self) {}
}

#[derive(Clone, Copy)]
pub(crate) struct Watch;

impl Watch {
    pub(crate) fn start() -> Self {
        Self
    }
}

pub(crate) struct RunnerMeter {
    pub(crate) clock: Clock,
}

impl RunnerMeter {
    pub(crate) fn new(_: usize) -> Self {
        Self { clock: Clock }
    }

    pub(crate) fn claimed(&self, _: Watch, _: usize) {}

    pub(crate) fn settled(&self, _: Watch, _: usize) {}

    pub(crate) fn lease_lost(&self, _: usize) {}

    pub(crate) fn rescued(&self, _: usize) {}

    #[cfg(feature = "cron")]
    pub(crate) fn fired(&self, _: &str, _: &str, _: usize) {}

    pub(crate) fn database_failed(&self) {}

    pub(crate) fn unserved(&self, _: usize) {}
}

#[derive(Clone, Copy)]
pub(crate) struct Waited;

pub(crate) struct Clock;

impl Clock {
    pub(crate) async fn read(&self, _: &Shared, _: &mut PgConnection) -> Result<(), sqlx::Error> {
        Ok(())
    }
}

pub(crate) struct Dues;

impl Dues {
    pub(crate) async fn of<'a>(
        _: &Shared,
        _: &mut PgConnection,
        _: impl Iterator<Item = (Uuid, &'a [Timestamp], &'a [i16])>,
    ) -> Result<Self, sqlx::Error> {
        Ok(Self)
    }

    pub(crate) fn waited(&self, _: Uuid, _: usize, _: SystemTime) -> Waited {
        Waited
    }
}

pub(crate) struct JobMeter;

impl JobMeter {
    pub(crate) fn new(_: &'static str, _: &'static str) -> Self {
        Self
    }

    pub(crate) fn begin(&self, _: &Arc<str>, _: Waited, _: Instant) -> Attempting {
        Attempting
    }

    pub(crate) fn released(&self, _: &Arc<str>) {}
}

pub(crate) struct Attempting;

impl Attempting {
    pub(crate) fn ended(self, _: Option<&Outcome>) {}
}

pub(crate) struct Sampler;

impl Sampler {
    pub(crate) fn new() -> Self {
        Self
    }

    /// Never, as good as.
    pub(crate) fn next(&self) -> tokio::time::Instant {
        tokio::time::Instant::now() + Duration::from_secs(86_400)
    }

    pub(crate) async fn sample(&mut self, _: &Shared, _: &mut Session) -> Result<(), sqlx::Error> {
        Ok(())
    }
}
