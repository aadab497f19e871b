//! Schedules that can never be.

use pgq_core::Job;

#[derive(Job, Default)]
#[job(cron = "0 25 * * *", enqueue_only)]
struct NoSuchHour;

#[derive(Job, Default)]
#[job(cron = "0 0 30 2 *", enqueue_only)]
struct NoSuchDay;

#[derive(Job, Default)]
#[job(cron = "every morning", enqueue_only)]
struct Words;

#[derive(Job, Default)]
#[job(cron = "0 9 * * *", timezone = "Europe/Roma", enqueue_only)]
struct NoSuchZone;

#[derive(Job, Default)]
#[job(timezone = "Europe/Rome", enqueue_only)]
struct NoCron;

#[derive(Job, Default)]
#[job(cron = "0 9 * * *", missed = all, enqueue_only)]
struct AllOfHowMany;

#[derive(Job, Default)]
#[job(cron = "0 9 * * *", missed = all(0), enqueue_only)]
struct AllOfNone;

#[derive(Job, Default)]
#[job(cron = "0 9 * * *", missed = never, enqueue_only)]
struct NoSuchPolicy;

#[derive(Job, Default)]
#[job(cron = "0 9 * * *", overlap = "skip", enqueue_only)]
struct Quoted;

#[derive(Job, Default)]
#[job(cron = "0 9 * * *", jitter = 0.5, enqueue_only)]
struct Share;

#[derive(Job, Default)]
#[job(cron = 9, enqueue_only)]
struct Number;

fn main() {}
