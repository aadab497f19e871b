//! A program that runs jobs and mounts the commands of `pgq`, so that they show its payloads.
//!
//! ```text
//! export DATABASE_URL=$(cargo xtask db url)
//! cargo run -p pgq-examples --bin operate -- work            # runs jobs, some of which fail, until ctrl-c
//! cargo run -p pgq-examples --bin operate -- jobs status     # in another terminal: every command of pgq
//! cargo run -p pgq-examples --bin operate -- jobs top
//! ```

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{CommandFactory, Parser};
use pgq_postgres::{
    Context, Enqueue, Job, JobError, JobResult, Perform, Prepared, Registry, Runner, enqueue_all, migrate,
};
use sqlx::PgPool;
use tokio::time::sleep;

#[derive(Parser)]
#[command(name = "operate")]
enum Program {
    /// Enqueue jobs and run them, until ctrl-c.
    Work {
        /// How many jobs a second.
        #[arg(long, default_value_t = 40)]
        rate: u32,
        #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
        database_url: String,
    },
    /// Look at jobs and change them.
    Jobs(Box<pgq_cli::Arguments>),
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Program::parse() {
        Program::Jobs(arguments) => match Registry::linked() {
            Ok(registry) => return pgq_cli::run(&registry, arguments.mounted_in(Program::command())).await,
            Err(error) => Err(error.into()),
        },
        Program::Work { rate, database_url } => work(&database_url, rate).await,
    };
    result.map_or_else(
        |error| {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

async fn work(database_url: &str, rate: u32) -> Result<()> {
    let pool = PgPool::connect(database_url).await?;
    migrate(&pool).await?;
    let runner = Runner::from_registry().pool(pool.clone());
    tokio::select! {
        result = feed(&pool, rate) => result,
        result = runner.run() => Ok(result?),
    }
}

/// Enqueues a few of each kind every quarter of a second.
async fn feed(pool: &PgPool, rate: u32) -> Result<()> {
    for tick in 0_u32.. {
        let mut jobs: Vec<Prepared> = Vec::new();
        for n in 0..rate.div_ceil(4) {
            let user = i64::from(tick * 31 + n);
            jobs.push(match n % 10 {
                0 => ResizeImage { path: format!("images/{user}.png"), width: 640 }.prepare()?,
                1 => SyncAccount { account: user % 50 }.prepare()?,
                2 if tick.is_multiple_of(4) => {
                    SendReport { week: user % 52 }.after(Duration::from_secs(7200)).prepare()?
                }
                _ => SendMail { user_id: user, token: format!("t-{user}") }.prepare()?,
            });
        }
        enqueue_all(pool, jobs).await?;
        sleep(Duration::from_millis(250)).await;
    }
    Ok(())
}

/// Fails now and then, as servers do.
#[derive(Job)]
#[job(index(user_id), sensitive(token), retry_waits = ["30s", "5m"])]
struct SendMail {
    user_id: i64,
    token: String,
}

impl Perform for SendMail {
    async fn perform(&self, ctx: &Context) -> JobResult {
        sleep(Duration::from_millis(20)).await;
        match self.user_id % 23 {
            0 if ctx.attempt() == 1 => {
                Err(format!("connection to mail-{}.example refused", self.user_id % 3).into())
            }
            7 => Err(JobError::discard(format!("user {} has no address", self.user_id))),
            _ => Ok(()),
        }
    }
}

/// Takes its time.
#[derive(Job)]
#[job(timeout = "5s")]
struct ResizeImage {
    path: String,
    width: u32,
}

impl Perform for ResizeImage {
    async fn perform(&self, _: &Context) -> JobResult {
        sleep(Duration::from_millis(800 + u64::from(self.width))).await;
        if self.path.ends_with("0.png") { Err(format!("{} is no image", self.path).into()) } else { Ok(()) }
    }
}

/// One at a time for each account.
#[derive(Job)]
#[job(unique(account), retry_waits = [])]
struct SyncAccount {
    account: i64,
}

impl Perform for SyncAccount {
    async fn perform(&self, _: &Context) -> JobResult {
        sleep(Duration::from_millis(300)).await;
        if self.account % 9 == 4 { Err("the account's key has expired".into()) } else { Ok(()) }
    }
}

/// Waits for its hour.
#[derive(Job)]
struct SendReport {
    week: i64,
}

impl Perform for SendReport {
    async fn perform(&self, _: &Context) -> JobResult {
        Ok(())
    }
}
