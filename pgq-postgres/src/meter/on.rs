mod enqueue;
mod jobs;
mod runner;
mod sample;
mod wait;

pub(crate) use enqueue::EnqueueMeter;
pub(crate) use jobs::JobMeter;
pub(crate) use runner::{RunnerMeter, Watch};
pub(crate) use sample::Sampler;
pub(crate) use wait::{Clock, Dues, Waited};
