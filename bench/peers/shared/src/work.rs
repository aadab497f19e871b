//! The workloads, measured as ours are.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value, json};
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{sleep, timeout};

use crate::arrivals::arrivals;
use crate::flags::{Drain, EnqueueBulk, EnqueueSingle, Pickup, Steady, Work};
use crate::latency::percentiles;
use crate::{Payload, Peer, gate, handler};

/// How often the database is asked whether all is done, once it may be.
const LOOK_INTERVAL: Duration = Duration::from_millis(1);

/// How long nothing may happen before a measurement is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long no job may begin before the library is said not to keep up.
const STALL: Duration = Duration::from_secs(10);

/// How long after the last enqueue of a steady load all jobs must have begun: a few jobs a second would take an hour.
const LATE: Duration = Duration::from_secs(30);

/// The first pick-ups only warm up, unless each takes long.
const WARM_UP: u64 = 10;
const WARM_UP_TIME: Duration = Duration::from_secs(2);

/// How long pick-ups are measured at most: with some settings each takes seconds.
const PICKUP_TIME: Duration = Duration::from_secs(10);

/// What a payload of JSON has beside its filler, about.
const AROUND_FILLER: usize = 32;

pub(crate) async fn run<P: Peer>(peer: &P, work: &Work) -> Result<Value> {
    let outcome = match work {
        Work::EnqueueSingle(flags) => enqueue_single(peer, flags).await?,
        Work::EnqueueBulk(flags) => enqueue_bulk(peer, flags).await?,
        Work::Drain(flags) => drain(peer, flags).await?,
        Work::Pickup(flags) => pickup(peer, flags).await?,
        Work::Steady(flags) => steady(peer, flags).await?,
    };
    Ok(outcome.into())
}

async fn enqueue_single<P: Peer>(peer: &P, flags: &EnqueueSingle) -> Result<Map<String, Value>> {
    // Opens as many sessions as there are producers, and prepares their statements.
    each_producer(flags.producers, flags.producers, peer, 0).await?;
    gate::open().await?;
    let begin = Instant::now();
    let latencies = each_producer(flags.producers, flags.jobs, peer, 0).await?;
    let time = begin.elapsed();
    let (left, made) = (peer.left().await?, flags.jobs + flags.producers);
    ensure!(left == made, "{left} jobs are there instead of {made}");
    let mut outcome = outcome(flags.jobs, time);
    outcome.extend(percentiles(latencies));
    Ok(outcome)
}

async fn each_producer<P: Peer>(producers: u64, jobs: u64, peer: &P, micros: u64) -> Result<Vec<Duration>> {
    let produce = |producer: u64| {
        let peer = peer.clone();
        tokio::spawn(async move {
            let mut took = Vec::new();
            for n in jobs * producer / producers..jobs * (producer + 1) / producers {
                let begin = Instant::now();
                peer.enqueue(payload(n, micros, 64)).await?;
                took.push(begin.elapsed());
            }
            anyhow::Ok(took)
        })
    };
    let all: Vec<_> = (0..producers).map(produce).collect();
    let mut latencies = Vec::new();
    for producer in all {
        latencies.extend(producer.await??);
    }
    Ok(latencies)
}

async fn enqueue_bulk<P: Peer>(peer: &P, flags: &EnqueueBulk) -> Result<Map<String, Value>> {
    let jobs = (0..flags.jobs).map(|n| payload(n, 0, 64)).collect();
    gate::open().await?;
    let begin = Instant::now();
    peer.enqueue_bulk(jobs).await?;
    let time = begin.elapsed();
    let left = peer.left().await?;
    ensure!(left == flags.jobs, "{left} jobs are there instead of {}", flags.jobs);
    Ok(outcome(flags.jobs, time))
}

async fn drain<P: Peer>(peer: &P, flags: &Drain) -> Result<Map<String, Value>> {
    peer.enqueue_bulk((0..flags.jobs).map(|n| payload(n, 0, flags.payload_bytes)).collect()).await?;
    peer.execute("vacuum analyze").await?;
    peer.execute("checkpoint").await?;
    gate::open().await?;
    let begin = Instant::now();
    let mut running = start(peer);
    finish(peer, &mut running, flags.jobs).await?;
    let time = begin.elapsed();
    Ok(outcome(flags.jobs, time))
}

async fn pickup<P: Peer>(peer: &P, flags: &Pickup) -> Result<Map<String, Value>> {
    let mut starts = handler::starts();
    let _running = start(peer);
    let begin = Instant::now();
    for n in 0..WARM_UP {
        if begin.elapsed() < WARM_UP_TIME {
            let _ = picked_up(peer, &mut starts, flags, n).await?;
        }
    }
    gate::open().await?;
    let begin = Instant::now();
    let mut latencies = Vec::new();
    while latencies.len() < usize::try_from(flags.jobs)? && begin.elapsed() < PICKUP_TIME {
        match picked_up(peer, &mut starts, flags, WARM_UP + latencies.len() as u64).await? {
            Some(waited) => latencies.push(waited),
            None => return Ok(not_kept_up(latencies.len(), latencies.len() + 1, begin.elapsed())),
        }
    }
    let mut outcome = Map::from_iter([("jobs".into(), json!(latencies.len()))]);
    outcome.extend(percentiles(latencies));
    Ok(outcome)
}

/// How long one job waited; none if it did not begin.
async fn picked_up<P: Peer>(
    peer: &P,
    starts: &mut UnboundedReceiver<(u64, Instant)>,
    flags: &Pickup,
    n: u64,
) -> Result<Option<Duration>> {
    sleep(Duration::from_millis(flags.gap_ms)).await;
    peer.enqueue(payload(n, 0, 64)).await?;
    let committed = Instant::now();
    loop {
        let Ok(began) = timeout(STALL, starts.recv()).await else { return Ok(None) };
        match began.context("the worker has ended")? {
            (which, at) if which == n => return Ok(Some(at.saturating_duration_since(committed))),
            // One that was given up.
            _ => {}
        }
    }
}

async fn steady<P: Peer>(peer: &P, flags: &Steady) -> Result<Map<String, Value>> {
    let (jobs, micros) = (flags.rate * flags.seconds, (flags.handler_ms * 1000.0) as u64);
    let mut starts = handler::starts();
    let mut running = start(peer);
    // One job shows that the worker is up, and is not measured.
    peer.enqueue(payload(jobs, 0, 64)).await?;
    timeout(PATIENCE, starts.recv()).await.context("the worker does not begin")?;
    gate::open().await?;
    let begin = Instant::now();
    let arrivals = Arc::new(Mutex::new(arrivals(jobs, flags.rate)));
    let producers: Vec<_> = (0..flags.producers)
        .map(|_| tokio::spawn(as_they_come(peer.clone(), arrivals.clone(), micros)))
        .collect();
    let mut committed = Vec::new();
    for producer in producers {
        committed.extend(producer.await??);
    }
    committed.sort_unstable();
    let committed: Vec<_> = committed.into_iter().map(|(_, at)| at).collect();
    let mut latencies = Vec::new();
    let all_there = Instant::now();
    while latencies.len() < committed.len() {
        let patience = STALL.min(LATE.saturating_sub(all_there.elapsed()));
        let Ok(began) = timeout(patience, starts.recv()).await else {
            return Ok(not_kept_up(
                latencies.len(),
                committed.len(),
                begin.elapsed().saturating_sub(patience),
            ));
        };
        let (n, at) = began.context("the worker has ended")?;
        latencies.push(at.saturating_duration_since(committed[usize::try_from(n)?]));
    }
    finish(peer, &mut running, jobs + 1).await?;
    let mut outcome = outcome(jobs, begin.elapsed());
    outcome.extend(percentiles(latencies));
    Ok(outcome)
}

/// Nothing begins any more, although there is something: no latency can be told.
fn not_kept_up(began: usize, jobs: usize, time: Duration) -> Map<String, Value> {
    let mut outcome = outcome(began as u64, time);
    outcome.insert("jobs_not_begun".into(), json!(jobs - began));
    outcome
}

async fn as_they_come<P: Peer>(
    peer: P,
    arrivals: Arc<Mutex<UnboundedReceiver<u64>>>,
    micros: u64,
) -> Result<Vec<(u64, Instant)>> {
    let mut committed = Vec::new();
    let next = async || arrivals.lock().await.recv().await;
    while let Some(n) = next().await {
        peer.enqueue(payload(n, micros, 64)).await?;
        committed.push((n, Instant::now()));
    }
    Ok(committed)
}

/// On a thread of its own, since not all of them can be told to be `Send`. What they spawn goes to the runtime. It ends
/// with the program.
fn start<P: Peer>(peer: &P) -> JoinHandle<Result<()>> {
    let peer = peer.clone();
    spawn_blocking(move || Handle::current().block_on(peer.run()))
}

/// Waits until SQL counts no job that has not completed.
async fn finish<P: Peer>(peer: &P, running: &mut JoinHandle<Result<()>>, jobs: u64) -> Result<()> {
    while handler::handled() < jobs || peer.left().await? > 0 {
        if running.is_finished() {
            running.await??;
            bail!("the worker has ended");
        }
        sleep(LOOK_INTERVAL).await;
    }
    Ok(())
}

fn payload(n: u64, micros: u64, bytes: usize) -> Payload {
    Payload { n, micros, filler: "x".repeat(bytes.saturating_sub(AROUND_FILLER)) }
}

fn outcome(jobs: u64, time: Duration) -> Map<String, Value> {
    let rate = jobs as f64 / time.as_secs_f64();
    Map::from_iter([("jobs".into(), json!(jobs)), ("jobs_per_s".into(), json!(rate))])
}
