//! What the roles of `migrations/grants.sql` may do, and what each is refused. `cargo xtask test --roles` runs all other
//! tests under them.

use std::time::Duration;

use pgq_devdb::Database;
use pgq_postgres::admin::State;
use pgq_postgres::{
    Admin, Cancelled, Enqueue, Enqueued, JobId, Schema, Unique, enqueue_all, grants_sql, migrate,
};
use pgq_tests::{Action, Running, Step, count, states, with_database};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgPool, query_scalar, raw_sql};

/// What Postgres says to who lacks a right.
const DENIED: &str = "42501";

/// Who has to do with jobs.
const ROLES: [&str; 4] = ["pgq_producer", "pgq_runner", "pgq_viewer", "pgq_operator"];

async fn grant(db: &Database) {
    let grants = grants_sql(&Schema::default());
    raw_sql(AssertSqlSafe(grants)).execute(&db.pool()).await.unwrap();
}

/// Sessions that are in a role from their first statement on.
fn in_role(db: &Database, role: &str) -> PgPool {
    let options: PgConnectOptions = db.url().parse().unwrap();
    PgPoolOptions::new().max_connections(4).connect_lazy_with(options.options([("role", role)]))
}

/// The code of the error that a statement ends in; none if it succeeds.
async fn refusal(pool: &PgPool, sql: &str) -> Option<String> {
    let error = raw_sql(AssertSqlSafe(sql.to_owned())).execute(pool).await.err()?;
    Some(error.as_database_error().expect("the server refused").code().expect("a code").into_owned())
}

async fn refused(pool: &PgPool, role: &str, statements: &[&str]) {
    for sql in statements {
        assert_eq!(refusal(pool, sql).await.as_deref(), Some(DENIED), "{role}: {sql}");
    }
}

#[tokio::test]
async fn a_job_goes_through_the_hands_of_all_roles() {
    with_database(async |db| {
        grant(db).await;
        let (producer, operator) = (in_role(db, "pgq_producer"), in_role(db, "pgq_operator"));
        Step::succeed(1).enqueue(&producer).await.unwrap();
        Step::succeed(2).after(Duration::from_millis(1)).enqueue(&producer).await.unwrap();
        let later = Step::succeed(3).after(Duration::from_secs(600)).enqueue(&producer).await.unwrap();
        enqueue_all(&producer, (4..6).map(Step::succeed)).await.unwrap();
        let unique = |n| Step::succeed(n).to_enqueue().unique_by(Unique::while_unfinished(), "key").unwrap();
        assert!(matches!(unique(6).enqueue(&producer).await.unwrap(), Enqueued::New(_)));
        assert!(matches!(unique(6).enqueue(&producer).await.unwrap(), Enqueued::Existing(_)));
        Step::of(7, Action::FailUntil(2)).retry_waits([Duration::ZERO]).enqueue(&producer).await.unwrap();
        Step::of(8, Action::Discard).enqueue(&producer).await.unwrap();

        let admin = Admin::new(&operator);
        assert_eq!(admin.cancel(later).await.unwrap(), Cancelled::Waiting);
        admin.pause("step").await.unwrap();
        admin.resume("step").await.unwrap();

        let mut running = Running::start_on(&in_role(db, "pgq_runner"), |runner| runner);
        let ran: Vec<i64> = running.ran_many(8).await.into_iter().map(|ran| ran.n).collect();
        assert_eq!(ran, [1, 2, 4, 5, 6, 7, 7, 8]);
        let running_job = Step::of(9, Action::UntilCancelled).enqueue(&producer).await.unwrap();
        running.ran().await;
        assert_eq!(admin.cancel(running_job).await.unwrap(), Cancelled::Running);
        running.until(|counts| counts.completed == 7).await;
        let (counts, _) = running.stop().await;
        assert_eq!(counts.database_errors, 0);

        let seen = states(&in_role(db, "pgq_viewer")).await;
        assert_eq!(seen, [("cancelled".to_owned(), 1), ("discarded".to_owned(), 1)]);
    })
    .await;
}

#[tokio::test]
async fn a_producer_only_adds() {
    with_database(async |db| {
        grant(db).await;
        let producer = in_role(db, "pgq_producer");
        let job = Step::succeed(1).enqueue(&producer).await.unwrap().id();
        let body = "select body from pgq.payloads";
        let forged = "insert into pgq.ready (attempts, shape, priority, version, max_attempts, queue, kind) \
                      values (1, 0, 0, 1, 1, 'q', 'k')";
        let take = format!("select * from pgq.take_waiting({job})");
        let put = format!("select pgq.put_waiting((select s from pgq.scheduled s where id = {job}), null)");
        refused(
            &producer,
            "pgq_producer",
            &[
                "select payload from pgq.ready",
                "select options from pgq.ready",
                "select * from pgq.jobs",
                "select * from pgq.leases",
                "select id from pgq.scheduled",
                "select id from pgq.finished",
                "select * from pgq.runners",
                "select key from pgq.unique_keys",
                "select error from pgq.failures",
                body,
                forged,
                "insert into pgq.unique_keys values ('x', 1, 'queued')",
                "insert into pgq.finished select * from pgq.finished",
                "insert into pgq.queues (name, paused_at) values ('step', now())",
                "update pgq.ready set priority = -1",
                "delete from pgq.ready",
                "delete from pgq.scheduled",
                "delete from pgq.leases",
                "truncate pgq.ready",
                &take,
                &put,
            ],
        )
        .await;
        assert_eq!(count(&db.pool(), "pgq.ready").await, 1, "the job is still there");
    })
    .await;
}

#[tokio::test]
async fn a_viewer_sees_no_contents_and_changes_nothing() {
    with_database(async |db| {
        grant(db).await;
        Step::succeed(1).enqueue(&db.pool()).await.unwrap();
        let viewer = in_role(db, "pgq_viewer");
        refused(&viewer, "pgq_viewer", &[
            "select * from pgq.jobs",
            "select payload from pgq.jobs",
            "select options from pgq.jobs",
            "select args from pgq.jobs",
            "select payload from pgq.ready",
            "select payload from pgq.scheduled",
            "select payload from pgq.finished",
            "select payload from pgq.leased",
            "select payloads from pgq.leases",
            "select body from pgq.payloads",
            "select key from pgq.unique_keys",
            "select payload from pgq.schedules",
            "select detail from pgq.audit",
            "select pgq.jobs_of(l) from pgq.leases l",
            "insert into pgq.queues (name) values ('step')",
            "update pgq.queues set paused_at = now()",
            "update pgq.leases set cancelled = '{1}'",
            "delete from pgq.ready",
            "delete from pgq.failures",
            "select nextval('pgq.job_ids')",
            "select pgq.take_waiting(1)",
        ])
        .await;
        let readable = "select count(*) from pg_attribute a join pg_class c on c.oid = a.attrelid \
                        where c.relnamespace = 'pgq'::regnamespace and c.relkind in ('r', 'v') and a.attnum > 0 \
                          and has_column_privilege('pgq_viewer', c.oid, a.attnum, 'select') \
                          and a.attname ~ 'payload|option|body|arg|detail|^key$'";
        let readable: i64 = query_scalar(readable).fetch_one(&db.pool()).await.unwrap();
        assert_eq!(readable, 0, "columns of that name hold contents");
        let seen: Vec<i64> =
            query_scalar("select id from pgq.jobs where state = 'ready'").fetch_all(&viewer).await.unwrap();
        assert_eq!(seen.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_operator_takes_no_job_from_a_runner() {
    with_database(async |db| {
        grant(db).await;
        let operator = in_role(db, "pgq_operator");
        refused(
            &operator,
            "pgq_operator",
            &[
                "delete from pgq.leases",
                "update pgq.leases set done = null",
                "update pgq.leases set payloads = '{}'",
                "insert into pgq.leases select * from pgq.leases",
                "update pgq.runners set heartbeat_at = now()",
                "delete from pgq.runners",
                "delete from pgq.sleepers",
                "delete from pgq.audit",
                "update pgq.audit set actor = null",
            ],
        )
        .await;
        for allowed in
            ["delete from pgq.ready", "update pgq.scheduled set priority = 1", "select payload from pgq.jobs"]
        {
            assert_eq!(refusal(&operator, allowed).await, None, "{allowed}");
        }
        let admin = Admin::new(&operator);
        admin.cancel(Step::succeed(1).enqueue(&operator).await.unwrap()).await.unwrap();
        assert_eq!(admin.prune(State::Cancelled, Duration::ZERO).await.unwrap(), 1);
        assert_eq!(count(&db.pool(), "pgq.audit where action = 'prune'").await, 1);
        admin.prune_audit(Duration::ZERO).await.unwrap_err();
        assert_eq!(Admin::new(&in_role(db, "pgq_owner")).prune_audit(Duration::ZERO).await.unwrap(), 2);
    })
    .await;
}

#[tokio::test]
async fn nobody_but_the_owner_changes_tables() {
    with_database(async |db| {
        grant(db).await;
        for role in ROLES {
            refused(&in_role(db, role), role, &[
                "create table pgq.more (n int)",
                "alter table pgq.ready add column more int",
                "create index on pgq.ready (kind)",
                "drop table pgq.failures",
                "truncate pgq.finished",
                "alter function pgq.take_waiting(bigint) security definer",
                "update pgq.migrations set version = 7",
                "delete from pgq.migrations",
                "alter table pgq.ready owner to current_user",
                "create trigger t before insert on pgq.ready for each row execute function suppress_redundant_updates_trigger()",
            ])
            .await;
        }
        for role in ROLES {
            // Postgres refuses who has no right to the table, and only warns who has one that is not his to give.
            let refused = refusal(&in_role(db, role), "grant select on pgq.ready to public").await;
            assert!(refused.is_none_or(|code| code == DENIED));
        }
        let public = "select has_table_privilege('pg_monitor', 'pgq.ready', 'select')";
        assert!(!query_scalar::<_, bool>(public).fetch_one(&db.pool()).await.unwrap());
        let owner = in_role(db, "pgq_owner");
        assert_eq!(refusal(&owner, "alter table pgq.ready add column more int").await, None);
    })
    .await;
}

#[tokio::test]
async fn nobody_logs_in_as_a_role_and_nobody_else_has_rights() {
    with_database(async |db| {
        grant(db).await;
        let pool = db.pool();
        let login = "select count(*) from pg_roles where rolname ~ '^pgq_(owner|producer|runner|viewer|operator)$' \
                     and not (rolcanlogin or rolsuper or rolcreaterole or rolcreatedb or rolbypassrls)";
        assert_eq!(query_scalar::<_, i64>(login).fetch_one(&pool).await.unwrap(), 5);
        let public = "select (select count(*) from pg_class c, aclexplode(c.relacl) a \
                              where c.relnamespace = 'pgq'::regnamespace and a.grantee = 0) \
                           + (select count(*) from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a \
                              where p.pronamespace = 'pgq'::regnamespace and a.grantee = 0)";
        assert_eq!(query_scalar::<_, i64>(public).fetch_one(&pool).await.unwrap(), 0);
        let owners = "select distinct relowner::regrole::text from pg_class where relnamespace = 'pgq'::regnamespace";
        assert_eq!(query_scalar::<_, String>(owners).fetch_all(&pool).await.unwrap(), ["pgq_owner"]);
    })
    .await;
}

#[tokio::test]
async fn grants_can_be_run_again_while_others_are_at_it() {
    with_database(async |db| {
        grant(db).await;
        let pool = db.pool();
        let dump = "select coalesce(string_agg(o || ' ' || acl, e'\\n' order by o, acl), '') from ( \
                    select oid::regclass::text as o, relacl::text as acl from pg_class where relnamespace = 'pgq'::regnamespace \
                    union all select attrelid::regclass::text || '.' || attname, attacl::text from pg_attribute \
                    where attacl is not null and attrelid in (select oid from pg_class where relnamespace = 'pgq'::regnamespace)) s \
                    where acl is not null";
        let first: String = query_scalar(dump).fetch_one(&pool).await.unwrap();
        let producer = in_role(db, "pgq_producer");
        let enqueues = async {
            for n in 0..50 {
                Step::succeed(n).enqueue(&producer).await.expect("rights are never gone");
            }
        };
        let again = async {
            for _ in 0..3 {
                grant(db).await;
            }
        };
        tokio::join!(enqueues, again);
        let second: String = query_scalar(dump).fetch_one(&pool).await.unwrap();
        assert_eq!(first, second);
        migrate(&pool).await.unwrap();
    })
    .await;
}

/// The paths by which a name could become SQL: none is taken.
#[tokio::test]
async fn names_are_values() {
    with_database(async |db| {
        grant(db).await;
        let producer = in_role(db, "pgq_producer");
        let hostile = "x'); drop table pgq.ready; --";
        let bad = Step::succeed(1).queue(hostile).enqueue(&producer).await;
        assert!(bad.is_err(), "no queue can be named so");
        Admin::new(&db.pool()).pause(hostile).await.unwrap_err();
        assert!(Schema::new(hostile).is_err());
        assert_eq!(Admin::new(&db.pool()).cancel(JobId(i64::MAX)).await.unwrap(), Cancelled::Gone);
        assert_eq!(count(&db.pool(), "pgq.ready").await, 0);
    })
    .await;
}
