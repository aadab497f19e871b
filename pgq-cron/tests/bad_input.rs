//! What is no schedule, and what people are told.

use std::time::{Duration, SystemTime};

use pgq_cron::Cron;

fn refused(cron: &str, timezone: &str) -> String {
    Cron::parse(cron, timezone).expect_err(cron).to_string()
}

#[test]
fn the_field_at_fault_is_named() {
    let cases = [
        ("0 25 * * *", "\"25\" is no hour, which is 0 to 23"),
        ("61 * * * *", "\"61\" is no minute, which is 0 to 59"),
        ("0 9 32 * *", "\"32\" is no day of month"),
        ("0 9 * 13 *", "\"13\" is no month"),
        ("0 9 * * mon-fry", "\"mon-fry\" is no day of week"),
        ("0 9 * * 8", "\"8\" is no day of week"),
        ("60 0 9 * * *", "\"60\" is no second"),
        ("*/0 * * * *", "\"*/0\" is no minute"),
        ("9-5 * * * *", "\"9-5\" is no minute"),
        ("0 9 * *", "it has 4 fields"),
        ("0 9 * * * * 2026", "it has 7 fields"),
        ("", "it has 0 fields"),
        ("every day", "it has 2 fields"),
        ("@noon", "there are @yearly"),
        ("0 9 * * mon;drop", "is no day of week"),
        ("\0 * * * *", "is no minute"),
    ];
    for (text, part) in cases {
        let message = refused(text, "UTC");
        assert!(message.contains(part), "{text:?}: {message}");
        assert!(message.contains("is no cron expression"), "{text:?}: {message}");
        assert!(message.contains("such as \"0 9 * * mon-fri\""), "{text:?}: {message}");
    }
    assert!(refused(&"*".repeat(201), "UTC").contains("it has over 200 bytes"));
}

#[test]
fn what_never_comes_is_refused() {
    for text in ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 0 31 2 *"] {
        let message = refused(text, "UTC");
        assert!(message.contains("never comes"), "{text:?}: {message}");
        assert!(message.contains("name a day that exists"), "{text:?}: {message}");
    }
    Cron::parse("0 0 29 2 *", "UTC").unwrap();
    Cron::parse("0 0 30 2 mon", "UTC").expect("or every Monday");
}

#[test]
fn a_time_zone_that_does_not_exist_is_refused_with_the_one_that_does() {
    let cases = [
        ("Europe/Roma", "did you mean \"Europe/Rome\"?"),
        ("America/NewYork", "did you mean \"America/New_York\"?"),
        ("Mars/Olympus_Mons", "write a name such as"),
        ("", "write a name such as"),
        ("+02:00", "write a name such as"),
        ("../../etc/passwd", "write a name such as"),
    ];
    for (name, part) in cases {
        let message = refused("0 9 * * *", name);
        assert!(message.contains(part), "{name:?}: {message}");
        assert!(message.contains("there is no time zone"), "{name:?}: {message}");
    }
}

#[test]
fn times_at_the_ends_of_the_calendar_have_no_tick_and_no_panic() {
    let cron = Cron::parse("* * * * *", "Europe/Rome").unwrap();
    let year = Duration::from_secs(365 * 86_400);
    for years in [0, 1000, 2900, 7000, 8000, 20_000, 290_000] {
        for time in [
            SystemTime::UNIX_EPOCH.checked_add(year * years),
            SystemTime::UNIX_EPOCH.checked_sub(year * years),
        ] {
            let Some(time) = time else { continue };
            assert!(cron.next_after(time).is_none_or(|next| next > time));
            assert!(cron.last_until(time).is_none_or(|last| last <= time));
        }
    }
}
