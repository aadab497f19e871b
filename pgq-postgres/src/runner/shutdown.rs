use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::DropGuard;
use tracing::{error, info, warn};

use super::shared::Shared;
use super::start::{Part, Running};

/// How long, after everything was cancelled, to wait for a handler that blocks its thread.
const BLOCKED_GRACE: Duration = Duration::from_secs(2);

/// Returns when the runner should stop: a signal, or its handle.
pub(crate) async fn requested(shared: &Shared, signals: &mut Signals) {
    tokio::select! {
        () = shared.handle.stop.cancelled() => {}
        () = signals.next() => shared.handle.stop(),
    }
    info!(runner = %shared.name, "stopping: running jobs may finish");
}

/// Lets what runs finish within the grace, gives the rest back, records everything, and leaves.
pub(crate) async fn shut_down(running: Running, signals: &mut Signals) {
    let Running {
        shared, claimer, second, listener, maintainer, mut executor, settler, heartbeat, rest, ..
    } = running;
    ended("claimer", claimer.await);
    ended("second claimer", second.await);
    finish(&shared, &mut executor, signals).await;
    // Ends when the last slot has: everything that happened is recorded by then.
    if executor.is_finished() {
        ended("settler", settler.await);
    } else {
        error!(runner = %shared.name, "a handler blocks its thread and cannot be stopped: its job is left to a rescuer");
        drop(settler);
    }
    #[cfg(feature = "cron")]
    ended("scheduler", running.scheduler.await);
    ended("maintainer", maintainer.await);
    drop(listener);
    leave(rest, heartbeat).await;
    info!(runner = %shared.name, "stopped");
}

/// Ends the heartbeat, which says goodbye.
pub(crate) async fn leave(rest: DropGuard, heartbeat: JoinHandle<()>) {
    drop(rest);
    let beating = tokio::task::spawn_blocking(move || heartbeat.join());
    if !matches!(beating.await, Ok(Ok(()))) {
        error!("the heartbeat's thread panicked");
    }
}

/// Waits for running jobs: first as long as the grace, then until they notice that they are cancelled, then
/// until they are dropped.
async fn finish(shared: &Arc<Shared>, executor: &mut Part, signals: &mut Signals) {
    tokio::select! {
        done = &mut *executor => return ended("executor", done),
        () = tokio::time::sleep(shared.settings.grace) => warn!(runner = %shared.name, "the grace is over"),
        () = shared.handle.stop_now.cancelled() => {}
        () = signals.next() => shared.handle.stop_now(),
    }
    shared.running.cancel_all();
    tokio::select! {
        done = timeout(shared.settings.cancel_grace.saturating_add(BLOCKED_GRACE), &mut *executor) => {
            if let Ok(done) = done {
                ended("executor", done);
            }
        }
        () = signals.next() => {
            shared.handle.stop_now();
            if let Ok(done) = timeout(BLOCKED_GRACE, executor).await {
                ended("executor", done);
            }
        }
    }
}

/// A part that panicked is a bug of ours: the jobs it held are rescued, and the log says where it was.
fn ended(part: &'static str, result: Result<(), tokio::task::JoinError>) {
    if let Err(error) = result {
        error!(part, %error, "a part of the runner failed");
    }
}

/// The process's requests to stop. Made once, at the start, so that none is missed.
pub(crate) struct Signals {
    #[cfg(unix)]
    streams: Vec<tokio::signal::unix::Signal>,
    #[cfg(not(unix))]
    ctrl_c: bool,
}

#[cfg(unix)]
impl Signals {
    /// SIGTERM and ctrl-c, or none for a runner that leaves them alone.
    pub(crate) fn listen(wanted: bool) -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = if wanted { vec![SignalKind::terminate(), SignalKind::interrupt()] } else { Vec::new() };
        let open = |kind| signal(kind).inspect_err(|error| warn!(%error, "a signal cannot be received")).ok();
        Self { streams: kinds.into_iter().filter_map(open).collect() }
    }

    async fn next(&mut self) {
        std::future::poll_fn(|context| {
            let any = self.streams.iter_mut().any(|stream| stream.poll_recv(context).is_ready());
            if any { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    }
}

#[cfg(not(unix))]
impl Signals {
    /// Ctrl-c, or nothing for a runner that leaves it alone.
    pub(crate) fn listen(wanted: bool) -> Self {
        Self { ctrl_c: wanted }
    }

    async fn next(&mut self) {
        if !self.ctrl_c || tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
