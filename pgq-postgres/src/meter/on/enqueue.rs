use std::borrow::Cow;
use std::collections::HashMap;

use metrics::counter;

use crate::telemetry::ENQUEUED;

/// Jobs on their way into the tables, counted once they are there.
#[derive(Default)]
pub(crate) struct EnqueueMeter(HashMap<(Cow<'static, str>, &'static str), u64>);

impl EnqueueMeter {
    #[expect(clippy::ptr_arg, reason = "a name that is borrowed is cloned for nothing")]
    pub(crate) fn add(&mut self, queue: &Cow<'static, str>, kind: &'static str) {
        *self.0.entry((queue.clone(), kind)).or_default() += 1;
    }

    pub(crate) fn tell(self) {
        for ((queue, kind), jobs) in self.0 {
            counter!(ENQUEUED.name, "queue" => queue, "kind" => kind).increment(jobs);
        }
    }
}
