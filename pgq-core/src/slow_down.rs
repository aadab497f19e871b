use std::time::Duration;

/// The first pause of a queue whose handler asked for one.
pub const SLOW_DOWN_FIRST: Duration = Duration::from_millis(100);
/// The longest pause.
pub const SLOW_DOWN_LONGEST: Duration = Duration::from_secs(60);

/// The pause that follows `previous`: [`SLOW_DOWN_FIRST`] when there was none, else twice as long, up to
/// [`SLOW_DOWN_LONGEST`].
pub fn slow_down(previous: Duration) -> Duration {
    previous.saturating_mul(2).clamp(SLOW_DOWN_FIRST, SLOW_DOWN_LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_from_100_ms_to_60_s() {
        let mut pauses = vec![slow_down(Duration::ZERO)];
        for _ in 0..10 {
            pauses.push(slow_down(*pauses.last().unwrap()));
        }
        let millis: Vec<_> = pauses.iter().map(Duration::as_millis).collect();
        assert_eq!(millis, [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000]);
    }
}
