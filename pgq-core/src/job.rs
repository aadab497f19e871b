use std::time::Duration;

use serde::{Deserializer, Serializer};
use serde_json::{Map, Value};

use crate::payload::stored::Older;
use crate::schedule::Declared;
use crate::{Codec, Context, JobError, JobResult, PayloadError, Retry, Shape, Unique, UniqueKey};

/// A type that can be enqueued. Derived, never written by hand.
///
/// The derive fills in every constant from the type's name and its `#[job(...)]` attributes, and writes the
/// serde code, so the type needs no further derive:
///
/// ```
/// # use pgq_core::{Context, Job, JobResult, Perform};
/// #[derive(Job)]
/// #[job(crate = pgq_core)]
/// struct SendWelcome { user_id: i64 }
/// # impl Perform for SendWelcome { async fn perform(&self, _: &Context) -> JobResult { Ok(()) } }
///
/// assert_eq!(SendWelcome::KIND, "send_welcome");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a job",
    label = "not a job",
    note = "put `#[derive(Job)]` on `{Self}`"
)]
pub trait Job: Shape + Sized + Send + Sync + 'static {
    /// What `ctx.state()` gives the handler; `()` unless the attribute `state` names a type.
    type State: Send + Sync + 'static;
    /// How its payloads become bytes.
    type Codec: Codec;

    /// The stable name of this type in the database.
    const KIND: &'static str;
    /// The queue it goes to unless told otherwise; by default the kind.
    const QUEUE: &'static str = Self::KIND;
    /// Lower runs first.
    const PRIORITY: i16 = 0;
    /// The version of the payload's layout. [`Shape::SHAPE`] tells two layouts of one version apart.
    const VERSION: i16 = 1;
    /// How many attempts a job has in all, the first included.
    const MAX_ATTEMPTS: i16 = 4;
    /// How long to wait after a failed attempt.
    const RETRY: Retry = Retry::DEFAULT;
    /// How long one attempt may take, if the type says so.
    const TIMEOUT: Option<Duration> = None;
    /// Whether the handler completes its job in its own transaction, for which the job gets a lease of its own.
    const TRANSACTIONAL: bool = false;

    /// Whether there is one such job at a time.
    const UNIQUE: Option<Unique> = None;

    /// Whether people must not see all of it.
    #[doc(hidden)]
    const __PGQ_SENSITIVE: bool = false;

    /// How it reads payloads of older versions.
    #[doc(hidden)]
    const __PGQ_OLDER: Option<Older<Self>> = None;

    /// When jobs of it come by themselves.
    #[doc(hidden)]
    const __PGQ_SCHEDULE: Option<&'static Declared> = None;

    #[doc(hidden)]
    fn __pgq_serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;

    #[doc(hidden)]
    fn __pgq_deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;

    /// Writes the payload for people, without what is sensitive.
    #[doc(hidden)]
    fn __pgq_show<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.__pgq_serialize(serializer)
    }

    /// The fields that people search by.
    #[doc(hidden)]
    fn __pgq_index(&self) -> Result<Option<Map<String, Value>>, PayloadError> {
        Ok(None)
    }

    /// What makes two jobs the same, for a type with `UNIQUE`.
    #[doc(hidden)]
    fn __pgq_unique_key(&self) -> Result<Option<UniqueKey>, PayloadError> {
        Ok(None)
    }
}

/// What a job does. Written for every job that this program runs.
///
/// ```
/// # use pgq_core::{Context, Job, JobResult, Perform};
/// #[derive(Job)]
/// #[job(crate = pgq_core, state = u32)]
/// struct Add { n: u32 }
///
/// impl Perform for Add {
///     async fn perform(&self, ctx: &Context<u32>) -> JobResult {
///         println!("{}", ctx.state() + self.n);
///         Ok(())
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "the job `{Self}` has no `perform`",
    label = "this job cannot run yet",
    note = "write `impl Perform for {Self} {{ async fn perform(&self, ctx: &Context) -> JobResult {{ .. }} }}`",
    note = "with `#[job(state = App)]` on the type, `ctx` is a `&Context<App>`",
    note = "if other programs perform it, put `#[job(enqueue_only)]` on the type"
)]
pub trait Perform: Job {
    /// Runs one attempt.
    ///
    /// `Ok` completes the job. Any error that `?` converts spends the attempt, and the job runs again by its
    /// retry policy; [`JobError`](crate::JobError) has the other endings. A panic counts as an error.
    fn perform(&self, ctx: &Context<Self::State>) -> impl Future<Output = JobResult> + Send;

    /// How long to wait after this error of that attempt (1 = first), where its policy does not know better:
    /// `None` keeps the policy's wait.
    ///
    /// It is asked where [`perform`](Self::perform) returned an error of
    /// [`ErrorKind::Retry`](crate::ErrorKind::Retry), so not where the error says itself what happens next, and
    /// not after a panic or a timeout. The attempts stay as they are: after the last one the job is discarded.
    ///
    /// ```
    /// # use {pgq_core::{Context, Job, JobError, JobResult, Perform}, std::time::Duration};
    /// # #[derive(Job)] #[job(crate = pgq_core)] struct Poll;
    /// impl Perform for Poll {
    ///     async fn perform(&self, _: &Context) -> JobResult {
    ///         Err("not there yet")?
    ///     }
    ///
    ///     fn retry_wait(&self, attempt: i16, _: &JobError) -> Option<Duration> {
    ///         (attempt < 10).then_some(Duration::from_secs(1))
    ///     }
    /// }
    /// ```
    fn retry_wait(&self, attempt: i16, error: &JobError) -> Option<Duration> {
        let _ = (attempt, error);
        None
    }
}

/// What performs jobs of a type that another crate defines; for one's own types there is [`Perform`]. Given to the
/// registry as a value, so it may hold what it needs.
///
/// ```
/// # use pgq_core::{Context, Job, JobResult, PerformFor, Registry};
/// # mod shared {
/// #[derive(pgq_core::Job)]
/// #[job(enqueue_only)]
/// # #[job(crate = pgq_core)]
/// pub struct SendWelcome { pub user_id: i64 } // in a crate that web servers depend on as well
/// # }
/// # use shared::SendWelcome;
///
/// struct Mailer;
///
/// impl PerformFor<SendWelcome> for Mailer {
///     type State = ();
///
///     async fn perform(&self, job: &SendWelcome, _: &Context) -> JobResult {
///         println!("welcome, user {}", job.user_id);
///         Ok(())
///     }
/// }
///
/// let mut registry = Registry::default();
/// registry.add_handler::<SendWelcome, _>(Mailer)?;
/// # Ok::<(), pgq_core::RegistryError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not perform `{J}`",
    label = "no handler of `{J}`",
    note = "write `impl PerformFor<{J}> for {Self} {{ .. }}`"
)]
pub trait PerformFor<J: Job>: Send + Sync + 'static {
    /// What `ctx.state()` gives.
    type State: Send + Sync + 'static;

    /// Runs one attempt, as [`Perform::perform`].
    fn perform(&self, job: &J, ctx: &Context<Self::State>) -> impl Future<Output = JobResult> + Send;

    /// How long to wait after this error, as [`Perform::retry_wait`].
    fn retry_wait(&self, job: &J, attempt: i16, error: &JobError) -> Option<Duration> {
        let _ = (job, attempt, error);
        None
    }
}
