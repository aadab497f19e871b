//! Operators find jobs by what is known of them, a page at a time.

use std::collections::BTreeSet;
use std::time::Duration;

use pgq_postgres::admin::{Admin, Count, Filter, State};
use pgq_postgres::{Context, Enqueue, Job, JobId, JobResult, Perform, Registry};
use pgq_tests::{Action, Running, Step, until_state, with_database};
use sqlx::{Executor, PgPool, query};

const HOUR: Duration = Duration::from_secs(3600);

/// Can be searched by its user.
#[derive(Job)]
#[job(queue = "mail", index(user_id), sensitive(token), retry_waits = [])]
struct Welcome {
    user_id: i64,
    token: String,
}

impl Perform for Welcome {
    async fn perform(&self, _: &Context) -> JobResult {
        Err(format!("the server said {} to user {}", 500 + self.user_id % 2, self.user_id).into())
    }
}

fn welcome(user_id: i64) -> Welcome {
    Welcome { user_id, token: "secret".into() }
}

async fn found(admin: &Admin, filter: &Filter) -> Vec<i64> {
    let found = admin.find(filter, 100).await.unwrap();
    assert!(found.complete && found.next.is_none(), "{found:?}");
    found.jobs.iter().map(|job| job.id.0).collect()
}

/// Six jobs in six places: ready, scheduled, parked, discarded, cancelled, running.
async fn one_of_each(pool: &PgPool, running: &mut Running) -> Vec<i64> {
    let admin = Admin::new(pool);
    let gone = Step::of(1, Action::Discard).enqueue(pool).await.unwrap().id();
    until_state(pool, gone, "discarded").await;
    let hangs = Step::of(2, Action::Gate).enqueue(pool).await.unwrap().id();
    until_state(pool, hangs, "running").await;
    running.ran_many(2).await;
    let cancelled = Step::succeed(3).queue("nobody").enqueue(pool).await.unwrap().id();
    admin.cancel(cancelled).await.unwrap();
    let ready = welcome(4).enqueue(pool).await.unwrap().id();
    let scheduled = welcome(5).after(HOUR).enqueue(pool).await.unwrap().id();
    let parked = Step::succeed(6).after(HOUR).enqueue(pool).await.unwrap().id();
    query("update pgq.scheduled set run_at = 'infinity' where id = $1")
        .bind(parked.0)
        .execute(pool)
        .await
        .unwrap();
    [ready, hangs, scheduled, parked, gone, cancelled].map(|id| id.0).to_vec()
}

#[tokio::test]
async fn admin_finds_by_state_queue_kind_and_id() {
    with_database(async |db| {
        let (pool, admin) = (db.pool(), Admin::new(&db.pool()));
        let mut running = Running::start(db);
        let ids = one_of_each(&pool, &mut running).await;
        let [ready, hangs, scheduled, parked, gone, cancelled] = ids[..] else { panic!("six") };
        let places = [
            (State::Ready, ready),
            (State::Running, hangs),
            (State::Scheduled, scheduled),
            (State::Parked, parked),
            (State::Discarded, gone),
            (State::Cancelled, cancelled),
        ];
        for (state, id) in places {
            assert_eq!(found(&admin, &Filter::new().state(state)).await, [id], "{state}");
            assert_eq!(admin.job(JobId(id)).await.unwrap().unwrap().summary.state, state);
        }
        assert_eq!(found(&admin, &Filter::new().state(State::Completed)).await, [0_i64; 0]);
        let mut all = ids.clone();
        all.sort_unstable_by_key(|id| -id);
        assert_eq!(found(&admin, &Filter::new()).await, all, "the latest first");
        let of = Filter::new;
        assert_eq!(found(&admin, &of().queue("mail")).await, [scheduled, ready]);
        assert_eq!(found(&admin, &of().kind("step")).await, [parked, cancelled, hangs, gone]);
        assert_eq!(found(&admin, &of().kind("step").queue("nobody")).await, [cancelled]);
        assert_eq!(found(&admin, &of().state(State::Ready).state(State::Parked)).await, [parked, ready]);
        assert_eq!(found(&admin, &of().queue("mail").state(State::Discarded)).await, [0_i64; 0]);
        assert_eq!(found(&admin, &of().queue("o'brien\"; drop")).await, [0_i64; 0]);
        assert!(admin.job(JobId(987_654)).await.unwrap().is_none());
        for (filter, count) in
            [(of(), 6), (of().kind("step"), 4), (of().queue("mail").state(State::Ready), 1)]
        {
            assert_eq!(admin.count(&filter).await.unwrap(), Count::Exactly(count), "{filter:?}");
        }
        running.probe.open_gate(1);
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn admin_finds_by_age_indexed_field_and_error() {
    with_database(async |db| {
        let (pool, admin) = (db.pool(), Admin::new(&db.pool()));
        let failed =
            [welcome(1).enqueue(&pool).await.unwrap().id(), welcome(2).enqueue(&pool).await.unwrap().id()];
        let running = Running::start_with(db, |runner| runner.register::<Welcome>());
        for id in failed {
            until_state(&pool, id, "discarded").await;
        }
        running.stop().await;
        let waits = welcome(1).enqueue(&pool).await.unwrap().id();
        let later = welcome(1).after(HOUR).enqueue(&pool).await.unwrap().id();
        let old = "update pgq.finished set enqueued_at = now() - interval '2 hours' where id = $1";
        query(old).bind(failed[0].0).execute(&pool).await.unwrap();

        let of = Filter::new;
        assert_eq!(found(&admin, &of().field("user_id", 1)).await, [later.0, waits.0, failed[0].0]);
        assert_eq!(found(&admin, &of().field("user_id", 1).state(State::Discarded)).await, [failed[0].0]);
        assert_eq!(found(&admin, &of().field("user_id", 3)).await, [0_i64; 0]);
        assert_eq!(found(&admin, &of().error("SAID 501")).await, [failed[0].0]);
        assert_eq!(found(&admin, &of().error("the server said")).await, [failed[1].0, failed[0].0]);
        assert_eq!(found(&admin, &of().older_than(HOUR)).await, [failed[0].0]);
        assert_eq!(found(&admin, &of().newer_than(HOUR)).await, [later.0, waits.0, failed[1].0]);
        assert_eq!(found(&admin, &of().older_than(HOUR).newer_than(3 * HOUR)).await, [failed[0].0]);

        let groups = admin.error_groups(HOUR, 10).await.unwrap();
        assert_eq!(groups.len(), 1, "they differ in numbers alone: {groups:?}");
        assert_eq!(
            (groups[0].failures, groups[0].jobs, groups[0].kinds.as_slice()),
            (2, 2, &["welcome".into()][..])
        );
        assert!(groups[0].error.starts_with("the server said 50"), "{groups:?}");
    })
    .await;
}

#[tokio::test]
async fn admin_pages_meet_every_job_once() {
    with_database(async |db| {
        let (pool, admin) = (db.pool(), Admin::new(&db.pool()));
        let mut all = BTreeSet::new();
        for n in 0..60 {
            let step = Step::succeed(n).queue(["a", "b"][n as usize % 2]).priority((n % 3) as i16);
            let step = if n % 5 == 0 { step.after(HOUR) } else { step };
            all.insert(step.enqueue(&pool).await.unwrap().id().0);
        }
        for n in all.iter().filter(|id| *id % 7 == 0) {
            admin.cancel(JobId(*n)).await.unwrap();
        }
        for filter in [Filter::new(), Filter::new().newer_than(HOUR), Filter::new().kind("step")] {
            let (mut seen, mut filter) = (Vec::new(), filter);
            loop {
                let found = admin.find(&filter, 7).await.unwrap();
                assert!(found.complete);
                seen.extend(found.jobs.iter().map(|job| job.id.0));
                let Some(next) = found.next else { break };
                filter = filter.before(next);
            }
            assert!(seen.is_sorted_by(|one, next| one > next), "{seen:?}");
            assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), all);
        }
    })
    .await;
}

#[tokio::test]
async fn a_look_that_would_take_too_long_ends_and_says_so() {
    with_database(async |db| {
        let (pool, admin) = (db.pool(), Admin::new(&db.pool()));
        pool.execute(
            "insert into pgq.scheduled (shape, priority, version, max_attempts, queue, kind, run_at) \
             select 0, 0, 1, 4, 'q' || n % 3, 'k', now() + interval '1 day' from generate_series(1, 12000) n",
        )
        .await
        .unwrap();
        assert_eq!(admin.count(&Filter::new()).await.unwrap(), Count::AtLeast(10_000));
        assert_eq!(admin.count(&Filter::new().queue("q1")).await.unwrap(), Count::Exactly(4000));
        let states = admin.states().await.unwrap().states;
        let scheduled = states.into_iter().find(|(state, _)| *state == State::Scheduled).unwrap().1;
        assert_ne!(scheduled, Count::Exactly(12_000), "nobody counted that far");
        assert!(scheduled.number() >= 10_000);
        // What is enqueued first is looked at last, and a bulk change comes to it all the same.
        query("update pgq.scheduled set enqueued_at = now() - interval '1 day' where id = (select min(id) from pgq.scheduled)")
            .execute(&pool)
            .await
            .unwrap();
        let bulk = admin.cancel_all(&Filter::new().older_than(HOUR)).await.unwrap();
        assert_eq!((bulk.matched, bulk.changed), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn a_job_shows_its_payload_its_attempts_and_who_changed_it() {
    with_database(async |db| {
        let (pool, admin) = (db.pool(), Admin::new(&db.pool()).actor("alice"));
        let id = welcome(8).enqueue(&pool).await.unwrap().id();
        let running = Running::start_with(db, |runner| runner.register::<Welcome>());
        until_state(&pool, id, "discarded").await;
        running.stop().await;
        admin.retry(id).await.unwrap();
        let job = admin.job(id).await.unwrap().unwrap();
        assert_eq!((job.summary.attempts, job.summary.max_attempts, job.summary.state), (1, 2, State::Ready));
        assert_eq!(job.failures.len(), 1);
        assert_eq!((job.failures[0].attempt, &*job.failures[0].error), (1, "the server said 500 to user 8"));
        assert_eq!(job.changes.len(), 1);
        assert_eq!((job.changes[0].actor.as_deref(), &*job.changes[0].action), (Some("alice"), "retry"));
        assert!(job.render(&Registry::default()).is_none(), "nobody there knows the kind");
        let mut registry = Registry::default();
        registry.add::<Welcome>().unwrap();
        let payload = job.render(&registry).unwrap().unwrap();
        assert_eq!(payload, serde_json::json!({"user_id": 8, "token": "***"}));
    })
    .await;
}
