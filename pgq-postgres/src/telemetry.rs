//! The metrics that pgq writes to the facade of the crate `metrics`, with the feature of that name.
//!
//! Install a recorder, as that of `metrics-exporter-prometheus`, before the first runner starts: what is told before has nobody to
//! listen. `docs/telemetry.md` has the list with what each is good for, an endpoint for Prometheus and a dashboard.
//!
//! ```
//! use pgq_postgres::telemetry;
//!
//! telemetry::describe(); // a runner does so when it starts; a program that only enqueues calls this
//! assert!(telemetry::METRICS.iter().any(|metric| metric.name == "pgq_enqueued_total"));
//! ```

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Upper bounds of buckets, in seconds, that suit the histograms of times: from what an idle claim takes to an hour.
pub const SECONDS_BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 60.0, 600.0, 3600.0];

/// Upper bounds of buckets that suit the histograms of batches.
pub const JOBS_BUCKETS: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];

/// How many ready jobs [`QUEUE_DEPTH`] counts in a queue at most: this many means so many or more.
pub const MOST_DEPTH: i64 = 10_000;

/// One metric.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Metric {
    /// Its name. Names are stable.
    pub name: &'static str,
    /// What can be done with it.
    pub kind: MetricKind,
    /// What it counts or measures.
    pub unit: Unit,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub about: &'static str,
}

/// The kinds of [`Metric`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricKind {
    /// Only ever rises, while the process lives.
    Counter,
    /// Is what it is now.
    Gauge,
    /// A distribution.
    Histogram,
}

const QUEUE_AND_KIND: &[&str] = &["queue", "kind"];
const QUEUE: &[&str] = &["queue"];

macro_rules! metrics {
    ($($constant:ident: $kind:ident, $name:literal, $unit:ident, $labels:expr, $about:literal;)*) => {
        $(
            #[doc = concat!("`", $name, "`: ", $about)]
            pub const $constant: Metric = Metric {
                name: $name,
                kind: MetricKind::$kind,
                unit: Unit::$unit,
                labels: $labels,
                about: $about,
            };
        )*

        /// All metrics.
        pub const METRICS: &[Metric] = &[$($constant,)*];
    };
}

metrics! {
    ENQUEUED: Counter, "pgq_enqueued_total", Count, QUEUE_AND_KIND,
        "jobs that this process enqueued; those of a transaction that is rolled back later are among them";
    STARTED: Counter, "pgq_started_total", Count, QUEUE_AND_KIND, "attempts that began";
    COMPLETED: Counter, "pgq_completed_total", Count, QUEUE_AND_KIND, "attempts that completed their job";
    FAILED: Counter, "pgq_failed_total", Count, QUEUE_AND_KIND,
        "attempts that failed, whether the job is retried or not";
    DISCARDED: Counter, "pgq_discarded_total", Count, QUEUE_AND_KIND, "jobs that failed for good in an attempt";
    SNOOZED: Counter, "pgq_snoozed_total", Count, QUEUE_AND_KIND, "attempts that put their job off";
    PARKED: Counter, "pgq_parked_total", Count, QUEUE_AND_KIND, "jobs set aside, since their payload cannot be read";
    RELEASED: Counter, "pgq_released_total", Count, QUEUE_AND_KIND,
        "jobs given back without an attempt, as at a stop";
    ATTEMPT_SECONDS: Histogram, "pgq_attempt_seconds", Seconds, QUEUE_AND_KIND, "how long attempts took";
    WAIT_SECONDS: Histogram, "pgq_wait_seconds", Seconds, QUEUE_AND_KIND,
        "how long jobs had been due when an attempt began, by the database's clock";
    QUEUE_DEPTH: Gauge, "pgq_queue_depth", Count, QUEUE, "ready jobs, 10,000 at most";
    QUEUE_LATENCY_SECONDS: Gauge, "pgq_queue_latency_seconds", Seconds, QUEUE,
        "how long the oldest ready job has been due; 0 if there is none";
    SLOTS: Gauge, "pgq_slots", Count, &[], "how many jobs the runners of this process run at a time at most";
    SLOTS_USED: Gauge, "pgq_slots_used", Count, &[], "attempts under way";
    CLAIM_SECONDS: Histogram, "pgq_claim_seconds", Seconds, &[], "how long claims took, those that found nothing too";
    CLAIM_JOBS: Histogram, "pgq_claim_jobs", Count, &[], "how many jobs a claim found, if any";
    SETTLE_SECONDS: Histogram, "pgq_settle_seconds", Seconds, &[], "how long it took to record outcomes";
    SETTLE_JOBS: Histogram, "pgq_settle_jobs", Count, &[], "how many outcomes were recorded at a time";
    LEASE_LOST: Counter, "pgq_lease_lost_total", Count, &[],
        "outcomes dropped because the job had passed to another runner";
    RESCUED: Counter, "pgq_rescued_total", Count, &[], "jobs that this process took back from dead runners";
    DATABASE_ERRORS: Counter, "pgq_database_errors_total", Count, &[],
        "failures of the database, lost connections included, that runners survived";
    UNSERVED_KINDS: Gauge, "pgq_unserved_kinds", Count, &[],
        "kinds and payload versions that wait in this runner's queues and that no living runner reads";
}

/// Tells the installed recorder the units of all metrics and what they say.
pub fn describe() {
    for metric in METRICS {
        match metric.kind {
            MetricKind::Counter => describe_counter!(metric.name, metric.unit, metric.about),
            MetricKind::Gauge => describe_gauge!(metric.name, metric.unit, metric.about),
            MetricKind::Histogram => describe_histogram!(metric.name, metric.unit, metric.about),
        }
    }
}
