//! A race for the keys of unique jobs: producers, operators who retry, and runners that die with such jobs aboard.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use pgq_postgres::admin::Changed;
use pgq_postgres::{Admin, Error, JobId, Unique};
use pgq_tests::{Action, Running, Step, count, lease_each, states, until, with_database};
use sqlx::postgres::PgPoolOptions;
use sqlx::types::Uuid;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool, query_as, query_scalar};
use tokio::task::JoinSet;

use crate::unique::{keys, one_of};

/// What has happened in a race for keys.
#[derive(Default)]
struct Race {
    enqueued: AtomicU64,
    retried: AtomicU64,
    retried_in_vain: AtomicU64,
    looks: AtomicU64,
    over: AtomicBool,
}

impl Race {
    fn goes_on(&self) -> bool {
        !self.over.load(SeqCst)
    }

    /// Enqueues jobs of 50 keys, half of which end where an operator can make them run again.
    async fn produce(&self, pool: &PgPool) {
        while self.goes_on() {
            let action = if fastrand::bool() { Action::Succeed } else { Action::Discard };
            let key = fastrand::u8(0..50).to_string();
            let step = one_of(&key, Step::of(1, action), Unique::while_unfinished());
            if step.enqueue(pool).await.unwrap().is_new() {
                self.enqueued.fetch_add(1, SeqCst);
            }
        }
    }

    async fn retry(&self, pool: &PgPool, mut eyes: PgConnection) {
        let ended = "select id from pgq.finished order by random() limit 10";
        while self.goes_on() {
            let ended: Vec<i64> = query_scalar(ended).fetch_all(&mut eyes).await.unwrap();
            for id in ended {
                match Admin::new(pool).retry(JobId(id)).await {
                    Ok(Changed::Done) => self.retried.fetch_add(1, SeqCst),
                    Ok(Changed::KeyTaken) => self.retried_in_vain.fetch_add(1, SeqCst),
                    // Another one retries it, too.
                    Ok(_) | Err(Error::OnTheMove(_)) => continue,
                    Err(error) => panic!("{error}"),
                };
            }
        }
    }

    /// Gives waiting jobs to runners that died long ago.
    async fn kill(&self, mut hands: PgConnection) {
        let too_many = "select count(*) >= 3 or not exists (select from pgq.ready) \
                        from pgq.runners where name = 'dead'";
        let mut n = 0;
        while self.goes_on() {
            if query_scalar(too_many).fetch_one(&mut hands).await.unwrap() {
                continue;
            }
            n += 1;
            let runner = format!("'{}'", Uuid::from_u128(n));
            let dies = format!(
                "insert into pgq.runners (id, name, heartbeat_at, heartbeat_every, library, slots, queues, kinds, versions) \
                 values ({runner}, 'dead', now() - interval '1 hour', interval '1 s', '', 1, '{{}}', '{{}}', '{{}}')"
            );
            let some = "ctid = any(array(select ctid from pgq.ready limit 5 for update skip locked))";
            let mut tx = hands.begin().await.unwrap();
            tx.execute(AssertSqlSafe(dies)).await.unwrap();
            tx.execute(AssertSqlSafe(lease_each(some, &format!("{runner}::uuid")))).await.unwrap();
            tx.commit().await.unwrap();
        }
    }

    /// Of each key one job at most has not ended, and that holds it.
    async fn look(&self, eyes: &mut PgConnection) {
        let wrong = "select j.id, j.state, j.options->>'unique_key' from pgq.jobs j \
                     left join pgq.unique_keys k on k.job_id = j.id \
                     where j.state not in ('completed', 'discarded', 'cancelled') \
                     and encode(k.key, 'hex') is distinct from j.options->>'unique_key'";
        let wrong: Vec<(i64, String, String)> = query_as(wrong).fetch_all(eyes).await.unwrap();
        assert_eq!(wrong, []);
        self.looks.fetch_add(1, SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_enqueuers_operators_and_dying_runners_one_holds_a_key() {
    with_database(async |db| {
        let pool = PgPoolOptions::new().max_connections(32).connect(db.url()).await.unwrap();
        let race = Arc::new(Race::default());
        // A transaction that stays open holds up nobody who wants another key.
        let mut open = pool.begin().await.unwrap();
        one_of("held", Step::succeed(1), Unique::while_unfinished()).enqueue(&mut *open).await.unwrap();
        let start =
            || Running::start_with(db, |runner| runner.heartbeat_interval(Duration::from_millis(200)));
        let running = [start(), start()];
        // The racers leave this thread little time for runners that are still connecting.
        until(async || count(&pool, "pgq.runners").await >= 2).await;
        let mut racers = JoinSet::new();
        for _ in 0..64 {
            let (race, pool) = (race.clone(), pool.clone());
            racers.spawn(async move { race.produce(&pool).await });
        }
        for _ in 0..4 {
            let (race, pool, eyes) = (race.clone(), pool.clone(), db.connect().await.unwrap());
            racers.spawn(async move { race.retry(&pool, eyes).await });
        }
        let (killers, hands) = (race.clone(), db.connect().await.unwrap());
        racers.spawn(async move { killers.kill(hands).await });
        let rescued = || running.iter().map(|running| running.handle.counts().rescued).sum::<u64>();
        let mut eyes = db.connect().await.unwrap();
        while race.enqueued.load(SeqCst) < 200
            || race.retried.load(SeqCst) < 10
            || race.retried_in_vain.load(SeqCst) < 10
            || race.looks.load(SeqCst) < 50
            || rescued() < 10
        {
            race.look(&mut eyes).await;
            assert!(racers.try_join_next().is_none(), "nobody stops before the end");
        }
        race.over.store(true, SeqCst);
        racers.join_all().await;
        open.rollback().await.unwrap();
        while states(&pool).await.iter().any(|(state, _)| state != "discarded") {
            race.look(&mut eyes).await;
        }
        for running in running {
            running.stop().await;
        }
        assert_eq!(keys(&pool).await, 0, "every key is free");
    })
    .await;
}
