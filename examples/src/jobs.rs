use pgq_postgres::{Context, Job, JobResult, Perform};
use tracing::info;

/// Sent to a new user.
#[derive(Job)]
#[job(queue = "mail", state = Mailer, timeout = "30s")]
pub struct SendWelcome {
    /// To whom.
    pub email: String,
}

/// Stands in for a client of a mail service.
pub struct Mailer;

impl Perform for SendWelcome {
    async fn perform(&self, _: &Context<Mailer>) -> JobResult {
        // Inside of the attempt's span: the log line has the job's id and queue.
        info!(email = self.email, "welcome");
        Ok(())
    }
}
