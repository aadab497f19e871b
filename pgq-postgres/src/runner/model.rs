//! The statements, driven through the steps of the model of leases in a random order, with what it calls faults: after each
//! step the tables hold what the model says. `PGQ_MODEL_CASES` says how many runs of up to forty steps.

mod driver;

use std::sync::OnceLock;

use pgq_model::{Action, Protocol, State};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};
use tokio::runtime::Handle;

use driver::Driver;

/// The database of the runs, and the runtime that they wait on.
static PLACE: OnceLock<(Handle, String)> = OnceLock::new();

/// Three jobs, one of them transactional; anything may happen to them, any number of times.
fn protocol() -> Protocol {
    Protocol {
        max_attempts: vec![4, 3, 3],
        max_crashes: 3,
        transactional: Some(2),
        cancellable: vec![0, 1, 2],
        snoozing: vec![0, 1, 2],
        ..Protocol::new(3)
    }
}

/// What the tables should hold.
struct Reference;

impl ReferenceStateMachine for Reference {
    type State = State;
    type Transition = Action;

    fn init_state() -> BoxedStrategy<State> {
        Just(protocol().start()).boxed()
    }

    /// Mostly what happens on a good day, or jobs would seldom come far.
    fn transitions(state: &State) -> BoxedStrategy<Action> {
        let enabled = protocol().enabled(state);
        let (faults, rest): (Vec<Action>, Vec<Action>) =
            enabled.into_iter().partition(|action| state.is_fault(*action));
        let select = proptest::sample::select::<Action>;
        match (faults.is_empty(), rest.is_empty()) {
            (false, false) => prop_oneof![1 => select(faults), 3 => select(rest)].boxed(),
            (true, _) => select(rest).boxed(),
            (false, true) => select(faults).boxed(),
        }
    }

    fn preconditions(state: &State, action: &Action) -> bool {
        protocol().enabled(state).contains(action)
    }

    fn apply(state: State, action: &Action) -> State {
        protocol().next(&state, *action)
    }
}

struct Tables;

impl StateMachineTest for Tables {
    type SystemUnderTest = Driver;
    type Reference = Reference;

    fn init_test(start: &State) -> Driver {
        let (runtime, url) = PLACE.get().expect("set before the first run");
        runtime.block_on(Driver::new(url, protocol(), start))
    }

    fn apply(mut driver: Driver, after: &State, action: Action) -> Driver {
        let (runtime, _) = PLACE.get().expect("set before the first run");
        runtime.block_on(driver.perform(action, after));
        driver
    }

    fn check_invariants(driver: &Driver, state: &State) {
        let (runtime, _) = PLACE.get().expect("set before the first run");
        runtime.block_on(driver.compare(state));
    }
}

fn run_cases() {
    let cases = std::env::var("PGQ_MODEL_CASES").map_or(12, |cases| cases.parse().expect("a number"));
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let steps = Reference::sequential_strategy(20..40);
    let run = |(start, actions, seen)| {
        Tables::test_sequential(config.clone(), start, actions, seen);
        Ok(())
    };
    TestRunner::new(config.clone()).run(&steps, run).unwrap_or_else(|failure| panic!("{failure}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_hold_what_the_model_says() {
    let migrate = async |url: &str| -> Result<(), crate::Error> {
        let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect(url).await?;
        crate::migrate(&mut connection).await
    };
    let fingerprint = include_str!("../../migrations/0001_initial.sql");
    pgq_devdb::test_database(fingerprint, migrate, async |db| {
        PLACE.set((Handle::current(), db.url().to_owned())).expect("this is the only test");
        tokio::task::spawn_blocking(run_cases).await.expect("no run differs from the model");
    })
    .await;
}
