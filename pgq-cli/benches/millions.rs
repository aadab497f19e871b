//! How long the answers of `status`, `jobs` and `job` take in a database with millions of jobs, and in which they must not
//! depend on that. Fills a database of its own, prints the times, and drops it.
//!
//! ```text
//! cargo bench -p pgq-cli --bench millions                # 10,000,000 scheduled and 1,000,000 finished jobs
//! SCHEDULED=100000 FINISHED=10000 cargo bench -p pgq-cli --bench millions
//! ```

use std::time::{Duration, Instant};

use pgq_postgres::admin::{Admin, Filter, State};
use pgq_postgres::{Error, JobId};
use sqlx::{AssertSqlSafe, PgPool, raw_sql};

/// No answer may take longer.
const LIMIT: Duration = Duration::from_millis(200);

/// How often each is asked; the slowest counts.
const ROUNDS: usize = 5;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
}

#[tokio::main]
async fn main() {
    let migrate =
        async |url: &str| -> Result<(), Error> { pgq_postgres::migrate(&PgPool::connect(url).await?).await };
    let fingerprint = include_str!("../../migrations/0001_initial.sql");
    let slow = pgq_devdb::test_database(fingerprint, migrate, async |db| measure(&db.pool()).await).await;
    assert_eq!(slow, 0, "answers that took over {LIMIT:?}");
}

async fn fill(pool: &PgPool, scheduled: u64, finished: u64) {
    let started = Instant::now();
    let fill = format!(
        "insert into pgq.scheduled (shape, priority, version, max_attempts, queue, kind, payload, options, run_at) \
         select 0, 0, 1, 4, 'queue_' || n % 20, 'kind_' || n % 20, '\\x00', \
                case when n % 1000 = 0 then jsonb_build_object('args', jsonb_build_object('user_id', n / 1000)) end, \
                now() + interval '1 hour' + n * interval '1 ms' \
         from generate_series(1, {scheduled}) n; \
         insert into pgq.finished (id, enqueued_at, shape, priority, version, attempts, max_attempts, crashes, state, queue, \
                                   kind, payload, reason) \
         select nextval('pgq.job_ids'), now(), 0, 0, 1, 1, 4, 0, \
                case when n % 1000 = 0 then 'discarded' when n % 100 = 0 then 'cancelled' else 'completed' end, \
                'queue_' || n % 20, 'kind_' || n % 20, '\\x00', case when n % 1000 = 0 then 'broken ' || n end \
         from generate_series(1, {finished}) n; \
         analyze pgq.scheduled; analyze pgq.finished;"
    );
    raw_sql(AssertSqlSafe(fill)).execute(pool).await.unwrap();
    println!("{scheduled} scheduled and {finished} finished jobs after {:.0?}", started.elapsed());
}

async fn measure(pool: &PgPool) -> usize {
    let (scheduled, finished) = (setting("SCHEDULED", 10_000_000), setting("FINISHED", 1_000_000));
    fill(pool, scheduled, finished).await;
    let admin = Admin::new(pool);
    let mut slow = 0;
    slow += timed("status: jobs by state", async || drop(admin.states().await.unwrap())).await;
    slow += timed("status: queues", async || drop(admin.queues().await.unwrap())).await;
    slow += timed("status: runners", async || drop(admin.runners(0).await.unwrap())).await;
    slow += timed("status", async || {
        admin.states().await.unwrap();
        admin.queues().await.unwrap();
        admin.runners(0).await.unwrap();
    })
    .await;
    slow += timed("job: by id", async || assert!(admin.job(JobId(77)).await.unwrap().is_some())).await;
    slow += timed("explain", async || assert!(admin.explain(JobId(77)).await.unwrap().is_some())).await;
    let of = Filter::new;
    let filters = [
        ("jobs", of()),
        ("jobs of a queue", of().queue("queue_7")),
        ("jobs of a kind", of().kind("kind_7")),
        ("jobs of a kind that is not there", of().kind("kind_x")),
        ("jobs of a state", of().state(State::Discarded)),
        ("jobs of a state, queue and kind", of().state(State::Discarded).queue("queue_0").kind("kind_0")),
        ("parked jobs", of().state(State::Parked)),
        ("jobs by indexed field", of().field("user_id", 42)),
        ("jobs by error, within their patience", of().error("broken 777000")),
        ("jobs by age, within their patience", of().older_than(Duration::from_secs(86_400))),
    ];
    for (name, filter) in filters {
        slow += timed(name, async || drop(admin.find(&filter, 20).await.unwrap())).await;
    }
    timed("count of all, to 10,000", async || assert!(admin.count(&of()).await.unwrap().number() > 0)).await;
    slow
}

/// Whether the slowest of some rounds was too slow.
async fn timed(name: &str, ask: impl AsyncFn()) -> usize {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let started = Instant::now();
        ask().await;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    let (median, slowest) = (times[ROUNDS / 2], times[ROUNDS - 1]);
    println!("{name:<40} {median:>10.1?} median {slowest:>10.1?} slowest");
    usize::from(slowest > LIMIT)
}
