//! The figures of a workload that has two sides.

use comfy_table::{Table, presets};
use serde_json::{Value, json};

use crate::floor::CLAIMERS;
use crate::job::PAYLOAD_BYTES;
use crate::measure::Measured;
use crate::server::Settings;

/// What all rounds showed; the n-th elements are those of round n.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) jobs: i64,
    pub(crate) slots: i32,
    pub(crate) ours: Vec<Measured>,
    pub(crate) floor: Vec<Measured>,
    pub(crate) batches: Vec<i64>,
    pub(crate) floor_batches: Vec<i64>,
    pub(crate) settings: Settings,
}

/// A median and how far the values spread.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Self { median, min: values[0], max: values[values.len() - 1] }
    }

    fn json(self, decimals: i32) -> Value {
        json!({ "median": round(self.median, decimals), "min": round(self.min, decimals), "max": round(self.max, decimals) })
    }
}

impl Report {
    pub(crate) fn json(&self) -> Value {
        let (ours, floor, ratio) = (speed(&self.ours), speed(&self.floor), self.ratio());
        json!({
            "workload": "drain",
            "jobs": self.jobs,
            "rounds": self.ours.len(),
            "payload_bytes": PAYLOAD_BYTES,
            "slots": self.slots,
            "jobs_per_s": round(ours.median, 0),
            "floor_jobs_per_s": round(floor.median, 0),
            "ratio": round(ours.median / floor.median, 3),
            "wal_bytes_per_job": round(wal(&self.ours).median, 1),
            "floor_wal_bytes_per_job": round(wal(&self.floor).median, 1),
            "batch": round(batch(&self.batches), 0),
            "floor_batch": round(batch(&self.floor_batches), 0),
            "floor_claimers": CLAIMERS,
            "spread": {
                "jobs_per_s": ours.json(0),
                "floor_jobs_per_s": floor.json(0),
                "ratio": ratio.json(3),
            },
            "claim_and_settle_synchronous_commit": "off",
            "settings": self.settings,
        })
    }

    pub(crate) fn print(&self) {
        println!(
            "drain: {} jobs that do nothing, {PAYLOAD_BYTES} bytes each, medians of {} rounds\n",
            self.jobs,
            self.ours.len()
        );
        println!("{}", self.table());
        let ratio = self.ratio();
        let median = speed(&self.ours).median / speed(&self.floor).median;
        println!("\nours / floor: {median:.2} ({:.2} to {:.2} in a round)\n", ratio.min, ratio.max);
        println!("ours: the runner in this process, {} slots, all settings as they come", self.slots);
        println!("floor: the bare claim and settle in {CLAIMERS} sessions, nothing run, nothing looked up");
        println!("from before the first connection until SQL counts no job, and a durable commit after that");
        println!(
            "claim and settle commit with synchronous_commit=off on both sides; WAL is all of the server's"
        );
        let settings: Vec<_> = self.settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
        println!("server: {}", settings.join(" "));
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.set_header(["", "jobs/s", "min", "max", "WAL bytes a job", "jobs a claim"]);
        for (name, measured, batches) in
            [("ours", &self.ours, &self.batches), ("floor", &self.floor, &self.floor_batches)]
        {
            let speed = speed(measured);
            let whole = [speed.median, speed.min, speed.max, wal(measured).median, batch(batches)];
            table.add_row([name.to_owned()].into_iter().chain(whole.map(|value| format!("{value:.0}"))));
        }
        table
    }

    /// Of the rounds, each by itself.
    fn ratio(&self) -> Spread {
        Spread::of(self.ours.iter().zip(&self.floor).map(|(ours, floor)| ours.jobs_per_s / floor.jobs_per_s))
    }
}

fn speed(measured: &[Measured]) -> Spread {
    Spread::of(measured.iter().map(|measured| measured.jobs_per_s))
}

fn wal(measured: &[Measured]) -> Spread {
    Spread::of(measured.iter().map(|measured| measured.wal_bytes_per_job))
}

fn batch(batches: &[i64]) -> f64 {
    Spread::of(batches.iter().map(|batch| *batch as f64)).median
}

fn round(value: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_the_middle_and_both_ends() {
        let spread = |values: &[f64]| Spread::of(values.iter().copied());
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Spread { median: 2.0, min: 1.0, max: 3.0 });
        assert_eq!(spread(&[4.0, 1.0]), Spread { median: 2.5, min: 1.0, max: 4.0 });
        assert_eq!(spread(&[5.0]), Spread { median: 5.0, min: 5.0, max: 5.0 });
    }
}
