//! Every command through its binary, on a real Postgres.

#[path = "support/mod.rs"]
mod support;

use std::time::Duration;

use pgq_postgres::{Context, Enqueue, Job, JobId, JobResult, Perform, Schedule, Schedules};
use pgq_tests::{
    Action, PgBouncer, Running, Step, count, states, until_state, with_database, with_empty_database,
};
use serde_json::{Value, json};
use sqlx::{Executor, PgPool};
use support::{complaint, pgq, said, told};

const HOUR: Duration = Duration::from_secs(3600);

/// A discarded job, one that is scheduled, and one that is ready.
async fn three(pool: &PgPool, running: &Running) -> [JobId; 3] {
    let discarded = Step::of(1, Action::Discard).enqueue(pool).await.unwrap().id();
    until_state(pool, discarded, "discarded").await;
    running.until(|counts| counts.discarded == 1).await;
    let scheduled = Step::succeed(2).after(HOUR).enqueue(pool).await.unwrap().id();
    let ready = Step::succeed(3).queue("nobody").enqueue(pool).await.unwrap().id();
    [discarded, scheduled, ready]
}

#[tokio::test]
async fn migrate_makes_what_every_other_command_asks_for() {
    with_empty_database(async |db| {
        for command in [&["status"][..], &["jobs"], &["job", "1"], &["retry", "1"], &["top"], &["queues"]] {
            let text = complaint(db, 1, command).await;
            assert!(text.contains("has no pgq tables: run `pgq migrate`"), "{command:?}: {text}");
        }
        let text = complaint_of_doctor(db).await;
        assert!(text.contains("run `pgq migrate`"), "{text}");
        assert_eq!(said(db, &["migrate"]).await, "the schema pgq is up to date\n");
        assert_eq!(told(db, &["migrate"]).await, json!({"schema": "pgq", "migrated": true}));
        assert_eq!(said(db, &["migrate", "--schema", "other"]).await, "the schema other is up to date\n");
        assert!(said(db, &["jobs", "--schema", "other"]).await.contains("no job matches"));
        assert!(said(db, &["queues"]).await.contains("no queue holds a job"));
        assert!(said(db, &["runners"]).await.contains("no runner lives"));
        assert!(said(db, &["audit"]).await.contains("nobody has changed anything"));
    })
    .await;
}

async fn complaint_of_doctor(db: &pgq_devdb::Database) -> String {
    let (code, said, _) = support::run(db, &["doctor"]).await;
    assert_eq!(code, 1, "{said}");
    said
}

#[tokio::test]
async fn what_is_there_is_listed() {
    with_database(async |db| {
        let pool = db.pool();
        let running = Running::start_with(db, |runner| runner.heartbeat_interval(Duration::from_millis(200)));
        let [discarded, scheduled, ready] = three(&pool, &running).await;
        let hangs = Step::of(4, Action::Gate).enqueue(&pool).await.unwrap().id();
        until_state(&pool, hangs, "running").await;

        let status = said(db, &["status"]).await;
        assert!(status.starts_with("1 runner with 20 slots, 1 job in hand; last minute"), "{status}");
        assert!(status.contains("nobody") && status.contains("discarded"), "{status}");
        let status = told(db, &["status"]).await;
        assert_eq!(status["states"]["scheduled"], json!({"number": 1, "is": "exactly"}));
        assert_eq!(status["runners"][0]["in_hand"], 1);

        let queues = told(db, &["queues"]).await;
        assert_eq!(
            (&queues[0]["name"], &queues[0]["ready"]["number"], &queues[0]["runners"]),
            (&json!("nobody"), &json!(1), &json!(0))
        );
        assert!(said(db, &["queues"]).await.contains("LATENCY"));

        let jobs = told(db, &["jobs"]).await;
        let ids: Vec<_> =
            jobs["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_i64().unwrap()).collect();
        assert_eq!(ids, [hangs.0, ready.0, scheduled.0, discarded.0]);
        let jobs = said(db, &["jobs", "--state", "discarded,ready", "--kind", "step"]).await;
        assert!(jobs.contains("no use") && jobs.contains("nobody") && !jobs.contains("scheduled"), "{jobs}");
        let page = said(db, &["jobs", "-n", "2"]).await;
        assert!(page.contains(&format!("there are more: --before {ready}")), "{page}");
        let page = told(db, &["jobs", "-n", "2", "--before", &ready.to_string()]).await;
        assert_eq!(page["jobs"][1]["id"], discarded.0);
        assert_eq!(said(db, &["jobs", "--error", "NO USE", "--older-than", "1h"]).await, "no job matches\n");

        let runners = said(db, &["runners"]).await;
        assert!(runners.contains("1/20") && runners.contains(&hangs.to_string()), "{runners}");
        assert_eq!(told(db, &["runners"]).await[0]["jobs"][0]["id"], hangs.0);
        let errors = said(db, &["errors"]).await;
        assert!(errors.contains("no use") && errors.contains("step"), "{errors}");
        assert_eq!(told(db, &["errors"]).await[0]["failures"], 1);
        running.stop_now().await;
    })
    .await;
}

#[tokio::test]
async fn a_job_shows_its_timeline_and_why_it_waits() {
    with_database(async |db| {
        let pool = db.pool();
        let running = Running::start(db);
        let [discarded, scheduled, ready] = three(&pool, &running).await;
        said(db, &["retry", &discarded.to_string(), "--actor", "alice"]).await;
        running.until(|counts| counts.discarded == 2).await;
        until_state(&pool, discarded, "discarded").await;
        running.stop().await;
        let job = said(db, &["job", &discarded.to_string()]).await;
        let order = ["enqueued", "attempt 1 failed on", "retry by alice", "attempt 2 failed on", "discarded"];
        let found: Vec<_> = order.iter().map(|event| job.rfind(event)).collect();
        assert!(found.iter().all(Option::is_some) && found.is_sorted(), "{job}");
        assert!(job.contains("only a program with its type can show it"), "{job}");
        let told_job = told(db, &["job", &discarded.to_string()]).await;
        assert_eq!(
            (&told_job["state"], told_job["failures"].as_array().unwrap().len()),
            (&json!("discarded"), 2)
        );
        assert_eq!(told_job["changes"][0]["actor"], "alice");
        let why = said(db, &["explain", &ready.to_string()]).await;
        assert_eq!(why, format!("job {ready}: no runner lives: start one\n"));
        assert_eq!(told(db, &["explain", &scheduled.to_string()]).await["state"], "scheduled");
        for command in ["job", "explain"] {
            let text = complaint(db, 1, &[command, "987654"]).await;
            assert!(text.contains("there is no job 987654") && text.contains("`pgq jobs` lists"), "{text}");
        }
    })
    .await;
}

#[tokio::test]
async fn jobs_are_changed_one_by_one_and_by_filter() {
    with_database(async |db| {
        let pool = db.pool();
        let running = Running::start(db);
        let [discarded, scheduled, ready] = three(&pool, &running).await;
        running.stop().await;
        let (id, later) = (&*discarded.to_string(), &*scheduled.to_string());
        assert_eq!(said(db, &["retry", id]).await, format!("job {id} runs again\n"));
        assert_eq!(
            told(db, &["cancel", id]).await,
            json!([{"id": discarded.0, "done": true, "text": "cancelled"}])
        );
        let text = complaint(db, 1, &["discard", id, later]).await;
        assert!(text.contains("1 of 2 jobs stay as they are"), "{text}");
        assert_eq!(said(db, &["retry", id, later]).await.lines().count(), 2);
        assert_eq!(
            said(db, &["reprioritise", "--priority", "-3", later]).await,
            format!("job {later} has its new priority\n")
        );
        said(db, &["reschedule", "--at", "2035-01-31T09:00:00Z", later]).await;
        let job = told(db, &["job", later]).await;
        assert_eq!((&job["priority"], &job["run_at"]), (&json!(-3), &json!("2035-01-31T09:00:00.000Z")));
        said(db, &["reschedule", "--in", "10m", "--queue", "nobody", "--yes"]).await;
        assert_eq!(told(db, &["job", &ready.to_string()]).await["state"], "scheduled");
        assert_eq!(said(db, &["discard", "--all", "--yes"]).await, "discard: 3 of 3 jobs that match\n");
        assert_eq!(told(db, &["retry", "--kind", "step", "--yes"]).await["changed"], 3);
        assert_eq!(
            said(db, &["cancel", "--queue", "nobody", "--yes"]).await,
            "cancel: 1 of 1 jobs that match\n"
        );
        assert_eq!(said(db, &["cancel", "--queue", "nobody", "--yes"]).await, "no job matches\n");
        assert_eq!(states(&pool).await, [("cancelled".to_owned(), 1), ("ready".to_owned(), 2)]);
        let audit = told(db, &["audit"]).await;
        assert_eq!(
            (&audit[0]["action"], &audit[0]["detail"]["filter"]["queue"]),
            (&json!("cancel"), &json!("nobody"))
        );
        assert!(said(db, &["audit"]).await.contains("reprioritise"));
        assert_eq!(
            told(db, &["prune", "--older-than", "0s", "--actor", "alice"]).await["jobs"]["cancelled"],
            1
        );
        let audit = told(db, &["audit", "-n", "1"]).await;
        assert_eq!(
            (&audit[0]["action"], &audit[0]["actor"], &audit[0]["detail"]),
            (&json!("prune"), &json!("alice"), &json!({"state": "cancelled", "age": "00:00:00", "jobs": 1}))
        );
        assert_eq!(told(db, &["prune", "--older-than", "0s", "--audit"]).await["jobs"]["cancelled"], 0);
        let audit = told(db, &["audit"]).await;
        let left: Vec<_> = audit.as_array().unwrap().iter().map(|change| &change["action"]).collect();
        assert_eq!(left, ["prune_audit"], "it forgets what was before it");
    })
    .await;
}

#[tokio::test]
async fn a_job_that_does_not_exist_is_no_success() {
    with_database(async |db| {
        for command in [
            &["retry", "987654"][..],
            &["cancel", "987654"],
            &["discard", "987654"],
            &["reprioritise", "--priority", "1", "987654"],
            &["reschedule", "--in", "1m", "987654"],
        ] {
            let (code, text, complaint) = support::run(db, command).await;
            assert_eq!(code, 1, "{command:?}: {text}{complaint}");
            assert!(
                text.starts_with("job 987654 ") && text.ends_with(" or never was\n"),
                "{command:?}: {text}"
            );
            assert_eq!(complaint, "error: 1 of 1 jobs stay as they are\n", "{command:?}");
        }
        let (code, text, _) = support::run(db, &["retry", "987654", "--json"]).await;
        let text: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((code, &text[0]["id"], &text[0]["done"]), (1, &json!(987_654), &json!(false)));
        assert_eq!(told(db, &["audit"]).await, json!([]));
    })
    .await;
}

/// Can be searched for by its user.
#[derive(Job)]
#[job(index(user, city))]
struct Mail {
    user: i64,
    city: String,
}

impl Perform for Mail {
    async fn perform(&self, _: &Context) -> JobResult {
        Ok(())
    }
}

#[tokio::test]
async fn jobs_are_found_by_indexed_fields() {
    with_database(async |db| {
        let pool = db.pool();
        let mail = |user, city: &str| Mail { user, city: city.into() };
        let rome = mail(7, "Rome").enqueue(&pool).await.unwrap().id();
        let oslo = mail(7, "Oslo").after(HOUR).enqueue(&pool).await.unwrap().id();
        mail(8, "Rome").enqueue(&pool).await.unwrap();
        for (fields, found) in [
            (&["--field", "user=7"][..], vec![oslo, rome]),
            (&["--field", "user=7", "--field", "city=Oslo"], vec![oslo]),
            (&["--field", "city=\"Rome\"", "--field", "user=7"], vec![rome]),
            (&["--field", "user=9"], vec![]),
            (&["--field", "user=\"7\""], vec![]),
        ] {
            let jobs = told(db, &[&["jobs"], fields].concat()).await;
            let ids: Vec<_> = jobs["jobs"].as_array().unwrap().iter().map(|job| job["id"].clone()).collect();
            assert_eq!(ids, found.iter().map(|id| json!(id.0)).collect::<Vec<_>>(), "{fields:?}");
        }
        let jobs = said(db, &["jobs", "--field", "user=7"]).await;
        assert!(jobs.contains(&rome.to_string()) && jobs.contains("scheduled"), "{jobs}");
        assert_eq!(
            said(db, &["cancel", "--field", "user=7", "--yes"]).await,
            "cancel: 2 of 2 jobs that match\n"
        );
    })
    .await;
}

#[tokio::test]
async fn top_tells_programs_once_what_it_would_show() {
    with_database(async |db| {
        let pool = db.pool();
        let running = Running::start_with(db, |runner| runner.heartbeat_interval(Duration::from_millis(200)));
        let [_, _, ready] = three(&pool, &running).await;
        let top = told(db, &["top"]).await;
        let queues = top["queues"].as_array().unwrap();
        let nobody = queues.iter().find(|queue| queue["name"] == "nobody");
        assert_eq!(nobody.unwrap()["ready"]["number"], 1, "job {ready}: {top}");
        assert_eq!((&top["runners"][0]["slots"], &top["errors"][0]["kinds"]), (&json!(20), &json!(["step"])));
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn queues_are_paused_resumed_and_limited() {
    with_database(async |db| {
        let pool = db.pool();
        Step::succeed(1).enqueue(&pool).await.unwrap();
        assert_eq!(
            told(db, &["pause", "step"]).await,
            json!({"queue": "step", "known": true, "paused": true, "max_running": null})
        );
        assert!(said(db, &["queues"]).await.contains("paused"));
        assert_eq!(told(db, &["resume", "step"]).await["paused"], false);
        assert_eq!(told(db, &["limit", "step", "3"]).await["max_running"], 3);
        assert!(said(db, &["limit", "step", "none"]).await.contains("as its runners were set"));
        let unknown = said(db, &["pause", "setp"]).await;
        assert!(unknown.contains("is the name right?"), "{unknown}");
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_understood_or_done_is_said_with_its_remedy() {
    with_database(async |db| {
        let pool = db.pool();
        for (arguments, said) in [
            (&["retry"][..], "which jobs? give ids, or a filter"),
            (&["retry", "1", "--queue", "q"], "give either ids, or a filter"),
            (&["retry", "one"], "invalid value 'one'"),
            (&["jobs", "--state", "broken"], "use ready, running, scheduled"),
            (&["jobs", "--older-than", "soon"], "write it as 90s, 10m"),
            (&["jobs", "--field", "user"], "NAME=VALUE"),
            (&["jobs", "-n", "0"], "1..=10000"),
            (&["reschedule", "1"], "when? give --in"),
            (&["reschedule", "1", "--in", "9000years"], "after the year 9999"),
            (&["pause", "a b"], "is not a valid queue name"),
            (&["limit", "step", "0"], "pause the queue"),
            (&["prune"], "--older-than"),
            (&["prune", "--older-than", "1h", "--state", "ready"], "are not pruned"),
            (&["status", "--schema", "a-b"], "is not a valid schema name"),
            (&["status", "--database-url", "mysql://x"], "must begin with postgres://"),
            (&["stauts"], "'status'"),
            (&["top"], "top needs a terminal"),
        ] {
            let text = complaint(db, 2, arguments).await;
            assert!(text.contains(said), "{arguments:?}: {text}");
        }
        let none = pgq(db, &["status"]).env_remove("DATABASE_URL").output().unwrap();
        assert_eq!(none.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&none.stderr).contains("set DATABASE_URL or give --database-url"));
        let text = complaint(db, 1, &["status", "--database-url", "postgres://nobody@127.0.0.1:1/x"]).await;
        assert!(text.contains("127.0.0.1:1 cannot be reached"), "{text}");
        // Many match, and nobody is there to be asked.
        pool.execute(
            "insert into pgq.scheduled (shape, priority, version, max_attempts, queue, kind, run_at) \
             select 0, 0, 1, 4, 'q', 'k', now() + interval '1 day' from generate_series(1, 12000) n",
        )
        .await
        .unwrap();
        let text = complaint(db, 2, &["cancel", "--kind", "k"]).await;
        assert!(
            text.contains("this would cancel 10,000+ jobs: add --yes to do it, or narrow the filter"),
            "{text}"
        );
        assert_eq!(count(&pool, "pgq.scheduled").await, 12_000);
    })
    .await;
}

#[tokio::test]
async fn doctor_finds_what_is_wrong() {
    with_database(async |db| {
        let pool = db.pool();
        Step::succeed(1).enqueue(&pool).await.unwrap();
        pool.execute("alter table pgq.ready set (autovacuum_enabled = false)").await.unwrap();
        let (code, said_text, _) = support::run(db, &["doctor"]).await;
        assert_eq!(code, 1, "{said_text}");
        for found in ["no runner lives", "1 jobs of kind step, version", "autovacuum does not come to ready"]
        {
            assert!(said_text.contains(found), "{found}: {said_text}");
        }
        pool.execute("alter table pgq.ready reset (autovacuum_enabled)").await.unwrap();
        let mut running = Running::start(db);
        running.ran().await;
        let findings = told(db, &["doctor"]).await;
        let severity = |check: &str| {
            let found = findings.as_array().unwrap().iter().find(|finding| finding["check"] == check);
            found.unwrap_or_else(|| panic!("{check}: {findings}"))["severity"].clone()
        };
        for check in ["migrations", "runners", "kinds", "dead rows", "pooler", "clock"] {
            assert_eq!(severity(check), "fine", "{check}: {findings}");
        }
        pool.execute("update pgq.runners set library = '0.0.1'").await.unwrap();
        let text = said(db, &["doctor", "--quiet"]).await;
        assert!(text.contains("was built with pgq 0.0.1") && !text.contains("migrations"), "{text}");
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn doctor_notices_a_pooler_in_transaction_mode() {
    with_database(async |db| {
        let Some(pooler) = PgBouncer::start(db).await else { return };
        // Again and again: what one leaves in a session of the server is in the next one's way.
        for _ in 0..3 {
            let text = said(db, &["doctor", "--quiet", "--database-url", pooler.url()]).await;
            assert!(text.contains("a pooler in transaction mode"), "{text}");
            assert!(text.contains(".without_notify()"), "{text}");
        }
    })
    .await;
}

#[tokio::test]
async fn completions_are_printed_without_a_database() {
    with_empty_database(async |db| {
        for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
            let script = said(db, &["completions", shell]).await;
            assert!(script.contains("reschedule"), "{shell}");
        }
    })
    .await;
}

#[tokio::test]
async fn schedules_are_listed_paused_and_deleted() {
    with_database(async |db| {
        let pool = db.pool();
        assert_eq!(said(db, &["schedules"]).await, "there is no schedule\n");
        let nightly = Schedule::new("nightly", "0 3 1 1 *", Step::succeed(1)).unwrap();
        Schedules::new(&pool).put(nightly.timezone("Europe/Rome").unwrap()).await.unwrap();
        let list = said(db, &["schedules"]).await;
        assert!(
            list.contains("nightly") && list.contains("Europe/Rome") && list.contains("0 3 1 1 *"),
            "{list}"
        );
        assert_eq!(told(db, &["schedules"]).await[0]["kind"], "step");
        let ticks = said(db, &["schedules", "next", "nightly", "-n", "3"]).await;
        assert_eq!(ticks.lines().filter(|tick| tick.ends_with("-01-01T02:00:00.000Z")).count(), 3, "{ticks}");
        assert_ne!(told(db, &["schedules", "pause", "nightly"]).await["paused_at"], Value::Null);
        assert!(said(db, &["schedules"]).await.contains("paused"));
        assert_eq!(said(db, &["schedules", "resume", "nightly"]).await, "schedule nightly is not paused\n");
        assert_eq!(said(db, &["schedules", "delete", "nightly"]).await, "schedule nightly is deleted\n");
        for action in ["next", "pause", "resume", "delete"] {
            let text = complaint(db, 1, &["schedules", action, "nightly"]).await;
            assert!(text.contains("nightly"), "{action}: {text}");
        }
    })
    .await;
}

#[tokio::test]
async fn schedules_are_changed_and_what_is_none_is_refused() {
    with_database(async |db| {
        let pool = db.pool();
        let nightly = Schedule::new("nightly", "0 3 1 1 *", Step::succeed(1)).unwrap();
        Schedules::new(&pool).put(nightly).await.unwrap();
        let before = told(db, &["schedules"]).await;
        let policies = |schedule: &Value| {
            (schedule["missed"].clone(), schedule["missed_most"].clone(), schedule["overlap"].clone())
        };
        assert_eq!(policies(&before[0]), (json!("once"), Value::Null, json!("allow")));
        let change = |arguments: &[&'static str]| [&["schedules", "change", "nightly"], arguments].concat();
        for (arguments, sentence) in [
            (&["--cron", "61 * * * *"][..], "is no cron expression"),
            (&["--cron", "0 0 30 2 *"], "never comes"),
            (&["--timezone", "Europe/Room"], "there is no time zone \"Europe/Room\""),
            (&["--missed", "1001"], "use skip, once, or a number from 1 to 1000"),
            (&["--overlap", "never"], "[possible values: allow, skip, replace]"),
            (&[], "--cron"),
        ] {
            let text = complaint(db, 2, &change(arguments)).await;
            assert!(text.contains(sentence), "{arguments:?}: {text}");
        }
        assert_eq!(told(db, &["schedules"]).await, before, "nothing was changed");
        let arguments =
            ["--cron", "0 4 1 1 *", "--timezone", "Europe/Rome", "--missed", "7", "--overlap", "replace"];
        assert_eq!(said(db, &change(&arguments)).await, "schedule nightly is changed\n");
        let ticks = said(db, &["schedules", "next", "nightly", "-n", "1"]).await;
        assert!(ticks.ends_with("-01-01T03:00:00.000Z\n"), "{ticks}");
        let list = said(db, &["schedules"]).await;
        assert!(list.contains("MISSED") && list.contains("replace"), "{list}");
        let changed = told(db, &change(&["--missed", "skip"])).await;
        assert_eq!(policies(&changed), (json!("skip"), Value::Null, json!("replace")));
        assert_eq!(changed["cron"], "0 4 1 1 *");
        assert_eq!(policies(&told(db, &change(&["--missed", "7"])).await).1, 7);
        let text = complaint(db, 1, &["schedules", "change", "nightlie", "--missed", "once"]).await;
        assert!(text.contains("there is no schedule \"nightlie\": `pgq schedules` lists"), "{text}");
        // A newer library may write what this one cannot read: then the command line is not to blame.
        pool.execute("update pgq.schedules set cron = 'at noon'").await.unwrap();
        let text = complaint(db, 1, &change(&["--missed", "once"])).await;
        assert!(text.contains("\"at noon\" is no cron expression"), "{text}");
    })
    .await;
}
