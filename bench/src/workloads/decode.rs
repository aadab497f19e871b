//! What the guards of a payload cost beside the codec alone.

use std::hint::black_box;
use std::time::Instant;

use anyhow::Result;
use bincode::config::standard;
use pgq_postgres::{Job, Stored, encode};
use serde::{Deserialize, Serialize};

use super::no_such_side;
use crate::case::{Case, CaseResult, Flags as CaseFlags};
use crate::gate;
use crate::harness::Harness;
use crate::measure::{Outcome, outcome};
use crate::side::Which;

pub(crate) const NAME: &str = "decode";
pub(crate) const ABOUT: &str = "One payload with numbers, texts, a list and an option is decoded again and again, without \
    a database. Floor: bincode's own function on the same bytes and the same fields.";

/// How many payloads a measurement decodes.
const JOBS: u64 = 2_000_000;

#[derive(clap::Args)]
pub(crate) struct Flags {
    #[arg(long)]
    jobs: u64,
}

/// What many jobs look like.
#[derive(Job)]
#[job(enqueue_only, codec = "bincode")]
struct Order {
    id: i64,
    customer: String,
    lines: Vec<(u32, String)>,
    coupon: Option<String>,
    urgent: bool,
}

/// The same fields with serde's derives.
#[derive(Serialize, Deserialize)]
struct Plain {
    id: i64,
    customer: String,
    lines: Vec<(u32, String)>,
    coupon: Option<String>,
    urgent: bool,
}

pub(crate) async fn run(harness: &mut Harness) -> Result<Vec<CaseResult>> {
    let jobs = harness.options.jobs.unwrap_or(JOBS);
    let case = Case::new(NAME, format!("{jobs} payloads"), CaseFlags::default().with("jobs", jobs))?;
    Ok(vec![harness.run(case).await?])
}

pub(crate) async fn side(side: Which, flags: &Flags) -> Result<Outcome> {
    let lines = (1..=3).map(|n| (n, "a book about queues".to_owned())).collect();
    let (customer, coupon) = ("somebody@example.org".to_owned(), Some("SPRING".to_owned()));
    let order = Order { id: 123_456_789, customer, lines, coupon, urgent: true };
    let bytes = encode(&order)?;
    gate::open().await?;
    let begin = Instant::now();
    match side {
        Which::Ours => {
            for _ in 0..flags.jobs {
                black_box(Stored::by::<Order>(black_box(&bytes)).decode::<Order>()?);
            }
        }
        Which::Floor => {
            for _ in 0..flags.jobs {
                let body = &black_box(&bytes)[1..];
                black_box(bincode::serde::decode_from_slice::<Plain, _>(body, standard())?);
            }
        }
        Which::Copy => return no_such_side(),
    }
    Ok(outcome(flags.jobs, begin.elapsed()))
}
