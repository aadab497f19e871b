use std::fmt;

use sqlx::{Row, query};

use super::find::{Place, page};
use super::{Admin, Filter, State, unsigned};
use crate::Error;

/// How far jobs are counted.
pub const COUNT_LIMIT: u32 = 10_000;

/// How many jobs there are, as far as that can be said at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Count {
    /// So many.
    Exactly(u64),
    /// So many and more; counting ended there.
    AtLeast(u64),
    /// About so many, by the planner's last estimate.
    About(u64),
}

impl Count {
    /// The number, however exact it is.
    pub const fn number(self) -> u64 {
        match self {
            Self::Exactly(number) | Self::AtLeast(number) | Self::About(number) => number,
        }
    }

    /// What a count of at most [`COUNT_LIMIT`] and one more means.
    pub(super) fn capped(count: i64) -> Self {
        Self::capped_at(count, i64::from(COUNT_LIMIT))
    }

    /// The same of another limit.
    pub(super) fn capped_at(count: i64, limit: i64) -> Self {
        if count > limit { Self::AtLeast(unsigned(limit)) } else { Self::Exactly(unsigned(count)) }
    }

    /// The estimate, where counting ended and it says more.
    fn or_about(self, estimate: i64) -> Self {
        match self {
            Self::AtLeast(least) if unsigned(estimate) > least => Self::About(unsigned(estimate)),
            count => count,
        }
    }
}

/// `12`, `10,000+` or `~1,234,567`.
impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = grouped(self.number());
        f.pad(&match self {
            Self::Exactly(_) => number,
            Self::AtLeast(_) => format!("{number}+"),
            Self::About(_) => format!("~{number}"),
        })
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// How many jobs are in each state.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateCounts {
    /// Each state with its count, in the order of [`State::ALL`].
    pub states: Vec<(State, Count)>,
    /// Rows of the ready, scheduled and finished tables together, by the planner's last estimate.
    pub estimated_rows: u64,
}

impl Admin {
    /// How many jobs match: up to [`COUNT_LIMIT`].
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn count(&self, filter: &Filter) -> Result<Count, Error> {
        let before = filter.before.map_or(i64::MAX, |job| job.0);
        let mut tx = self.look().await?;
        let (mut count, mut all) = (0, true);
        for place in Place::ALL.into_iter().filter(|place| place.is_asked_for(filter)) {
            let wanted = COUNT_LIMIT as usize + 1 - count;
            let deadline = std::time::Instant::now() + super::find::PATIENCE;
            let page = page(&self.schema, &mut tx, place, filter, before, wanted, Some(deadline)).await?;
            count += page.jobs.len();
            all &= page.next.is_none();
            if count > COUNT_LIMIT as usize {
                break;
            }
        }
        tx.rollback().await?;
        let count = u64::try_from(count).unwrap_or(u64::MAX).min(u64::from(COUNT_LIMIT));
        Ok(if all { Count::Exactly(count) } else { Count::AtLeast(count) })
    }

    /// How many jobs are in each state: counted up to [`COUNT_LIMIT`], and estimated beyond.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn states(&self) -> Result<StateCounts, Error> {
        let mut tx = self.look().await?;
        let count_states =
            query(self.schema.statements().count_states.clone()).bind(i64::from(COUNT_LIMIT) + 1);
        let row = count_states.fetch_one(&mut *tx).await?;
        tx.rollback().await?;
        let number = |column: &str| row.try_get::<i64, _>(column);
        let mut states = Vec::new();
        for state in State::ALL {
            let count = Count::capped(number(state.as_str())?);
            // Only of tables with one state, or nearly, an estimate of rows is one of jobs.
            states.push((
                state,
                match state {
                    State::Ready => count.or_about(number("ready_rows")?),
                    State::Scheduled => count.or_about(number("scheduled_rows")? - number("parked")?),
                    _ => count,
                },
            ));
        }
        let estimated = number("ready_rows")? + number("scheduled_rows")? + number("finished_rows")?;
        Ok(StateCounts { states, estimated_rows: unsigned(estimated) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_says_how_exact_it_is() {
        let text = |count: Count| count.to_string();
        assert_eq!(text(Count::capped(10_000)), "10,000");
        assert_eq!(text(Count::capped(10_001)), "10,000+");
        assert_eq!(text(Count::capped(10_001).or_about(12_345_678)), "~12,345,678");
        assert_eq!(text(Count::capped(10_001).or_about(5)), "10,000+", "an old estimate says less");
        assert_eq!(text(Count::capped(999).or_about(12)), "999");
    }
}
