//! Percentiles, under the names that ours have.

use std::time::Duration;

use serde_json::{Map, Value, json};

pub(crate) fn percentiles(mut all: Vec<Duration>) -> Map<String, Value> {
    all.sort_unstable();
    let at = |share: f64| {
        let at = ((all.len().max(1) - 1) as f64 * share).round() as usize;
        all.get(at).map(|latency| latency.as_secs_f64() * 1000.0)
    };
    let names = [("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99), ("p999_ms", 0.999), ("max_ms", 1.0)];
    names.into_iter().map(|(name, share)| (name.into(), json!(at(share)))).collect()
}
