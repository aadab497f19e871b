//! A text is a cron expression or refused in words that fit a few lines; of a schedule that was read, ticks come one
//! after the other, and looking back from a tick finds that tick, whatever daylight saving does there.

#![no_main]

use std::time::{Duration, SystemTime};

use libfuzzer_sys::fuzz_target;
use pgq_cron::Cron;

/// With hours, half hours and whole days that were skipped or repeated.
const ZONES: [&str; 6] =
    ["UTC", "Europe/Rome", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca"];

/// The start may be in any year of 1970 to 2106.
fuzz_target!(|input: (u32, u8, &str)| {
    let (start, zone, text) = input;
    let zone = ZONES.get(usize::from(zone % 7)).copied().unwrap_or(text);
    let cron = match Cron::parse(text, zone) {
        Ok(cron) => cron,
        Err(error) => {
            assert!(error.to_string().len() < 2000, "{error}");
            return;
        }
    };
    let mut before = SystemTime::UNIX_EPOCH + Duration::from_secs(start.into());
    for tick in cron.upcoming(before).take(4) {
        assert!(tick > before);
        assert_eq!(cron.last_until(tick), Some(tick));
        assert!(cron.last_until(tick - Duration::from_nanos(1)).is_none_or(|last| last <= before));
        before = tick;
    }
});
