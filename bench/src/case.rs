//! What is measured: a workload has cases, and a case has sides that do the same work.

use anyhow::Result;
use serde_json::{Map, Value};

use crate::child::Program;
use crate::figures::{Figures, Sample, Spread};

/// What is compared to make a ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compared {
    /// Jobs a second: more is better.
    Rate,
    /// The median latency: less is better.
    Latency,
}

impl Compared {
    /// The name of the figure.
    pub(crate) fn figure(self) -> &'static str {
        match self {
            Self::Rate => "jobs_per_s",
            Self::Latency => "p50_ms",
        }
    }
}

/// Whether every measurement has a database of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Databases {
    Fresh,
    /// One for each side: filling it takes longer than a round.
    OnePerSide,
}

/// One way to run a workload: the same flags for all its sides.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) workload: &'static str,
    pub(crate) flags: Flags,
    /// The first is ours.
    pub(crate) sides: Vec<Side>,
    pub(crate) databases: Databases,
    pub(crate) compared: Compared,
    /// Whether other libraries run it, too.
    pub(crate) has_peers: bool,
}

impl Case {
    /// Ours beside the floor.
    pub(crate) fn new(workload: &'static str, name: impl Into<String>, flags: Flags) -> Result<Self> {
        let sides = vec![Side::of("ours")?, Side::of("floor")?];
        let (databases, compared) = (Databases::Fresh, Compared::Rate);
        Ok(Self { name: name.into(), workload, flags, sides, databases, compared, has_peers: false })
    }

    /// Other libraries can run it, with the same flags.
    pub(crate) fn with_peers(self) -> Self {
        Self { has_peers: true, ..self }
    }

    pub(crate) fn compared(self, compared: Compared) -> Self {
        Self { compared, ..self }
    }

    /// How many jobs it has, if it is told that.
    pub(crate) fn jobs(&self) -> Option<u64> {
        let (_, jobs) = self.flags.0.iter().find(|(name, _)| *name == "jobs")?;
        jobs.parse().ok()
    }

    /// One side more.
    pub(crate) fn side(mut self, side: Side) -> Self {
        self.sides.push(side);
        self
    }
}

/// One program that does the work.
#[derive(Debug, Clone)]
pub(crate) struct Side {
    pub(crate) name: String,
    pub(crate) program: Program,
    /// Those of its own, after those of the case.
    pub(crate) flags: Flags,
    /// A figure of ours of the same round that it gets as a flag.
    pub(crate) takes: Option<&'static str>,
}

impl Side {
    /// This program as that side.
    pub(crate) fn of(name: &str) -> Result<Self> {
        Ok(Self { name: name.into(), program: Program::side(name)?, flags: Flags::default(), takes: None })
    }

    /// The same with another name.
    pub(crate) fn named(self, name: &str) -> Self {
        Self { name: name.into(), ..self }
    }

    pub(crate) fn flags(self, flags: Flags) -> Self {
        Self { flags, ..self }
    }
}

/// Flags of a command line, all of them with values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags(Vec<(&'static str, String)>);

impl Flags {
    pub(crate) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.0.push((name, value.to_string()));
        self
    }

    /// Each once: those of the others stand for those of the same name.
    pub(crate) fn overridden_by(&self, others: &Self) -> Self {
        let kept = self.0.iter().filter(|(name, _)| others.0.iter().all(|(other, _)| other != name));
        Self(kept.chain(&others.0).cloned().collect())
    }

    pub(crate) fn arguments(&self) -> impl Iterator<Item = String> {
        self.0.iter().flat_map(|(name, value)| [format!("--{name}"), value.clone()])
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        self.arguments().collect::<Vec<_>>().join(" ")
    }

    /// With names as JSON has them, and numbers as numbers.
    pub(crate) fn json(&self) -> Map<String, Value> {
        let value = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| text.into());
        self.0.iter().map(|(name, text)| (name.replace('-', "_"), value(text))).collect()
    }
}

/// What all rounds of a side showed, in their order.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    pub(crate) side: String,
    pub(crate) is_peer: bool,
    pub(crate) rounds: Vec<Sample>,
}

impl Measured {
    pub(crate) fn spread(&self, figure: &str) -> Option<Spread> {
        Spread::of(self.rounds.iter().filter_map(|sample| sample.figures.get(figure).copied()))
    }

    pub(crate) fn median(&self, figure: &str) -> Option<f64> {
        Some(self.spread(figure)?.median)
    }

    /// The medians of all figures there are.
    pub(crate) fn medians(&self) -> Figures {
        let names = self.rounds.iter().flat_map(|sample| sample.figures.keys());
        names.filter_map(|name| Some((name.clone(), self.median(name)?))).collect()
    }
}

/// A case and what its sides showed.
#[derive(Debug, Clone)]
pub(crate) struct CaseResult {
    pub(crate) case: Case,
    /// The first is ours.
    pub(crate) sides: Vec<Measured>,
}

impl CaseResult {
    pub(crate) fn ours(&self) -> Option<&Measured> {
        self.sides.first()
    }

    /// Rounds more of the same case.
    pub(crate) fn add_rounds(&mut self, more: Self) {
        for (side, more) in self.sides.iter_mut().zip(more.sides) {
            side.rounds.extend(more.rounds);
        }
    }

    /// Ours by that side: of the medians, and the smallest and largest of a round.
    pub(crate) fn ratio(&self, side: &Measured) -> Option<Spread> {
        let (ours, figure) = (self.ours()?, self.case.compared.figure());
        let of = |sample: &Sample| sample.figures.get(figure).copied().unwrap_or(f64::NAN);
        let rounds = ours.rounds.iter().zip(&side.rounds).map(|(ours, side)| of(ours) / of(side));
        let median = ours.median(figure)? / side.median(figure)?;
        Spread::of(rounds).filter(|_| median.is_finite()).map(|spread| Spread { median, ..spread })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(side: &str, rates: &[f64]) -> Measured {
        let sample =
            |rate: &f64| Sample { figures: [("jobs_per_s".to_owned(), *rate)].into(), ..Sample::default() };
        Measured { side: side.into(), is_peer: false, rounds: rates.iter().map(sample).collect() }
    }

    #[test]
    fn a_ratio_is_that_of_the_medians_and_its_spread_that_of_the_rounds() {
        let case = Case::new("drain", "", Flags::default()).unwrap();
        let sides = vec![measured("ours", &[2.0, 4.0, 6.0]), measured("floor", &[2.0, 8.0, 8.0])];
        let result = CaseResult { case, sides };
        let ratio = result.ratio(&result.sides[1]);
        assert_eq!(ratio, Some(Spread { median: 0.5, min: 0.5, max: 1.0 }));
        assert_eq!(result.ratio(&measured("mute", &[])), None);
    }

    #[test]
    fn flags_are_arguments_and_json() {
        let flags = Flags::default().with("jobs", 5).with("handler-ms", 0.5).with("pinned", "yes");
        assert_eq!(flags.text(), "--jobs 5 --handler-ms 0.5 --pinned yes");
        let json = serde_json::json!({ "jobs": 5, "handler_ms": 0.5, "pinned": "yes" });
        assert_eq!(Value::Object(flags.json()), json);
    }
}
