use std::collections::{HashMap, VecDeque};

use pgq_postgres::admin::InHand;
use pgq_postgres::{Error, JobId};
use ratatui::widgets::TableState;

use super::sample::Sample;

/// How many rates a sparkline remembers.
const REMEMBERED: usize = 120;

/// One of the three lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pane {
    Queues,
    Running,
    Failures,
}

/// What is shown, and what is chosen in it.
pub(super) struct View {
    pub(super) sample: Sample,
    pub(super) pane: Pane,
    pub(super) queues: TableState,
    pub(super) running: TableState,
    pub(super) failures: TableState,
    /// Jobs done a second, by queue, the latest last.
    pub(super) rates: HashMap<String, VecDeque<u64>>,
    /// A job that is looked into, line by line.
    pub(super) job: Option<(JobId, Vec<String>)>,
    /// What the last key did, or why the last look failed.
    pub(super) message: String,
}

impl View {
    pub(super) fn new(sample: Sample) -> Self {
        let chosen = || TableState::default().with_selected(0);
        Self {
            sample,
            pane: Pane::Queues,
            queues: chosen(),
            running: chosen(),
            failures: chosen(),
            rates: HashMap::new(),
            job: None,
            message: String::new(),
        }
    }

    /// A new look, or why it failed: what was seen before stays.
    pub(super) fn sampled(&mut self, sample: Result<Sample, Error>) {
        match sample {
            Ok(sample) => {
                self.note_rates(&sample);
                self.sample = sample;
                self.keep_chosen();
            }
            Err(error) => self.message = format!("the database did not answer: {error}"),
        }
    }

    fn note_rates(&mut self, next: &Sample) {
        let seconds = next.at.duration_since(self.sample.at).as_secs_f64().max(0.001);
        for queue in &next.queues {
            let before = self.sample.queues.iter().find(|before| before.name == queue.name);
            // A runner that stops takes its numbers with it.
            let done = before.map_or(0, |before| queue.completed.saturating_sub(before.completed));
            let rates = self.rates.entry(queue.name.clone()).or_default();
            rates.push_back((done as f64 / seconds).round() as u64);
            if rates.len() > REMEMBERED {
                rates.pop_front();
            }
        }
        self.rates.retain(|name, _| next.queues.iter().any(|queue| queue.name == *name));
    }

    /// The rate over the last ten looks.
    pub(super) fn rate(&self, queue: &str) -> f64 {
        let Some(rates) = self.rates.get(queue) else { return 0.0 };
        let last = rates.iter().rev().take(10);
        let (sum, looks) = last.fold((0, 0), |(sum, looks), rate| (sum + rate, looks + 1));
        if looks == 0 { 0.0 } else { sum as f64 / f64::from(looks) }
    }

    fn keep_chosen(&mut self) {
        for pane in [Pane::Queues, Pane::Running, Pane::Failures] {
            let last = self.length(pane).saturating_sub(1);
            let state = self.state(pane);
            state.select(Some(state.selected().unwrap_or(0).min(last)));
        }
    }

    pub(super) fn next_pane(&mut self) {
        self.pane = match self.pane {
            Pane::Queues => Pane::Running,
            Pane::Running => Pane::Failures,
            Pane::Failures => Pane::Queues,
        };
    }

    pub(super) fn choose(&mut self, by: isize) {
        let pane = self.pane;
        let last = self.length(pane).saturating_sub(1);
        let state = self.state(pane);
        let chosen = state.selected().unwrap_or(0);
        state.select(Some(chosen.saturating_add_signed(by).min(last)));
    }

    fn state(&mut self, pane: Pane) -> &mut TableState {
        match pane {
            Pane::Queues => &mut self.queues,
            Pane::Running => &mut self.running,
            Pane::Failures => &mut self.failures,
        }
    }

    fn length(&self, pane: Pane) -> usize {
        match pane {
            Pane::Queues => self.sample.queues.len(),
            Pane::Running => self.in_hand().count(),
            Pane::Failures => self.sample.errors.len(),
        }
    }

    /// The running jobs with the names of their runners, the longest first.
    pub(super) fn in_hand(&self) -> impl Iterator<Item = (&InHand, &str)> {
        let mut jobs: Vec<_> =
            self.sample.runners.iter().flat_map(|r| r.jobs.iter().map(|job| (job, &*r.name))).collect();
        jobs.sort_by_key(|(job, _)| std::cmp::Reverse(job.since));
        jobs.into_iter()
    }

    /// The queue that is chosen, and whether it is paused.
    pub(super) fn chosen_queue(&self) -> Option<(String, bool)> {
        let queue = self.sample.queues.get(self.queues.selected()?)?;
        (self.pane == Pane::Queues).then(|| (queue.name.clone(), queue.paused_at.is_some()))
    }

    /// The job that is looked into, or chosen.
    pub(super) fn chosen_job(&self) -> Option<JobId> {
        if let Some((job, _)) = &self.job {
            return Some(*job);
        }
        match self.pane {
            Pane::Queues => None,
            Pane::Running => self.in_hand().nth(self.running.selected()?).map(|(job, _)| job.id),
            Pane::Failures => self.sample.errors.get(self.failures.selected()?).map(|group| group.last_job),
        }
    }
}
