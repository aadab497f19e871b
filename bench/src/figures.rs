//! Figures, as one measurement shows them and as many sum up to.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The figures of one measurement, by the names that they have in JSON.
pub(crate) type Figures = BTreeMap<String, f64>;

/// Points of a line in a chart.
pub(crate) type Series = Vec<(f64, f64)>;

/// One measurement of one side.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    pub(crate) figures: Figures,
    /// How something went over time, for workloads that chart it.
    pub(crate) series: Series,
}

impl Sample {
    /// What a measured program printed: its numbers, and its `series`. Everything else is not for us.
    pub(crate) fn of(outcome: &Value) -> Self {
        let fields = outcome.as_object().into_iter().flatten();
        let figures = fields.filter_map(|(name, value)| Some((name.clone(), value.as_f64()?))).collect();
        let points = outcome["series"].as_array().into_iter().flatten();
        let series = points.filter_map(|point| Some((point[0].as_f64()?, point[1].as_f64()?))).collect();
        Self { figures, series }
    }
}

/// A median and how far the values spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// None of no values.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let lower = if values.len().is_multiple_of(2) { middle - 1 } else { middle };
        Some(Self { median: f64::midpoint(values[lower], values[middle]), min, max })
    }

    pub(crate) fn json(self) -> Value {
        json!({ "median": rounded(self.median), "min": rounded(self.min), "max": rounded(self.max) })
    }
}

/// Four digits that mean something, and all those before the point: more would be noise.
pub(crate) fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let digits = (3 - value.abs().log10().floor() as i32).max(0);
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_the_middle_and_both_ends() {
        let spread = |values: &[f64]| Spread::of(values.iter().copied());
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(spread(&[4.0, 1.0]), Some(Spread { median: 2.5, min: 1.0, max: 4.0 }));
        assert_eq!(spread(&[5.0, f64::NAN]), Some(Spread { median: 5.0, min: 5.0, max: 5.0 }));
        assert_eq!(spread(&[]), None);
    }

    #[test]
    fn figures_keep_what_means_something() {
        let values = [123_456.7, 0.123_456, 45.678_9, 0.0, -2.000_04].map(rounded);
        assert_eq!(values, [123_457.0, 0.1235, 45.68, 0.0, -2.0]);
    }

    #[test]
    fn a_sample_is_the_numbers_and_the_series() {
        let sample = Sample::of(&json!({ "jobs_per_s": 5, "p50_ms": null, "series": [[0, 1.5], [1, 2]] }));
        assert_eq!(sample.figures, Figures::from([("jobs_per_s".into(), 5.0)]));
        assert_eq!(sample.series, [(0.0, 1.5), (1.0, 2.0)]);
    }
}
