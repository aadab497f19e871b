//! When which fault happens: a pure function of the seed.

use std::time::Duration;

use fastrand::Rng;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// SIGKILL for a worker, and a new one in its place.
    Kill,
    /// SIGSTOP for a worker, and SIGCONT.
    Pause,
    /// SIGTERM for a worker, and a new one in its place.
    Terminate,
    /// SIGTERM twice.
    TerminateTwice,
    /// All connections of one side are reset.
    Reset,
    /// The clients' ends are reset; the server learns of it later.
    HalfOpen,
    /// A connection is reset in the middle of a message.
    CutMessage,
    /// The server commits, and the reply is lost with its connection.
    LoseReply,
    /// Nothing passes, nothing is reset.
    BlackHole,
    /// Everything comes late.
    Latency,
    /// Everything passes, slowly.
    Throttle,
    /// New connections are reset.
    Refuse,
    /// The server ends sessions of one kind.
    EndSessions,
    /// The server cancels what sessions are doing.
    CancelStatements,
    /// The listening sessions are ended.
    KillListeners,
    /// Somebody locks a table of ours.
    LockTable,
    /// Somebody locks rows in the other order.
    Deadlock,
    /// Sessions get a statement timeout that nothing meets.
    StatementTimeout,
    /// Sessions get a lock timeout, and locks to run into.
    LockTimeout,
    /// Sessions are serializable.
    Serializable,
    /// An old snapshot keeps dead rows alive.
    PinSnapshot,
    /// Futures of producers are dropped at random moments.
    DropFutures,
    /// More connections are made than the server allows.
    ConnectionStorm,
    /// The server is stopped at once and started.
    StopImmediate,
    /// SIGKILL for one of the server's sessions: all the others end and the server recovers.
    KillBackend,
    /// SIGKILL for the server's first process.
    KillServer,
    /// The process that writes what no commit waited for stands still, and is then killed: all sessions end with it, and the
    /// server recovers.
    KillWalWriter,
    /// The server dies, and its replica takes its place.
    FailOver,
    /// The disk is full.
    FillDisk,
}

impl Kind {
    /// As it is printed.
    pub fn name(self) -> String {
        let mut name = String::new();
        for letter in format!("{self:?}").chars() {
            if letter.is_uppercase() && !name.is_empty() {
                name.push(' ');
            }
            name.push(letter.to_ascii_lowercase());
        }
        name
    }

    /// How long it lasts, in milliseconds; of those that are over at once nothing.
    fn lasts(self, rng: &mut Rng) -> u64 {
        match self {
            Self::Pause => rng.u64(100..6000),
            Self::HalfOpen => rng.u64(100..4000),
            Self::BlackHole => rng.u64(200..5000),
            Self::Latency => rng.u64(500..8000),
            Self::Throttle => rng.u64(500..3000),
            Self::Refuse => rng.u64(100..2000),
            Self::KillWalWriter => rng.u64(300..1000),
            Self::LockTable | Self::LockTimeout | Self::StatementTimeout | Self::Serializable => {
                rng.u64(200..1500)
            }
            Self::PinSnapshot => rng.u64(2000..10_000),
            Self::DropFutures | Self::ConnectionStorm | Self::FillDisk => rng.u64(500..2000),
            _ => 0,
        }
    }
}

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// When, after the start.
    pub at: Duration,
    /// What.
    pub kind: Kind,
    /// Which of the sides it meets, where it meets one.
    pub side: usize,
    /// How long it lasts.
    pub lasts: Duration,
    /// Decides what else there is to decide.
    pub dice: u64,
}

/// All faults of a run, in their order. Each happens once in `every` on average.
///
/// # Panics
/// If there is no kind of weight, or no side.
pub fn schedule(
    seed: u64,
    span: Duration,
    every: Duration,
    kinds: &[(Kind, u32)],
    sides: usize,
) -> Vec<Fault> {
    let mut rng = Rng::with_seed(seed);
    let total: u32 = kinds.iter().map(|(_, weight)| weight).sum();
    let every = u64::try_from(every.as_micros()).unwrap_or(u64::MAX).max(1);
    let mut at = Duration::ZERO;
    let mut faults = Vec::new();
    loop {
        at += Duration::from_micros(rng.u64(0..every * 2));
        if at >= span {
            return faults;
        }
        let mut dice = rng.u32(0..total);
        let (kind, _) = kinds
            .iter()
            .find(|(_, weight)| {
                let found = dice < *weight;
                dice = dice.saturating_sub(*weight);
                found
            })
            .expect("the dice is below the sum of the weights");
        let lasts = Duration::from_millis(kind.lasts(&mut rng));
        faults.push(Fault { at, kind: *kind, side: rng.usize(0..sides), lasts, dice: rng.u64(..) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [(Kind, u32); 3] = [(Kind::Kill, 3), (Kind::Pause, 1), (Kind::Reset, 0)];
    const SPAN: Duration = Duration::from_secs(600);
    const EVERY: Duration = Duration::from_millis(500);

    #[test]
    fn it_is_a_function_of_the_seed() {
        let once = schedule(7, SPAN, EVERY, &KINDS, 4);
        assert_eq!(once, schedule(7, SPAN, EVERY, &KINDS, 4));
        assert_ne!(once, schedule(8, SPAN, EVERY, &KINDS, 4));
    }

    #[test]
    fn weights_sides_and_times_are_as_asked() {
        let faults = schedule(1, SPAN, EVERY, &KINDS, 4);
        assert!((1000..1400).contains(&faults.len()), "{}", faults.len());
        assert!(faults.windows(2).all(|pair| pair[0].at <= pair[1].at));
        assert!(faults.iter().all(|fault| fault.at < SPAN && fault.side < 4));
        let of = |kind| faults.iter().filter(|fault| fault.kind == kind).count();
        assert_eq!(of(Kind::Reset), 0, "it has no weight");
        assert!(of(Kind::Kill) > 2 * of(Kind::Pause));
        assert!((0..4).all(|side| faults.iter().any(|fault| fault.side == side)));
        let lasting = faults.iter().filter(|fault| fault.kind == Kind::Pause);
        assert!(lasting.clone().all(|fault| fault.lasts >= Duration::from_millis(100)));
    }

    #[test]
    fn names_are_words() {
        assert_eq!(Kind::BlackHole.name(), "black hole");
    }
}
