//! Every guard is needed: without it something happens that must not.

use std::collections::BTreeSet;

use pgq_model::{CANCELLED, Guard, I1_LOST, I1_STUCK, I2, I3, I6, I13, ONCE, Protocol, TRUST};
use stateright::{Checker, HasDiscoveries, Model};

/// Looks for a way from the start to where that no longer holds.
fn breaks(guard: Guard, scene: Protocol, property: &'static str) {
    assert!(found(scene.clone(), property).is_none(), "with the guard it holds");
    let steps = found(Protocol { without: Some(guard), ..scene }, property);
    let steps = steps.unwrap_or_else(|| panic!("without {guard:?} it holds as well: {property}"));
    println!("without {guard:?} not {property}: {}", steps.join(", "));
}

fn found(scene: Protocol, property: &'static str) -> Option<Vec<String>> {
    let enough = HasDiscoveries::AllOf(BTreeSet::from([property]));
    let checker = scene.checker().threads(1).finish_when(enough).spawn_bfs().join();
    let path = checker.discovery(property)?;
    Some(path.into_actions().iter().map(|action| format!("{action:?}")).collect())
}

#[test]
fn without_the_fence_a_stale_settle_ends_the_job_of_another() {
    breaks(Guard::SettleFence, Protocol::one_job(1), I3);
}

#[test]
fn the_number_of_the_attempt_is_no_fence() {
    breaks(Guard::LeaseNotAttempt, Protocol::one_job(1), I3);
}

#[test]
fn a_late_settle_must_not_take_back_what_was_settled_after_it_was_sent() {
    breaks(Guard::MonotoneBits, Protocol::three_parts(1), I2);
}

#[test]
fn a_settle_must_say_again_what_those_before_it_said() {
    breaks(Guard::AllOutcomes, Protocol::one_lease(1), I1_LOST);
}

#[test]
fn a_rescue_by_the_ids_of_jobs_makes_two_of_one() {
    breaks(Guard::RescueByLease, Protocol::one_job(1), I2);
}

#[test]
fn a_row_that_cannot_be_moved_must_not_stop_a_batch() {
    let scene = Protocol { stuck: Some(0), cancellable: Vec::new(), ..Protocol::one_lease(1) };
    breaks(Guard::RescueSingly, scene, I1_STUCK);
}

#[test]
fn a_claim_that_only_copies_starts_handlers_again_without_a_cause() {
    breaks(Guard::ClaimTakes, Protocol::one_job(1), I6);
}

#[test]
fn a_rescue_only_at_start_comes_too_late() {
    breaks(Guard::RescueAlways, Protocol::one_job(1), I1_STUCK);
}

#[test]
fn a_claim_without_its_limit_takes_more_than_there_are_slots() {
    breaks(Guard::ClaimLimit, Protocol { slots: 1, ..Protocol::one_lease(0) }, I13);
}

#[test]
fn a_claim_that_copies_makes_two_of_one() {
    breaks(Guard::ClaimTakes, Protocol::one_job(0), I2);
}

#[test]
fn a_heartbeat_behind_a_blocked_runtime_lets_jobs_go_on_that_others_take() {
    breaks(Guard::Deadline, Protocol::one_job(1), TRUST);
}

#[test]
fn leases_that_their_owner_does_not_know_must_be_given_back() {
    breaks(Guard::Strangers, Protocol::one_job(1), I1_STUCK);
}

#[test]
fn an_effect_before_its_completion_is_there_twice() {
    let scene = Protocol { transactional: Some(0), ..Protocol::one_job(1) };
    breaks(Guard::OneTransaction, scene, ONCE);
}

#[test]
fn a_cancelled_job_must_not_be_retried() {
    breaks(Guard::CancelMark, Protocol { cancellable: vec![0], ..Protocol::one_job(0) }, CANCELLED);
}
