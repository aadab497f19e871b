use std::collections::BTreeMap;

use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;

/// A place in the order of a queue: priority, then id.
pub(crate) type Place = (i16, i64);

/// Before every job.
pub(crate) const START: Place = (i16::MIN, i64::MIN);

/// After every priority.
const END: i32 = i16::MAX as i32 + 1;

/// A part of a queue's order: from a place on, up to a priority that is no part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) from: Place,
    pub(crate) until: i32,
}

impl Stretch {
    /// All of a queue.
    pub(crate) const WHOLE: Self = Self::after(START);

    pub(crate) const fn after(from: Place) -> Self {
        Self { from, until: END }
    }

    /// What lies behind no floor: of each priority that has one, what comes from it on, and all of the others.
    pub(crate) fn above(floors: &BTreeMap<i16, i64>) -> Vec<Self> {
        let mut from = START;
        let mut stretches = Vec::with_capacity(floors.len() + 1);
        for (&priority, &id) in floors {
            stretches.push(Self { from, until: priority.into() });
            from = (priority, id);
        }
        stretches.push(Self::after(from));
        stretches
    }
}

/// The stretches of several queues as the statements take them.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    /// The number of the queue, from 1 on.
    numbers: Vec<i32>,
    priorities: Vec<i16>,
    ids: Vec<i64>,
    untils: Vec<i32>,
}

impl Columns {
    pub(crate) fn of(queues: impl Iterator<Item = Vec<Stretch>>) -> Self {
        let mut columns = Self::default();
        for (number, stretches) in (1..).zip(queues) {
            for Stretch { from: (priority, id), until } in stretches {
                columns.numbers.push(number);
                columns.priorities.push(priority);
                columns.ids.push(id);
                columns.untils.push(until);
            }
        }
        columns
    }

    /// As the next four parameters.
    pub(crate) fn bind_to(
        mut self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Query<'_, Postgres, PgArguments> {
        let numbers = std::mem::take(&mut self.numbers);
        self.bind_without_numbers(query.bind(numbers))
    }

    /// As the next three parameters: the stretches are of one queue.
    pub(crate) fn bind_without_numbers(
        self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Query<'_, Postgres, PgArguments> {
        query.bind(self.priorities).bind(self.ids).bind(self.untils)
    }
}
