use crate::history::Micros;

/// How long jobs waited to be started, in classes that are at most an eighth wide.
#[derive(Debug, Clone)]
pub struct Pickups {
    during: Vec<u64>,
    after: Vec<u64>,
}

/// Eight classes for each power of two.
const CLASSES: usize = 64 * 8;

/// Jobs that start so long after the faults are over meet none of their remains.
const CALM_AFTER: Micros = 2_000_000;

impl Default for Pickups {
    fn default() -> Self {
        Self { during: vec![0; CLASSES], after: vec![0; CLASSES] }
    }
}

impl Pickups {
    pub(super) fn note(&mut self, started: Micros, waited: Micros, healed: Micros) {
        let calm = started.saturating_sub(waited) > healed + CALM_AFTER;
        let counts = if calm { &mut self.after } else { &mut self.during };
        counts[class(waited)] += 1;
    }

    /// The 99th percentile while there were faults.
    pub fn p99_during(&self) -> Option<Micros> {
        percentile(&self.during, 99)
    }

    /// And when they were over.
    pub fn p99_after(&self) -> Option<Micros> {
        percentile(&self.after, 99)
    }
}

fn class(waited: Micros) -> usize {
    let waited = waited.max(8);
    let power = waited.ilog2();
    let eighth = (waited >> (power - 3)) & 7;
    power as usize * 8 + eighth as usize
}

/// The upper end of a class.
fn upper(class: usize) -> Micros {
    let (power, eighth) = (class / 8, class as u64 % 8);
    (8 + eighth + 1) << (power - 3)
}

fn percentile(counts: &[u64], percent: u64) -> Option<Micros> {
    let total: u64 = counts.iter().sum();
    let wanted = (total * percent).div_ceil(100);
    let mut seen = 0;
    let found = counts.iter().position(|count| {
        seen += count;
        seen >= wanted
    });
    found.filter(|_| total > 0).map(upper)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_hold_what_is_put_into_them() {
        for waited in [0, 8, 9, 1000, 1023, 1024, 123_456, 10_000_000] {
            let upper = upper(class(waited));
            assert!(upper > waited && upper <= waited.max(8) * 9 / 8 + 1, "{waited} under {upper}");
        }
    }

    #[test]
    fn one_in_a_hundred_is_above() {
        let mut pickups = Pickups::default();
        (0..990).for_each(|_| pickups.note(0, 1000, 0));
        (0..10).for_each(|_| pickups.note(0, 1_000_000, 0));
        assert!(pickups.p99_during().is_some_and(|p99| (1000..1200).contains(&p99)));
        assert_eq!(pickups.p99_after(), None);
        pickups.note(CALM_AFTER * 2, 500, 0);
        assert!(pickups.p99_after().is_some_and(|p99| (500..600).contains(&p99)));
    }
}
