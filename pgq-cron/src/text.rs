//! Cron expressions.

use croner::Cron;
use croner::parser::{CronParser, Year};
use jiff::civil::date;

use crate::{CronError, MAX_CRON_BYTES};

/// The fields with their limits, the last five of which every expression has.
const FIELDS: [(&str, &str); 6] = [
    ("second", "0 to 59"),
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of month", "1 to 31"),
    ("month", "1 to 12 or jan to dec"),
    ("day of week", "0 to 7 or sun to sat, with 0 and 7 for Sunday"),
];

pub(crate) fn parse(text: &str) -> Result<Cron, CronError> {
    if text.len() > MAX_CRON_BYTES {
        return Err(wrong(text, format!("it has over {MAX_CRON_BYTES} bytes")));
    }
    let Ok(pattern) = parser().parse(text) else { return Err(wrong(text, reason(text))) };
    // Leap days repeat after 40 years at most, and the days of the week of any date well within 400.
    let start = date(2000, 1, 1).at(0, 0, 0, 0);
    match pattern.find_next_occurrence(&start, true) {
        Ok(first) if first.year() <= 2400 => Ok(pattern),
        _ => Err(CronError::Never { text: text.to_owned() }),
    }
}

fn parser() -> CronParser {
    CronParser::builder().year(Year::Disallowed).build()
}

fn wrong(text: &str, reason: String) -> CronError {
    CronError::Text { text: text.chars().take(120).collect(), reason }
}

/// Names the field at fault: the one that is no good where all others are.
fn reason(text: &str) -> String {
    let fields: Vec<&str> = text.split_whitespace().collect();
    if text.trim_start().starts_with('@') {
        return "there are @yearly, @monthly, @weekly, @daily and @hourly".to_owned();
    }
    if !(5..=6).contains(&fields.len()) {
        return format!("it has {} fields", fields.len());
    }
    let names = &FIELDS[FIELDS.len() - fields.len()..];
    let bad = fields.iter().zip(names).enumerate().find_map(|(at, (field, (name, limits)))| {
        let mut alone = vec!["*"; fields.len()];
        alone[at] = field;
        let is_bad = parser().parse(&alone.join(" ")).is_err();
        is_bad
            .then(|| format!("{field:?} is no {name}, which is {limits}, a list, a range or a step of them"))
    });
    bad.unwrap_or_else(|| "its fields do not go together".to_owned())
}
