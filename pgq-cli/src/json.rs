//! What the answers are to programs.

use std::time::{Duration, SystemTime};

use pgq_postgres::admin::{
    Change, Count, ErrorGroup, Failure as Attempt, InHand, JobSummary, QueueStatistics, RunnerStatus,
};
use serde_json::{Value, json};

use crate::text::exact;

pub(crate) fn time(time: Option<SystemTime>) -> Value {
    time.map(exact).into()
}

fn seconds(time: Option<Duration>) -> Value {
    time.map(|time| time.as_secs_f64()).into()
}

pub(crate) fn count(count: Count) -> Value {
    let is = match count {
        Count::AtLeast(_) => "at_least",
        Count::About(_) => "about",
        _ => "exactly",
    };
    json!({ "number": count.number(), "is": is })
}

pub(crate) fn job(job: &JobSummary) -> Value {
    json!({
        "id": job.id.0, "state": job.state.as_str(), "queue": job.queue, "kind": job.kind, "priority": job.priority,
        "attempts": job.attempts, "max_attempts": job.max_attempts, "crashes": job.crashes,
        "enqueued_at": exact(job.enqueued_at), "run_at": time(job.run_at), "finished_at": time(job.finished_at),
        "runner_id": job.runner.map(|id| id.to_string()), "reason": job.reason, "args": job.args,
    })
}

pub(crate) fn attempt(attempt: &Attempt) -> Value {
    json!({
        "attempt": attempt.attempt, "at": exact(attempt.at), "crash": attempt.crash, "runner": attempt.runner,
        "error": attempt.error,
    })
}

pub(crate) fn change(change: &Change) -> Value {
    json!({
        "at": exact(change.at), "role": change.role, "actor": change.actor, "action": change.action,
        "queue": change.queue, "jobs": change.jobs, "detail": change.detail,
    })
}

pub(crate) fn queue(queue: &QueueStatistics) -> Value {
    json!({
        "name": queue.name, "paused_at": time(queue.paused_at), "slow_until": time(queue.slow_until),
        "max_running": queue.max_running, "ready": count(queue.ready), "running": queue.running,
        "scheduled": count(queue.scheduled), "parked": count(queue.parked), "latency_s": seconds(queue.latency),
        "runners": queue.runners, "completed": queue.completed, "failed": queue.failed,
        "discarded": queue.discarded, "completed_per_minute": queue.completed_per_minute,
        "failed_per_minute": queue.failed_per_minute, "failure_rate": queue.failure_rate(),
    })
}

pub(crate) fn runner(runner: &RunnerStatus) -> Value {
    json!({
        "id": runner.id.to_string(), "name": runner.name, "started_at": exact(runner.started_at),
        "library": runner.library, "slots": runner.slots, "queues": runner.queues, "kinds": runner.kinds,
        "silent_s": runner.silent.as_secs_f64(), "alive": runner.alive, "in_hand": runner.in_hand,
        "jobs": runner.jobs.iter().map(in_hand).collect::<Vec<_>>(),
    })
}

fn in_hand(job: &InHand) -> Value {
    json!({
        "id": job.id.0, "kind": job.kind, "queue": job.queue, "attempt": job.attempt,
        "since_s": job.since.as_secs_f64(),
    })
}

pub(crate) fn error_group(group: &ErrorGroup) -> Value {
    json!({
        "fingerprint": group.fingerprint, "failures": group.failures, "jobs": group.jobs,
        "first_at": exact(group.first_at), "last_at": exact(group.last_at), "crash": group.crash,
        "error": group.error, "last_job": group.last_job.0, "kinds": group.kinds,
    })
}
