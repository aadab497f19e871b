//! Brings together what the processes wrote and what the server saw, in parts that fit into memory.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Result;
use sqlx::{PgConnection, Row, query, query_as};
use uuid::Uuid;

use crate::checker::{
    Allowances, Beat, Checker, Leftover, Pickups, Recovery, Refusal, Tables, Tenure, Verdict,
};
use crate::history::{Event, Id, read};
use crate::timeline::Timeline;

/// About so many jobs are judged at a time.
const PART: i64 = 500_000;

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
    let mut refusals = count(timeline, &mut findings)?;
    look_up(database, &mut refusals).await?;
    for Refusal { lease, .. } in refusals.iter().filter(|it| !it.has_cause(timeline, allowances.unsynced)) {
        findings
            .verdict
            .unexpected(format!("outcomes of lease {lease} were refused, and nobody had taken it"));
    }
    let undone = refusals.iter().filter(|refusal| !refusal.claimed);
    let undone = undone.map(|refusal| (refusal.process, refusal.at)).collect();
    let timeline = &Timeline { undone, ..timeline.clone() };
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
    Ok(findings)
}

/// Asks the server what became of the leases whose outcomes were refused.
async fn look_up(database: &mut PgConnection, refusals: &mut [Refusal]) -> Result<()> {
    let leases: Vec<Uuid> = refusals.iter().map(|refusal| refusal.lease).collect();
    let found: Vec<(Uuid, bool, bool)> =
        query_as(include_str!("sql/refused.sql")).bind(leases).fetch_all(database).await?;
    let found: HashMap<Uuid, (bool, bool)> =
        found.into_iter().map(|(lease, claimed, taken)| (lease, (claimed, taken))).collect();
    for refusal in refusals {
        (refusal.claimed, refusal.taken) = found.get(&refusal.lease).copied().unwrap_or_default();
    }
    Ok(())
}

/// What concerns workers rather than jobs; and which leases' outcomes were refused when.
fn count(timeline: &Timeline, findings: &mut Findings) -> Result<Vec<Refusal>> {
    let mut refusals = Vec::new();
    let sides = timeline.processes.iter().map(|born| born.side + 1).max().unwrap_or(0);
    let mut recovery = Recovery::new(timeline, sides);
    for (process, born) in timeline.processes.iter().enumerate() {
        let mut rescued_here = 0;
        read(&born.history, |at, event| match event {
            Event::Counts { rescued } => rescued_here = rescued,
            Event::Stale { lease, outcomes } => {
                findings.stale += outcomes;
                refusals.push(Refusal { at, process, lease, claimed: false, taken: false });
            }
            Event::Started { .. } => recovery.started(born.side, at),
            _ => {}
        })?;
        findings.rescued += rescued_here;
    }
    findings.verdict.recovery = findings.verdict.recovery.max(recovery.longest());
    Ok(refusals)
}

/// As `ends_of.sql` tells it: job, lease, when, whose session, and the heartbeat.
type End = (Id, Uuid, i64, String, Option<i64>, Option<bool>);

async fn tenures(
    database: &mut PgConnection,
    ids: &[Id],
    timeline: &Timeline,
) -> Result<HashMap<Id, Vec<Tenure>>> {
    let ends: Vec<End> =
        query_as(include_str!("sql/ends_of.sql")).bind(ids).fetch_all(&mut *database).await?;
    let mut ended_at = HashMap::new();
    for (id, lease, at, session, beat, locked) in ends {
        let beat = beat.zip(locked).map(|(at, locked)| Beat { at: at.unsigned_abs(), locked });
        ended_at.insert((id, lease), ((at.unsigned_abs(), session), beat));
    }
    let claims: Vec<(Id, Uuid, i64, String)> =
        query_as(include_str!("sql/claims_of.sql")).bind(ids).fetch_all(&mut *database).await?;
    let mut tenures: HashMap<Id, Vec<Tenure>> = HashMap::new();
    for (id, lease, at, runner) in claims {
        let pid: Option<u32> = runner.rsplit(':').next().and_then(|pid| pid.parse().ok());
        let process = pid.and_then(|pid| timeline.process(pid, at.unsigned_abs()));
        let (ended, beat) =
            ended_at.remove(&(id, lease)).map_or((None, None), |(end, beat)| (Some(end), beat));
        let tenure = Tenure { lease: lease.as_u128(), process, claimed: at.unsigned_abs(), ended, beat };
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
