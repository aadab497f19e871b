//! What runs around attempts, and handlers of types from elsewhere, in a runner.

use pgq_postgres::{
    Call, Context, Enqueue, Job, JobResult, Middleware, Next, PerformFor, Runner, async_trait,
};
use pgq_tests::with_database;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

#[derive(Job)]
#[job(enqueue_only)]
struct Foreign {
    n: i64,
}

struct Desk;

impl PerformFor<Foreign> for Desk {
    type State = UnboundedSender<String>;

    async fn perform(&self, job: &Foreign, ctx: &Context<UnboundedSender<String>>) -> JobResult {
        Ok(ctx.state().send(format!("performed {}", job.n))?)
    }
}

struct Tells(&'static str, UnboundedSender<String>);

#[async_trait]
impl Middleware for Tells {
    async fn around(&self, call: &Call<'_>, next: Next<'_>) -> JobResult {
        let n = call.job().map(|Foreign { n }| *n);
        self.1.send(format!("{} {} {n:?}", self.0, call.kind()))?;
        next.run().await
    }
}

#[tokio::test]
async fn a_runner_runs_its_middleware_around_the_handlers_it_was_given() {
    with_database(async |db| {
        let pool = db.pool();
        let (told, mut tells) = unbounded_channel();
        Foreign { n: 7 }.enqueue(&pool).await.unwrap();
        let runner = Runner::empty().handler(Desk).state(told.clone()).pool(pool.clone());
        let runner = runner.middleware(Tells("outer", told.clone())).middleware(Tells("inner", told.clone()));
        let handle = runner.handle();
        let running = tokio::spawn(runner.without_signals().run());
        for expected in ["outer foreign Some(7)", "inner foreign Some(7)", "performed 7"] {
            assert_eq!(tells.recv().await.unwrap(), expected);
        }
        handle.stop();
        running.await.unwrap().unwrap();
    })
    .await;
}
