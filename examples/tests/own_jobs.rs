//! How an application tests its own jobs: a handler alone, and a flow of several jobs through the database.

use std::time::Duration;

use pgq_postgres::{
    Context, DatabaseContext, Enqueue, Error, Job, JobError, JobResult, Outcome, Perform, Runner,
    assert_enqueued, assert_not_enqueued, migrate, testing,
};
use sqlx::PgPool;

/// The application's state.
struct App {
    shop: &'static str,
}

/// Sent when somebody signs up.
#[derive(Job)]
#[job(state = App, retry_waits = ["1m"])]
struct SendWelcome {
    user_id: i64,
}

/// Sent three days later.
#[derive(Job)]
#[job(queue = "mail")]
struct AskForOpinion {
    user_id: i64,
    shop: String,
}

const THREE_DAYS: Duration = Duration::from_secs(3 * 86_400);

impl Perform for SendWelcome {
    async fn perform(&self, ctx: &Context<App>) -> JobResult {
        if self.user_id < 0 {
            return Err(JobError::discard("no such user"));
        }
        if ctx.attempt() == 1 && self.user_id == 13 {
            return Err("the mail server is away".into());
        }
        let opinion = AskForOpinion { user_id: self.user_id, shop: ctx.state().shop.into() };
        opinion.after(THREE_DAYS).enqueue(ctx.pool()?).await?;
        Ok(())
    }
}

impl Perform for AskForOpinion {
    async fn perform(&self, _: &Context) -> JobResult {
        Ok(())
    }
}

async fn sign_up(pool: &PgPool, user_id: i64) -> Result<(), Error> {
    let mut tx = pool.begin().await?;
    SendWelcome { user_id }.enqueue(&mut *tx).await?;
    Ok(tx.commit().await?)
}

async fn with_database(test: impl AsyncFnOnce(PgPool)) {
    let migrate = async |url: &str| migrate(&PgPool::connect(url).await?).await;
    let fingerprint = include_str!("../../migrations/0001_initial.sql").len().to_string();
    pgq_devdb::test_database(&fingerprint, migrate, async |db| test(db.pool()).await).await;
}

#[tokio::test]
async fn a_handler_alone() {
    let context = testing::context(App { shop: "books" }).attempt(1).build();
    let error = SendWelcome { user_id: -1 }.perform(&context).await.unwrap_err();
    assert_eq!(error.to_string(), "no such user");
    assert!(SendWelcome { user_id: 13 }.perform(&context).await.is_err());
}

#[tokio::test]
async fn a_handler_with_a_database() {
    with_database(async |pool| {
        let context = testing::context(App { shop: "books" }).attempt(2).pool(&pool).build();
        SendWelcome { user_id: 13 }.perform(&context).await.unwrap();
        assert_enqueued!(
            &pool,
            AskForOpinion { user_id: 13, shop: "books".into() },
            after = THREE_DAYS,
            queue = "mail"
        );
    })
    .await;
}

#[tokio::test]
async fn a_flow_of_jobs_without_waiting_for_it() {
    with_database(async |pool| {
        sign_up(&pool, 7).await.unwrap();
        sign_up(&pool, 13).await.unwrap();
        assert_enqueued!(&pool, SendWelcome { user_id: 7 });
        assert_not_enqueued!(&pool, SendWelcome where |job| job.user_id < 0);

        let run = || Runner::from_registry().state(App { shop: "books" }).pool(pool.clone()).drain();
        let done = run().await.unwrap();
        assert_eq!(done[0].outcome, Outcome::Complete);
        assert!(
            matches!(&done[1].outcome, Outcome::Retry { error, .. } if error == "the mail server is away")
        );
        assert_eq!(done.len(), 2, "the retry is due in a minute, the question in three days");

        testing::travel(&pool, Duration::from_secs(60)).await.unwrap();
        let done = run().await.unwrap();
        assert_eq!((done.len(), done[0].kind, done[0].attempt), (1, "send_welcome", 2));
        assert_eq!(testing::enqueued::<AskForOpinion>(&pool).await.unwrap().len(), 2);

        testing::travel(&pool, THREE_DAYS).await.unwrap();
        let done = run().await.unwrap();
        assert!(done.iter().all(|job| job.kind == "ask_for_opinion" && job.outcome == Outcome::Complete));
        assert_not_enqueued!(&pool, AskForOpinion where |_| true);
    })
    .await;
}

#[cfg(feature = "bincode")]
#[test]
fn payloads_keep_their_layout() {
    pgq_postgres::assert_frozen!(SendWelcome { user_id: 7 });
    pgq_postgres::assert_frozen!(AskForOpinion { user_id: 7, shop: "books".into() });
}
