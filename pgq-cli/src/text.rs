use std::fmt::Display;
use std::time::{Duration, SystemTime};

/// A duration in its two largest units at most, as in `2h 5m`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{}ms", time.as_millis()),
        1..=9 => format!("{:.1}s", time.as_secs_f64()),
        10..=119 => format!("{seconds}s"),
        120..=7199 => format!("{}m {}s", seconds / 60, seconds % 60),
        7200..=172_799 => format!("{}h {}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// `3m 2s ago`, or `in 3m 2s`.
pub(crate) fn relative(time: SystemTime, now: SystemTime) -> String {
    match now.duration_since(time) {
        Ok(ago) => format!("{} ago", duration(ago)),
        Err(ahead) => format!("in {}", duration(ahead.duration())),
    }
}

/// So many of them: "1 runner", "2 runners".
pub(crate) fn count(number: impl TryInto<u64> + Display + Copy, one: &str) -> String {
    let plural = if number.try_into().is_ok_and(|number: u64| number == 1) { "" } else { "s" };
    format!("{number} {one}{plural}")
}

/// For programs, and where the moment matters.
pub(crate) fn exact(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

/// The first line, up to that many characters; nothing that could move a terminal's cursor.
pub(crate) fn line(text: &str, most: usize) -> String {
    let line = text.lines().next().unwrap_or_default();
    let clean: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if clean.chars().count() <= most {
        return clean;
    }
    let short: String = clean.chars().take(most.saturating_sub(1)).collect();
    format!("{short}…")
}

/// All lines, without what could move a terminal's cursor.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units_at_most() {
        let cases = [
            (0.02, "20ms"),
            (1.26, "1.3s"),
            (75.0, "75s"),
            (125.0, "2m 5s"),
            (7_500.0, "2h 5m"),
            (1e6, "11d 13h"),
        ];
        for (seconds, text) in cases {
            assert_eq!(duration(Duration::from_secs_f64(seconds)), text);
        }
    }

    #[test]
    fn errors_cannot_steer_the_terminal() {
        assert_eq!(line("a\x1b[2Jb\nc", 10), "a [2Jb");
        assert_eq!(line("abcdef", 4), "abc…");
        assert_eq!(clean("a\x07\nb"), "a \nb");
    }
}
