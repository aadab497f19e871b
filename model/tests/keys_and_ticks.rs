//! What must hold of unique keys and of the ticks of schedules does in every state that can be reached, and each of their
//! guards is needed.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::hash::Hash;

use pgq_model::{EVERY_TICK, HeldWhile, I7, I8, I11, KeyGuard, Keys, TickGuard, Ticking};
use stateright::{Checker, HasDiscoveries, Model};

/// The page that tells these figures.
const DOCS: &str = include_str!("../../docs/model.md");

const KEYS: [(&str, Keys); 4] = [
    ("a key, held while unfinished", keys(HeldWhile::Unfinished, false)),
    ("a key, held while unfinished, for a period", keys(HeldWhile::Unfinished, true)),
    ("a key, held while queued", keys(HeldWhile::Queued, false)),
    ("a key, held while queued, for a period", keys(HeldWhile::Queued, true)),
];

const fn keys(held_while: HeldWhile, expires: bool) -> Keys {
    Keys { held_while, expires, without: None }
}

/// What a checker asks of states and actions.
trait Part: Clone + Debug + PartialEq + Send + Sync {}
impl<T: Clone + Debug + PartialEq + Send + Sync> Part for T {}

/// Looks at every state, and whether the documentation tells their number.
fn check<M>(name: &str, model: M)
where
    M: Model<State: Part + Hash, Action: Part> + Send + Sync + 'static,
{
    let checker = model.checker().spawn_bfs().join();
    let states = checker.unique_state_count();
    println!("{name}: {states} states");
    checker.assert_properties();
    let row = format!("| {name} | {states} |");
    assert!(DOCS.contains(&row), "docs/model.md should say: {row}");
}

#[test]
fn unique_keys() {
    for (name, keys) in KEYS {
        check(name, keys);
    }
}

#[test]
fn the_ticks_of_a_schedule() {
    check("three runners, three ticks, two changes", Ticking::default());
}

/// Looks for a way from the start to where that no longer holds.
fn breaks<M>(model: M, property: &'static str)
where
    M: Model<State: Part + Hash, Action: Part> + Send + Sync + 'static,
{
    let enough = HasDiscoveries::AllOf(BTreeSet::from([property]));
    let checker = model.checker().finish_when(enough).spawn_bfs().join();
    let path = checker.discovery(property).unwrap_or_else(|| panic!("it holds as well: {property}"));
    let steps: Vec<String> = path.into_actions().iter().map(|action| format!("{action:?}")).collect();
    println!("not {property}: {}", steps.join(", "));
}

fn key_breaks(guard: KeyGuard, scene: Keys, property: &'static str) {
    breaks(Keys { without: Some(guard), ..scene }, property);
}

#[test]
fn whoever_looks_before_writing_makes_two() {
    key_breaks(KeyGuard::Index, keys(HeldWhile::Unfinished, false), I7);
}

#[test]
fn an_expired_key_must_be_taken_from_the_holder_that_was_seen() {
    key_breaks(KeyGuard::Holder, keys(HeldWhile::Unfinished, true), I7);
}

#[test]
fn a_job_must_give_back_no_key_but_its_own() {
    key_breaks(KeyGuard::OwnKey, keys(HeldWhile::Unfinished, true), I7);
}

#[test]
fn a_finished_job_must_not_run_again_without_its_key() {
    key_breaks(KeyGuard::RetryTakes, keys(HeldWhile::Unfinished, false), I7);
}

#[test]
fn an_enqueue_outside_of_the_transaction_runs_what_was_rolled_back() {
    key_breaks(KeyGuard::Transaction, keys(HeldWhile::Unfinished, false), I11);
}

#[test]
fn a_runner_must_fire_what_it_has_seen_or_nothing() {
    breaks(Ticking { without: Some(TickGuard::Expected) }, EVERY_TICK);
}

#[test]
fn a_tick_without_a_row_comes_again_when_its_schedule_is_moved_back() {
    breaks(Ticking { without: Some(TickGuard::Row) }, I8);
}

#[test]
fn a_tick_must_be_one_transaction() {
    breaks(Ticking { without: Some(TickGuard::OneTransaction) }, EVERY_TICK);
}
