//! What pgq tells in numbers, as Prometheus would read it, and the dashboard that shows it.

use std::collections::BTreeSet;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use pgq_postgres::telemetry::{JOBS_BUCKETS, METRICS, MetricKind, SECONDS_BUCKETS};
use pgq_postgres::{Admin, Enqueue, Missed, Schedule, Schedules, Unique, enqueue_all};
use pgq_tests::{Action, Running, Step, count, lease_each, until, until_state, with_database};
use sqlx::{PgPool, query};

/// Collects what this thread tells.
fn recorder() -> PrometheusRecorder {
    let buckets = |builder: PrometheusBuilder, suffix: &str, buckets: &[f64]| {
        builder.set_buckets_for_metric(Matcher::Suffix(suffix.into()), buckets).unwrap()
    };
    let builder = buckets(PrometheusBuilder::new(), "_seconds", &SECONDS_BUCKETS);
    buckets(builder, "_jobs", &JOBS_BUCKETS).build_recorder()
}

/// The value of a line of the endpoint, none if there is no such line.
fn value(told: &PrometheusHandle, series: &str) -> Option<f64> {
    let text = told.render();
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map(|value| value.parse().unwrap())
}

/// The same of the jobs that tests run.
fn of_steps(told: &PrometheusHandle, name: &str) -> Option<f64> {
    value(told, &format!("{name}{{queue=\"step\",kind=\"step\"}}"))
}

#[tokio::test]
async fn what_becomes_of_jobs_is_counted_by_queue_and_kind() {
    with_database(async |db| {
        let recorder = recorder();
        let told = recorder.handle();
        let _here = metrics::set_default_local_recorder(&recorder);
        let pool = db.pool();
        let one = |n, action| Step::of(n, action).to_enqueue().max_attempts(1);
        let ends = [
            one(1, Action::Succeed),
            one(2, Action::Fail("no".into())),
            one(3, Action::Discard),
            Step::of(4, Action::Fail("later".into())).to_enqueue(),
            Step::of(5, Action::Snooze(Duration::from_secs(60))).to_enqueue(),
        ];
        enqueue_all(&pool, ends).await.unwrap();
        let unreadable = Step::succeed(6).enqueue(&pool).await.unwrap();
        query("update pgq.ready set shape = 1 where id = $1")
            .bind(unreadable.id().0)
            .execute(&pool)
            .await
            .unwrap();
        let mut running = Running::start(db);
        running.ran_many(5).await;
        running.until(|counts| counts.completed + counts.retried + counts.discarded == 4).await;
        running.until(|counts| counts.snoozed + counts.parked == 2).await;
        Step::of(7, Action::Hang).enqueue(&pool).await.unwrap();
        running.ran().await;
        assert_eq!(value(&told, "pgq_slots_used"), Some(1.0));
        assert_eq!(value(&told, "pgq_slots"), Some(20.0));
        // What queues hold is looked at beside all else, and not before other upkeep is done.
        until(async || told.render().contains("pgq_queue_depth{")).await;
        running.stop_now().await;
        for (name, times) in [
            ("pgq_enqueued_total", 7.0),
            ("pgq_started_total", 7.0),
            ("pgq_completed_total", 1.0),
            ("pgq_failed_total", 3.0),
            ("pgq_discarded_total", 2.0),
            ("pgq_snoozed_total", 1.0),
            ("pgq_parked_total", 1.0),
            ("pgq_released_total", 1.0),
            ("pgq_attempt_seconds_count", 7.0),
            ("pgq_wait_seconds_count", 7.0),
        ] {
            assert_eq!(of_steps(&told, name), Some(times), "{name}");
        }
        assert_eq!((value(&told, "pgq_slots_used"), value(&told, "pgq_slots")), (Some(0.0), Some(0.0)));
        assert!(value(&told, "pgq_claim_jobs_sum") >= Some(7.0));
        assert_eq!(value(&told, "pgq_settle_jobs_sum"), Some(7.0));
        assert_all_are_there(&told);
    })
    .await;
}

/// Every metric is exported and described, under its name and with no labels but its own.
fn assert_all_are_there(told: &PrometheusHandle) {
    let text = told.render();
    for metric in METRICS {
        let kind = match metric.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            _ => "histogram",
        };
        assert!(
            text.contains(&format!("# TYPE {} {kind}\n", metric.name)),
            "{} is not exported",
            metric.name
        );
        assert!(text.contains(&format!("# HELP {} {}", metric.name, metric.about)), "{}", metric.name);
        let series = text.lines().filter(|line| is_of(line, metric.name));
        let labels: BTreeSet<&str> = series.flat_map(labels).filter(|label| *label != "le").collect();
        assert_eq!(labels, metric.labels.iter().copied().collect(), "{}", metric.name);
    }
}

fn is_of(line: &str, name: &str) -> bool {
    let rest = line.strip_prefix(name);
    rest.is_some_and(|rest| rest.starts_with(['{', ' ']) || rest.starts_with("_bucket"))
}

/// The names of the labels of a series.
fn labels(series: &str) -> impl Iterator<Item = &str> {
    let inside =
        series.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map_or("", |(inside, _)| inside);
    inside.split(',').filter_map(|label| label.split_once('=')).map(|(name, _)| name.trim())
}

#[tokio::test]
async fn what_befalls_runners_is_counted() {
    with_database(async |db| {
        let recorder = recorder();
        let told = recorder.handle();
        let _here = metrics::set_default_local_recorder(&recorder);
        let pool = db.pool();
        Step::of(1, Action::Gate).enqueue(&pool).await.unwrap();
        let heartbeat = Duration::from_millis(200);
        let mut running = Running::start_with(db, |runner| runner.heartbeat_interval(heartbeat));
        running.ran().await;
        query("delete from pgq.leases").execute(&pool).await.unwrap();
        running.probe.open_gate(1);
        until(async || value(&told, "pgq_lease_lost_total") == Some(1.0)).await;
        leave_to_a_rescuer(&pool).await;
        until(async || value(&told, "pgq_rescued_total") == Some(1.0)).await;
        let kill = "select pg_terminate_backend(pid) from pg_stat_activity \
                    where application_name = 'pgq heartbeat' and datname = current_database()";
        query(kill).execute(&pool).await.unwrap();
        until(async || value(&told, "pgq_database_errors_total") >= Some(1.0)).await;
        running.stop_now().await;
    })
    .await;
}

/// A job in the hands of a runner that died.
async fn leave_to_a_rescuer(pool: &PgPool) {
    let mut tx = pool.begin().await.unwrap();
    Step::of(2, Action::Succeed).enqueue(&mut *tx).await.unwrap();
    let dead = "insert into pgq.runners (id, name, heartbeat_at, heartbeat_every, library, slots, queues, kinds, versions) \
                values ('00000000-0000-0000-0000-00000000000b', 'dead', now() - interval '1 hour', '1 second', '', 1, '{}', '{}', '{}')";
    let lease = lease_each("true", "'00000000-0000-0000-0000-00000000000b'::uuid");
    query(dead).execute(&mut *tx).await.unwrap();
    query(sqlx::AssertSqlSafe(lease)).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_wait_counts_from_when_the_job_was_due_by_the_databases_clock() {
    with_database(async |db| {
        let recorder = recorder();
        let told = recorder.handle();
        let _here = metrics::set_default_local_recorder(&recorder);
        let pool = db.pool();
        // Of one that was delayed the time after the delay counts, and of one that was not the time since its enqueue.
        for due in [Some("interval '10 minutes'"), None] {
            Step::succeed(1).enqueue(&pool).await.unwrap();
            let run_at = due.map_or("null".to_owned(), |ago| format!("now() - {ago}"));
            let age =
                format!("update pgq.ready set enqueued_at = now() - interval '1 hour', run_at = {run_at}");
            query(sqlx::AssertSqlSafe(age)).execute(&pool).await.unwrap();
            let before = of_steps(&told, "pgq_wait_seconds_sum").unwrap_or(0.0);
            let mut running = Running::start(db);
            running.ran().await;
            running.stop().await;
            let waited = of_steps(&told, "pgq_wait_seconds_sum").unwrap() - before;
            let expected = if due.is_some() { 600.0 } else { 3600.0 };
            assert!((expected..expected + 60.0).contains(&waited), "{waited}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_depth_and_the_latency_of_queues_are_sampled_and_never_counted_without_end() {
    with_database(async |db| {
        let recorder = recorder();
        let told = recorder.handle();
        let _here = metrics::set_default_local_recorder(&recorder);
        let pool = db.pool();
        Admin::new(&pool).pause("step").await.unwrap();
        Admin::new(&pool).pause("long").await.unwrap();
        // The oldest is not the first: it has another priority, and was due long after its enqueue.
        enqueue_all(&pool, (0..3).map(|n| Step::succeed(n).priority(i16::try_from(n).unwrap()))).await.unwrap();
        let age = "update pgq.ready set run_at = now() - interval '1 hour', enqueued_at = now() - interval '1 day' \
                   where priority = 2";
        query(age).execute(&pool).await.unwrap();
        enqueue_all(&pool, (0..10_500).map(|n| Step::succeed(n).queue("long"))).await.unwrap();
        let running = Running::start_with(db, |runner| runner.queues(["step", "long", "empty"]));
        let of = |name: &str, queue: &str| value(&told, &format!("{name}{{queue=\"{queue}\"}}"));
        until(async || of("pgq_queue_depth", "step").is_some()).await;
        let depths = ["step", "long", "empty"].map(|queue| of("pgq_queue_depth", queue));
        assert_eq!(depths, [Some(3.0), Some(10_000.0), Some(0.0)]);
        let latency = of("pgq_queue_latency_seconds", "step").unwrap();
        assert!((3600.0..3660.0).contains(&latency), "{latency}");
        assert_eq!(of("pgq_queue_latency_seconds", "empty"), Some(0.0));
        running.stop().await;
        assert_eq!(count(&pool, "pgq.ready").await, 10_503);
    })
    .await;
}

#[tokio::test]
async fn an_enqueue_that_made_no_job_is_not_counted() {
    with_database(async |db| {
        let recorder = recorder();
        let told = recorder.handle();
        let _here = metrics::set_default_local_recorder(&recorder);
        let pool = db.pool();
        let job = || {
            Step::succeed(1).to_enqueue().unique_by(pgq_postgres::Unique::while_unfinished(), "one").unwrap()
        };
        let first = job().enqueue(&pool).await.unwrap();
        assert!(!job().enqueue(&pool).await.unwrap().is_new());
        enqueue_all(&pool, [job(), job()]).await.unwrap();
        until_state(&pool, first, "ready").await;
        assert_eq!(of_steps(&told, "pgq_enqueued_total"), Some(1.0));
    })
    .await;
}

#[tokio::test]
async fn jobs_of_schedules_count_as_enqueued_by_the_runner_that_fires() {
    with_database(async |db| {
        let recorder = recorder();
        let told = recorder.handle();
        let _here = metrics::set_default_local_recorder(&recorder);
        let pool = db.pool();
        let schedules = Schedules::new(&pool);
        let unique = Step::succeed(1).to_enqueue().unique_by(Unique::while_unfinished(), "one").unwrap().queue("nobody");
        for (name, job) in [("often", Step::succeed(1).to_enqueue()), ("once", unique)] {
            let schedule = Schedule::new(name, "0 0 1 1 *", job).unwrap();
            schedules.put(schedule.missed(Missed::All(3))).await.unwrap();
        }
        schedules.put(Schedule::new("broken", "0 0 1 1 *", Step::succeed(1)).unwrap()).await.unwrap();
        let due = "update pgq.schedules set cron = case name when 'broken' then 'at noon' else '* * * * *' end, \
                   next_at = date_trunc('minute', now() - interval '1 hour')";
        query(due).execute(&pool).await.unwrap();
        let running = Running::start(db);
        running.until(|counts| counts.fired == 4 && counts.database_errors == 1).await;
        assert_eq!(of_steps(&told, "pgq_enqueued_total"), Some(3.0));
        let of_unique = value(&told, "pgq_enqueued_total{queue=\"nobody\",kind=\"step\"}");
        assert_eq!(of_unique, Some(1.0), "the other ticks found its key held");
        assert_eq!(value(&told, "pgq_database_errors_total"), Some(1.0), "one cannot be fired");
        running.stop().await;
    })
    .await;
}

const DASHBOARD: &str = include_str!("../../../telemetry/dashboard.json");

/// The queries of all panels, and those behind its variables.
fn queries() -> Vec<String> {
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let expressions = targets.map(|target| target["expr"].as_str().unwrap().to_owned());
    let variables = dashboard["templating"]["list"].as_array().unwrap().iter();
    expressions
        .chain(variables.filter_map(|variable| variable["definition"].as_str().map(Into::into)))
        .collect()
}

/// The metrics that a query names, each with what follows it.
fn named(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.match_indices("pgq_").map(|(at, _)| {
        let rest = &query[at..];
        rest.split_at(rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len()))
    })
}

#[test]
fn the_dashboard_shows_every_metric_and_no_other() {
    let mut shown = BTreeSet::new();
    for query in queries() {
        for (series, rest) in named(&query) {
            let metric = METRICS.iter().find(|metric| match metric.kind {
                MetricKind::Histogram => {
                    ["_bucket", "_sum", "_count"].iter().any(|end| series == format!("{}{end}", metric.name))
                }
                _ => series == metric.name,
            });
            let metric = metric.unwrap_or_else(|| panic!("{series} in {query}: pgq tells no such metric"));
            if rest.starts_with('{') {
                assert!(
                    labels(rest).all(|label| metric.labels.contains(&label.trim_end_matches('~'))),
                    "{query}"
                );
            }
            shown.insert(metric.name);
        }
    }
    let all: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
    assert_eq!(shown, all);
}

#[test]
fn the_documentation_lists_every_metric_and_no_other() {
    let text = include_str!("../../../docs/telemetry.md");
    let listed: BTreeSet<&str> =
        text.split('`').filter(|word| word.starts_with("pgq_") && !word.contains(['{', ' ', ':'])).collect();
    let all: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
    assert_eq!(listed, all);
}
