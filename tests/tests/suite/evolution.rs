//! A payload outlives the layout that wrote it.

use pgq_postgres::{Context, Enqueue, Job, JobResult, Outcome, Perform, Runner};
use pgq_tests::{count, states, with_database};
use sqlx::{PgPool, query, query_as};

/// The first program.
mod first {
    use super::*;

    #[derive(Job)]
    #[job(kind = "greet")]
    pub(super) struct Greet {
        pub(super) name: String,
    }

    impl Perform for Greet {
        async fn perform(&self, _: &Context) -> JobResult {
            assert_eq!(self.name, "first");
            Ok(())
        }
    }
}

/// The second: a field more, and the version was forgotten.
#[cfg(feature = "bincode")]
mod careless {
    use super::*;

    #[derive(Job)]
    #[job(kind = "greet")]
    pub(super) struct Greet {
        pub(super) name: String,
        pub(super) times: u8,
    }

    impl Perform for Greet {
        async fn perform(&self, _: &Context) -> JobResult {
            assert_eq!((&*self.name, self.times), ("careless", 2));
            Ok(())
        }
    }
}

/// The second, done right.
mod second {
    use super::*;

    #[derive(Job)]
    #[job(kind = "greet", version = 2, upcast_from = first::Greet)]
    pub(super) struct Greet {
        pub(super) name: String,
        pub(super) times: u8,
    }

    impl From<first::Greet> for Greet {
        fn from(old: first::Greet) -> Self {
            Self { name: old.name, times: 1 }
        }
    }

    impl Perform for Greet {
        async fn perform(&self, _: &Context) -> JobResult {
            let expected = if self.times == 1 { "first" } else { "second" };
            assert_eq!(self.name, expected);
            Ok(())
        }
    }
}

/// The third.
mod third {
    use super::*;

    #[derive(Job)]
    #[job(kind = "greet", version = 3, upcast_from = second::Greet)]
    pub(super) struct Greet {
        pub(super) names: Vec<String>,
        pub(super) times: u8,
    }

    impl TryFrom<second::Greet> for Greet {
        type Error = String;

        fn try_from(old: second::Greet) -> Result<Self, String> {
            if old.times > 9 {
                return Err(format!("{} greetings are too many", old.times));
            }
            Ok(Self { names: vec![old.name], times: old.times })
        }
    }

    impl Perform for Greet {
        async fn perform(&self, _: &Context) -> JobResult {
            let expected = ["third", "first", "second"][usize::from(self.times)];
            assert_eq!(self.names, [expected]);
            Ok(())
        }
    }
}

async fn drain<J: Perform>(pool: &PgPool) -> Vec<Outcome> {
    let drained = Runner::empty().register::<J>().pool(pool.clone()).drain().await.unwrap();
    drained.into_iter().map(|done| done.outcome).collect()
}

async fn enqueue_one_of_each(pool: &PgPool) {
    first::Greet { name: "first".into() }.enqueue(pool).await.unwrap();
    second::Greet { name: "second".into(), times: 2 }.enqueue(pool).await.unwrap();
    third::Greet { names: vec!["third".into()], times: 0 }.enqueue(pool).await.unwrap();
}

#[tokio::test]
async fn each_program_runs_the_versions_it_knows_and_leaves_newer_ones_alone() {
    with_database(async |db| {
        let pool = db.pool();
        enqueue_one_of_each(&pool).await;
        assert_eq!(drain::<first::Greet>(&pool).await, [Outcome::Complete]);
        let left: Vec<(i16, i16)> =
            query_as("select version, attempts from pgq.ready order by id").fetch_all(&pool).await.unwrap();
        assert_eq!(left, [(2, 0), (3, 0)]);
        enqueue_one_of_each(&pool).await;
        assert_eq!(drain::<second::Greet>(&pool).await, [const { Outcome::Complete }; 3]);
        enqueue_one_of_each(&pool).await;
        assert_eq!(drain::<third::Greet>(&pool).await, [const { Outcome::Complete }; 5]);
        assert_eq!(count(&pool, "pgq.jobs").await, 0);
    })
    .await;
}

#[cfg(feature = "bincode")] // JSON tells fields by their names
#[tokio::test]
async fn a_layout_that_changed_without_a_version_is_parked_and_runs_after_the_fix() {
    with_database(async |db| {
        let pool = db.pool();
        for name in ["first", "first"] {
            first::Greet { name: name.into() }.enqueue(&pool).await.unwrap();
        }
        let bodies = "select coalesce(payload, '') from pgq.jobs order by id";
        let before: Vec<Vec<u8>> = sqlx::query_scalar(bodies).fetch_all(&pool).await.unwrap();
        // As often as the careless program starts.
        for _ in 0..2 {
            let outcomes = drain::<careless::Greet>(&pool).await;
            assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Park { .. })), "{outcomes:?}");
            assert_eq!(outcomes.len(), 2);
            let told: Vec<String> =
                sqlx::query_scalar("select error from pgq.failures").fetch_all(&pool).await.unwrap();
            assert_eq!(told.len(), 2);
            assert!(told[0].contains("version = 2") && told[0].contains("upcast_from"), "{}", told[0]);
        }
        assert_eq!(states(&pool).await, [("parked".to_owned(), 2)]);
        assert_eq!(sqlx::query_scalar::<_, Vec<u8>>(bodies).fetch_all(&pool).await.unwrap(), before);
        let careless = careless::Greet { name: "careless".into(), times: 2 };
        careless.enqueue(&pool).await.unwrap();
        assert_eq!(
            drain::<second::Greet>(&pool).await.iter().filter(|end| **end == Outcome::Complete).count(),
            2
        );
        assert_eq!(states(&pool).await, [("parked".to_owned(), 1)], "the careless one's own");
        assert_eq!(count(&pool, "pgq.failures").await, 1);
        assert_eq!(drain::<careless::Greet>(&pool).await, [Outcome::Complete]);
        assert_eq!(count(&pool, "pgq.jobs").await + count(&pool, "pgq.failures").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_conversion_that_fails_parks_the_job() {
    with_database(async |db| {
        let pool = db.pool();
        second::Greet { name: "second".into(), times: 10 }.enqueue(&pool).await.unwrap();
        let outcomes = drain::<third::Greet>(&pool).await;
        let Outcome::Park { error } = &outcomes[0] else { panic!("{outcomes:?}") };
        assert!(error.contains("10 greetings are too many"), "{error}");
        assert_eq!(states(&pool).await, [("parked".to_owned(), 1)]);
    })
    .await;
}

#[tokio::test]
async fn damaged_payloads_are_run_or_parked_and_nothing_else() {
    with_database(async |db| {
        let pool = db.pool();
        let whole = second::Greet { name: "first".into(), times: 1 };
        let bytes = pgq_postgres::encode(&whole).unwrap();
        whole.enqueue(&pool).await.unwrap();
        let mut damaged: Vec<Vec<u8>> = (0..bytes.len()).map(|end| bytes[..end].to_vec()).collect();
        damaged.push([&bytes[..], &[0]].concat());
        for byte in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[byte] ^= 1 << bit;
                damaged.push(flipped);
            }
        }
        let insert = "insert into pgq.ready (queue, kind, priority, version, shape, max_attempts, payload) \
                      select queue, kind, priority, version, shape, 1, unnest($1::bytea[]) from pgq.ready";
        query(insert).bind(&damaged).execute(&pool).await.unwrap();
        let outcomes = drain::<second::Greet>(&pool).await;
        assert_eq!(outcomes.len(), damaged.len() + 1);
        let parked = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Park { .. })).count();
        // A flipped letter or number is a value like any other, and the handler's business.
        let ran = |outcome: &Outcome| match outcome {
            Outcome::Complete => true,
            Outcome::Discard { error, .. } => error.contains("assertion `left == right` failed"),
            _ => false,
        };
        assert_eq!(outcomes.iter().filter(|outcome| ran(outcome)).count(), outcomes.len() - parked);
        assert!(parked > bytes.len() + 8, "{parked}");
        println!("{} damaged payloads, {parked} parked", damaged.len());
    })
    .await;
}
