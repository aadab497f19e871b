//! The figures for programs: one object a workload, in one line.

use serde_json::{Map, Value, json};

use super::RUNNER_COMMITS;
use crate::case::{CaseResult, Measured};
use crate::figures::rounded;
use crate::server::Settings;
use crate::workloads::WorkloadResult;

/// What every object has, null where there is no such figure.
const ALWAYS: [&str; 5] = ["jobs_per_s", "floor_jobs_per_s", "ratio", "p50_ms", "p99_ms"];

/// The case that stands for the workload, flat, and all of them under `cases`.
pub(crate) fn line(result: &WorkloadResult, rounds: u32, settings: &Settings) -> Value {
    let cases: Vec<Map<String, Value>> = result.cases.iter().map(case).collect();
    let mut line = cases.first().cloned().unwrap_or_default();
    line.insert("workload".into(), result.name.into());
    line.insert("rounds".into(), rounds.into());
    line.insert("cases".into(), json!(cases));
    line.insert("claim_and_settle_synchronous_commit".into(), RUNNER_COMMITS.into());
    line.insert("settings".into(), json!(settings));
    line.into()
}

fn case(result: &CaseResult) -> Map<String, Value> {
    let mut fields: Map<String, Value> = ALWAYS.into_iter().map(|name| (name.into(), Value::Null)).collect();
    fields.insert("case".into(), result.case.name.as_str().into());
    fields.extend(result.case.flags.json());
    fields.insert("compared".into(), result.case.compared.figure().into());
    let (mut peers, mut spreads) = (Map::new(), Map::new());
    for (n, side) in result.sides.iter().enumerate() {
        let prefix = if n == 0 { String::new() } else { format!("{}_", side.side) };
        let ratio = (n > 0).then(|| result.ratio(side)).flatten();
        if side.is_peer {
            let mut figures = medians(side, "");
            figures.insert("ratio".into(), json!(ratio.map(|ratio| rounded(ratio.median))));
            peers.insert(side.side.clone(), figures.into());
            continue;
        }
        fields.extend(medians(side, &prefix));
        for figure in ["jobs_per_s", "p50_ms", "p99_ms"] {
            let spread = side.spread(figure).map(|spread| (format!("{prefix}{figure}"), spread.json()));
            spreads.extend(spread);
        }
        // That by the floor is the ratio.
        let name = if side.side == "floor" { "ratio".into() } else { format!("{prefix}ratio") };
        if let Some(ratio) = ratio {
            fields.insert(name.clone(), json!(rounded(ratio.median)));
            spreads.insert(name, ratio.json());
        }
    }
    if !peers.is_empty() {
        fields.insert("peers".into(), peers.into());
    }
    fields.insert("spread".into(), spreads.into());
    fields
}

fn medians(side: &Measured, prefix: &str) -> Map<String, Value> {
    let medians = side.medians().into_iter().filter(|(name, _)| name != "jobs");
    medians.map(|(name, value)| (format!("{prefix}{name}"), json!(rounded(value)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{Case, Flags};
    use crate::figures::Sample;

    #[test]
    fn an_object_has_ours_flat_the_floor_prefixed_and_peers_apart() {
        let measured = |side: &str, is_peer, rate: f64| Measured {
            side: side.into(),
            is_peer,
            rounds: vec![Sample::of(&json!({ "jobs_per_s": rate, "jobs": 7 }))],
        };
        let sides =
            vec![measured("ours", false, 80.0), measured("floor", false, 100.0), measured("x", true, 20.0)];
        let case = Case::new("drain", "small", Flags::default().with("jobs", 7)).unwrap();
        let result = WorkloadResult { name: "drain", about: "", cases: vec![CaseResult { case, sides }] };
        let line = line(&result, 1, &Settings::new());
        assert_eq!([&line["jobs_per_s"], &line["floor_jobs_per_s"], &line["ratio"]], [80.0, 100.0, 0.8]);
        assert_eq!([&line["p50_ms"], &line["p99_ms"]], [&Value::Null; 2]);
        assert_eq!(line["jobs"], 7);
        assert_eq!(line["peers"]["x"], json!({ "jobs_per_s": 20.0, "ratio": 4.0 }));
        assert_eq!(line["cases"][0]["case"], "small");
    }
}
