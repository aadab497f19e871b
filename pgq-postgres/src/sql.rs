use std::sync::Arc;

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

/// Names every statement once: the field, the file `sql/<name>.sql` and the function that runs it agree.
macro_rules! statements {
    ($($(#[$attribute:meta])* $name:ident),* $(,)?) => {
        /// Every statement, written for one schema.
        #[cfg_attr(not(any(feature = "cron", test)), expect(dead_code, reason = "those of schedules"))]
        #[derive(Debug)]
        pub(crate) struct Statements {
            $($(#[$attribute])* pub(crate) $name: SqlStr,)*
        }

        impl Statements {
            pub(crate) fn for_schema(schema: &str) -> Self {
                Self { $($name: render(include_str!(concat!("sql/", stringify!($name), ".sql")), schema),)* }
            }

            #[cfg(test)]
            pub(crate) fn all(&self) -> Vec<(&'static str, SqlStr)> {
                vec![$((stringify!($name), self.$name.clone()),)*]
            }
        }
    };
}

statements! {
    audit,
    backend,
    begin_look,
    cancel_asked,
    cancel_many_running,
    cancel_running,
    cancel_waiting,
    change_schedule,
    claim,
    claim_first,
    coming_schedules,
    complete,
    complete_in,
    copy_payloads,
    copy_ready,
    copy_scheduled,
    count_states,
    #[cfg_attr(not(feature = "metrics"), allow(dead_code, reason = "only metrics ask"))]
    database_clock,
    dead_runners,
    delete_schedule,
    doctor_queues,
    doctor_roles,
    doctor_runners,
    doctor_tables,
    doctor_transactions,
    #[cfg_attr(not(feature = "metrics"), allow(dead_code, reason = "only metrics ask"))]
    due_times,
    end_rescue,
    end_waiting,
    enqueue,
    enqueue_many,
    enqueue_unique,
    error_groups,
    explain,
    find_finished,
    find_job,
    find_ready,
    find_running,
    find_scheduled,
    fire_schedule,
    free_queued_keys,
    heartbeat,
    job_audit,
    job_failures,
    job_state,
    leased_positions,
    leases_of,
    limit_queue,
    lock_runner,
    migrations_table,
    move_waiting,
    now,
    pause,
    pause_schedule,
    payloads,
    ping,
    plan_for_values,
    poll,
    prune,
    prune_audit,
    prune_by_hand,
    prune_ticks,
    put_schedule,
    queue_statistics,
    register_runner,
    rescue,
    reserve_ids,
    resume,
    resume_schedule,
    retry_finished,
    runners,
    #[cfg_attr(not(feature = "metrics"), allow(dead_code, reason = "only metrics ask"))]
    sample_queues,
    schedules,
    schema_version,
    settle,
    slow_queue,
    start_suspect,
    try_rescue_lock,
    unpark,
    unregister_runner,
    unserved_kinds,
    wake,
    wake_queues,
}

/// The text with every word `pgq` replaced by the quoted schema. The schema's name was validated, so quoting
/// it is enough.
pub(crate) fn render(text: &str, schema: &str) -> SqlStr {
    let quoted = format!("\"{schema}\"");
    let in_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut rendered = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some(at) = rest.find("pgq") {
        let (before, found) = rest.split_at(at);
        let after = &found[3..];
        rendered.push_str(before);
        let whole_word = !rendered.ends_with(in_word) && !after.starts_with(in_word);
        rendered.push_str(if whole_word { &quoted } else { "pgq" });
        rest = after;
    }
    rendered.push_str(rest);
    AssertSqlSafe(Arc::<str>::from(rendered)).into_sql_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn with_database(test: impl AsyncFnOnce(&pgq_devdb::Database)) {
        let migrate = async |url: &str| -> Result<(), crate::Error> {
            let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect(url).await?;
            crate::migrate(&mut connection).await
        };
        let fingerprint = include_str!("../migrations/0001_initial.sql");
        pgq_devdb::test_database(fingerprint, migrate, test).await;
    }

    #[tokio::test]
    async fn every_statement_prepares() {
        with_database(async |db| {
            let mut connection = db.connect().await.unwrap();
            for (name, statement) in Statements::for_schema("pgq").all() {
                let prepared = sqlx::Executor::prepare(&mut connection, statement).await;
                prepared.map(drop).unwrap_or_else(|error| panic!("{name}.sql: {error}"));
            }
        })
        .await;
    }

    /// A rescue that waited for a settle of the same lease moves only what that left, or a job would be in two
    /// tables.
    #[tokio::test]
    async fn a_rescue_behind_a_settle_sees_what_was_settled() {
        with_database(async |db| {
            let (mut owner, mut rescuer) = (db.connect().await.unwrap(), db.connect().await.unwrap());
            sqlx::raw_sql(
                "insert into pgq.leases values ('00000000-0000-0000-0000-00000000000a', \
                 '00000000-0000-0000-0000-00000000000b', now(), null, null, true, null, 0, 0, 1, 0, 'q', 'k', \
                 '{1,2}', array[now(), now()], '{0,0}', '{4,4}', '{x,y}', \
                 array[null, null]::jsonb[], array[null, null]::timestamptz[])",
            )
            .execute(&mut owner)
            .await
            .unwrap();
            let (lease, runner) = (uuid::Uuid::from_u128(10), uuid::Uuid::from_u128(11));
            let statements = Statements::for_schema("pgq");
            let mut tx = sqlx::Connection::begin(&mut owner).await.unwrap();
            let settle = sqlx::query(statements.settle.clone())
                .bind(runner)
                .bind([lease])
                .bind([vec![1_u8]])
                .bind([false])
                .bind([lease])
                .bind([0])
                .bind(["retry"])
                .bind([crate::time::interval(std::time::Duration::from_secs(60))])
                .bind(["no"])
                .bind("owner")
                .bind("channel")
                .bind(vec![String::new()]);
            settle.execute(&mut *tx).await.unwrap();
            let backend: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut rescuer).await.unwrap();
            let rescue = sqlx::query(statements.rescue.clone())
                .bind(runner)
                .bind(lease)
                .bind(None::<i32>)
                .bind("owner")
                .bind(3_i16)
                .bind("channel");
            let rescued = rescue.execute(&mut rescuer);
            let commit = async {
                let waits = "select count(*) from pg_locks where pid = $1 and not granted";
                while sqlx::query_scalar::<_, i64>(waits).bind(backend).fetch_one(&mut *tx).await.unwrap() == 0 {}
                tx.commit().await.unwrap();
            };
            let (rescued, ()) = tokio::join!(rescued, commit);
            rescued.unwrap();
            let jobs: Vec<(i64, String)> = sqlx::query_as("select id, state from pgq.jobs order by id, state")
                .fetch_all(&mut owner)
                .await
                .unwrap();
            assert_eq!(jobs, [(1, "scheduled".to_owned()), (2, "ready".to_owned())]);
        })
        .await;
    }

    /// A runner that was found dead cannot say that it lives until a rescuer is done with it: none is believed and robbed.
    #[tokio::test]
    async fn a_heartbeat_comes_before_a_rescue_or_after_it() {
        with_database(async |db| {
            let (mut runner, mut rescuer) = (db.connect().await.unwrap(), db.connect().await.unwrap());
            let silent = "insert into pgq.runners (id, name, library, slots, queues, kinds, versions, heartbeat_every, heartbeat_at) \
                 values ('00000000-0000-0000-0000-00000000000b', 'silent:1', '0', 1, '{q}', '{k}', '{1}', '2 s', now() - interval '1 min')";
            sqlx::raw_sql(silent).execute(&mut runner).await.unwrap();
            let (statements, id) = (Statements::for_schema("pgq"), uuid::Uuid::from_u128(11));
            let dead = async |session: &mut sqlx::PgConnection| {
                let dead = sqlx::query_as::<_, (uuid::Uuid, String)>(statements.dead_runners.clone());
                let dead = dead.bind(15.0).bind(3.0).bind(uuid::Uuid::nil());
                dead.fetch_all(session).await.unwrap().into_iter().map(|(id, _)| id).collect::<Vec<_>>()
            };
            let beat = || {
                let beat = sqlx::query(statements.heartbeat.clone()).bind(id).bind(3.0);
                beat.bind(None::<serde_json::Value>)
            };
            let mut tx = sqlx::Connection::begin(&mut runner).await.unwrap();
            assert_eq!(beat().execute(&mut *tx).await.unwrap().rows_affected(), 1);
            assert!(dead(&mut rescuer).await.is_empty(), "its heartbeat is coming");
            tx.rollback().await.unwrap();
            let mut tx = sqlx::Connection::begin(&mut rescuer).await.unwrap();
            assert_eq!(dead(&mut tx).await, [id]);
            sqlx::raw_sql("set lock_timeout = '1ms'").execute(&mut runner).await.unwrap();
            assert!(beat().execute(&mut runner).await.is_err(), "it waits for the rescuer");
            sqlx::query(statements.end_rescue.clone()).bind(id).execute(&mut *tx).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(beat().execute(&mut runner).await.unwrap().rows_affected(), 0, "it was taken for dead");
        })
        .await;
    }

    /// A claim of queue `q` for three jobs, prepared in a session like a runner's.
    async fn claiming(db: &pgq_devdb::Database) -> sqlx::PgConnection {
        use crate::connection::{Commit, Route, SessionOptions};
        let database = db.url().parse().unwrap();
        let options = SessionOptions::new(&database, "pgq claim", Commit::Durable, Route::Direct);
        let mut session = options.connect().await.unwrap();
        let statements = Statements::for_schema("pgq");
        for (name, statement) in [("claim", statements.claim), ("claim_first", statements.claim_first)] {
            let prepare = sqlx::AssertSqlSafe(format!("prepare {name} as {}", statement.as_str()));
            sqlx::raw_sql(prepare).execute(&mut session).await.unwrap();
        }
        session
    }

    const CLAIM: &str = "execute claim ('{q}', '{3}', '{1}', '{0}', '{0}', '{1}', 3, '{k}', '{1}', '{}', \
         '00000000-0000-0000-0000-00000000000b', 'none', 1)";

    const CLAIM_FIRST: &str = "execute claim_first ('q', '{-9,0}', '{0,2}', '{0,1}', '{k}', '{1}', '00000000-0000-0000-0000-00000000000b', 1)";

    /// The first jobs of queue `q` that are ready.
    async fn fill_ready(jobs: i64, session: &mut sqlx::PgConnection) {
        let ready = "insert into pgq.ready (id, shape, priority, version, attempts, max_attempts, queue, kind, payload) \
                     select id, 0, 0, 1, 0, 4, 'q', 'k', 'x' from generate_series(1, $1::bigint) id";
        sqlx::query(ready).bind(jobs).execute(session).await.unwrap();
    }

    /// Run again, it would lock and claim more than was asked for.
    #[tokio::test]
    async fn the_locking_part_of_a_claim_runs_once() {
        with_database(async |db| {
            let mut session = claiming(db).await;
            for claim in [CLAIM, CLAIM_FIRST] {
                let explain = sqlx::AssertSqlSafe(format!("explain (costs off) {claim}"));
                let plan: Vec<String> = sqlx::query_scalar(explain).fetch_all(&mut session).await.unwrap();
                let plan = plan.join("\n");
                assert!(plan.contains("InitPlan") && plan.contains("TID Cond: (ctid = ANY ("), "{plan}");
            }
        })
        .await;
    }

    #[tokio::test]
    async fn a_claim_takes_and_locks_no_more_than_it_was_asked_to() {
        with_database(async |db| {
            let (mut session, mut other) = (claiming(db).await, db.connect().await.unwrap());
            fill_ready(20, &mut other).await;
            let mut tx = sqlx::Connection::begin(&mut session).await.unwrap();
            sqlx::raw_sql(CLAIM).execute(&mut *tx).await.unwrap();
            let claimed: Vec<i64> = sqlx::query_scalar("select id from pgq.leased order by id")
                .fetch_all(&mut *tx)
                .await
                .unwrap();
            assert_eq!(claimed, [1, 2, 3]);
            let free = "select id from pgq.ready order by id for update skip locked";
            let free: Vec<i64> = sqlx::query_scalar(free).fetch_all(&mut other).await.unwrap();
            assert_eq!(free, (4..=20).collect::<Vec<_>>());
        })
        .await;
    }

    #[tokio::test]
    async fn the_claim_of_a_first_job_takes_the_first_that_is_free_of_a_queue_that_is_not_paused() {
        with_database(async |db| {
            let (mut session, mut other) = (claiming(db).await, db.connect().await.unwrap());
            fill_ready(5, &mut other).await;
            let urgent = "update pgq.ready set priority = -3 where id = 5";
            sqlx::raw_sql(urgent).execute(&mut other).await.unwrap();
            let mut locking = sqlx::Connection::begin(&mut other).await.unwrap();
            sqlx::raw_sql("select from pgq.ready where id = 2 for update").execute(&mut *locking).await.unwrap();
            for paused in ["paused_at = now()", "paused_at = null, slow_until = now() + interval '1 hour'"] {
                let pause = format!(
                    "insert into pgq.queues (name) values ('q') on conflict do nothing; update pgq.queues set {paused}"
                );
                sqlx::raw_sql(sqlx::AssertSqlSafe(pause)).execute(&mut session).await.unwrap();
                let claimed = sqlx::raw_sql(CLAIM_FIRST).execute(&mut session).await.unwrap();
                assert_eq!(claimed.rows_affected(), 0, "{paused}");
            }
            sqlx::raw_sql("update pgq.queues set slow_until = now()").execute(&mut session).await.unwrap();
            for expected in [Some(5), Some(3), Some(4), None] {
                sqlx::raw_sql(CLAIM_FIRST).execute(&mut session).await.unwrap();
                let claimed: Option<i64> = sqlx::query_scalar("delete from pgq.leases returning ids[1]")
                    .fetch_optional(&mut session)
                    .await
                    .unwrap();
                assert_eq!(claimed, expected);
            }
            drop(locking);
        })
        .await;
    }

    /// The mark of a transaction that was rolled back stays on a row. Claims in turn pass such rows over; those from the start
    /// must not, or a job would wait for ever.
    #[tokio::test]
    async fn what_was_locked_and_rolled_back_is_claimed() {
        with_database(async |db| {
            let (mut session, mut other) = (claiming(db).await, db.connect().await.unwrap());
            fill_ready(4, &mut other).await;
            let locked = "begin; select from pgq.ready where id <= 2 for update; rollback";
            sqlx::raw_sql(locked).execute(&mut other).await.unwrap();
            let leased = "select ids from pgq.leases order by claimed_at desc limit 1";
            for (claim, expected) in
                [(CLAIM.replace("none", "wait"), vec![3, 4]), (CLAIM.to_owned(), vec![1, 2])]
            {
                sqlx::raw_sql(sqlx::AssertSqlSafe(claim)).execute(&mut session).await.unwrap();
                let ids: Vec<i64> = sqlx::query_scalar(leased).fetch_one(&mut other).await.unwrap();
                assert_eq!(ids, expected);
            }
        })
        .await;
    }

    /// A settle whose connection was given up may come after the settles that followed it.
    #[tokio::test]
    async fn a_late_settle_takes_back_nothing_that_was_settled_after_it_was_sent() {
        with_database(async |db| {
            let mut session = db.connect().await.unwrap();
            let leased = "insert into pgq.leases values ('00000000-0000-0000-0000-00000000000a', \
                 '00000000-0000-0000-0000-00000000000b', now(), null, null, true, null, 0, 0, 1, 0, 'q', 'k', \
                 '{1,2,3}', array[now(), now(), now()], '{0,0,0}', '{4,4,4}', '{x,y,z}', \
                 array[null, null, null]::jsonb[], array[null, null, null]::timestamptz[])";
            sqlx::raw_sql(leased).execute(&mut session).await.unwrap();
            let statements = Statements::for_schema("pgq");
            let (runner, lease) = (uuid::Uuid::from_u128(11), uuid::Uuid::from_u128(10));
            let settle = async |bits: u8, retried: &[i32], session: &mut sqlx::PgConnection| {
                let settle = sqlx::query(statements.settle.clone()).bind(runner).bind([lease]).bind([vec![bits]]);
                let settle = settle.bind([false]).bind(vec![lease; retried.len()]).bind(retried);
                let settle = settle.bind(vec!["retry"; retried.len()]);
                let wait = crate::time::interval(std::time::Duration::from_secs(60));
                let settle = settle.bind(vec![wait; retried.len()]).bind(vec!["no"; retried.len()]);
                let settle = settle.bind("owner").bind("channel").bind(vec![String::new()]);
                settle.execute(session).await.unwrap();
            };
            settle(0b011, &[0, 1], &mut session).await;
            settle(0b001, &[0], &mut session).await;
            let jobs: Vec<(i64, String)> = sqlx::query_as("select id, state from pgq.jobs order by id")
                .fetch_all(&mut session)
                .await
                .unwrap();
            assert_eq!(jobs, [(1, "scheduled".into()), (2, "scheduled".into()), (3, "running".into())]);
        })
        .await;
    }

    /// A rescuer and a canceller that come when a lease is gone, or a job of it settled, find nothing.
    #[tokio::test]
    async fn rescue_and_cancel_of_what_is_settled_change_nothing() {
        with_database(async |db| {
            let mut session = db.connect().await.unwrap();
            // Of two jobs the first is settled.
            let leased = "insert into pgq.leases values ('00000000-0000-0000-0000-00000000000a', \
                 '00000000-0000-0000-0000-00000000000b', now(), '\\x01', null, true, null, 0, 0, 1, 0, 'q', 'k', \
                 '{1,2}', array[now(), now()], '{0,0}', '{4,4}', '{x,y}', \
                 array[null, null]::jsonb[], array[null, null]::timestamptz[])";
            sqlx::raw_sql(leased).execute(&mut session).await.unwrap();
            let statements = Statements::for_schema("pgq");
            let cancelled = async |job: i64, session: &mut sqlx::PgConnection| {
                let cancel = sqlx::query(statements.cancel_running.clone()).bind(job).bind("channel").bind(None::<&str>);
                cancel.fetch_optional(session).await.unwrap().is_some()
            };
            let rescued = async |owner: u128, position: Option<i32>, session: &mut sqlx::PgConnection| {
                let rescue = sqlx::query_as::<_, (i64, i64, i64)>(statements.rescue.clone());
                let rescue = rescue.bind(uuid::Uuid::from_u128(owner)).bind(uuid::Uuid::from_u128(10));
                let rescue = rescue.bind(position).bind("owner").bind(3_i16).bind("channel");
                let (again, ended, _) = rescue.fetch_one(session).await.unwrap();
                (again, ended)
            };
            assert!(!cancelled(1, &mut session).await, "settled");
            assert_eq!(rescued(11, Some(0), &mut session).await, (0, 0), "settled");
            assert_eq!(rescued(12, None, &mut session).await, (0, 0), "another runner's lease");
            assert!(cancelled(2, &mut session).await);
            assert_eq!(rescued(11, None, &mut session).await, (0, 1), "ends cancelled");
            assert!(!cancelled(2, &mut session).await, "the lease is gone");
            assert_eq!(rescued(11, None, &mut session).await, (0, 0), "the lease is gone");
            let jobs: Vec<(i64, String)> =
                sqlx::query_as("select id, state from pgq.jobs").fetch_all(&mut session).await.unwrap();
            assert_eq!(jobs, [(2, "cancelled".to_owned())]);
        })
        .await;
    }

    #[test]
    fn every_file_is_a_statement() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sql");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().file_name().to_string_lossy().trim_end_matches(".sql").to_owned())
            .collect();
        files.sort();
        let names: Vec<_> = Statements::for_schema("pgq").all().into_iter().map(|(name, _)| name).collect();
        assert_eq!(files, names);
    }

    #[test]
    fn only_the_word_is_replaced() {
        let text = "-- pgq_core\nselect nextval('pgq.job_ids'), pgqx from pgq.ready, my_pgq.t";
        let expected = "-- pgq_core\nselect nextval('\"my\".job_ids'), pgqx from \"my\".ready, my_pgq.t";
        assert_eq!(render(text, "my").as_str(), expected);
    }
}
