//! What runs around every attempt: one middleware takes the time, one says for which tenant a handler works.
//!
//! ```text
//! DATABASE_URL=postgres://localhost/app cargo run -p pgq-examples --bin middleware
//! ```

use std::time::Instant;

use pgq_postgres::{
    Call, Context, Enqueue, Job, JobError, JobResult, Middleware, Next, Perform, Runner, async_trait,
};
use sqlx::PgPool;
use tokio::task_local;

task_local! {
    /// For whom this task works. Whatever a handler calls can ask.
    static TENANT: u32;
}

struct Timing;

#[async_trait]
impl Middleware for Timing {
    async fn around(&self, call: &Call<'_>, next: Next<'_>) -> JobResult {
        let start = Instant::now();
        let result = next.run().await;
        println!("{} {} took {:?}", call.kind(), call.attempt().id, start.elapsed());
        result
    }
}

/// Runs handlers of known tenants, and discards the jobs of others.
struct Tenancy {
    tenants: Vec<u32>,
}

#[async_trait]
impl Middleware for Tenancy {
    async fn around(&self, call: &Call<'_>, next: Next<'_>) -> JobResult {
        let Some(SendInvoice { tenant, .. }) = call.job() else { return next.run().await };
        if !self.tenants.contains(tenant) {
            return Err(JobError::discard(format!("there is no tenant {tenant}")));
        }
        TENANT.scope(*tenant, next.run()).await
    }
}

#[derive(Job)]
struct SendInvoice {
    tenant: u32,
    number: u32,
}

impl Perform for SendInvoice {
    async fn perform(&self, _: &Context) -> JobResult {
        println!("{}", letterhead(self.number));
        Ok(())
    }
}

/// Far from the job, and yet it knows the tenant.
fn letterhead(number: u32) -> String {
    format!("tenant {}: invoice {number}", TENANT.get())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let pool = PgPool::connect(&std::env::var("DATABASE_URL")?).await?;
    pgq_postgres::migrate(&pool).await?;
    for tenant in [1, 2, 3] {
        SendInvoice { tenant, number: 100 + tenant }.enqueue(&pool).await?;
    }
    let runner = Runner::from_registry().middleware(Timing).middleware(Tenancy { tenants: vec![1, 2] });
    runner.run().await?; // until SIGTERM or ctrl-c
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pgq_postgres::{Attempt, ErrorKind, JobId, Registration, Run, States, Stored, encode};

    use super::*;

    #[tokio::test]
    async fn handlers_know_their_tenant_and_strangers_are_discarded() {
        let around: [Arc<dyn Middleware>; 2] = [Arc::new(Timing), Arc::new(Tenancy { tenants: vec![1] })];
        let handler = Registration::of::<SendInvoice>().bind_within(&States::default(), &around).unwrap();
        let perform = async |tenant| {
            let payload = encode(&SendInvoice { tenant, number: 7 }).unwrap();
            let run = Run::detached(Attempt::first(JobId(1), "send_invoice"));
            handler.handle(Stored::by::<SendInvoice>(&payload), run).await
        };
        perform(1).await.unwrap(); // it would panic without a tenant
        let error = perform(2).await.unwrap_err();
        assert_eq!((error.kind(), error.chain().as_str()), (ErrorKind::Discard, "there is no tenant 2"));
    }
}
