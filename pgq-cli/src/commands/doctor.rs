use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::Args;
use comfy_table::{Cell, Color};
use pgq_postgres::admin::{Finding, OLD_TRANSACTION, Severity};
use serde_json::{Value, json};

use crate::connect::Database;
use crate::failure::Failure;
use crate::output::{cell, say, say_json, table};
use crate::select::duration;
use crate::text;

/// Logs of two machines can be read side by side if their clocks differ no more than this.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub struct Arguments {
    /// Only what is not as it should be.
    #[arg(long)]
    quiet: bool,
    /// From which age on a transaction that is open is told.
    #[arg(long, value_name = "AGE", value_parser = age, default_value_t = humantime::Duration::from(OLD_TRANSACTION))]
    old_transaction: humantime::Duration,
}

fn age(text: &str) -> Result<humantime::Duration, String> {
    duration(text).map(humantime::Duration::from)
}

/// Exits with 1 where there is a problem.
pub(crate) async fn run(database: &Database, arguments: &Arguments, json: bool) -> Result<ExitCode, Failure> {
    let findings = database.admin.doctor_with(arguments.old_transaction.into()).await?;
    let worst = findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Fine);
    let mut told: Vec<Told> = findings.iter().map(Told::from).collect();
    told.push(clock(database.admin.now().await?));
    told.retain(|told| !arguments.quiet || told.severity > Severity::Fine);
    if json {
        say_json(&Value::Array(told.iter().map(Told::json).collect()))?;
    } else {
        say(&table(&["", "CHECK", "FINDING", "REMEDY"], told.iter().map(Told::row).collect()))?;
    }
    Ok(if worst == Severity::Problem { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What the library found, or we did.
struct Told {
    check: &'static str,
    severity: Severity,
    text: String,
    remedy: Option<String>,
}

impl From<&Finding> for Told {
    fn from(finding: &Finding) -> Self {
        let Finding { check, severity, text, remedy, .. } = finding;
        Self { check, severity: *severity, text: text.clone(), remedy: remedy.clone() }
    }
}

impl Told {
    fn json(&self) -> Value {
        json!({ "check": self.check, "severity": self.word(), "text": self.text, "remedy": self.remedy })
    }

    fn row(&self) -> Vec<Cell> {
        let color = match self.severity {
            Severity::Fine => Color::Green,
            Severity::Warning => Color::Yellow,
            _ => Color::Red,
        };
        vec![
            cell(self.word()).fg(color),
            cell(self.check),
            cell(text::clean(&self.text)),
            cell(self.remedy.as_deref().unwrap_or_default()),
        ]
    }

    fn word(&self) -> &'static str {
        match self.severity {
            Severity::Fine => "fine",
            Severity::Warning => "warning",
            _ => "problem",
        }
    }
}

/// Nothing in pgq depends on this machine's clock; people who compare logs do.
fn clock(database: SystemTime) -> Told {
    const CHECK: &str = "clock";
    #[expect(clippy::disallowed_methods, reason = "it is this clock that is judged")]
    let here = SystemTime::now();
    let difference = here.duration_since(database).unwrap_or_else(|ahead| ahead.duration());
    if difference <= CLOCK_TOLERANCE {
        let text = "this machine's clock agrees with the database's".into();
        return Told { check: CHECK, severity: Severity::Fine, text, remedy: None };
    }
    let text = format!("this machine's clock and the database's are {} apart", text::duration(difference));
    let remedy =
        "pgq goes by the database's clock alone; set this one right (NTP), so that logs can be compared";
    Told { check: CHECK, severity: Severity::Warning, text, remedy: Some(remedy.into()) }
}
