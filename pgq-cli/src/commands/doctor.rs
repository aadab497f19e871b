use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::Args;
use comfy_table::{Cell, Color};
use pgq_postgres::admin::{Finding, Severity};
use serde_json::{Value, json};

use crate::connect::Database;
use crate::failure::Failure;
use crate::output::{cell, say, say_json, table};
use crate::text;

/// Logs of two machines can be read side by side if their clocks differ no more than this.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub struct Arguments {
    /// Only what is not as it should be.
    #[arg(long)]
    quiet: bool,
}

/// Exits with 1 where there is a problem.
pub(crate) async fn run(database: &Database, arguments: &Arguments, json: bool) -> Result<ExitCode, Failure> {
    let mut findings: Vec<Finding> = database.admin.doctor().await?;
    let clock = clock(database.admin.now().await?);
    let worst = findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Fine);
    if arguments.quiet {
        findings.retain(|finding| finding.severity > Severity::Fine);
    }
    if json {
        let mut told: Vec<Value> = findings.iter().map(tell).collect();
        told.push(json!({ "check": "clock", "severity": clock.0.1, "text": clock.1, "remedy": clock.2 }));
        say_json(&Value::Array(told))?;
    } else {
        let mut rows: Vec<_> = findings.iter().map(row).collect();
        if !arguments.quiet || clock.0.0 > Severity::Fine {
            rows.push(cells("clock", clock.0.0, &clock.1, clock.2.as_deref()));
        }
        say(&table(&["", "CHECK", "FINDING", "REMEDY"], rows))?;
    }
    Ok(if worst == Severity::Problem { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Fine => "fine",
        Severity::Warning => "warning",
        _ => "problem",
    }
}

fn tell(finding: &Finding) -> Value {
    json!({
        "check": finding.check, "severity": word(finding.severity), "text": finding.text, "remedy": finding.remedy,
    })
}

fn row(finding: &Finding) -> Vec<Cell> {
    cells(finding.check, finding.severity, &finding.text, finding.remedy.as_deref())
}

fn cells(check: &str, severity: Severity, finding: &str, remedy: Option<&str>) -> Vec<Cell> {
    let color = match severity {
        Severity::Fine => Color::Green,
        Severity::Warning => Color::Yellow,
        _ => Color::Red,
    };
    vec![
        cell(word(severity)).fg(color),
        cell(check),
        cell(text::clean(finding)),
        cell(remedy.unwrap_or_default()),
    ]
}

/// Nothing in pgq depends on this machine's clock; people who compare logs do.
fn clock(database: SystemTime) -> ((Severity, &'static str), String, Option<String>) {
    #[expect(clippy::disallowed_methods, reason = "it is this clock that is judged")]
    let here = SystemTime::now();
    let difference = here.duration_since(database).unwrap_or_else(|ahead| ahead.duration());
    if difference <= CLOCK_TOLERANCE {
        return (
            (Severity::Fine, word(Severity::Fine)),
            "this machine's clock agrees with the database's".into(),
            None,
        );
    }
    let text = format!("this machine's clock and the database's are {} apart", text::duration(difference));
    let remedy =
        "pgq goes by the database's clock alone; set this one right (NTP), so that logs can be compared";
    ((Severity::Warning, word(Severity::Warning)), text, Some(remedy.into()))
}
