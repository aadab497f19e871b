//! Latencies. Each is between two moments in one process, and so by one clock.

use std::time::Duration;

use serde_json::{Map, Value, json};

/// Latencies, sorted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(crate) fn of(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        Self(all)
    }

    /// In milliseconds; the share is from 0 to 1.
    pub(crate) fn percentile(&self, share: f64) -> Option<f64> {
        let last = self.0.len().checked_sub(1)?;
        let at = (last as f64 * share).round() as usize;
        Some(self.0[at].as_secs_f64() * 1000.0)
    }

    /// The percentiles under their names.
    pub(crate) fn json(&self) -> Map<String, Value> {
        let names =
            [("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99), ("p999_ms", 0.999), ("max_ms", 1.0)];
        names.into_iter().map(|(name, share)| (name.into(), json!(self.percentile(share)))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_values() {
        let latencies = Latencies::of((1..=101).rev().map(Duration::from_millis).collect());
        let percentiles = [0.0, 0.5, 0.99, 1.0].map(|share| latencies.percentile(share).unwrap());
        assert_eq!(percentiles, [1.0, 51.0, 100.0, 101.0]);
        assert_eq!(Latencies::default().percentile(0.5), None);
    }
}
