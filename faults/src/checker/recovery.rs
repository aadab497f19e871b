//! How long it took until work went on.

use super::job::Run;
use crate::history::Micros;
use crate::schedule::Kind;
use crate::timeline::Timeline;

/// From a fault until the jobs that were aboard began again. After faults that last, counted from their end, since
/// nothing can begin before; but a job whose worker was killed or paused begins elsewhere meanwhile.
pub(super) fn of_repeat(earlier: &Run, later: &Run, timeline: &Timeline) -> Micros {
    let Some(side) = timeline.processes.get(earlier.process).map(|born| born.side) else { return 0 };
    let Some(fault) = timeline.last_touching(side, earlier.started, later.started) else { return 0 };
    let since = match fault.kind {
        Kind::Pause => fault.from,
        _ => fault.until.min(later.started),
    };
    later.started.saturating_sub(since)
}

/// How long each worker took, after a fault that met it was over, to begin a job again.
#[derive(Debug)]
pub struct Recovery {
    /// Of each worker, the ends of faults and the beginnings of those that follow, in their order.
    sides: Vec<Vec<(Micros, Micros)>>,
    next: Vec<usize>,
    longest: Micros,
}

impl Recovery {
    /// Of that many workers.
    pub fn new(timeline: &Timeline, sides: usize) -> Self {
        let of = |side| {
            let met = timeline.disruptions.iter().filter(|it| it.side.is_none_or(|met| met == side));
            let mut met: Vec<(Micros, Micros)> = met.map(|it| (it.from, it.until)).collect();
            met.sort_unstable();
            let nexts: Vec<Micros> = met.iter().skip(1).map(|it| it.0).chain([Micros::MAX]).collect();
            met.into_iter().zip(nexts).map(|((_, until), next)| (until, next)).collect()
        };
        Self { sides: (0..sides).map(of).collect(), next: vec![0; sides], longest: 0 }
    }

    /// A worker began a job; to be called in the order of time for each.
    pub fn started(&mut self, side: usize, at: Micros) {
        let (Some(faults), Some(next)) = (self.sides.get(side), self.next.get_mut(side)) else { return };
        while let Some((until, another)) = faults.get(*next).filter(|(until, _)| *until <= at) {
            // Where another fault came between, this one's recovery cannot be told from the other's.
            if at < *another {
                self.longest = self.longest.max(at - until);
            }
            *next += 1;
        }
    }

    /// The longest of them.
    pub fn longest(&self) -> Micros {
        self.longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::Disruption;

    #[test]
    fn it_is_counted_from_the_end_of_a_fault_that_no_other_follows() {
        let fault = |from, until, side| Disruption { kind: Kind::BlackHole, from, until, side };
        let disruptions = vec![fault(10, 20, Some(0)), fault(100, 110, None), fault(112, 120, Some(1))];
        let timeline = Timeline { disruptions, ..Timeline::default() };
        let mut recovery = Recovery::new(&timeline, 2);
        recovery.started(0, 15);
        assert_eq!(recovery.longest(), 0, "it went on during the fault");
        recovery.started(0, 27);
        recovery.started(0, 40);
        assert_eq!(recovery.longest(), 7);
        recovery.started(0, 113);
        assert_eq!(recovery.longest(), 7);
        // The other side met another fault before it could begin anything.
        recovery.started(1, 129);
        assert_eq!(recovery.longest(), 9);
    }
}
