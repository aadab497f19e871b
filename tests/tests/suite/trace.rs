//! A job and what enqueued it are parts of one trace.

use pgq_postgres::{Context, Enqueue, Error, Job, JobResult, Perform, Runner, enqueue_all};
use pgq_tests::{count, with_database};
use sqlx::PgPool;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Tells the trace that it sees in each attempt. Succeeds in that attempt.
#[derive(Job)]
#[job(state = UnboundedSender<Seen>, retry_waits = ["0s"])]
struct Traced {
    succeeds_in: i16,
}

#[derive(Debug, PartialEq, Eq)]
struct Seen {
    parent: Option<String>,
    state: Option<String>,
}

impl Perform for Traced {
    async fn perform(&self, ctx: &Context<UnboundedSender<Seen>>) -> JobResult {
        let parent = ctx.trace_parent().map(|parent| parent.to_string());
        let state = ctx.trace_state().map(|state| state.as_str().to_owned());
        ctx.state().send(Seen { parent, state })?;
        if ctx.attempt() < self.succeeds_in { Err("not yet".into()) } else { Ok(()) }
    }
}

fn seen(parent: Option<&str>, state: Option<&str>) -> Seen {
    Seen { parent: parent.map(Into::into), state: state.map(Into::into) }
}

/// Runs all that is due, and returns what its attempts saw.
async fn drain(pool: &PgPool) -> Vec<Seen> {
    let (sender, mut sees): (_, UnboundedReceiver<Seen>) = unbounded_channel();
    let runner = Runner::empty().register::<Traced>().state(sender).pool(pool.clone());
    runner.drain().await.unwrap();
    std::iter::from_fn(|| sees.try_recv().ok()).collect()
}

#[tokio::test]
async fn every_attempt_at_a_job_sees_the_trace_that_was_given_at_its_enqueue() {
    with_database(async |db| {
        let pool = db.pool();
        let job = Traced { succeeds_in: 2 }.trace_parent(PARENT).trace_state("vendor=x");
        job.enqueue(&pool).await.unwrap();
        let with_state = || seen(Some(PARENT), Some("vendor=x"));
        assert_eq!(drain(&pool).await, [with_state(), with_state()], "the retry too");

        let many = [
            Traced { succeeds_in: 1 }.trace_parent(PARENT.to_owned()),
            Traced { succeeds_in: 1 }.to_enqueue(),
            Traced { succeeds_in: 1 }.to_enqueue().trace_state("alone=x"),
        ];
        enqueue_all(&pool, many).await.unwrap();
        let options: Vec<Option<serde_json::Value>> =
            sqlx::query_scalar("select options from pgq.jobs order by id").fetch_all(&pool).await.unwrap();
        assert_eq!(
            options,
            [Some(serde_json::json!({ "trace": PARENT })), None, None],
            "nothing where there is none"
        );
        assert_eq!(drain(&pool).await, [seen(Some(PARENT), None), seen(None, None), seen(None, None)]);
    })
    .await;
}

#[tokio::test]
async fn a_text_that_is_no_trace_is_refused_at_the_enqueue_and_ignored_in_the_tables() {
    with_database(async |db| {
        let pool = db.pool();
        let job = || Traced { succeeds_in: 1 }.to_enqueue();
        for bad in [job().trace_parent("00-4bf92f"), job().trace_parent(PARENT).trace_state("a=\n")] {
            assert!(matches!(bad.enqueue(&pool).await, Err(Error::Trace(_))));
        }
        assert_eq!(count(&pool, "pgq.jobs").await, 0);

        job().trace_parent(PARENT).enqueue(&pool).await.unwrap();
        job().enqueue(&pool).await.unwrap();
        let spoil =
            "update pgq.ready set options = jsonb_build_object('trace', 'nonsense', 'timeout_ms', 60000)";
        sqlx::query(spoil).execute(&pool).await.unwrap();
        assert_eq!(drain(&pool).await, [seen(None, None), seen(None, None)]);
    })
    .await;
}

#[cfg(feature = "telemetry")]
mod spans {
    use opentelemetry::trace::{SpanKind, Status, TracerProvider};
    use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
    use pgq_postgres::{
        Context, DatabaseContext, Enqueue, Job, JobResult, Perform, Runner, RunnerHandle, enqueue_all,
    };
    use pgq_tests::{until, with_database};
    use sqlx::PgPool;
    use tracing::subscriber::DefaultGuard;
    use tracing::{Instrument, info_span};
    use tracing_subscriber::layer::SubscriberExt;

    /// Enqueues so many more, one within the other, and fails at the end.
    #[derive(Job)]
    #[job(queue = "chain", retry_waits = [])]
    struct Link {
        more: u8,
    }

    impl Perform for Link {
        async fn perform(&self, ctx: &Context) -> JobResult {
            let Some(more) = self.more.checked_sub(1) else { return Err("the end".into()) };
            Link { more }.enqueue(ctx.pool()?).instrument(info_span!("inside the handler")).await?;
            Ok(())
        }
    }

    /// Collects the spans of this thread.
    fn collect() -> (InMemorySpanExporter, SdkTracerProvider, DefaultGuard) {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let filter = tracing_subscriber::EnvFilter::new("info,sqlx=off");
        let subscriber = tracing_subscriber::registry().with(filter).with(layer);
        (exporter, provider, tracing::subscriber::set_default(subscriber))
    }

    /// Runs jobs with a whole runner until that many attempts have ended, and returns all spans.
    async fn run(pool: &PgPool, exporter: &InMemorySpanExporter, attempts: u64) -> Vec<SpanData> {
        let runner = Runner::empty().register::<Link>().pool(pool.clone()).without_signals();
        let handle = runner.handle();
        let running = tokio::spawn(runner.run());
        until(async || ended(&handle) >= attempts).await;
        handle.stop();
        running.await.unwrap().unwrap();
        exporter.get_finished_spans().unwrap()
    }

    fn ended(handle: &RunnerHandle) -> u64 {
        handle.counts().completed + handle.counts().discarded
    }

    /// The spans of that name, in the order in which they began: a job may end before the one that enqueued it.
    fn named<'a>(spans: &'a [SpanData], name: &str) -> Vec<&'a SpanData> {
        let mut named: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
        named.sort_by_key(|span| span.start_time);
        named
    }

    fn attribute(span: &SpanData, key: &str) -> String {
        let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == key);
        found.map_or_else(|| panic!("no {key} in {:?}", span.attributes), |found| found.value.to_string())
    }

    #[tokio::test]
    async fn one_trace_spans_a_request_its_job_and_the_jobs_of_that() {
        with_database(async |db| {
            let pool = db.pool();
            let (exporter, _provider, _here) = collect();
            let request = info_span!("request");
            Link { more: 2 }.enqueue(&pool).instrument(request).await.unwrap();
            let spans = run(&pool, &exporter, 3).await;
            let (requests, attempts) = (named(&spans, "request"), named(&spans, "perform chain"));
            let inside = named(&spans, "inside the handler");
            assert_eq!((requests.len(), attempts.len(), inside.len()), (1, 3, 2));
            let trace = requests[0].span_context.trace_id();
            for span in attempts.iter().chain(&inside) {
                assert_eq!(span.span_context.trace_id(), trace, "{}", span.name);
            }
            assert_eq!(attempts[0].parent_span_id, requests[0].span_context.span_id());
            assert!(attempts[0].parent_span_is_remote);
            assert_eq!(attempts[1].parent_span_id, inside[0].span_context.span_id());
            assert_eq!(inside[0].parent_span_id, attempts[0].span_context.span_id());
        })
        .await;
    }

    #[tokio::test]
    async fn an_attempt_is_told_in_the_words_of_the_conventions() {
        with_database(async |db| {
            let pool = db.pool();
            let (exporter, _provider, _here) = collect();
            let job = Link { more: 0 }.enqueue(&pool).await.unwrap();
            let spans = run(&pool, &exporter, 1).await;
            let [attempt] = named(&spans, "perform chain")[..] else { panic!("{spans:?}") };
            assert_eq!(attempt.span_kind, SpanKind::Consumer);
            for (key, value) in [
                ("messaging.system", "pgq"),
                ("messaging.operation.name", "perform"),
                ("messaging.operation.type", "process"),
                ("messaging.destination.name", "chain"),
                ("messaging.message.id", &job.id().to_string()),
                ("pgq.kind", "link"),
                ("pgq.attempt", "1"),
                ("pgq.max_attempts", "1"),
                ("pgq.outcome", "discarded"),
                ("error.type", "discarded"),
            ] {
                assert_eq!(attribute(attempt, key), value, "{key}");
            }
            assert_eq!(attempt.status, Status::error("the end"));
        })
        .await;
    }

    #[tokio::test]
    async fn jobs_enqueued_by_copy_and_those_told_otherwise_have_their_traces() {
        with_database(async |db| {
            let pool = db.pool();
            let (exporter, _provider, _here) = collect();
            let other = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
            let jobs = [Link { more: 0 }.to_enqueue(), Link { more: 0 }.trace_parent(other)];
            enqueue_all(&pool, jobs).instrument(info_span!("request")).await.unwrap();
            let spans = run(&pool, &exporter, 2).await;
            let request = named(&spans, "request")[0].span_context.trace_id();
            let mut traces: Vec<_> =
                named(&spans, "perform chain").iter().map(|span| span.span_context.trace_id()).collect();
            traces.sort_by_key(|trace| *trace != request);
            assert_eq!(traces[0], request);
            assert_eq!(traces[1].to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        })
        .await;
    }
}
