//! A second server that follows the first, and takes its place.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use pgq_devdb::Server;
use pgq_tests::Proxy;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, query_scalar};
use tokio::time::{Instant, sleep};

use crate::site::{Site, blocking};

/// How long the replica may take to follow, or to take over.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long everything that the replica of an asynchronous pair hears takes; one message waits for the one before, so that
/// it falls behind further the more there is to say.
const LAG: Duration = Duration::from_millis(50);

/// Whether commits wait for the replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pair {
    /// They do.
    Synchronous,
    /// They do not, and it is behind.
    Asynchronous,
}

/// A replica that follows the server of a site.
#[derive(Debug)]
pub struct Replica {
    server: Server,
    /// What it hears of the first server comes through this.
    link: Proxy,
}

impl Replica {
    /// Copies the server, which restarts, and has the copy follow it.
    ///
    /// # Errors
    /// If that fails, or it does not follow in time.
    pub async fn follow(site: &Site, pair: Pair) -> Result<Self> {
        let server = site.server().await;
        let link = Proxy::start(&server.url()).await;
        let folder = site.folder.path().join("replica");
        let (from, to) = (server.folder().to_owned(), folder.clone());
        let leader: PgConnectOptions = link.url().parse()?;
        let password = fs::read_to_string(from.join("password"))?;
        let connection = format!(
            "host=127.0.0.1 port={} user={} password={password} application_name=replica",
            leader.get_port(),
            leader.get_username()
        );
        let leader = server.clone();
        tokio::task::spawn_blocking(move || {
            leader.stop()?;
            copy(&from, &to, &connection)?;
            anyhow::Ok(leader.restart()?)
        })
        .await??;
        site.connect_when_up().await?;
        let server = blocking(move || Server::start_in(&folder)).await?;
        let replica = Self { server, link };
        replica.until_it_follows(site).await?;
        match pair {
            Pair::Asynchronous => replica.link.delay(LAG),
            Pair::Synchronous => {
                site.execute("alter system set synchronous_standby_names = '*'").await?;
                site.execute("select pg_reload_conf()").await?;
            }
        }
        Ok(replica)
    }

    /// The first server dies, the replica takes over, and everybody is sent there.
    ///
    /// # Errors
    /// If it does not take over in time.
    pub async fn take_over(self, site: &Site) -> Result<()> {
        let first = site.server().await;
        self.link.refuse();
        self.link.cut();
        blocking(move || first.kill()).await?;
        let mut connection = PgConnection::connect(&self.server.url()).await?;
        let promoted: bool = query_scalar("select pg_promote(true, 60)").fetch_one(&mut connection).await?;
        ensure!(promoted, "the replica did not take over in {PATIENCE:?}");
        site.switch(self.server).await;
        Ok(())
    }

    async fn until_it_follows(&self, site: &Site) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut connection = site.connect_when_up().await?;
        loop {
            let following: i64 =
                query_scalar("select count(*) from pg_stat_replication where state = 'streaming'")
                    .fetch_one(&mut connection)
                    .await?;
            if following > 0 {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("the replica does not follow after {PATIENCE:?}");
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Copies the files of a server that is stopped, and makes the copy a replica.
fn copy(from: &Path, to: &Path, leader: &str) -> Result<()> {
    let copied = Command::new("cp").arg("-Rp").arg(from).arg(to).status().context("cannot run cp")?;
    ensure!(copied.success(), "cp ended with {copied}");
    let data = to.join("data");
    let owner = fs::metadata(data.join("PG_VERSION"))?;
    let settings = data.join("postgresql.auto.conf");
    let before = fs::read_to_string(&settings)?;
    fs::write(&settings, format!("{before}primary_conninfo = '{leader}'\n"))?;
    let signal = data.join("standby.signal");
    fs::write(&signal, "")?;
    for file in [settings, signal] {
        chown(&file, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(())
}
