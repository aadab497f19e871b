//! Brings together what the processes wrote and what the server saw, in parts that fit into memory.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Result;
use sqlx::{PgConnection, Row, query, query_as};
use uuid::Uuid;

use crate::checker::{Allowances, Checker, Leftover, Pickups, Recovery, Tables, Tenure, Verdict};
use crate::history::{Event, Id, read};
use crate::timeline::Timeline;

/// About so many jobs are judged at a time.
const PART: i64 = 200_000;

/// All that was found in a run.
#[derive(Debug, Default)]
pub struct Findings {
    /// About the jobs.
    pub verdict: Verdict,
    /// How long they waited.
    pub pickups: Pickups,
    /// Outcomes that were refused since the lease was lost.
    pub stale: u64,
    /// Jobs that were taken back from dead runners.
    pub rescued: u64,
}

/// Judges everything that happened.
///
/// # Errors
/// If a history cannot be read, or the database fails.
pub async fn judge(
    database: &mut PgConnection,
    producers: &Path,
    jobs: i64,
    timeline: &Timeline,
    allowances: Allowances,
) -> Result<Findings> {
    let mut findings = Findings::default();
    let leftovers = leftovers(database).await?;
    let parts = jobs / PART + 1;
    for part in 0..parts {
        let mut checker = Checker::default();
        let mine = |event: &Event| event.number().is_some_and(|n| n % parts == part);
        read(producers, |at, event| {
            if mine(&event) {
                checker.note(None, at, event);
            }
        })?;
        for (process, born) in timeline.processes.iter().enumerate() {
            read(&born.history, |at, event| {
                if mine(&event) {
                    checker.note(Some(process), at, event);
                }
            })?;
        }
        let tenures = tenures(database, &checker.repeated(), timeline).await?;
        let tables = Tables { leftovers: leftovers.clone(), effects: effects(database, parts, part).await? };
        findings.verdict.add(checker.judge(timeline, &tenures, &tables, allowances, &mut findings.pickups));
    }
    count(timeline, &mut findings)?;
    Ok(findings)
}

/// What concerns workers rather than jobs.
fn count(timeline: &Timeline, findings: &mut Findings) -> Result<()> {
    let sides = timeline.processes.iter().map(|born| born.side + 1).max().unwrap_or(0);
    let mut recovery = Recovery::new(timeline, sides);
    for born in &timeline.processes {
        let (mut stale_here, mut rescued_here) = (0, 0);
        read(&born.history, |at, event| match event {
            Event::Counts { stale, rescued } => (stale_here, rescued_here) = (stale, rescued),
            Event::Started { .. } => recovery.started(born.side, at),
            _ => {}
        })?;
        findings.stale += stale_here;
        findings.rescued += rescued_here;
    }
    findings.verdict.recovery = findings.verdict.recovery.max(recovery.longest());
    Ok(())
}

async fn tenures(
    database: &mut PgConnection,
    ids: &[Id],
    timeline: &Timeline,
) -> Result<HashMap<Id, Vec<Tenure>>> {
    let ends: Vec<(Id, Uuid, i64, String)> =
        query_as(include_str!("sql/ends_of.sql")).bind(ids).fetch_all(&mut *database).await?;
    let ends: HashMap<(Id, Uuid), (u64, String)> = ends
        .into_iter()
        .map(|(id, lease, at, session)| ((id, lease), (at.unsigned_abs(), session)))
        .collect();
    let claims: Vec<(Id, Uuid, i64, String)> =
        query_as(include_str!("sql/claims_of.sql")).bind(ids).fetch_all(&mut *database).await?;
    let mut tenures: HashMap<Id, Vec<Tenure>> = HashMap::new();
    for (id, lease, at, runner) in claims {
        let pid: Option<u32> = runner.rsplit(':').next().and_then(|pid| pid.parse().ok());
        let process = pid.and_then(|pid| timeline.process(pid, at.unsigned_abs()));
        let ended = ends.get(&(id, lease)).cloned();
        let tenure = Tenure { lease: lease.as_u128(), process, claimed: at.unsigned_abs(), ended };
        tenures.entry(id).or_default().push(tenure);
    }
    tenures.values_mut().for_each(|held| held.sort_by_key(|tenure| tenure.claimed));
    Ok(tenures)
}

async fn effects(database: &mut PgConnection, parts: i64, part: i64) -> Result<HashMap<i64, i64>> {
    let rows: Vec<(i64, i64)> =
        query_as(include_str!("sql/effects.sql")).bind(parts).bind(part).fetch_all(database).await?;
    Ok(rows.into_iter().collect())
}

async fn leftovers(database: &mut PgConnection) -> Result<HashMap<Id, Leftover>> {
    let rows = query(include_str!("sql/leftovers.sql")).fetch_all(database).await?;
    let read = |row: &sqlx::postgres::PgRow| -> Result<(Id, Leftover), sqlx::Error> {
        let leftover = Leftover {
            state: row.try_get(1)?,
            attempts: (row.try_get(2)?, row.try_get(3)?),
            crashes: row.try_get(4)?,
            reason: row.try_get(5)?,
        };
        Ok((row.try_get(0)?, leftover))
    };
    rows.iter().map(read).collect::<Result<_, _>>().map_err(Into::into)
}
