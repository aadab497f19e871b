use pgq_postgres::admin::{Admin, Count, QueueStatistics, RunnerStatus, State, StateCounts};
use serde_json::json;

use super::UNFINISHED;
use crate::failure::Failure;
use crate::output::{bad_number, number, say, say_json, state, table};
use crate::{json as tell, text};

pub(crate) async fn run(admin: &Admin, json: bool) -> Result<(), Failure> {
    let (states, queues, runners) = (admin.states().await?, admin.queues().await?, admin.runners(0).await?);
    if json {
        let counts: serde_json::Map<_, _> =
            states.states.iter().map(|(state, count)| (state.to_string(), tell::count(*count))).collect();
        return say_json(&json!({
            "states": counts,
            "queues": queues.iter().map(tell::queue).collect::<Vec<_>>(),
            "runners": runners.iter().map(tell::runner).collect::<Vec<_>>(),
        }));
    }
    say(&headline(&queues, &runners))?;
    say("")?;
    say(&counts(&states))?;
    if !queues.is_empty() {
        say("")?;
        say(&super::queues::render(&queues))?;
    }
    Ok(())
}

fn headline(queues: &[QueueStatistics], runners: &[RunnerStatus]) -> String {
    let alive = runners.iter().filter(|runner| runner.alive).count();
    let dead = runners.len() - alive;
    let slots: u32 = runners.iter().filter(|runner| runner.alive).map(|runner| runner.slots).sum();
    let in_hand: u64 = runners.iter().map(|runner| runner.in_hand).sum();
    let completed: u64 = queues.iter().map(|queue| queue.completed_per_minute).sum();
    let failed: u64 = queues.iter().map(|queue| queue.failed_per_minute).sum();
    let paused = queues.iter().filter(|queue| queue.paused_at.is_some()).count();
    let latency = queues.iter().filter_map(|queue| queue.latency).max();
    let [alive, slots, in_hand] =
        [text::count(alive, "runner"), text::count(slots, "slot"), text::count(in_hand, "job")];
    let mut parts = vec![format!("{alive} with {slots}, {in_hand} in hand")];
    if dead > 0 {
        parts.push(format!("{} dead", text::count(dead, "runner")));
    }
    parts.push(format!("last minute {completed} completed, {failed} failed"));
    if let Some(latency) = latency {
        parts.push(format!("the oldest ready job waits for {}", text::duration(latency)));
    }
    if paused > 0 {
        parts.push(format!("{paused} queues paused"));
    }
    parts.join("; ")
}

fn counts(states: &StateCounts) -> String {
    let row = |(is, count): &(State, Count)| {
        let number =
            if matches!(is, State::Discarded | State::Parked) { bad_number(count) } else { number(count) };
        vec![state(*is), number]
    };
    let shown = |(state, count): &&(State, Count)| UNFINISHED.contains(state) || count.number() > 0;
    table(&["STATE", "JOBS"], states.states.iter().filter(shown).map(row).collect())
}
