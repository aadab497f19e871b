use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::settings::{DEAD_AFTER_BEATS, DEAD_AFTER_BEATS_UNLOCKED};
use crate::connection::Route;

/// Whether others still take this runner for alive, as far as it can know. The local clock only ever makes it
/// trust sooner less: times count from before a heartbeat was sent.
pub(crate) struct Liveness {
    interval: Duration,
    route: Route,
    state: Mutex<State>,
}

/// How long no heartbeat has succeeded, and whether that is because the session broke.
pub(crate) struct Silence {
    pub(crate) lasts: Duration,
    pub(crate) session_lost: bool,
}

struct State {
    /// The first heartbeat has succeeded: the runner is registered.
    beaten: bool,
    /// When the last heartbeat that succeeded was sent.
    last_beat: Instant,
    /// Since when every heartbeat on the present session succeeded.
    healthy_since: Instant,
    /// The session is gone, and with it, maybe, its lock.
    session_lost: bool,
    /// The present session holds the lock by which others know that this process lives.
    locked: bool,
    /// Ends what runs; a heartbeat that succeeds after it fired brings a new one.
    trust: CancellationToken,
}

impl Liveness {
    pub(crate) fn new(interval: Duration, route: Route) -> Self {
        let now = Instant::now();
        let trust = CancellationToken::new();
        let state = State {
            beaten: false,
            last_beat: now,
            healthy_since: now,
            session_lost: false,
            locked: false,
            trust,
        };
        Self { interval, route, state: Mutex::new(state) }
    }

    pub(crate) fn interval(&self) -> Duration {
        self.interval
    }

    /// A heartbeat sent then has succeeded.
    pub(crate) fn beat(&self, sent: Instant) {
        let mut state = self.lock();
        if state.session_lost {
            state.healthy_since = sent;
            state.session_lost = false;
        }
        if state.trust.is_cancelled() {
            state.trust = CancellationToken::new();
        }
        state.beaten = true;
        state.last_beat = sent;
    }

    /// Whether any heartbeat has succeeded.
    pub(crate) fn has_beaten(&self) -> bool {
        self.lock().beaten
    }

    pub(crate) fn silence(&self) -> Silence {
        let state = self.lock();
        Silence { lasts: state.last_beat.elapsed(), session_lost: state.session_lost }
    }

    /// The heartbeat's session broke.
    pub(crate) fn session_lost(&self) {
        let mut state = self.lock();
        state.session_lost = true;
        state.locked = false;
    }

    /// Whether the heartbeat's session holds its lock.
    pub(crate) fn locked(&self, locked: bool) {
        self.lock().locked = locked;
    }

    pub(crate) fn is_locked(&self) -> bool {
        self.lock().locked
    }

    /// Cancels everything that runs if no heartbeat succeeded for so long that others may soon take this
    /// runner's jobs: three quarters of an interval before. Returns whether it did, now.
    pub(crate) fn enforce_deadline(&self) -> bool {
        let state = self.lock();
        // Behind a pooler there is no lock, and others know that.
        let protected = self.route == Route::TransactionPooler || state.locked && !state.session_lost;
        let beats = if !protected { DEAD_AFTER_BEATS_UNLOCKED } else { DEAD_AFTER_BEATS };
        let over = state.last_beat.elapsed() >= self.interval * beats - self.interval * 3 / 4;
        let enforced = over && !state.trust.is_cancelled();
        if enforced {
            state.trust.cancel();
        }
        enforced
    }

    /// Cancels everything that runs.
    pub(crate) fn lose_trust(&self) {
        self.lock().trust.cancel();
    }

    /// The token under which claimed jobs run.
    pub(crate) fn trust(&self) -> CancellationToken {
        self.lock().trust.clone()
    }

    /// Whether heartbeats succeed: a runner that cannot say that it lives claims nothing.
    pub(crate) fn may_claim(&self) -> bool {
        let state = self.lock();
        !state.session_lost && state.last_beat.elapsed() < self.interval * 2
    }

    /// Whether this runner may judge others: after an outage of the database every heartbeat is old, also those
    /// of the living, until they had the time to come back.
    pub(crate) fn may_judge(&self) -> bool {
        let state = self.lock();
        let healthy_for = state.last_beat.saturating_duration_since(state.healthy_since);
        !state.session_lost && healthy_for >= self.interval * DEAD_AFTER_BEATS_UNLOCKED / 2
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // Nothing in here can panic half-way, so a poisoned state is a whole one.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
