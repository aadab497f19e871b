//! Jobs that come by themselves: one for each tick, and what the policies say of ticks that are missed or overlap.

use std::time::Duration;

use pgq_postgres::admin::Admin;
use pgq_postgres::{
    Context, Enqueue, Error, Job, JobId, JobResult, Missed, Overlap, Perform, Runner, Schedule,
    ScheduleChange, Schedules,
};
use pgq_tests::{Action, Running, Step, count, states, until, until_state, with_database};
use sqlx::{AssertSqlSafe, PgPool, query, query_as, query_scalar};

/// Once in a year: what a test makes due by hand is all that is due.
const YEARLY: &str = "0 0 1 1 *";

fn yearly(name: &str, action: Action) -> Schedule {
    Schedule::new(name, YEARLY, Step::of(1, action)).unwrap()
}

/// Looks often, for what a test does behind the library's back.
fn hasty(runner: Runner) -> Runner {
    runner.poll_interval(Duration::from_millis(5))
}

/// Makes a schedule wait for a tick so long ago.
async fn tick_ago(pool: &PgPool, name: &str, ago: &str) {
    let set = format!("update pgq.schedules set next_at = now() - interval '{ago}' where name = $1");
    query(AssertSqlSafe(set)).bind(name).execute(pool).await.unwrap();
}

/// Waits until nothing is due.
async fn until_fired(pool: &PgPool) {
    until(async || count(pool, "pgq.schedules where next_at <= now()").await == 0).await;
}

async fn fire(pool: &PgPool, name: &str) {
    tick_ago(pool, name, "1 millisecond").await;
    until_fired(pool).await;
}

/// A schedule that ticks every hour, last half an hour ago, and waits for its tick of ten hours before that one.
async fn ten_hours_behind(pool: &PgPool, missed: Missed) {
    let minute = "select ((extract(minute from now())::integer + 30) % 60)::integer";
    let minute: i32 = query_scalar(minute).fetch_one(pool).await.unwrap();
    let behind = Schedule::new("behind", &format!("{minute} * * * *"), Step::succeed(1)).unwrap();
    Schedules::new(pool).put(behind.missed(missed)).await.unwrap();
    let back = "update pgq.schedules set next_at = next_at - interval '11 hours'";
    query(back).execute(pool).await.unwrap();
}

#[tokio::test]
async fn a_schedule_ticks_on_time_and_every_tick_has_one_job() {
    with_database(async |db| {
        let pool = db.pool();
        let mut running = Running::start_with(db, |runner| runner.keep_completed(Duration::from_secs(60)));
        let every_second = Schedule::new("every-second", "* * * * * *", Step::succeed(1)).unwrap();
        Schedules::new(&pool).put(every_second.missed(Missed::All(100))).await.unwrap();
        for _ in 0..7 {
            running.ran().await;
        }
        Schedules::new(&pool).delete("every-second").await.unwrap();
        let (counts, rest) = running.stop().await;
        let late = "select extract(epoch from fired_at - tick_at)::float8 from pgq.schedule_ticks order by 1";
        let late: Vec<f64> = query_scalar(late).fetch_all(&pool).await.unwrap();
        println!("fired {late:.3?} s after the tick");
        assert_eq!((counts.fired, counts.claimed), (late.len() as u64, 7 + rest.len() as u64));
        assert!(late[0] >= 0.0 && late[late.len() / 2] < 1.0, "{late:?}");
        let gaps = "select max(gap) = interval '1 second' from (select tick_at - lag(tick_at) over (order by tick_at) as gap \
                    from pgq.schedule_ticks) t";
        assert!(query_scalar::<_, bool>(gaps).fetch_one(&pool).await.unwrap(), "none is missed");
        let whole = "pgq.schedule_ticks where tick_at = date_trunc('second', tick_at)";
        assert_eq!(count(&pool, whole).await, late.len() as i64);
    })
    .await;
}

#[tokio::test]
async fn missed_ticks_run_as_the_policy_says() {
    let cases = [
        (Missed::Skip, vec![]),
        (Missed::Once, vec![0]),
        (Missed::All(1), vec![0]),
        (Missed::All(3), vec![2, 1, 0]),
        (Missed::All(100), vec![10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
    ];
    for (missed, expected) in cases {
        with_database(async |db| {
            let pool = db.pool();
            ten_hours_behind(&pool, missed).await;
            let running = Running::start_with(db, |runner| runner.queues(["other"]));
            until_fired(&pool).await;
            running.stop().await;
            let hours = "select round(extract(epoch from s.next_at - t.tick_at) / 3600)::integer - 1 \
                         from pgq.schedule_ticks t join pgq.schedules s on s.name = t.schedule \
                         join pgq.ready j on j.id = t.job_id and j.run_at = t.tick_at order by j.id";
            let hours: Vec<i32> = query_scalar(hours).fetch_all(&pool).await.unwrap();
            assert_eq!(
                hours, expected,
                "{missed:?}, in hours before the last tick, in the order of their jobs"
            );
            assert_eq!(count(&pool, "pgq.ready").await, expected.len() as i64, "{missed:?}");
            assert_eq!(count(&pool, "pgq.schedules where next_at - now() < '1 hour'").await, 1, "{missed:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_tick_runs_beside_the_unfinished_job_before_it() {
    with_database(async |db| {
        let pool = db.pool();
        Schedules::new(&pool).put(yearly("gated", Action::Gate)).await.unwrap();
        let mut running = Running::start_with(db, hasty);
        fire(&pool, "gated").await;
        fire(&pool, "gated").await;
        running.ran_many(2).await;
        running.probe.open_gate(2);
        let (counts, _) = running.stop().await;
        assert_eq!((counts.fired, counts.completed), (2, 2));
    })
    .await;
}

#[tokio::test]
async fn a_tick_is_skipped_while_the_job_before_it_waits_runs_or_will_be_retried() {
    with_database(async |db| {
        let pool = db.pool();
        let action = Action::InTurn(vec![Action::Gated(Box::new(Action::Fail("no".into()))), Action::Gate]);
        Schedules::new(&pool).put(yearly("one", action).overlap(Overlap::Skip)).await.unwrap();
        let outcomes = "select job_id is not null from pgq.schedule_ticks order by tick_at";
        // Nobody claims it: it waits.
        let elsewhere = Running::start_with(db, |runner| hasty(runner).queues(["other"]));
        fire(&pool, "one").await;
        fire(&pool, "one").await;
        elsewhere.stop().await;
        let mut running = Running::start_with(db, hasty);
        running.ran().await;
        fire(&pool, "one").await;
        running.probe.open_gate(1);
        until(async || states(&pool).await == [("scheduled".to_owned(), 1)]).await;
        fire(&pool, "one").await;
        query("update pgq.scheduled set run_at = now()").execute(&pool).await.unwrap();
        running.probe.open_gate(1);
        running.until(|counts| counts.completed == 1).await;
        until(async || states(&pool).await.is_empty()).await;
        fire(&pool, "one").await;
        let fired: Vec<bool> = query_scalar(outcomes).fetch_all(&pool).await.unwrap();
        assert_eq!(fired, [true, false, false, false, true]);
        running.probe.open_gate(2);
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_tick_replaces_the_job_before_it_whether_that_waits_or_runs() {
    with_database(async |db| {
        let pool = db.pool();
        let schedule = yearly("latest", Action::FailOnceCancelled).overlap(Overlap::Replace);
        Schedules::new(&pool).put(schedule).await.unwrap();
        let elsewhere = Running::start_with(db, |runner| hasty(runner).queues(["other"]));
        fire(&pool, "latest").await;
        fire(&pool, "latest").await;
        elsewhere.stop().await;
        assert_eq!(states(&pool).await, [("cancelled".to_owned(), 1), ("ready".to_owned(), 1)]);
        let reason: String = query_scalar("select reason from pgq.finished").fetch_one(&pool).await.unwrap();
        assert_eq!(reason, "replaced by the next tick of its schedule");
        let mut running = Running::start_with(db, hasty);
        running.ran().await;
        fire(&pool, "latest").await;
        running.ran().await;
        let ids = "select array_agg(job_id order by tick_at) from pgq.schedule_ticks";
        let ids: Vec<i64> = query_scalar(ids).fetch_one(&pool).await.unwrap();
        until_state(&pool, JobId(ids[1]), "cancelled").await;
        assert_eq!(states(&pool).await, [("cancelled".to_owned(), 2), ("running".to_owned(), 1)]);
        running.stop_now().await;
    })
    .await;
}

#[tokio::test]
async fn jitter_spreads_jobs_after_their_ticks_and_no_further_than_it_says() {
    with_database(async |db| {
        let pool = db.pool();
        let every_minute = Schedule::new("spread", "* * * * *", Step::succeed(1)).unwrap();
        let hour = Duration::from_secs(3600);
        Schedules::new(&pool).put(every_minute.missed(Missed::All(100)).jitter(hour)).await.unwrap();
        query("update pgq.schedules set next_at = next_at - interval '90 minutes'").execute(&pool).await.unwrap();
        let running = Running::start_with(db, |runner| runner.queues(["other"]));
        until_fired(&pool).await;
        running.stop().await;
        let (jobs, least, most): (i64, f64, f64) = query_as(
            "select count(*), min(late)::float8, max(late)::float8 from (select extract(epoch from j.run_at - t.tick_at) as late \
             from pgq.schedule_ticks t join pgq.jobs j on j.id = t.job_id) j",
        )
        .fetch_one(&pool)
        .await
        .unwrap();
        println!("{jobs} jobs, {least:.0} to {most:.0} s after their ticks");
        assert!((90..=91).contains(&jobs) && least >= 0.0 && most <= 3600.0);
        // That 90 are all in the same third of the hour has a chance of one in 10^42.
        assert!(most - least > 1200.0, "{least} to {most}");
        assert!(count(&pool, "pgq.scheduled where run_at > now()").await > 0);
    })
    .await;
}

#[tokio::test]
async fn a_paused_schedule_does_not_tick_and_its_ticks_are_not_made_up_for() {
    with_database(async |db| {
        let pool = db.pool();
        let schedules = Schedules::new(&pool);
        ten_hours_behind(&pool, Missed::All(100)).await;
        schedules.pause("behind").await.unwrap();
        schedules.pause("behind").await.unwrap();
        let paused = schedules.find("behind").await.unwrap();
        assert!(paused.paused_at.is_some() && paused.next_at.is_none());
        // Neither putting it anew nor changing it ends the pause.
        let anew = Schedule::new("behind", "* * * * *", Step::succeed(1)).unwrap().missed(Missed::All(100));
        schedules.put(anew).await.unwrap();
        schedules.change("behind", ScheduleChange::new().timezone("Europe/Rome")).await.unwrap();
        let still = schedules.find("behind").await.unwrap();
        assert_eq!((still.paused_at, still.next_at), (paused.paused_at, None));
        schedules.resume("behind").await.unwrap();
        schedules.resume("behind").await.unwrap();
        let resumed = schedules.find("behind").await.unwrap();
        assert!(resumed.paused_at.is_none() && resumed.next_at.unwrap() > resumed.now);
        let running = Running::start_with(db, |runner| runner.queues(["other"]));
        fire(&pool, "behind").await;
        running.stop().await;
        assert_eq!(count(&pool, "pgq.ready").await, 1, "the one that was fired by hand");
    })
    .await;
}

#[tokio::test]
async fn putting_a_schedule_anew_keeps_what_is_due_unless_its_times_change() {
    with_database(async |db| {
        let pool = db.pool();
        let schedules = Schedules::new(&pool);
        schedules.put(yearly("a", Action::Succeed)).await.unwrap();
        tick_ago(&pool, "a", "1 second").await;
        schedules.put(yearly("a", Action::Gate).missed(Missed::All(7)).overlap(Overlap::Skip)).await.unwrap();
        schedules.change("a", ScheduleChange::new().jitter(Duration::from_millis(1500))).await.unwrap();
        let info = schedules.find("a").await.unwrap();
        assert!(info.next_at.unwrap() < info.now, "still due");
        assert_eq!((info.missed, info.overlap), (Missed::All(7), Overlap::Skip));
        assert_eq!(info.jitter, Duration::from_millis(1500));
        schedules.change("a", ScheduleChange::new().cron("0 12 * * *")).await.unwrap();
        let info = schedules.find("a").await.unwrap();
        assert!(info.next_at.unwrap() > info.now);
        assert_eq!(
            (info.cron.as_str(), info.timezone.as_str(), info.missed),
            ("0 12 * * *", "UTC", Missed::All(7))
        );
        tick_ago(&pool, "a", "1 second").await;
        let in_rome =
            Schedule::new("a", "0 12 * * *", Step::succeed(1)).unwrap().timezone("Europe/Rome").unwrap();
        schedules.put(in_rome).await.unwrap();
        let info = schedules.find("a").await.unwrap();
        assert!(info.next_at.unwrap() > info.now);
    })
    .await;
}

#[tokio::test]
async fn every_change_of_a_schedule_leaves_a_row_in_the_audit_and_a_declaration_none() {
    with_database(async |db| {
        let pool = db.pool();
        let schedules = Schedules::new(&pool).actor("alice");
        schedules.put(yearly("report", Action::Succeed)).await.unwrap();
        schedules.change("report", ScheduleChange::new().cron("0 0 2 1 *")).await.unwrap();
        for _ in 0..2 {
            schedules.pause("report").await.unwrap();
        }
        for _ in 0..2 {
            schedules.resume("report").await.unwrap();
        }
        assert!(schedules.delete("report").await.unwrap() && !schedules.delete("report").await.unwrap());
        let mut changes = Admin::new(&pool).audit(100).await.unwrap();
        changes.reverse();
        let actions: Vec<&str> = changes.iter().map(|change| &*change.action).collect();
        assert_eq!(
            actions,
            ["put_schedule", "change_schedule", "pause_schedule", "resume_schedule", "delete_schedule"]
        );
        for change in &changes {
            assert_eq!(change.actor.as_deref(), Some("alice"));
            assert_eq!(change.detail.as_ref().unwrap()["schedule"], "report");
        }
        let changed = changes[1].detail.as_ref().unwrap();
        assert_eq!(changed, &serde_json::json!({"schedule": "report", "cron": "0 0 2 1 *"}));
    })
    .await;
}

#[tokio::test]
async fn schedules_are_listed_previewed_and_deleted() {
    with_database(async |db| {
        let pool = db.pool();
        let schedules = Schedules::new(&pool);
        assert_eq!(schedules.list().await.unwrap(), []);
        let job = Step::succeed(1).queue("night").priority(3).retry_waits([]);
        let noon = Schedule::new("noon", "0 12 * * *", job).unwrap().timezone("Europe/Rome").unwrap();
        schedules.put(noon).await.unwrap();
        schedules.put(yearly("a", Action::Succeed)).await.unwrap();
        let list = schedules.list().await.unwrap();
        assert_eq!(list.iter().map(|info| info.name.as_str()).collect::<Vec<_>>(), ["a", "noon"]);
        let noon = &list[1];
        assert_eq!((noon.kind.as_str(), noon.queue.as_str(), noon.declared), ("step", "night", false));
        let next = schedules.next("noon", 5).await.unwrap();
        assert_eq!((next.len(), Some(next[0])), (5, noon.next_at));
        // An hour more or less where the clocks change.
        let day = Duration::from_secs(86_400);
        for pair in next.windows(2) {
            assert!(pair[1].duration_since(pair[0]).unwrap().abs_diff(day) <= Duration::from_secs(3600));
        }
        let running = Running::start_with(db, |runner| hasty(runner).queues(["other"]));
        fire(&pool, "noon").await;
        running.stop().await;
        let job = "select queue, priority, max_attempts from pgq.ready";
        let job: (String, i16, i16) = query_as(job).fetch_one(&pool).await.unwrap();
        assert_eq!(job, ("night".to_owned(), 3, 1));
        assert!(schedules.delete("noon").await.unwrap());
        assert!(!schedules.delete("noon").await.unwrap());
        assert_eq!(count(&pool, "pgq.ready").await, 1, "its jobs stay");
    })
    .await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_in_words() {
    with_database(async |db| {
        let schedules = Schedules::new(&db.pool());
        let refused = |name: &str, cron: &str| {
            Schedule::new(name, cron, Step::succeed(1)).expect_err("nonsense").to_string()
        };
        assert!(refused("a b", "* * * * *").contains("is not a valid schedule name"));
        assert!(refused("a", "0 0 30 2 *").contains("never comes"));
        assert!(refused("a", "0 25 * * *").contains("\"25\" is no hour"));
        let schedule = yearly("a", Action::Succeed);
        let zone = schedule.clone().timezone("Europe/Roma").unwrap_err().to_string();
        assert!(zone.contains("did you mean \"Europe/Rome\"?"), "{zone}");
        let late = Schedule::new("a", YEARLY, Step::succeed(1).after(Duration::from_secs(1))).unwrap_err();
        assert!(late.to_string().contains("has a time of its own"), "{late}");
        schedules.put(schedule).await.unwrap();
        for change in [ScheduleChange::new().cron("no"), ScheduleChange::new().timezone("Rome")] {
            assert!(matches!(schedules.change("a", change).await, Err(Error::Cron(_))));
        }
        assert!(matches!(schedules.pause("b").await, Err(Error::NoSchedule(name)) if name == "b"));
        assert!(matches!(schedules.resume("b").await, Err(Error::NoSchedule(_))));
        assert!(matches!(schedules.change("b", ScheduleChange::new()).await, Err(Error::NoSchedule(_))));
        assert!(matches!(schedules.next("b", 5).await, Err(Error::NoSchedule(_))));
        assert!(matches!(schedules.find("'; drop").await, Err(Error::Name(_))));
    })
    .await;
}

/// One at a time.
#[derive(Job)]
#[job(unique)]
struct Alone;

/// Too large to stand beside its job.
#[derive(Job)]
struct Large(String);

impl Perform for Alone {
    async fn perform(&self, _: &Context) -> JobResult {
        Ok(())
    }
}

impl Perform for Large {
    async fn perform(&self, _: &Context) -> JobResult {
        assert_eq!(self.0.len(), 100_000);
        Ok(())
    }
}

#[tokio::test]
async fn unique_jobs_stay_unique_and_large_ones_run() {
    with_database(async |db| {
        let pool = db.pool();
        let schedules = Schedules::new(&pool);
        schedules.put(Schedule::new("alone", YEARLY, Alone).unwrap()).await.unwrap();
        schedules.put(Schedule::new("large", YEARLY, Large("x".repeat(100_000))).unwrap()).await.unwrap();
        let by_hand = Alone.enqueue(&pool).await.unwrap();
        let elsewhere = Running::start_with(db, |runner| hasty(runner).queues(["other"]));
        for schedule in ["alone", "alone", "large"] {
            fire(&pool, schedule).await;
        }
        elsewhere.stop().await;
        let ids = "select job_id from pgq.schedule_ticks where schedule = 'alone'";
        let ids: Vec<i64> = query_scalar(ids).fetch_all(&pool).await.unwrap();
        assert_eq!(ids, [by_hand.id().0; 2]);
        assert_eq!((count(&pool, "pgq.ready").await, count(&pool, "pgq.payloads").await), (2, 1));
        let running = Running::start_with(db, |runner| runner.register::<Alone>().register::<Large>());
        running.until(|counts| counts.completed == 2).await;
        running.stop().await;
        assert_eq!((count(&pool, "pgq.jobs").await, count(&pool, "pgq.payloads").await), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_schedule_that_cannot_be_fired_does_not_hold_up_the_others() {
    with_database(async |db| {
        let pool = db.pool();
        let schedules = Schedules::new(&pool);
        for name in ["a", "b", "c"] {
            schedules.put(yearly(name, Action::Succeed)).await.unwrap();
        }
        let spoil = "update pgq.schedules set next_at = now() - interval '1 minute', \
                     cron = case name when 'a' then 'of a newer library' else cron end, \
                     payload = case name when 'b' then '' else payload end";
        query(spoil).execute(&pool).await.unwrap();
        let refuse = "alter table pgq.ready add constraint no_empty_payload check (payload <> '')";
        query(refuse).execute(&pool).await.unwrap();
        let mut running = Running::start(db);
        running.ran().await;
        running.until(|counts| counts.completed == 1 && counts.database_errors >= 2).await;
        let due = "select name from pgq.schedules where next_at <= now() order by name";
        let due: Vec<String> = query_scalar(due).fetch_all(&pool).await.unwrap();
        assert_eq!(due, ["a", "b"], "they wait for somebody who can");
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_change_while_a_runner_computes_makes_its_tick_void() {
    with_database(async |db| {
        let pool = db.pool();
        let schedules = Schedules::new(&pool);
        schedules.put(yearly("a", Action::Succeed)).await.unwrap();
        tick_ago(&pool, "a", "1 second").await;
        let fire = async |revision: i32, expected: &str| {
            let fire = format!("select pgq.fire_schedule('a', $1, {expected}, array[now()], null, 1024, 'none') from pgq.schedules");
            let fire = query_scalar::<_, Option<i32>>(AssertSqlSafe(fire)).bind(revision);
            fire.fetch_one(&pool).await.unwrap()
        };
        assert_eq!(fire(0, "next_at").await, None, "another revision");
        assert_eq!(fire(1, "next_at - interval '1 second'").await, None, "another tick");
        assert_eq!(fire(1, "next_at").await, Some(1));
        assert_eq!(fire(1, "now()").await, None, "nothing is due");
        assert_eq!(count(&pool, "pgq.ready").await, 1);
    })
    .await;
}

#[tokio::test]
async fn old_ticks_are_forgotten() {
    with_database(async |db| {
        let pool = db.pool();
        let ticks = "insert into pgq.schedule_ticks (schedule, tick_at, fired_at) \
                     select 'gone', now() - n * interval '1 minute', now() - n * interval '1 minute' \
                     from generate_series(1, 7 * 1440 + 1200) n";
        query(ticks).execute(&pool).await.unwrap();
        let running = Running::start_with(db, |runner| runner.prune_interval(Duration::from_millis(10)));
        until(async || {
            count(&pool, "pgq.schedule_ticks where fired_at < now() - interval '7 days'").await == 0
        })
        .await;
        running.stop().await;
        assert!((10_078..=10_080).contains(&count(&pool, "pgq.schedule_ticks").await));
    })
    .await;
}
