use clap::{Args, Subcommand};

use crate::commands::{
    change, completions, doctor, errors, explain, job, jobs, prune, queue, runners, schedules, top,
};

/// Which database, how to answer, and what to do.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub(crate) globals: Globals,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// The program that they are mounted in, where it was told.
    #[arg(skip)]
    pub(crate) program: Option<clap::Command>,
}

impl Arguments {
    /// Tells which program they are mounted in, as by `Program::command()` of clap's `CommandFactory`. Completions are those of the
    /// whole program then, under its name; without, they are those of `pgq`.
    #[must_use]
    pub fn mounted_in(self, program: clap::Command) -> Self {
        Self { program: Some(program), ..self }
    }
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Globals {
    /// The database: postgres://user:password@host/name.
    #[arg(long, global = true, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub(crate) database_url: Option<String>,
    /// The schema with the tables.
    #[arg(long, global = true, default_value = "pgq", value_name = "NAME")]
    pub(crate) schema: String,
    /// Answer in JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Who asks, as it shall stand in the audit.
    #[arg(long, global = true, env = "PGQ_ACTOR", value_name = "NAME")]
    pub(crate) actor: Option<String>,
}

/// What can be done.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum Command {
    /// Create the tables, or bring them up to date.
    Migrate,
    /// How many jobs are where, and who runs them.
    Status,
    /// Every queue: depth, latency, throughput, failures.
    Queues,
    /// List jobs.
    Jobs(jobs::Arguments),
    /// Everything about one job: payload, attempts, changes.
    Job(job::Arguments),
    /// Run jobs again, now.
    Retry(change::Arguments),
    /// End jobs; those that run are told.
    Cancel(change::Arguments),
    /// End jobs that wait, as failed.
    Discard(change::Arguments),
    /// Give jobs that wait another priority; lower runs first.
    Reprioritise(change::Reprioritise),
    /// Let jobs that wait run at another time.
    Reschedule(change::Reschedule),
    /// Let no runner claim from a queue.
    Pause(queue::Arguments),
    /// End a pause.
    Resume(queue::Arguments),
    /// Limit how many jobs of a queue each runner runs at a time.
    Limit(queue::Limit),
    /// Who runs jobs, and which.
    Runners(runners::Arguments),
    /// What is enqueued by the clock, and when next.
    Schedules(schedules::Arguments),
    /// What fails, by what the errors have in common.
    Errors(errors::Arguments),
    /// What operators changed.
    Audit(errors::Audit),
    /// Why a job has not run, in one sentence.
    Explain(explain::Arguments),
    /// Delete finished jobs that are older than an age.
    Prune(prune::Arguments),
    /// Look for what goes wrong in practice; each finding with its remedy.
    Doctor(doctor::Arguments),
    /// A live view.
    Top(top::Arguments),
    /// Print the completions for a shell.
    Completions(completions::Arguments),
}
