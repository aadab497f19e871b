//! One scenario from its start to its verdict.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sqlx::postgres::PgConnectOptions;
use sqlx::{PgConnection, query_scalar};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::checker::Allowances;
use crate::disk::SmallDisk;
use crate::evidence::{self, Findings};
use crate::failover::{Pair, Replica};
use crate::history::{History, Micros, now};
use crate::inject::{Injector, lock};
use crate::load::{Load, produce};
use crate::report::Report;
use crate::scenario::{DEFAULT, Scenario, Twist};
use crate::schedule::{Fault, Kind, schedule};
use crate::site::{Site, blocking};
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
    pub keep: Option<PathBuf>,
}

/// How many producers there are.
const PRODUCERS: u32 = 4;

/// The share of the time at the end in which nothing fails any more, for what is measured then.
const CALM: f64 = 0.1;
const LONGEST_CALM: Duration = Duration::from_secs(20);

/// And so much in a short run, or nothing would be known of what follows the faults.
const SHORTEST_CALM: Duration = Duration::from_secs(4);

/// How long it may take, after everything is healed, until no job is left.
const DRAIN_PATIENCE: Duration = Duration::from_secs(180);

/// Commits that do not wait for the disk are on it after this time, and on a replica that is behind after that.
const UNSYNCED: u64 = 2_000_000;
const UNREPLICATED: u64 = 15_000_000;

/// The runner's own heartbeat, where it is tried that none is missed.
const USUAL_HEARTBEAT: Duration = Duration::from_secs(2);

/// How many faults and jobs a run of all faults must have that goes on for so long.
const LEAST: [(Duration, usize, u64); 2] =
    [(Duration::from_secs(60), 100, 20_000), (Duration::from_secs(1800), 3000, 1_000_000)];

/// How a scenario ended.
#[derive(Debug)]
pub enum Outcome {
    /// It ran.
    Ran(Box<Report>),
    /// It could not, for this reason.
    Skipped(String),
}

/// Runs a scenario.
///
/// # Errors
/// If it cannot be set up. What goes wrong during the run is in its report.
pub async fn run(scenario: &'static Scenario, options: &Options) -> Result<Outcome> {
    let begin = Instant::now();
    let options = &fitting(options, scenario.twist);
    let site = Arc::new(Site::start(options.workers).await?);
    let disk = match scenario.twist {
        Twist::SmallDisk => match SmallDisk::mount(site.folder.path()) {
            Ok(disk) => Some(disk),
            Err(why) => return Ok(Outcome::Skipped(why)),
        },
        _ => None,
    };
    let replica = prepare(&site, scenario.twist, disk.as_ref()).await?;
    let run = Run::start(scenario, options, site, replica, disk).await?;
    run.faults_and_load().await;
    let healed = now();
    sleep(calm(options)).await;
    Ok(Outcome::Ran(Box::new(run.end(begin, healed).await?)))
}

/// The time without faults at the end.
fn calm(options: &Options) -> Duration {
    options.span.mul_f64(CALM).clamp(SHORTEST_CALM, LONGEST_CALM)
}

fn fitting(options: &Options, twist: Twist) -> Options {
    let mut fitting = options.clone();
    if twist.spares_the_living() {
        fitting.heartbeat = fitting.heartbeat.max(USUAL_HEARTBEAT);
    }
    if twist == Twist::FewConnections {
        // Five sessions each, and a few for handlers and producers.
        fitting.workers = 2;
    }
    fitting
}

/// A scenario under way.
struct Run<'a> {
    scenario: &'static Scenario,
    options: &'a Options,
    injector: Arc<Injector>,
    producers: JoinSet<()>,
    history: PathBuf,
}

impl<'a> Run<'a> {
    async fn start(
        scenario: &'static Scenario,
        options: &'a Options,
        site: Arc<Site>,
        replica: Option<Replica>,
        disk: Option<SmallDisk>,
    ) -> Result<Self> {
        let folder = match &options.keep {
            Some(folder) => folder.join(scenario.name),
            None => site.folder.path().join("histories"),
        };
        std::fs::create_dir_all(&folder).context("cannot make the folder of histories")?;
        let history = folder.join("producers.history");
        let log = File::create(folder.join("faults.log"))?;
        let load = Arc::new(Load::new(History::open(&history)?));
        let settings = Settings {
            urls: site.proxies[..options.workers].iter().map(|proxy| proxy.url().to_owned()).collect(),
            heartbeat: options.heartbeat,
            slots: 16,
            folder,
        };
        let workers = Arc::new(Workers::start(settings).await?);
        let producers = start_producers(&site, &load, options)?;
        let injector = Arc::new(Injector {
            site,
            workers,
            load,
            replica: replica.into(),
            disk,
            log,
            done: Default::default(),
            failed: Default::default(),
        });
        Ok(Self { scenario, options, injector, producers, history })
    }

    async fn faults_and_load(&self) {
        let (scenario, options) = (self.scenario, self.options);
        let span = options.span.saturating_sub(calm(options));
        let mut faults = schedule(options.seed, span, scenario.every, scenario.kinds, options.workers + 1);
        if let Twist::Replicated(_) = scenario.twist {
            let once = Fault { at: span / 2, kind: Kind::FailOver, side: 0, lasts: Duration::ZERO, dice: 0 };
            faults.insert(faults.partition_point(|fault| fault.at <= once.at), once);
        }
        self.injector.run(&faults).await;
    }

    /// Ends the load, waits until nothing is left to do, and judges.
    async fn end(mut self, begin: Instant, healed: Micros) -> Result<Report> {
        let Injector { site, workers, load, done, failed, .. } = &*self.injector;
        let mut troubles = std::mem::take(&mut *lock(failed));
        // While the clients live: their ends would clean up after them.
        troubles.extend(left_in_transactions(&mut site.connect_when_up().await?, healed).await?);
        load.stop.store(true, Relaxed);
        while self.producers.join_next().await.is_some() {}
        let stopped = Instant::now();
        troubles.extend(drain(site).await.err().map(|error| format!("{error:#}")));
        let drained = stopped.elapsed();
        troubles.extend(workers.stop().await.err().map(|error| format!("{error:#}")));
        let mut database = site.connect_when_up().await?;
        troubles.extend(left_leases(&mut database).await?);
        let heartbeat = u64::try_from(self.options.heartbeat.as_micros())?;
        let timeline = Timeline {
            processes: workers.born(),
            disruptions: lock(done).clone(),
            healed,
            heartbeat,
            undone: Vec::new(),
        };
        let twist = self.scenario.twist;
        let unsynced = match twist {
            Twist::Unsynced => Some(UNSYNCED),
            Twist::Replicated(Pair::Asynchronous) => Some(UNREPLICATED),
            _ => None,
        };
        let allowances = Allowances { unsynced };
        let findings: Findings =
            evidence::judge(&mut database, &self.history, load.jobs(), &timeline, allowances).await?;
        if twist.spares_the_living() && findings.rescued > 0 {
            troubles.push(format!("{} jobs were taken from runners that lived", findings.rescued));
        }
        let mut faults = BTreeMap::new();
        timeline.disruptions.iter().for_each(|it| *faults.entry(it.kind).or_default() += 1);
        if self.scenario.name == DEFAULT {
            let count = timeline.disruptions.len();
            troubles.extend(too_little(self.options.span, count, findings.verdict.jobs));
        }
        Ok(Report {
            scenario: self.scenario.name,
            seed: self.options.seed,
            took: begin.elapsed(),
            faults,
            findings,
            troubles,
            drained,
            heartbeat: self.options.heartbeat,
            control: twist == Twist::Unsynced,
        })
    }
}

/// Sets the server up for a scenario.
async fn prepare(site: &Site, twist: Twist, disk: Option<&SmallDisk>) -> Result<Option<Replica>> {
    if let Some(disk) = disk {
        disk.take(site).await?;
    }
    match twist {
        Twist::FewConnections => {
            site.execute("alter system set max_connections = 20").await?;
            let server = site.server().await;
            blocking(move || server.restart()).await?;
            site.connect_when_up().await?;
            Ok(None)
        }
        Twist::Unsynced => {
            // Of everybody: one that waits would take along those before it.
            site.execute("alter system set synchronous_commit = off").await?;
            site.execute("select pg_reload_conf()").await?;
            Ok(None)
        }
        Twist::Replicated(pair) => Replica::follow(site, pair).await.map(Some),
        _ => Ok(None),
    }
}

fn start_producers(site: &Site, load: &Arc<Load>, options: &Options) -> Result<JoinSet<()>> {
    let mut database: PgConnectOptions = site.producers().url().parse()?;
    database = database.application_name("producer");
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

/// Sessions that stand inside of a transaction since before the faults were over.
async fn left_in_transactions(database: &mut PgConnection, healed: Micros) -> Result<Option<String>> {
    let open: i64 = query_scalar(
        "select count(*) from pg_stat_activity \
         where state like 'idle in transaction%' and extract(epoch from xact_start) * 1000000 < $1",
    )
    .bind(i64::try_from(healed)?)
    .fetch_one(database)
    .await?;
    Ok((open > 0).then(|| format!("{open} sessions were left inside of a transaction")))
}

/// Leases without a runner.
async fn left_leases(database: &mut PgConnection) -> Result<Option<String>> {
    let leases: i64 = query_scalar("select count(*) from pgq.leases").fetch_one(database).await?;
    Ok((leases > 0).then(|| format!("{leases} leases were left")))
}

/// A run that proves something has so many faults and jobs.
fn too_little(span: Duration, faults: usize, jobs: u64) -> Option<String> {
    let (_, least_faults, least_jobs) = LEAST.into_iter().rfind(|(least, _, _)| span >= *least)?;
    let enough = faults >= least_faults && jobs >= least_jobs;
    (!enough).then(|| {
        format!("{faults} faults and {jobs} jobs prove little: {least_faults} and {least_jobs} are wanted in {span:?}")
    })
}
