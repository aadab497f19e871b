//! The lease protocol as a state machine: two runners, three jobs, a rescuer and a canceller, with crashes, pauses,
//! expiries and lost replies at any moment. `tests/` walks the whole state space and shows that the invariants hold in
//! it, and that each guard is needed: without it there is a counterexample. `keys` and `ticks` are small models beside it, of
//! unique jobs and of schedules. pgq-postgres drives its statements through the same transitions.
//!
//! Time is not counted. What time allows, such as that a silent runner's row grows old, is an action that may happen at
//! any moment.

mod action;
mod canonical;
mod database;
mod enabled;
mod guard;
mod keys;
mod properties;
mod protocol;
mod recovery;
mod runner;
mod scenes;
mod state;
mod step;
mod ticks;

pub use action::{Action, Network};
pub use guard::Guard;
pub use keys::{FREED, HeldWhile, I7, I11, KeyAction, KeyGuard, KeyState, Keys};
pub use properties::{CANCELLED, I1_LOST, I1_STUCK, I2, I3, I4, I5, I6, I10, I13, ONCE, OVERLAP, TRUST};
pub use protocol::{Memory, Protocol};
pub use state::{
    Database, Delayed, End, Finished, Held, InHand, Job, Lease, LeaseId, Leased, Life, Outcome, Phase,
    Registration, Row, Runner, RunnerId, Settle, State,
};

pub use ticks::{EVERY_TICK, I8, TickAction, TickGuard, TickState, Ticking};

/// The most jobs there can be.
pub const MOST_JOBS: usize = 3;

/// How many runners there are.
pub const RUNNERS: usize = 2;
