//! The worker processes: started, killed, paused, stopped.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex as StdMutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::history::now;
use crate::timeline::Born;

/// How workers are set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Of each worker, the database it is told of.
    pub urls: Vec<String>,
    /// How often a runner says that it lives.
    pub heartbeat: Duration,
    /// How many jobs it runs at a time.
    pub slots: usize,
    /// Where histories and logs go.
    pub folder: PathBuf,
}

/// How long a worker may take to stop when it is asked to: longer than its own patience with everything.
const STOP_PATIENCE: Duration = Duration::from_secs(60);

/// Its number, everywhere.
const SIGTERM: i32 = 15;

/// All of them. One fault at a time meets each.
#[derive(Debug)]
pub struct Workers {
    settings: Settings,
    born: StdMutex<Vec<Born>>,
    sides: Vec<Mutex<Option<Worker>>>,
}

#[derive(Debug)]
struct Worker {
    process: usize,
    child: Child,
    /// It ends when this is closed, as waiting for it would do.
    _input: ChildStdin,
}

impl Workers {
    /// Starts one of each.
    ///
    /// # Errors
    /// If the program is missing.
    pub async fn start(settings: Settings) -> Result<Self> {
        let sides = settings.urls.iter().map(|_| Mutex::new(None)).collect();
        let workers = Self { settings, born: StdMutex::default(), sides };
        for side in 0..workers.sides.len() {
            *workers.sides[side].lock().await = Some(workers.spawn(side)?);
        }
        Ok(workers)
    }

    /// How many there are.
    pub fn sides(&self) -> usize {
        self.sides.len()
    }

    /// Every process there was.
    pub fn born(&self) -> Vec<Born> {
        self.lock().clone()
    }

    /// Kills one and starts another.
    ///
    /// # Errors
    /// If it had ended by itself, which a runner never does.
    pub async fn kill(&self, side: usize) -> Result<()> {
        let mut slot = self.sides[side].lock().await;
        let mut worker = self.take(&mut slot)?;
        worker.child.start_kill()?;
        worker.child.wait().await?;
        // A moment after its end: until then it may have done anything.
        self.lock()[worker.process].killed = Some(now());
        *slot = Some(self.spawn(side)?);
        Ok(())
    }

    /// Stops one for a while.
    ///
    /// # Errors
    /// If it had ended by itself.
    pub async fn pause(&self, side: usize, lasts: Duration) -> Result<()> {
        let mut slot = self.sides[side].lock().await;
        let worker = self.take(&mut slot)?;
        worker.signal("STOP")?;
        tokio::time::sleep(lasts).await;
        worker.signal("CONT")?;
        *slot = Some(worker);
        Ok(())
    }

    /// Asks one to stop, once or several times, and starts another when it has.
    ///
    /// # Errors
    /// If it does not stop, or not cleanly.
    pub async fn terminate(&self, side: usize, times: u32, apart: Duration) -> Result<()> {
        let mut slot = self.sides[side].lock().await;
        let mut worker = self.take(&mut slot)?;
        for time in 0..times {
            if time > 0 {
                tokio::time::sleep(apart).await;
            }
            // It may have ended after the first one.
            let _ = worker.signal("TERM");
        }
        let stopped = self.stopped(&mut worker).await;
        *slot = Some(self.spawn(side)?);
        stopped
    }

    /// Asks all to stop, and waits until they have.
    ///
    /// # Errors
    /// As `terminate`.
    pub async fn stop(&self) -> Result<()> {
        for side in &self.sides {
            let mut slot = side.lock().await;
            let mut worker = self.take(&mut slot)?;
            worker.signal("TERM")?;
            self.stopped(&mut worker).await?;
        }
        Ok(())
    }

    async fn stopped(&self, worker: &mut Worker) -> Result<()> {
        let Ok(status) = timeout(STOP_PATIENCE, worker.child.wait()).await else {
            bail!("worker {} did not stop in {STOP_PATIENCE:?}", worker.process);
        };
        let status = status?;
        // A process that is asked before it listens is ended by the system.
        let asked_early = status.signal() == Some(SIGTERM);
        ensure!(status.success() || asked_early, "worker {} stopped with {status}", worker.process);
        Ok(())
    }

    fn take(&self, slot: &mut Option<Worker>) -> Result<Worker> {
        let mut worker = slot.take().context("a worker is missing since an earlier fault failed")?;
        match worker.child.try_wait()? {
            None => Ok(worker),
            Some(status) => bail!("worker {} ended by itself with {status}", worker.process),
        }
    }

    fn spawn(&self, side: usize) -> Result<Worker> {
        let mut born = self.lock();
        let process = born.len();
        let history = self.settings.folder.join(format!("worker-{side}-{process}.history"));
        // Here, since a worker may be killed before it could.
        std::fs::File::create_new(&history)
            .context("cannot make a history: is the folder of --keep empty?")?;
        let log = std::fs::File::create(history.with_extension("log"))?;
        let since = now();
        let mut child = Command::new(program()?)
            .env("DATABASE_URL", &self.settings.urls[side])
            .env("HISTORY", &history)
            .env("HEARTBEAT_MS", self.settings.heartbeat.as_millis().to_string())
            .env("SLOTS", self.settings.slots.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start a worker: is pgq-faults-worker built?")?;
        let pid = child.id().context("a worker ended at once")?;
        let input = child.stdin.take().context("a worker has no input")?;
        born.push(Born { side, pid, since, history, killed: None });
        Ok(Worker { process, child, _input: input })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Born>> {
        // Nothing in here panics half-way.
        self.born.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Worker {
    fn signal(&self, signal: &str) -> Result<()> {
        let pid = self.child.id().context("a worker ended by itself")?;
        send(signal, pid)
    }
}

/// Sends a signal by name.
///
/// # Errors
/// If there is no such process.
pub fn send(signal: &str, pid: u32) -> Result<()> {
    // The shell's own `kill`: the program of that name is missing from slim containers.
    let sent = std::process::Command::new("sh")
        .args(["-c", "kill -s \"$1\" \"$2\"", "sh", signal, &pid.to_string()])
        .stderr(Stdio::null())
        .status()?;
    ensure!(sent.success(), "there is no process {pid} to send {signal} to");
    Ok(())
}

/// The program beside this one.
fn program() -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    let folder = this.parent().unwrap_or(Path::new("."));
    Ok(folder.join("pgq-faults-worker"))
}
