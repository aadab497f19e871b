use pgq_core::JobId;

/// What an enqueue has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Enqueued {
    /// It made a job.
    New(JobId),
    /// It made none: that one holds the key of this unique job, and stays as it was.
    Existing(JobId),
    /// It made none: that one holds the key of this unique job, and got its payload.
    Replaced(JobId),
    /// It made none: that one holds the key of this unique job, and was moved to its time.
    Moved(JobId),
}

impl Enqueued {
    /// The job that is there now.
    pub fn id(self) -> JobId {
        match self {
            Self::New(id) | Self::Existing(id) | Self::Replaced(id) | Self::Moved(id) => id,
        }
    }

    /// Whether it made a job.
    pub fn is_new(self) -> bool {
        matches!(self, Self::New(_))
    }

    /// As `pgq.enqueue_unique` tells it.
    pub(super) fn read(id: i64, outcome: &str) -> Self {
        let id = JobId(id);
        match outcome {
            "new" => Self::New(id),
            "replaced" => Self::Replaced(id),
            "moved" => Self::Moved(id),
            _ => Self::Existing(id),
        }
    }
}

impl From<Enqueued> for JobId {
    fn from(enqueued: Enqueued) -> Self {
        enqueued.id()
    }
}
