use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize};
use std::time::Duration;

use pgq_core::{JobId, Outcome};
use pgq_model::{
    self as model, Action, Database, Delayed, End, Finished, Lease, LeaseId, Leased, Network, Protocol,
    Registration, Row, RunnerId, Settle, State,
};
use sqlx::{Connection, PgConnection, Row as _, query, query_as, query_scalar, raw_sql};
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::connection::{Commit, Session};
use crate::meter::RunnerMeter;
use crate::runner::claim::{Together, claim_first, number_of_a_claim};
use crate::runner::ledger::{Afterlife, Flush, Ledger, Remains};
use crate::runner::liveness::Liveness;
use crate::runner::release::release_strangers;
use crate::runner::rescue::{Dead, rescue_one};
use crate::runner::room::Room;
use crate::runner::running::RunningJobs;
use crate::runner::settings::{DEAD_AFTER_BEATS, DEAD_AFTER_BEATS_UNLOCKED, Settings};
use crate::runner::settle::record;
use crate::runner::shared::{Kinds, NONE, Shared, session};
use crate::runner::stretch::{Columns, Stretch};
use crate::runner::suspect;
use crate::runner::tally::Tally;
use crate::{Admin, RunnerHandle};

/// Longer than any run, so that nothing falls due before its step.
const LATER: Duration = Duration::from_secs(86_400);

/// Performs the model's steps by the statements.
pub(super) struct Driver {
    protocol: Protocol,
    state: State,
    runners: Vec<Arc<Shared>>,
    /// The real leases by the model's numbers.
    leases: HashMap<LeaseId, Uuid>,
    late: Option<Late>,
    claimer: Mutex<Session>,
    open: Mutex<Option<PgConnection>>,
    url: String,
}

/// A statement that the server has not come to.
enum Late {
    Claim(Arc<Shared>, i32),
    Settle(Arc<Shared>, Flush),
}

impl Driver {
    pub(super) async fn new(url: &str, protocol: Protocol, state: &State) -> Self {
        let runners = vec![runner(url), runner(url)];
        let claimer = Mutex::new(runners[0].session("claim"));
        let leases = HashMap::new();
        let driver = Self {
            protocol,
            state: state.clone(),
            runners,
            leases,
            late: None,
            claimer,
            open: Mutex::default(),
            url: url.to_owned(),
        };
        let mut session = driver.session().await;
        raw_sql("truncate pgq.ready, pgq.scheduled, pgq.leases, pgq.finished, pgq.failures, pgq.runners")
            .execute(&mut session)
            .await
            .unwrap();
        for row in &state.database.ready {
            query(
                "insert into pgq.ready (id, shape, priority, version, max_attempts, queue, kind, payload) \
                 values ($1, 0, 0, 1, $2, 'q', $3, 'x')",
            )
            .bind(i64::from(row.job))
            .bind(i16::from(driver.protocol.max_attempts[usize::from(row.job)]))
            .bind(if driver.protocol.transactional == Some(row.job) { "effect" } else { "plain" })
            .execute(&mut session)
            .await
            .unwrap();
        }
        for shared in &driver.runners {
            register(shared, &mut session).await;
        }
        *driver.open.lock().await = Some(session);
        driver
    }

    /// Performs that step.
    pub(super) async fn perform(&mut self, action: Action, after: &State) {
        let mut session = self.session().await;
        match action {
            Action::Start(r) => {
                self.runners[usize::from(r)] = runner(&self.url);
                register(self.runner(r), &mut session).await;
            }
            Action::Claim(r, network) => self.claim(r, network, after, &mut session).await,
            Action::Begin(r, lease, _) => {
                let found = self.state.database.leases.iter().any(|l| l.owner == r && l.id == lease);
                assert_eq!(suspect::begin(self.runner(r), self.leases[&lease]).await, found);
            }
            Action::CompleteIn(r, lease, network) => self.complete_in(r, lease, network, &mut session).await,
            Action::Settle(r, lease, network) => self.settle(r, lease, network, &mut session).await,
            Action::GiveBackStrangers(r) => self.give_back_strangers(r).await,
            Action::Beat(r) => self.beat(r, &mut session).await,
            Action::Expire(r) => {
                let old = "update pgq.runners set heartbeat_at = now() - interval '1 day' where id = $1";
                query(old).bind(self.runner(r).id).execute(&mut session).await.unwrap();
            }
            Action::Judge(r) => self.judge(r, &mut session).await,
            Action::Rescue => self.rescue(&mut session).await,
            Action::Cancel(job) => {
                Admin::new(&self.runner(0).pool).cancel(JobId(i64::from(job))).await.unwrap();
            }
            Action::Promote(job) => self.promote(job, &mut session).await,
            Action::Deliver => self.deliver(after, &mut session).await,
            // These happen in the memory of a process.
            Action::End(..)
            | Action::GiveUp(..)
            | Action::Crash(_)
            | Action::Pause(_)
            | Action::Resume(_) => {}
        }
        *self.open.lock().await = Some(session);
        self.state = after.clone();
    }

    fn runner(&self, r: RunnerId) -> &Arc<Shared> {
        &self.runners[usize::from(r)]
    }

    /// A session, to be put back.
    async fn session(&self) -> PgConnection {
        if let Some(session) = self.open.lock().await.take() {
            return session;
        }
        self.runners[0].session_options("model", Commit::Asynchronous).connect().await.unwrap()
    }

    async fn claim(&mut self, r: RunnerId, network: Network, after: &State, session: &mut PgConnection) {
        let shared = self.runner(r).clone();
        let free = i32::from(self.protocol.slots) - busy(&self.state, r);
        if network == Network::Delayed {
            self.late = Some(Late::Claim(shared, free));
            return;
        }
        let mut tx = session.begin().await.unwrap();
        let claimed = claim(&shared, free, &mut tx).await;
        end(tx, network).await;
        self.name_leases(claimed, after);
    }

    /// Finds out which of the model's new leases are which.
    fn name_leases(&mut self, claimed: Vec<(Uuid, Vec<i64>)>, after: &State) {
        let known = numbers(&self.state);
        for (number, jobs) in numbered(after).into_iter().filter(|(number, _)| !known.contains_key(number)) {
            let (lease, _) =
                claimed.iter().find(|(_, ids)| *ids == jobs).expect("as many leases as in the model");
            self.leases.insert(number, *lease);
        }
    }

    async fn complete_in(
        &mut self,
        r: RunnerId,
        lease: LeaseId,
        network: Network,
        session: &mut PgConnection,
    ) {
        let shared = self.runner(r);
        let mut tx = session.begin().await.unwrap();
        let complete = query_scalar::<_, Uuid>(shared.statements().complete_in.clone());
        let complete = complete.bind(shared.id).bind(self.leases[&lease]).bind(false);
        let held = complete.fetch_optional(&mut *tx).await.unwrap().is_some();
        assert_eq!(held, self.state.database.leases.iter().any(|l| l.owner == r && l.id == lease));
        end(tx, network).await;
    }

    async fn settle(&mut self, r: RunnerId, lease: LeaseId, network: Network, session: &mut PgConnection) {
        let settle = self.protocol.settle_of(&self.state, r, lease).expect("the lease is in hand");
        let (shared, flush) = (self.runner(r).clone(), flush(&settle, self.leases[&lease]));
        if network == Network::Delayed {
            self.late = Some(Late::Settle(shared, flush));
            return;
        }
        let mut tx = session.begin().await.unwrap();
        let held = record(&shared, &mut tx, std::slice::from_ref(&flush)).await.unwrap();
        assert_eq!(
            held.len(),
            self.state.database.leases.iter().filter(|l| l.owner == r && l.id == lease).count()
        );
        end(tx, network).await;
    }

    async fn give_back_strangers(&self, r: RunnerId) {
        let shared = self.runner(r);
        for (number, lease) in &self.leases {
            let hand = &self.state.runners[usize::from(r)].hand;
            match hand.iter().find(|held| held.known && held.lease == *number) {
                Some(held) => shared.ledger.add(*lease, held.jobs.len()),
                None => shared.ledger.forget(*lease),
            }
        }
        let together = Together::default();
        release_strangers(shared, &together, &mut *self.claimer.lock().await).await.unwrap();
    }

    async fn beat(&self, r: RunnerId, session: &mut PgConnection) {
        let shared = self.runner(r);
        let beat = query(shared.statements().heartbeat.clone());
        let beat = beat.bind(shared.id).bind(f64::from(DEAD_AFTER_BEATS_UNLOCKED));
        let beat = beat.bind(None::<serde_json::Value>);
        let known = beat.fetch_optional(&mut *session).await.unwrap().is_some();
        assert_eq!(known, self.state.database.runners[usize::from(r)] != Registration::Absent);
        if !known {
            register(shared, session).await;
        }
    }

    /// What it finds dead now is rescued later.
    async fn judge(&self, r: RunnerId, session: &mut PgConnection) {
        let old = "update pgq.leases set claimed_at = now() - interval '1 day' where runner_id = $1";
        query(old).bind(self.runner(r).id).execute(&mut *session).await.unwrap();
        let dead: Vec<(Uuid, String)> = query_as(self.runner(r).statements().dead_runners.clone())
            .bind(f64::from(DEAD_AFTER_BEATS))
            .bind(f64::from(DEAD_AFTER_BEATS_UNLOCKED))
            .bind(Uuid::nil())
            .fetch_all(session)
            .await
            .unwrap();
        assert!(dead.iter().any(|(id, _)| *id == self.runner(r).id), "it is dead by the database's clock");
    }

    async fn rescue(&self, session: &mut PgConnection) {
        let (dead, _) = self.state.judged.as_ref().expect("a runner was judged");
        let shared = self.runner(*dead);
        let mut tx = session.begin().await.unwrap();
        rescue_one(shared, &mut tx, &Dead { id: shared.id, name: shared.name.clone() }).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn promote(&self, job: model::Job, session: &mut PgConnection) {
        let due = "update pgq.scheduled set run_at = now() where id = $1";
        query(due).bind(i64::from(job)).execute(session).await.unwrap();
        let mut poller = self.claimer.lock().await;
        let whole = vec![("q", vec![Stretch::WHOLE])];
        crate::runner::poll::poll(self.runner(0), &mut poller, whole, false).await.unwrap();
    }

    async fn deliver(&mut self, after: &State, session: &mut PgConnection) {
        match self.late.take().expect("a statement was delayed") {
            Late::Claim(shared, free) => {
                let claimed = claim(&shared, free, session).await;
                self.name_leases(claimed, after);
            }
            Late::Settle(shared, flush) => {
                record(&shared, session, &[flush]).await.unwrap();
            }
        }
    }

    /// The tables hold what the model says.
    pub(super) async fn compare(&self, state: &State) {
        let mut session = self.session().await;
        let mut found = Database { runners: state.database.runners, ..Database::default() };
        found.ready = rows("select id, attempts, crashes from pgq.ready order by id", &mut session).await;
        found.scheduled =
            rows("select id, attempts, crashes from pgq.scheduled order by id", &mut session).await;
        let finished = query("select id, attempts, crashes, state from pgq.finished order by id");
        for row in finished.fetch_all(&mut session).await.unwrap() {
            let end =
                if row.get::<&str, _>("state") == "cancelled" { End::Cancelled } else { End::Discarded };
            found.finished.push(Finished { row: job_row(row.get(0), row.get(1), row.get(2)), end });
        }
        found.leases = self.read_leases(state, &mut session).await;
        assert_eq!(found, state.database);
        let registered = "select array(select id from pgq.runners)";
        let registered: Vec<Uuid> = query_scalar(registered).fetch_one(&mut session).await.unwrap();
        for (shared, row) in self.runners.iter().zip(state.database.runners) {
            assert_eq!(registered.contains(&shared.id), row != Registration::Absent);
        }
        *self.open.lock().await = Some(session);
    }

    async fn read_leases(&self, state: &State, session: &mut PgConnection) -> Vec<Lease> {
        let all = "select l.id, l.runner_id, l.started, j.id, j.attempts, l.crashes, \
                   coalesce(get_bit(l.done, (j.n - 1)::int), 0) = 1, coalesce(l.cancelled @> array[j.id], false) \
                   from pgq.leases l, unnest(l.ids, l.attempts) with ordinality j (id, attempts, n) \
                   order by l.id, j.n";
        let mut leases: Vec<Lease> = Vec::new();
        for row in query(all).fetch_all(session).await.unwrap() {
            let (lease, owner): (Uuid, Uuid) = (row.get(0), row.get(1));
            let live = |number: &LeaseId| state.database.leases.iter().any(|lease| lease.id == *number);
            let named = self.leases.iter().find(|(number, id)| **id == lease && live(number));
            let id = *named.expect("the model knows this lease").0;
            let owner =
                self.runners.iter().position(|shared| shared.id == owner).expect("a runner") as RunnerId;
            if leases.last().is_none_or(|last| last.id != id) {
                leases.push(Lease { id, owner, started: row.get(2), jobs: Vec::new() });
            }
            let row = Leased {
                row: job_row(row.get(3), row.get(4), row.get(5)),
                settled: row.get(6),
                cancelled: row.get(7),
            };
            leases.last_mut().expect("just pushed").jobs.push(row);
        }
        leases.sort_by_key(|lease| lease.id);
        leases
    }
}

fn runner(url: &str) -> Arc<Shared> {
    let database: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
    let settings = Settings::default();
    let names = || vec!["effect".to_owned(), "plain".to_owned()];
    let kinds =
        Kinds { names: names(), versions: vec![1, 1], solo: vec!["effect".into()], ..Kinds::default() };
    Arc::new(Shared {
        id: Uuid::new_v4(),
        name: "model".into(),
        kinds,
        ledger: Ledger::default(),
        liveness: Liveness::new(settings.heartbeat_interval, settings.route),
        meter: RunnerMeter::new(settings.slots),
        room: Room::new(settings.slots, &["q".to_owned()], &settings.queue_limits),
        queues: vec!["q".into()],
        tally: Tally::default(),
        alike: AtomicU32::new(1),
        wake: Notify::new(),
        told_of: AtomicUsize::new(NONE),
        suspicion: Notify::new(),
        cancellation: Notify::new(),
        schedules: Notify::new(),
        #[cfg(feature = "cron")]
        declarations: Vec::new(),
        running: RunningJobs::default(),
        suspects: Mutex::new(session(&database, &settings, "suspects")),
        pool: sqlx::postgres::PgPoolOptions::new().max_connections(1).connect_lazy_with(database.clone()),
        database,
        handle: RunnerHandle::default(),
        rest: CancellationToken::new(),
        settings,
    })
}

async fn register(shared: &Shared, session: &mut PgConnection) {
    query(shared.statements().register_runner.clone())
        .bind(shared.id)
        .bind(&shared.name)
        .bind(None::<i64>)
        .bind("model")
        .bind(2)
        .bind(&shared.queues)
        .bind(&shared.kinds.names)
        .bind(&shared.kinds.versions)
        .bind(crate::time::interval(shared.liveness.interval()))
        .execute(session)
        .await
        .unwrap();
}

/// The claim, from the start of the queue; of a single job by the statement for that.
async fn claim(shared: &Shared, free: i32, session: &mut PgConnection) -> Vec<(Uuid, Vec<i64>)> {
    if free == 1 {
        let rows = claim_first(shared, "q", vec![Stretch::WHOLE]).fetch_all(session).await.unwrap();
        return rows.iter().map(|row| (row.get("id"), row.get("ids"))).collect();
    }
    let stretches = Columns::of([vec![Stretch::WHOLE]].into_iter());
    let rows = stretches
        .bind_to(query(shared.statements().claim.clone()).bind(["q"]).bind([free]))
        .bind(free)
        .bind(&shared.kinds.names)
        .bind(&shared.kinds.versions)
        .bind(&shared.kinds.solo)
        .bind(shared.id)
        .bind("none")
        .bind(number_of_a_claim())
        .fetch_all(session)
        .await
        .unwrap();
    rows.iter().map(|row| (row.get("id"), row.get("ids"))).collect()
}

/// Commits, or does what a crash of the server does to what was answered.
async fn end(tx: sqlx::Transaction<'_, sqlx::Postgres>, network: Network) {
    match network {
        Network::Undone => tx.rollback().await.unwrap(),
        _ => tx.commit().await.unwrap(),
    }
}

/// A settle as the settler would send it.
fn flush(settle: &Settle, lease: Uuid) -> Flush {
    let remains = settle.ends.iter().filter_map(|(position, _, outcome)| {
        let outcome = match outcome {
            model::Outcome::Complete => return None,
            model::Outcome::Retry => Outcome::Retry { after: LATER, error: "no".into(), slow_queue: false },
            model::Outcome::Discard => Outcome::Discard { error: "no".into(), slow_queue: false },
            model::Outcome::Snooze => Outcome::Snooze { after: LATER },
            model::Outcome::Release => Outcome::Release,
        };
        Some(Remains { position: *position, queue: "q".into(), outcome, afterlife: Afterlife::None })
    });
    let mut done = vec![0_u8; settle.done.len().div_ceil(8)];
    let ended = settle.done.iter().enumerate().filter(|(_, ended)| **ended);
    ended.for_each(|(position, _)| done[position / 8] |= 1 << (position % 8));
    Flush {
        lease,
        done,
        ends: settle.ends.len(),
        whole: settle.whole(),
        remains: remains.collect(),
        again: Vec::new(),
        completed_queue: None,
    }
}

/// How many jobs take up that runner's slots.
fn busy(state: &State, r: RunnerId) -> i32 {
    let jobs = state.runners[usize::from(r)].hand.iter().flat_map(|held| &held.jobs);
    jobs.filter(|job| matches!(job.phase, model::Phase::Running | model::Phase::Waiting)).count() as i32
}

/// All leases that anybody remembers, with their jobs.
fn numbered(state: &State) -> HashMap<LeaseId, Vec<i64>> {
    let hands = state.runners.iter().flat_map(|runner| &runner.hand);
    let hands = hands.map(|held| (held.lease, held.jobs.iter().map(|job| i64::from(job.row.job)).collect()));
    let leased = state.database.leases.iter();
    let leased =
        leased.map(|lease| (lease.id, lease.jobs.iter().map(|leased| i64::from(leased.row.job)).collect()));
    hands.chain(leased).collect()
}

/// The same, with the one that only a delayed statement remembers.
fn numbers(state: &State) -> HashMap<LeaseId, Vec<i64>> {
    let mut numbers = numbered(state);
    if let Some(Delayed::Settle(settle)) = &state.delayed {
        numbers.entry(settle.lease).or_default();
    }
    numbers
}

async fn rows(select: &'static str, session: &mut PgConnection) -> Vec<Row> {
    let rows: Vec<(i64, i16, i16)> = query_as(select).fetch_all(session).await.unwrap();
    rows.into_iter().map(|(id, attempts, crashes)| job_row(id, attempts, crashes)).collect()
}

fn job_row(id: i64, attempts: i16, crashes: i16) -> Row {
    let small = |n: i64| u8::try_from(n).expect("the model's numbers are small");
    Row { job: small(id), attempts: small(attempts.into()), crashes: small(crashes.into()) }
}
