//! What the parts of the library tell of themselves in numbers. With the feature `metrics` it goes to the facade of that
//! name; without it, all of this is nothing: types without a size and functions without a body.

#[cfg(not(feature = "metrics"))]
mod off;
#[cfg(feature = "metrics")]
mod on;

#[cfg(not(feature = "metrics"))]
pub(crate) use off::{Dues, EnqueueMeter, JobMeter, RunnerMeter, Sampler, Waited, Watch};
#[cfg(feature = "metrics")]
pub(crate) use on::{Dues, EnqueueMeter, JobMeter, RunnerMeter, Sampler, Waited, Watch};
