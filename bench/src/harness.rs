//! Measures cases: round by round, in each round every side, each in a process of its own.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use pgq_devdb::{Database, Template};

use crate::case::{Case, CaseResult, Databases, Measured, Side};
use crate::child::Child;
use crate::figures::Sample;
use crate::options::Options;
use crate::peers::Peers;
use crate::server::Server;
use crate::usage::{self, Usage};

/// What all measurements share.
pub(crate) struct Harness {
    pub(crate) options: Options,
    pub(crate) server: Server,
    template: Template,
    peers: Peers,
    bar: ProgressBar,
}

impl Harness {
    /// May start a server and build peers, which takes a while.
    pub(crate) async fn start(options: Options) -> Result<Self> {
        let server = Server::connect().await?;
        let template = template().await?;
        let peers = Peers::build(options.peers)?;
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg} {elapsed}")?;
        let bar = ProgressBar::new(0).with_style(style);
        Ok(Self { options, server, template, peers, bar })
    }

    /// All rounds of a case.
    pub(crate) async fn run(&mut self, case: Case) -> Result<CaseResult> {
        let mut sides = case.sides.clone();
        sides.extend(self.peers.sides(&case));
        if self.options.alone {
            sides.truncate(1);
        }
        self.bar.enable_steady_tick(Duration::from_millis(200));
        self.bar.inc_length(u64::from(self.options.rounds) * sides.len() as u64);
        let mut measured: Vec<_> =
            sides.iter().enumerate().map(|(n, side)| none_of(side, n >= case.sides.len())).collect();
        let mut kept = HashMap::new();
        let result = self.rounds(&case, &sides, &mut measured, &mut kept).await;
        for database in kept.into_values() {
            Database::remove(database).await?;
        }
        result?;
        Ok(CaseResult { case, sides: measured })
    }

    /// Prints what the progress bar must not be in the way of.
    pub(crate) fn print(&self, text: &str) {
        self.bar.suspend(|| println!("{text}"));
    }

    /// No more is measured.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    async fn rounds(
        &mut self,
        case: &Case,
        sides: &[Side],
        measured: &mut [Measured],
        kept: &mut HashMap<String, Database>,
    ) -> Result<()> {
        for _ in 0..self.options.rounds {
            for (n, side) in sides.iter().enumerate() {
                self.bar.set_message(format!("{} {} {}", case.workload, case.name, side.name));
                let mut arguments = vec![case.workload.to_owned()];
                arguments.extend(case.flags.overridden_by(&side.flags).arguments());
                let ours = measured[0].rounds.last();
                let taken = side.takes.and_then(|name| Some((name, ours?.figures.get(name)?)));
                arguments.extend(
                    taken.into_iter().flat_map(|(name, value)| [format!("--{name}"), value.to_string()]),
                );
                let database = match kept.remove(&side.name) {
                    Some(database) => database,
                    None => Database::create(&self.template).await?,
                };
                let sample = self.sample(side, &arguments, &database).await;
                match case.databases {
                    Databases::Fresh => database.remove().await?,
                    Databases::OnePerSide => drop(kept.insert(side.name.clone(), database)),
                }
                let context = || format!("{} {} failed", side.name, arguments.join(" "));
                let sample = match sample.with_context(context) {
                    // What another library cannot do is no reason to lose what has been measured.
                    Err(error) if measured[n].is_peer => {
                        self.bar.suspend(|| eprintln!("{error:#}"));
                        Sample::default()
                    }
                    sample => sample?,
                };
                measured[n].rounds.push(sample);
                self.bar.inc(1);
            }
        }
        Ok(())
    }

    /// One measurement: the program prepares, and then its time and everything that it uses counts.
    async fn sample(&mut self, side: &Side, arguments: &[String], database: &Database) -> Result<Sample> {
        let mut child = Child::spawn(&side.program, arguments, database.url())?;
        child.ready().await?;
        let process = child.id().context("the measured program has ended")?;
        usage::forget_peak(process);
        let commits = self.server.commits_told(database.name()).await?;
        let server = self.server.done().await?;
        let before = usage::of_tree(process);
        child.go().await?;
        let outcome = child.outcome().await?;
        let after = usage::of_tree(process);
        let server_after = self.server.done().await?;
        child.end().await?;
        let mut sample = Sample::of(&outcome);
        let jobs =
            outcome["jobs"].as_f64().context("the measured program did not say how many jobs it ran")?;
        let mut add = |name: &str, value: f64| sample.figures.insert(name.into(), value);
        add("wal_bytes_per_job", (server_after.wal_bytes - server.wal_bytes) as f64 / jobs);
        add("commits_per_job", (self.server.commits(database.name()).await? - commits) as f64 / jobs);
        if let (Some(before), Some(after)) = (before, after) {
            add("runner_cpu_us_per_job", micros(cpu(after).saturating_sub(cpu(before))) / jobs);
            add("runner_peak_mb", after.peak_bytes as f64 / f64::from(1 << 20));
        }
        if let (Some(before), Some(after)) = (server.cpu, server_after.cpu) {
            add("server_cpu_us_per_job", micros(after.saturating_sub(before)) / jobs);
        }
        Ok(sample)
    }
}

/// An empty database, from which the others are cloned. It has no tables: those of one build of this program might
/// not be those of the next, and peers have their own.
async fn template() -> Result<Template> {
    Template::prepare("bench", async |_: &str| anyhow::Ok(()))
        .await
        .context("cannot prepare a database: is the server up, and may this role create databases?")
}

fn none_of(side: &Side, is_peer: bool) -> Measured {
    Measured { side: side.name.clone(), is_peer, rounds: Vec::new() }
}

fn cpu(usage: Usage) -> Duration {
    usage.cpu
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
