//! The arithmetic of waits at its limits: it saturates, and never overflows or panics.

use std::time::Duration;

use pgq_core::{JobError, Outcome, Retry, SLOW_DOWN_FIRST, SLOW_DOWN_LONGEST, decide, slow_down};
use proptest::prelude::*;

/// Any there is, and often one at a limit.
fn durations() -> impl Strategy<Value = Duration> {
    let limits = [Duration::ZERO, Duration::from_nanos(1), Duration::from_secs(1), Duration::MAX];
    prop_oneof![
        proptest::sample::select(limits.to_vec()),
        (any::<u64>(), 0..1_000_000_000_u32).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos)),
        (0..100_000_u64).prop_map(Duration::from_millis),
    ]
}

fn attempts() -> impl Strategy<Value = i16> {
    prop_oneof![any::<i16>(), Just(i16::MIN), Just(i16::MAX), -1..20_i16]
}

fn exponential() -> impl Strategy<Value = Retry> {
    (durations(), any::<f64>(), durations(), any::<f64>())
        .prop_map(|(base, factor, max, jitter)| Retry::Exponential { base, factor, max, jitter })
}

fn policies() -> impl Strategy<Value = Retry> {
    prop_oneof![
        exponential(),
        durations().prop_map(Retry::Fixed),
        proptest::collection::vec(durations(), 0..5).prop_map(|waits| Retry::Waits(waits.into())),
    ]
}

/// The longest wait that a policy names.
fn longest(retry: &Retry) -> Duration {
    match retry {
        Retry::Waits(waits) => waits.iter().max().copied().unwrap_or_default(),
        Retry::Fixed(wait) => *wait,
        Retry::Exponential { max, .. } => *max,
        _ => Duration::MAX,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_wait_is_longer_than_its_policy_says(retry in policies(), attempt in attempts(), random in any::<f64>()) {
        prop_assert!(retry.wait(attempt, random) <= longest(&retry));
    }

    #[test]
    fn waits_grow_from_the_base_to_the_maximum(
        (base, factor, max) in (durations(), 1.0..f64::MAX, durations()),
        attempt in 1..i16::MAX,
    ) {
        let retry = Retry::Exponential { base, factor, max, jitter: 0.0 };
        let (this, next) = (retry.wait(attempt, 0.5), retry.wait(attempt + 1, 0.5));
        prop_assert!(this <= next, "{this:?} after attempt {attempt}, then {next:?}");
        // A float has 52 bits.
        let shortest = base.min(max);
        prop_assert!(this >= shortest - shortest / (1 << 30), "{this:?} is less than {shortest:?}");
    }

    #[test]
    fn jitter_takes_no_more_than_its_share(
        (base, max) in (durations(), durations()),
        (jitter, random) in (0.0..=1.0, 0.0..1.0),
        attempt in attempts(),
    ) {
        let of = |jitter| Retry::Exponential { base, factor: 2.0, max, jitter }.wait(attempt, random);
        let (full, varied) = (of(0.0), of(jitter));
        prop_assert!(varied <= full);
        let least = full.as_secs_f64() * (1.0 - jitter) - 1e-6 - full.as_secs_f64() * 1e-9;
        prop_assert!(varied.as_secs_f64() >= least, "{varied:?} of {full:?} with jitter {jitter}");
    }

    #[test]
    fn a_list_makes_at_least_one_attempt(waits in proptest::collection::vec(durations(), 0..50)) {
        let natural = Retry::Waits(waits.clone().into()).natural_attempts();
        prop_assert_eq!(natural, Some(i16::try_from(waits.len() + 1).unwrap()));
    }

    #[test]
    fn pauses_of_a_queue_stay_within_their_limits(previous in durations()) {
        let pause = slow_down(previous);
        prop_assert!((SLOW_DOWN_FIRST..=SLOW_DOWN_LONGEST).contains(&pause));
        prop_assert!(pause >= previous.min(SLOW_DOWN_LONGEST), "a pause is no shorter than the one before");
    }

    #[test]
    fn every_failure_is_decided(
        (retry, wait) in (policies(), durations()),
        (attempt, most) in (attempts(), attempts()),
        (kind, random) in (0..4, 0.0..1.0),
    ) {
        let error = match kind {
            0 => JobError::from("no"),
            1 => JobError::retry_in(wait, "no"),
            2 => JobError::slow_queue("no"),
            _ => JobError::snooze(wait),
        };
        let outcome = decide(Err(error), attempt, most, &retry, random);
        let as_it_should = match outcome {
            Outcome::Snooze { after } => kind == 3 && after == wait,
            Outcome::Discard { slow_queue, .. } => attempt >= most && slow_queue == (kind == 2),
            Outcome::Retry { after, slow_queue, .. } => {
                let longest = if kind == 1 { wait } else { longest(&retry) };
                attempt < most && slow_queue == (kind == 2) && after <= longest
            }
            _ => false,
        };
        prop_assert!(as_it_should, "{outcome:?}");
    }
}

/// As many waits as there can be attempts.
#[test]
fn a_list_without_end_makes_no_more_attempts_than_can_be_counted() {
    let waits = vec![Duration::ZERO; 100_000];
    assert_eq!(Retry::Waits(waits.into()).natural_attempts(), Some(i16::MAX));
}

#[test]
fn nothing_times_anything_is_nothing() {
    let retry =
        Retry::Exponential { base: Duration::ZERO, factor: 10.0, max: Duration::from_secs(60), jitter: 0.0 };
    assert_eq!(retry.wait(i16::MAX, 0.0), Duration::ZERO);
}
