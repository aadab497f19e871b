//! Every rejection: each points at the offending token and says the fix.

mod chosen;
mod codec;
mod fields;
mod names;
mod retry;
mod version;

use std::time::Duration;

use syn::{Error, Result};

use crate::attr::Setting;
use crate::input::Input;

pub(crate) use chosen::{Chosen, Sensitive, Unique};
pub(crate) use codec::Codec;
pub(crate) use retry::Policy;
pub(crate) use version::Version;

/// A job whose settings all make sense.
pub(crate) struct Job {
    pub(crate) kind: String,
    pub(crate) queue: String,
    pub(crate) priority: i16,
    pub(crate) max_attempts: i16,
    /// `None`: the default of pgq-core.
    pub(crate) retry: Option<Policy>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) transactional: bool,
    pub(crate) codec: Codec,
    pub(crate) chosen: Chosen,
    pub(crate) version: Version,
    /// No handler: this program only enqueues it, or only reads its old payloads.
    pub(crate) enqueue_only: bool,
}

/// Judges the whole input and reports every mistake in it.
pub(crate) fn validate(input: &Input) -> std::result::Result<Job, Vec<Error>> {
    let mut errors = input.errors.clone();
    errors.extend(names::repeated(&input.settings));
    let mut read = Read::default();
    for setting in &input.settings {
        errors.extend(read.setting(setting, input).err());
    }
    errors.extend(fields::mistakes(input, &read.codec));
    errors.extend(read.chosen.mistake());
    let kind = read.kind.clone().map_or_else(|| names::default_kind(input), Ok);
    let retry = read.retry.policy();
    let version = read.version.judged();
    match (kind, retry, version) {
        (Ok(kind), Ok(retry), Ok(version)) if errors.is_empty() => Ok(read.into_job(kind, retry, version)),
        (kind, retry, version) => {
            errors.extend(kind.err());
            errors.extend(retry.err());
            errors.extend(version.err());
            Err(errors)
        }
    }
}

/// The settings that are given and make sense by themselves.
#[derive(Default)]
struct Read<'a> {
    kind: Option<String>,
    queue: Option<String>,
    priority: i16,
    retry: retry::Read<'a>,
    timeout: Option<Duration>,
    transactional: bool,
    codec: Codec,
    chosen: Chosen,
    version: version::Read<'a>,
    enqueue_only: bool,
}

impl<'a> Read<'a> {
    fn setting(&mut self, setting: &'a Setting, input: &Input) -> Result<()> {
        match setting.key.to_string().as_str() {
            "kind" => self.kind = Some(setting.name("kind")?),
            "queue" => self.queue = Some(setting.name("queue name")?),
            "priority" => self.priority = setting.number()?,
            "retry_waits" | "backoff" | "max_attempts" => self.retry.setting(setting)?,
            "timeout" => self.timeout = Some(timeout(setting)?),
            "transactional" => self.transactional = setting.flag()?,
            "sensitive" | "index" | "unique" => self.chosen.setting(setting, input)?,
            "codec" => self.codec = codec::read(setting)?,
            "version" | "upcast_from" => self.version.setting(setting)?,
            "enqueue_only" => self.enqueue_only = setting.flag()?,
            "state" => drop(setting.ty()?),
            "crate" => drop(setting.path()?),
            _ => return Err(names::unknown(setting)),
        }
        Ok(())
    }

    fn into_job(self, kind: String, (retry, max_attempts): (Option<Policy>, i16), version: Version) -> Job {
        let Self { queue, priority, timeout, transactional, codec, chosen, enqueue_only, .. } = self;
        let queue = queue.unwrap_or_else(|| kind.clone());
        Job {
            kind,
            queue,
            priority,
            max_attempts,
            retry,
            timeout,
            transactional,
            codec,
            chosen,
            version,
            enqueue_only,
        }
    }
}

fn timeout(setting: &Setting) -> Result<Duration> {
    let timeout = setting.duration()?;
    if timeout.as_millis() == 0 {
        return Err(Error::new_spanned(
            &setting.value,
            "a timeout of zero would end every attempt at once: remove it, or write one from \"1ms\" on",
        ));
    }
    Ok(timeout)
}
