//! Goal: the checker sees what it is there for. It is fed histories that never happened.

use super::*;
use crate::schedule::Kind;
use crate::timeline::{Born, Disruption};

/// Two workers; the first one's process was killed at 500.
fn timeline(disruptions: Vec<Disruption>) -> Timeline {
    let born = |side, killed| Born { side, pid: 7, since: 0, history: "".into(), killed };
    Timeline {
        processes: vec![born(0, Some(500)), born(1, None)],
        disruptions,
        healed: 1000,
        heartbeat: 20,
        undone: Vec::new(),
    }
}

fn started(n: i64, id: i64) -> Event {
    Event::Started { n, id, attempt: 1, waited: None }
}

fn ended(n: i64, id: i64, end: End) -> Event {
    Event::Ended { n, id, end }
}

fn tenure(lease: u128, process: Process, claimed: Micros, ended: Option<(Micros, &str)>) -> Tenure {
    let ended = ended.map(|(at, session)| (at, session.to_owned()));
    Tenure { lease, process: Some(process), claimed, ended, beat: None }
}

/// Job 1 with id 10 was enqueued and acknowledged; what follows is up to the test.
struct Case {
    checker: Checker,
    timeline: Timeline,
    tenures: HashMap<Id, Vec<Tenure>>,
    tables: Tables,
    allowances: Allowances,
}

impl Case {
    fn new() -> Self {
        let mut case = Self::empty();
        case.checker.note(None, 1, Event::Invoked { n: 1 });
        case.checker.note(None, 2, Event::Acknowledged { n: 1, id: 10 });
        case
    }

    fn empty() -> Self {
        Self {
            checker: Checker::default(),
            timeline: timeline(Vec::new()),
            tenures: HashMap::new(),
            tables: Tables::default(),
            allowances: Allowances::default(),
        }
    }

    /// An event in a worker. A handler makes its effect before it completes.
    fn note(mut self, process: Process, at: Micros, event: Event) -> Self {
        if let Event::Ended { n, id, end: End::Complete } = event {
            self.checker.note(Some(process), at, Event::Effect { n, id });
        }
        self.checker.note(Some(process), at, event);
        self
    }

    fn produce(mut self, at: Micros, event: Event) -> Self {
        self.checker.note(None, at, event);
        self
    }

    fn held(mut self, tenures: Vec<Tenure>) -> Self {
        self.tenures.insert(10, tenures);
        self
    }

    fn with(mut self, kind: Kind, from: Micros, until: Micros) -> Self {
        self.timeline.disruptions.push(Disruption { kind, from, until, side: None });
        self
    }

    fn judge(self) -> Verdict {
        let mut pickups = Pickups::default();
        self.checker.judge(&self.timeline, &self.tenures, &self.tables, self.allowances, &mut pickups)
    }

    fn completed_twice(self) -> Self {
        self.note(0, 100, started(1, 10))
            .note(0, 110, ended(1, 10, End::Complete))
            .note(1, 700, started(1, 10))
            .note(1, 710, ended(1, 10, End::Complete))
    }
}

#[test]
fn a_job_that_completes_is_good() {
    let verdict = Case::new().note(0, 100, started(1, 10)).note(0, 110, ended(1, 10, End::Complete)).judge();
    assert!(verdict.is_good(), "{verdict:?}");
    assert_eq!((verdict.jobs, verdict.duplicates_explained()), (1, 0));
}

#[test]
fn an_acknowledged_job_that_never_ends_is_lost() {
    assert_eq!(Case::new().judge().lost, 1, "it never ran");
    assert_eq!(Case::new().note(0, 100, started(1, 10)).judge().lost, 1, "it began");
    let failed = Case::new().note(0, 100, started(1, 10)).note(0, 110, ended(1, 10, End::Retry));
    assert_eq!(failed.judge().lost, 1, "it was to be tried again");
    let mut waiting = Case::new();
    let leftover = Leftover { state: "ready".into(), attempts: (0, 4), crashes: 0, reason: String::new() };
    waiting.tables.leftovers.insert(10, leftover);
    assert_eq!(waiting.judge().lost, 1, "it is still there");
}

#[test]
fn a_loss_just_before_a_crash_is_excused_only_where_commits_were_not_synced() {
    let case = |unsynced| {
        let case = Case::new().with(Kind::KillServer, 50, 60);
        Case { allowances: Allowances { unsynced }, ..case }.judge()
    };
    assert_eq!((case(None).lost, case(None).lost_with_reason.len()), (1, 0));
    assert_eq!((case(Some(100)).lost, case(Some(100)).lost_with_reason.len()), (0, 1));
    assert_eq!((case(Some(10)).lost, case(Some(10)).lost_with_reason.len()), (1, 0));
}

#[test]
fn a_job_that_was_never_enqueued_or_rolled_back_is_unexpected() {
    let run = |case: Case| {
        case.note(0, 100, started(1, 10)).note(0, 110, ended(1, 10, End::Complete)).judge().unexpected
    };
    assert!(run(Case::empty()) > 0);
    let rolled_back = Case::empty().produce(1, Event::Invoked { n: 1 }).produce(2, Event::Failed { n: 1 });
    assert!(run(rolled_back) > 0);
    let unknown = Case::empty().produce(1, Event::Invoked { n: 1 }).produce(2, Event::Unknown { n: 1 });
    assert_eq!(run(unknown), 0, "zero or one times");
}

#[test]
fn a_repetition_without_a_cause_is_unexplained() {
    let settled =
        vec![tenure(1, 0, 90, Some((120, "pgq settle"))), tenure(2, 1, 600, Some((720, "pgq settle")))];
    let verdict = Case::new().completed_twice().held(settled).judge();
    assert_eq!((verdict.unexplained, verdict.duplicates_explained()), (1, 0), "its completion was on record");
    let unclaimed = Case::new().completed_twice().judge();
    assert_eq!(unclaimed.unexplained, 1, "nobody claimed it");
    let twice = vec![tenure(1, 0, 90, Some((650, "rescue")))];
    let verdict = Case::new()
        .note(0, 100, started(1, 10))
        .note(0, 105, ended(1, 10, End::Complete))
        .note(0, 130, started(1, 10))
        .note(0, 140, ended(1, 10, End::Complete))
        .held(twice)
        .judge();
    assert_eq!(verdict.unexplained, 1, "a handler starts once in a lease");
    let given_back = vec![tenure(1, 0, 90, Some((120, "pgq maintain"))), tenure(2, 1, 600, None)];
    assert_eq!(Case::new().completed_twice().held(given_back).judge().unexplained, 1, "no fault met it");
}

#[test]
fn repetitions_have_their_causes() {
    let taken_back =
        |at| vec![tenure(1, 0, 90, Some((at, "rescue"))), tenure(2, 1, 650, Some((720, "pgq settle")))];
    let causes = |case: Case| {
        let verdict = case.judge();
        assert!(verdict.is_good(), "{verdict:?}");
        verdict.explained.into_keys().collect::<Vec<_>>()
    };
    let killed = Case::new().completed_twice().held(taken_back(600));
    assert_eq!(causes(killed), [Cause::KilledBeforeSettle]);
    let expired = Case::new().completed_twice().held(taken_back(400));
    assert_eq!(causes(expired), [Cause::LeaseExpired]);
    let undone = Case::new().completed_twice().with(Kind::StopImmediate, 200, 300);
    assert_eq!(causes(undone), [Cause::ServerCrash]);
    let given_back = vec![tenure(1, 0, 90, Some((600, "pgq maintain"))), tenure(2, 1, 650, None)];
    let settle_lost = Case::new().completed_twice().held(given_back).with(Kind::BlackHole, 95, 300);
    assert_eq!(causes(settle_lost), [Cause::SettleLost]);
    // Given back before it started: it started in a second lease, which the crash has undone.
    let released = || vec![tenure(1, 0, 40, Some((60, "pgq settle"))), tenure(2, 1, 650, None)];
    let claimed_anew = Case::new().completed_twice().held(released());
    assert_eq!(causes(claimed_anew.with(Kind::KillServer, 70, 300)), [Cause::ServerCrash]);
    assert_eq!(Case::new().completed_twice().held(released()).judge().unexplained, 1, "nothing crashed");
    let settled = || vec![tenure(1, 0, 90, Some((120, "pgq settle"))), tenure(2, 1, 650, None)];
    let mut heard = Case::new().completed_twice().held(settled());
    heard.timeline.undone.push((0, 130));
    assert_eq!(causes(heard), [Cause::ServerCrash], "its process had the job by an undone claim, too");
    let mut others = Case::new().completed_twice().held(settled());
    others.timeline.undone.push((1, 130));
    assert_eq!(others.judge().unexplained, 1);
    let told = Case::new()
        .note(0, 100, started(1, 10))
        .note(0, 110, ended(1, 10, End::Retry))
        .note(1, 700, started(1, 10))
        .note(1, 710, ended(1, 10, End::Complete))
        .held(vec![
            tenure(1, 0, 90, Some((120, "pgq settle"))),
            tenure(2, 1, 650, Some((720, "pgq settle"))),
        ]);
    assert_eq!(causes(told), [], "that is no repetition");
}

#[test]
fn a_lease_is_taken_from_a_living_runner_only_after_its_silence() {
    // Heartbeats every 20: dead after 300, or after 60 with a free lock.
    let case = |at, taken| {
        let mut held = vec![tenure(1, 1, 90, Some((taken, "rescue"))), tenure(2, 0, 680, None)];
        held[0].beat = Some(Beat { at, locked: true });
        Case::new()
            .note(1, 100, started(1, 10))
            .note(1, 110, ended(1, 10, End::Complete))
            .note(0, 700, started(1, 10))
            .note(0, 710, ended(1, 10, End::Complete))
            .held(held)
    };
    let causes = |case: Case| case.judge().explained.into_keys().collect::<Vec<_>>();
    assert_eq!(causes(case(100, 400)), [Cause::LeaseExpired]);
    assert_eq!(case(101, 400).judge().unexplained, 1, "it had said that it lives");
    assert_eq!(case(330, 400).judge().unexplained, 1, "nothing had freed its lock");
    assert_eq!(causes(case(330, 400).with(Kind::EndSessions, 335, 336)), [Cause::LeaseExpired]);
    let mut unlocked = case(330, 400);
    unlocked.tenures.get_mut(&10).unwrap()[0].beat = Some(Beat { at: 330, locked: false });
    assert_eq!(causes(unlocked), [Cause::LeaseExpired], "it did not hold its lock");
    assert_eq!(case(350, 400).with(Kind::EndSessions, 355, 356).judge().unexplained, 1, "that was too soon");
}

#[test]
fn a_completion_without_its_effect_is_a_loss() {
    let completes = |case: Case| {
        let mut case = case.note(0, 100, started(1, 10));
        case.checker.note(Some(0), 110, ended(1, 10, End::Complete));
        case
    };
    assert_eq!(completes(Case::new()).judge().lost, 1);
    let mut case = completes(Case::new());
    case.tables.effects.insert(1, 1);
    assert!(case.judge().is_good());
}

#[test]
fn an_enqueue_that_was_tried_again_may_exist_twice() {
    let runs = |case: Case| {
        case.note(0, 100, started(1, 10))
            .note(0, 110, ended(1, 10, End::Complete))
            .note(1, 120, started(1, 11))
            .note(1, 130, ended(1, 11, End::Complete))
            .judge()
    };
    let unknown = Case::empty()
        .produce(1, Event::Invoked { n: 1 })
        .produce(2, Event::Unknown { n: 1 })
        .produce(3, Event::Invoked { n: 1 })
        .produce(4, Event::Acknowledged { n: 1, id: 11 });
    let verdict = runs(unknown);
    assert!(verdict.is_good(), "{verdict:?}");
    assert_eq!(verdict.explained.into_keys().collect::<Vec<_>>(), [Cause::AmbiguousEnqueue]);
    assert!(!runs(Case::new()).is_good(), "one enqueue made two jobs");
}

#[test]
fn leases_of_one_job_that_overlap_are_illegal() {
    let both = vec![tenure(1, 0, 90, Some((690, "rescue"))), tenure(2, 1, 600, Some((720, "pgq settle")))];
    assert_eq!(Case::new().completed_twice().held(both).judge().overlaps, 1);
    // A stale run may go on beside the next as long as its lease had ended before the claim.
    let stale = Case::new()
        .note(0, 100, started(1, 10))
        .note(1, 700, started(1, 10))
        .note(1, 710, ended(1, 10, End::Complete))
        .note(0, 750, ended(1, 10, End::Complete))
        .held(vec![tenure(1, 0, 90, Some((640, "rescue"))), tenure(2, 1, 650, Some((720, "pgq settle")))])
        .judge();
    assert_eq!((stale.overlaps, stale.overlapping_runs, stale.is_good()), (0, 1, true));
}

#[test]
fn an_effect_in_its_own_transaction_is_there_once() {
    let mut case = Case::new();
    case.tables.effects.insert(1, 1);
    assert!(case.judge().is_good(), "the reply to its commit may be lost");
    let mut case = Case::new();
    case.tables.effects.insert(1, 2);
    assert_eq!(case.judge().unexplained, 1);
}

#[test]
fn a_job_aboard_three_crashes_is_discarded_and_not_lost() {
    let mut case = Case::new();
    let leftover =
        Leftover { state: "discarded".into(), attempts: (3, 9), crashes: 3, reason: "died".into() };
    case.tables.leftovers.insert(10, leftover.clone());
    let verdict = case.judge();
    assert_eq!((verdict.discarded_after_crashes, verdict.is_good()), (1, true));
    let mut case = Case::new();
    case.tables.leftovers.insert(10, Leftover { crashes: 1, ..leftover });
    assert_eq!(case.judge().lost, 1);
}

#[test]
fn a_process_id_that_was_given_out_again_names_whoever_had_it_then() {
    let mut timeline = timeline(Vec::new());
    timeline.processes[1].since = 600;
    assert_eq!([0, 599, 600, 700].map(|at| timeline.process(7, at)), [Some(0), Some(0), Some(1), Some(1)]);
    assert_eq!(timeline.process(8, 700), None);
}

#[test]
fn a_refused_outcome_needs_somebody_who_took_its_lease_or_a_crash_that_undid_its_claim() {
    let crash = Disruption { kind: Kind::KillServer, from: 10_000_000, until: 11_000_000, side: None };
    let timeline = timeline(vec![crash]);
    let refused = |at, claimed, taken| {
        Refusal { at, process: 0, lease: uuid::Uuid::nil(), claimed, taken }.has_cause(&timeline, None)
    };
    assert!(refused(1_000_000, true, true), "somebody took it");
    assert!(!refused(1_000_000, true, false), "nobody did");
    assert!(refused(9_000_000, true, false), "the crash may have undone that somebody did");
    assert!(!refused(12_000_000, true, false), "a crash before the refusal undoes nothing of it");
    assert!(refused(12_000_000, false, false), "the crash undid its claim");
    assert!(!refused(1_000_000, false, false), "a lease that never was");
}
