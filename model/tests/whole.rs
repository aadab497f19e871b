//! What must hold does in every state that can be reached, and the model is not empty: jobs do run twice at a time.
//! `PGQ_MODEL_FAULTS=1` allows one fault more in each, which takes minutes.

use std::time::Instant;

use pgq_model::{OVERLAP, Protocol};
use stateright::{Checker, Model};

/// The page that tells these figures.
const DOCS: &str = include_str!("../../docs/model.md");

/// Looks at every state, and whether the documentation tells their number.
fn check(name: &str, scene: fn(u8) -> Protocol, faults: u8) {
    let more: u8 = std::env::var("PGQ_MODEL_FAULTS").map_or(0, |more| more.parse().expect("a number"));
    let begin = Instant::now();
    let checker = scene(faults + more).checker().threads(2).spawn_bfs().join();
    let states = checker.unique_state_count();
    println!("{name}: {states} states, up to {} steps, {:.1?}", checker.max_depth() - 1, begin.elapsed());
    checker.assert_properties();
    assert!(checker.discovery(OVERLAP).is_some(), "a job can run twice at a time");
    let row = format!("| {name} | {faults} | {states} |");
    assert!(more > 0 || DOCS.contains(&row), "docs/model.md should say: {row}");
}

#[test]
fn one_job() {
    check("one job", Protocol::one_job, 3);
}

#[test]
fn two_jobs_in_one_lease() {
    check("two jobs in one lease", Protocol::one_lease, 1);
}

#[test]
fn three_jobs_in_two_leases() {
    check("three jobs in two leases", Protocol::two_leases, 1);
}

#[test]
fn three_jobs_in_one_lease() {
    check("three jobs in one lease", Protocol::three_parts, 1);
}
