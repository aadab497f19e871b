//! Schedules that types declare.

use std::time::Duration;

use pgq_postgres::{
    Context, Job, JobResult, Missed, Overlap, Perform, Runner, Schedule, ScheduleChange, ScheduleInfo,
    Schedules,
};
use pgq_tests::with_database;
use sqlx::{PgPool, query};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

type Reports = UnboundedSender<i64>;

/// By an older program.
mod older {
    use super::*;

    #[derive(Job, Default)]
    #[job(state = Reports, cron = "0 9 * * *")]
    pub(super) struct Report {
        team: i64,
    }

    impl Perform for Report {
        async fn perform(&self, ctx: &Context<Reports>) -> JobResult {
            Ok(ctx.state().send(self.team)?)
        }
    }
}

/// By a newer program.
mod newer {
    use super::*;

    #[derive(Job)]
    #[job(state = Reports, cron = "0 9 * * mon-fri", timezone = "Europe/Rome", payload = Self { team: 7 })]
    #[job(missed = all(3), overlap = skip, jitter = "1s", queue = "reports")]
    pub(super) struct Report {
        team: i64,
    }

    impl Perform for Report {
        async fn perform(&self, ctx: &Context<Reports>) -> JobResult {
            Ok(ctx.state().send(self.team)?)
        }
    }
}

/// Starts and stops a program with that type, and gives the schedule that is there then.
async fn declare<J: Perform<State = Reports>>(pool: &PgPool) -> ScheduleInfo {
    let (reports, mut reported) = unbounded_channel::<i64>();
    let runner = Runner::empty().register::<J>().register::<Marker>().state(reports);
    let runner = runner.pool(pool.clone()).without_signals().poll_interval(Duration::from_millis(5));
    let handle = runner.handle();
    let running = tokio::spawn(runner.run());
    // It declares before it fires, so what was fired of this one came after.
    Schedules::new(pool).put(Schedule::new("marker", "0 0 1 1 *", Marker {}).unwrap()).await.unwrap();
    let due = "update pgq.schedules set next_at = now() where name = 'marker'";
    query(due).execute(pool).await.unwrap();
    loop {
        match reported.recv().await {
            Some(-1) => break,
            Some(_) => {}
            None => panic!("the runner has ended: {:?}", running.await),
        }
    }
    handle.stop();
    running.await.unwrap().unwrap();
    Schedules::new(pool).find("report").await.unwrap()
}

#[derive(Job)]
#[job(state = Reports)]
struct Marker {}

impl Perform for Marker {
    async fn perform(&self, ctx: &Context<Reports>) -> JobResult {
        Ok(ctx.state().send(-1)?)
    }
}

#[tokio::test]
async fn a_type_declares_its_schedule_and_the_newest_declaration_wins() {
    with_database(async |db| {
        let pool = db.pool();
        let info = declare::<older::Report>(&pool).await;
        assert_eq!((info.cron.as_str(), info.timezone.as_str()), ("0 9 * * *", "UTC"));
        assert_eq!((info.missed, info.overlap, info.jitter), (Missed::Once, Overlap::Allow, Duration::ZERO));
        assert!(info.declared && info.next_at.unwrap() > info.now);
        for _ in 0..2 {
            let info = declare::<newer::Report>(&pool).await;
            assert_eq!((info.cron.as_str(), info.timezone.as_str()), ("0 9 * * mon-fri", "Europe/Rome"));
            assert_eq!((info.missed, info.overlap), (Missed::All(3), Overlap::Skip));
            assert_eq!((info.jitter, info.queue.as_str()), (Duration::from_secs(1), "reports"));
        }
        // Nothing is lost of it by a program that does not know it.
        let other = declare::<Other>(&pool).await;
        assert_eq!(other.cron, "0 9 * * mon-fri");
        assert_eq!(declare::<older::Report>(&pool).await.cron, "0 9 * * *");
    })
    .await;
}

#[derive(Job)]
#[job(state = Reports)]
struct Other {}

impl Perform for Other {
    async fn perform(&self, _: &Context<Reports>) -> JobResult {
        Ok(())
    }
}

#[tokio::test]
async fn what_a_person_changed_stays_until_the_declaration_changes_and_a_pause_stays() {
    with_database(async |db| {
        let pool = db.pool();
        let schedules = Schedules::new(&pool);
        declare::<older::Report>(&pool).await;
        schedules.change("report", ScheduleChange::new().cron("30 9 * * *")).await.unwrap();
        assert_eq!(declare::<older::Report>(&pool).await.cron, "30 9 * * *");
        schedules.pause("report").await.unwrap();
        let info = declare::<newer::Report>(&pool).await;
        assert_eq!((info.cron.as_str(), info.next_at), ("0 9 * * mon-fri", None));
        assert!(info.paused_at.is_some());
        schedules.delete("report").await.unwrap();
        let info = declare::<newer::Report>(&pool).await;
        assert!(info.paused_at.is_none() && info.next_at.is_some());
    })
    .await;
}

#[tokio::test]
async fn a_declared_schedule_runs_its_payload() {
    with_database(async |db| {
        let pool = db.pool();
        declare::<newer::Report>(&pool).await;
        query("update pgq.schedules set next_at = now(), jitter = '0' where name = 'report'")
            .execute(&pool)
            .await
            .unwrap();
        let (reports, mut reported) = unbounded_channel::<i64>();
        let runner = Runner::empty().register::<newer::Report>().state(reports);
        let runner = runner.pool(pool.clone()).without_signals();
        let handle = runner.handle();
        let running = tokio::spawn(runner.run());
        let Some(team) = reported.recv().await else { panic!("the runner has ended: {:?}", running.await) };
        assert_eq!(team, 7);
        handle.stop();
        running.await.unwrap().unwrap();
    })
    .await;
}
