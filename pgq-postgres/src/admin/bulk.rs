use super::change::Action;
use super::find::{Place, page};
use super::{Admin, Filter, State, When};
use crate::Error;

/// How many jobs one statement changes.
const BATCH: usize = 1000;

/// What a change of all jobs that match a filter did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bulk {
    /// Jobs that matched.
    pub matched: u64,
    /// Jobs that were changed; of running ones that were cancelled, those that are told.
    pub changed: u64,
    /// Unique jobs that stay as they are, since another job holds their key.
    pub keys_taken: u64,
}

impl Bulk {
    /// Jobs that matched, and were elsewhere when they should have been changed.
    pub fn missed(&self) -> u64 {
        self.matched.saturating_sub(self.changed + self.keys_taken)
    }
}

/// Changes of many jobs. Each goes through the jobs in batches of a thousand, each batch a transaction of its own with
/// its row in `pgq.audit`; a failure half-way leaves done what is done, and the same call goes on from there. Ask
/// [`count`](Self::count) before. Jobs that begin to match meanwhile may be missed.
impl Admin {
    /// Lets all that match run again now, as [`retry`](Self::retry); where the filter names no state, those that are
    /// discarded or parked.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn retry_all(&self, filter: &Filter) -> Result<Bulk, Error> {
        self.change_all(Action::Retry, &filter.or_states(&[State::Discarded, State::Parked])).await
    }

    /// Cancels all that match, as [`cancel`](Self::cancel); those that run are told.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn cancel_all(&self, filter: &Filter) -> Result<Bulk, Error> {
        let mut unfinished = WAITING.to_vec();
        unfinished.push(State::Running);
        self.change_all(Action::Cancel, &filter.or_states(&unfinished)).await
    }

    /// Discards all that match and wait.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn discard_all(&self, filter: &Filter) -> Result<Bulk, Error> {
        self.change_all(Action::Discard, &filter.or_states(&WAITING)).await
    }

    /// Gives all that match and wait another priority.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn reprioritise_all(&self, filter: &Filter, priority: i16) -> Result<Bulk, Error> {
        self.change_all(Action::Reprioritise(priority), &filter.or_states(&WAITING)).await
    }

    /// Lets all that match and wait run at another time.
    ///
    /// # Errors
    /// A failure of the database, or a time after the year 9999.
    pub async fn reschedule_all(&self, filter: &Filter, when: When) -> Result<Bulk, Error> {
        self.change_all(Action::Reschedule(when), &filter.or_states(&WAITING)).await
    }

    async fn change_all(&self, action: Action, filter: &Filter) -> Result<Bulk, Error> {
        action.check()?;
        let mut bulk = Bulk::default();
        for place in Place::ALL.into_iter().filter(|place| place.is_asked_for(filter)) {
            let mut before = Some(filter.before.map_or(i64::MAX, |job| job.0));
            while let Some(from) = before {
                let mut tx = self.look().await?;
                let page = page(&self.schema, &mut tx, place, filter, from, BATCH, None).await?;
                tx.rollback().await?;
                before = page.next;
                let mut connection = self.pool.acquire().await?;
                let did = self.apply(&mut connection, action, &page.jobs, Some(filter.to_json())).await?;
                bulk.matched += page.jobs.len() as u64;
                bulk.changed += did.changed as u64;
                bulk.keys_taken += did.keys_taken as u64;
            }
        }
        Ok(bulk)
    }
}

const WAITING: [State; 3] = [State::Ready, State::Scheduled, State::Parked];
