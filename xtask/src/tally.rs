//! Adds up what the test programs report.

use std::fmt;
use std::ops::AddAssign;

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) skipped: u32,
}

impl Tally {
    /// Reads `test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; ...`.
    pub(crate) fn of_line(line: &str) -> Option<Tally> {
        let rest = line.strip_prefix("test result: ")?;
        let count = |what: &str| {
            let mut words = rest.split_whitespace().map(|word| word.trim_end_matches(';'));
            let before = words.clone();
            words
                .position(|word| word == what)
                .and_then(|at| before.clone().nth(at.checked_sub(1)?)?.parse().ok())
        };
        Some(Tally { passed: count("passed")?, failed: count("failed")?, skipped: count("ignored")? })
    }

    /// Whether tests ran and none failed.
    pub(crate) fn is_good(&self) -> bool {
        self.passed > 0 && self.failed == 0
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_read_and_added_up() {
        let lines = [
            "running 3 tests",
            "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s",
            "test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 2s",
            "test result: nonsense",
            "a test result: ok. 9 passed; 0 failed; 0 ignored",
        ];
        let mut sum = Tally::default();
        lines.iter().filter_map(|line| Tally::of_line(line)).for_each(|tally| sum += tally);
        assert_eq!(sum, Tally { passed: 7, failed: 3, skipped: 1 });
        assert_eq!(sum.to_string(), "7 passed, 3 failed, 1 skipped");
        assert!(!sum.is_good());
    }

    #[test]
    fn no_tests_are_not_good() {
        assert!(!Tally::default().is_good());
        assert!(Tally { passed: 1, ..Tally::default() }.is_good());
        assert_eq!(Tally { passed: 1, ..Tally::default() }.to_string(), "1 passed, 0 failed");
    }
}
