//! When schedules tick, where daylight saving changes the clocks and where it does not.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use pgq_cron::Cron;

fn time(text: &str) -> SystemTime {
    text.parse::<Timestamp>().unwrap().into()
}

fn shown(time: SystemTime) -> String {
    Timestamp::try_from(time).unwrap().to_string()
}

/// Compares the ticks after a time with those expected, and that looking back from each finds the same.
fn check(cron: &str, timezone: &str, after: &str, expected: &[&str]) {
    let cron = Cron::parse(cron, timezone).unwrap();
    let ticks: Vec<_> = cron.upcoming(time(after)).take(expected.len()).collect();
    assert_eq!(ticks.iter().copied().map(shown).collect::<Vec<_>>(), expected, "{cron:?}");
    let last = *ticks.last().unwrap();
    let mut back: Vec<_> = cron.past(last).take(ticks.len()).collect();
    back.reverse();
    assert_eq!(back, ticks, "{cron:?}, backward");
    for (tick, next) in ticks.iter().zip(&ticks[1..]) {
        let just_before = *next - Duration::from_micros(1);
        assert_eq!(cron.last_until(just_before), Some(*tick), "{cron:?} before {}", shown(*next));
        assert_eq!(cron.next_after(just_before), Some(*next), "{cron:?} before {}", shown(*next));
    }
}

#[test]
fn working_days_at_nine_follow_the_clocks_of_their_zone() {
    // Friday, then Monday; summer time begins on Sunday, the 29th.
    let expected = ["2026-03-27T08:00:00Z", "2026-03-30T07:00:00Z", "2026-03-31T07:00:00Z"];
    check("0 9 * * mon-fri", "Europe/Rome", "2026-03-26T12:00:00Z", &expected);
    let expected = ["2026-10-30T13:00:00Z", "2026-11-02T14:00:00Z"];
    check("0 9 * * 1-5", "America/New_York", "2026-10-29T20:00:00Z", &expected);
}

#[test]
fn a_time_that_is_skipped_becomes_the_end_of_the_gap() {
    // Rome goes from 2:00 to 3:00 at 1:00 UTC, New York from 2:00 to 3:00 at 7:00 UTC.
    let expected = ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"];
    check("30 2 * * *", "Europe/Rome", "2026-03-27T12:00:00Z", &expected);
    let expected = ["2026-03-07T07:30:00Z", "2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"];
    check("30 2 * * *", "America/New_York", "2026-03-07T00:00:00Z", &expected);
    // Both edges of the gap.
    check(
        "0 2 * * *",
        "Europe/Rome",
        "2026-03-29T00:00:00Z",
        &["2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"],
    );
    check(
        "0 3 * * *",
        "Europe/Rome",
        "2026-03-29T00:00:00Z",
        &["2026-03-29T01:00:00Z", "2026-03-30T01:00:00Z"],
    );
    check(
        "59 59 2 29 3 *",
        "Europe/Rome",
        "2026-01-01T00:00:00Z",
        &["2026-03-29T01:00:00Z", "2027-03-29T00:59:59Z"],
    );
}

#[test]
fn all_that_is_skipped_together_becomes_one_tick() {
    let expected =
        ["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z", "2026-03-29T02:00:00Z"];
    check("*/30 * * * *", "Europe/Rome", "2026-03-29T00:00:00Z", &expected);
    let expected = ["2026-03-08T06:45:00Z", "2026-03-08T07:00:00Z", "2026-03-08T07:15:00Z"];
    check("*/15 * * * *", "America/New_York", "2026-03-08T06:30:00Z", &expected);
}

#[test]
fn a_time_that_comes_twice_counts_once_the_first_time() {
    // Rome goes from 3:00 back to 2:00 at 1:00 UTC, New York from 2:00 back to 1:00 at 6:00 UTC.
    let expected = ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"];
    check("30 2 * * *", "Europe/Rome", "2026-10-23T12:00:00Z", &expected);
    let expected = ["2026-10-31T05:30:00Z", "2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"];
    check("30 1 * * *", "America/New_York", "2026-10-30T12:00:00Z", &expected);
    // Both edges of what is repeated.
    check(
        "0 2 * * *",
        "Europe/Rome",
        "2026-10-24T12:00:00Z",
        &["2026-10-25T00:00:00Z", "2026-10-26T01:00:00Z"],
    );
    check(
        "0 3 * * *",
        "Europe/Rome",
        "2026-10-24T12:00:00Z",
        &["2026-10-25T02:00:00Z", "2026-10-26T02:00:00Z"],
    );
    // From within the repeated hour.
    check("45 2 * * *", "Europe/Rome", "2026-10-25T01:10:00Z", &["2026-10-26T01:45:00Z"]);
    let expected =
        ["2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T02:00:00Z", "2026-10-25T02:30:00Z"];
    check("*/30 * * * *", "Europe/Rome", "2026-10-24T23:30:00Z", &expected);
}

#[test]
fn looking_back_from_within_the_repeated_hour_finds_what_it_showed_first() {
    let cron = Cron::parse("45 2 * * *", "Europe/Rome").unwrap();
    for until in
        ["2026-10-25T00:45:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:10:00Z", "2026-10-25T01:50:00Z"]
    {
        assert_eq!(
            cron.last_until(time(until)).map(shown).as_deref(),
            Some("2026-10-25T00:45:00Z"),
            "{until}"
        );
    }
}

#[test]
fn changes_that_are_no_hour_and_days_that_are_left_out() {
    // Lord Howe goes half an hour forward, at 15:30 UTC; Samoa left out the 30th of December 2011.
    let expected = ["2026-10-02T15:45:00Z", "2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"];
    check("15 2 * * *", "Australia/Lord_Howe", "2026-10-02T00:00:00Z", &expected);
    let expected = ["2011-12-29T22:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z"];
    check("0 12 * * *", "Pacific/Apia", "2011-12-29T00:00:00Z", &expected);
}

#[test]
fn seconds_words_and_the_last_day() {
    check("*/20 * * * * *", "UTC", "2026-01-01T00:00:05Z", &["2026-01-01T00:00:20Z", "2026-01-01T00:00:40Z"]);
    check("@hourly", "UTC", "2026-01-01T00:00:00Z", &["2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z"]);
    check("0 0 L * *", "UTC", "2028-02-01T00:00:00Z", &["2028-02-29T00:00:00Z", "2028-03-31T00:00:00Z"]);
    check("0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", &["2104-02-29T00:00:00Z", "2108-02-29T00:00:00Z"]);
    // Day of month or day of week, as cron always had it.
    check("0 0 13 * fri", "UTC", "2026-02-07T00:00:00Z", &["2026-02-13T00:00:00Z", "2026-02-20T00:00:00Z"]);
    check("0 0 * * 7", "UTC", "2026-02-07T00:00:00Z", &["2026-02-08T00:00:00Z", "2026-02-15T00:00:00Z"]);
}

#[test]
fn a_fraction_of_a_second_loses_no_tick_and_repeats_none() {
    let cron = Cron::parse("0 9 * * *", "UTC").unwrap();
    let nine = time("2026-01-01T09:00:00Z");
    assert_eq!(cron.next_after(nine - Duration::from_micros(1)), Some(nine));
    assert_eq!(cron.next_after(nine), Some(nine + Duration::from_secs(86_400)));
    assert_eq!(cron.next_after(nine + Duration::from_micros(1)), Some(nine + Duration::from_secs(86_400)));
    assert_eq!(cron.last_until(nine), Some(nine));
    assert_eq!(cron.last_until(nine + Duration::from_micros(1)), Some(nine));
    assert_eq!(cron.last_until(nine - Duration::from_micros(1)), Some(nine - Duration::from_secs(86_400)));
}

/// Every change of the clocks of many zones in ten years, minute by minute: ticks rise, forward and backward agree.
#[test]
fn ticks_rise_around_every_change_of_the_clocks() {
    let zones =
        ["Europe/Rome", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "America/St_Johns"];
    let start: Timestamp = "2020-01-01T00:00:00Z".parse().unwrap();
    let mut changes = 0;
    for name in zones {
        let zone = jiff::tz::TimeZoneDatabase::bundled().get(name).unwrap();
        let cron = Cron::parse("*/7 * * * *", name).unwrap();
        for change in zone.following(start).take(20) {
            let change: SystemTime = change.timestamp().into();
            let from = change - Duration::from_secs(3 * 3600);
            let forward: Vec<_> = cron
                .upcoming(from)
                .take_while(|tick| *tick <= change + Duration::from_secs(3 * 3600))
                .collect();
            assert!(forward.is_sorted_by(|a, b| a < b));
            let mut backward: Vec<_> =
                cron.past(*forward.last().unwrap()).take_while(|tick| *tick > from).collect();
            backward.reverse();
            assert_eq!(backward, forward, "{name} {change:?}");
            changes += 1;
        }
    }
    assert!(changes >= 80, "{changes} changes");
}
