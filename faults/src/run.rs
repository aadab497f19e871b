//! One scenario from its start to its verdict.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sqlx::postgres::PgConnectOptions;
use sqlx::{PgConnection, query_scalar};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::checker::Allowances;
use crate::evidence::{self, Findings};
use crate::history::{History, now};
use crate::inject::{Injector, lock};
use crate::load::{Load, produce};
use crate::report::Report;
use crate::scenario::{Scenario, Twist};
use crate::schedule::schedule;
use crate::site::Site;
use crate::timeline::Timeline;
use crate::workers::{Settings, Workers};

/// How a run is set up, whatever its scenario.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long faults and load go on.
    pub span: Duration,
    /// What the schedule is made from.
    pub seed: u64,
    /// How many worker processes there are.
    pub workers: usize,
    /// How often they say that they live.
    pub heartbeat: Duration,
    /// How many jobs are made in a second, while the server is there.
    pub jobs_per_second: f64,
    /// Where histories and logs stay; they are removed if it is none.
    pub keep: Option<std::path::PathBuf>,
}

/// How many producers there are.
const PRODUCERS: u32 = 4;

/// The share of the time at the end in which nothing fails any more, for what is measured then.
const CALM: f64 = 0.1;
const LONGEST_CALM: Duration = Duration::from_secs(20);

/// How long it may take, after everything is healed, until no job is left.
const DRAIN_PATIENCE: Duration = Duration::from_secs(180);

/// A moment that is long enough for a commit to reach the disk by itself: three times what the server's walwriter waits.
const UNSYNCED: u64 = 1_000_000;

/// Runs a scenario.
///
/// # Errors
/// If it cannot be set up. What goes wrong during the run is in its report.
pub async fn run(scenario: &'static Scenario, options: &Options) -> Result<Report> {
    let begin = Instant::now();
    let site = Arc::new(Site::start(options.workers).await?);
    prepare(&site, scenario.twist).await?;
    let folder = match &options.keep {
        Some(folder) => folder.join(scenario.name),
        None => site.folder.path().join("histories"),
    };
    std::fs::create_dir_all(&folder).context("cannot make the folder of histories")?;
    let settings = Settings {
        urls: site.proxies[..options.workers].iter().map(|proxy| proxy.url().to_owned()).collect(),
        heartbeat: options.heartbeat,
        slots: 16,
        folder: folder.clone(),
    };
    let producers_history = folder.join("producers.history");
    let load = Arc::new(Load::new(History::open(&producers_history)?));
    let workers = Arc::new(Workers::start(settings).await?);
    let injector = Arc::new(Injector {
        site: site.clone(),
        workers: workers.clone(),
        load: load.clone(),
        done: Default::default(),
        failed: Default::default(),
    });
    let mut producers = start_producers(&site, &load, options, scenario.twist)?;

    let calm = options.span.mul_f64(CALM).min(LONGEST_CALM);
    let sides = options.workers + 1;
    let faults = schedule(options.seed, options.span - calm, scenario.every, scenario.kinds, sides);
    injector.run(&faults).await;
    let healed = now();
    sleep(calm).await;
    load.stop.store(true, Relaxed);
    while producers.join_next().await.is_some() {}

    let stopped = Instant::now();
    let mut troubles = std::mem::take(&mut *lock(&injector.failed));
    troubles.extend(drain(&site).await.err().map(|error| format!("{error:#}")));
    let drained = stopped.elapsed();
    troubles.extend(workers.stop().await.err().map(|error| format!("{error:#}")));
    let mut database = site.connect_when_up().await?;
    troubles.extend(left_open(&mut database).await?);
    let timeline = Timeline { processes: workers.born(), disruptions: lock(&injector.done).clone(), healed };
    let control = scenario.twist == Twist::UnsyncedEnqueues;
    let allowances = Allowances { unsynced: control.then_some(UNSYNCED) };
    let findings: Findings =
        evidence::judge(&mut database, &producers_history, load.jobs(), &timeline, allowances).await?;
    let mut kinds = BTreeMap::new();
    timeline.disruptions.iter().for_each(|it| *kinds.entry(it.kind).or_default() += 1);
    Ok(Report {
        scenario: scenario.name,
        seed: options.seed,
        took: begin.elapsed(),
        faults: kinds,
        findings,
        troubles,
        drained,
        heartbeat: options.heartbeat,
        control,
    })
}

async fn prepare(site: &Site, twist: Twist) -> Result<()> {
    if twist == Twist::FewConnections {
        site.execute("alter system set max_connections = 20").await?;
        let server = site.server().await;
        crate::site::blocking(move || server.restart()).await?;
        site.connect_when_up().await?;
    }
    Ok(())
}

fn start_producers(site: &Site, load: &Arc<Load>, options: &Options, twist: Twist) -> Result<JoinSet<()>> {
    let mut database: PgConnectOptions = site.producers().url().parse()?;
    database = database.application_name("producer");
    if twist == Twist::UnsyncedEnqueues {
        database = database.options([("synchronous_commit", "off")]);
    }
    let mut producers = JoinSet::new();
    let rate = options.jobs_per_second / f64::from(PRODUCERS);
    for producer in 0..PRODUCERS {
        let seed = options.seed.wrapping_mul(1_000_003).wrapping_add(producer.into());
        producers.spawn(produce(load.clone(), database.clone(), rate, seed));
    }
    Ok(producers)
}

/// Waits until no job is left but those that ended.
async fn drain(site: &Site) -> Result<()> {
    let deadline = Instant::now() + DRAIN_PATIENCE;
    let mut database = site.connect_when_up().await?;
    loop {
        let left: i64 = query_scalar("select count(*) from pgq.jobs where finished_at is null")
            .fetch_one(&mut database)
            .await?;
        if left == 0 {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("{left} jobs are left {DRAIN_PATIENCE:?} after everything was healed");
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Sessions that were left inside of a transaction, and leases without a runner.
async fn left_open(database: &mut PgConnection) -> Result<Vec<String>> {
    let open: i64 = query_scalar(
        "select count(*) from pg_stat_activity where state like 'idle in transaction%' and pid <> pg_backend_pid()",
    )
    .fetch_one(&mut *database)
    .await?;
    let leases: i64 = query_scalar("select count(*) from pgq.leases").fetch_one(&mut *database).await?;
    let mut troubles = Vec::new();
    if open > 0 {
        troubles.push(format!("{open} sessions were left inside of a transaction"));
    }
    if leases > 0 {
        troubles.push(format!("{leases} leases were left"));
    }
    Ok(troubles)
}
