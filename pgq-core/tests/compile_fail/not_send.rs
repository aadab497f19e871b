//! `perform` holds something across an await that cannot move between threads.

use pgq_core::{Context, Job, JobResult, Perform};

use std::rc::Rc;

#[derive(Job)]
struct SendWelcome;

impl Perform for SendWelcome {
    async fn perform(&self, _: &Context) -> JobResult {
        let name = Rc::new("name");
        ready().await;
        println!("{name}");
        Ok(())
    }
}

async fn ready() {}

fn main() {}
