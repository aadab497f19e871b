//! Every rejection: each points at the offending token and says the fix.

mod chosen;
mod codec;
mod fields;
mod instances;
mod names;
mod retry;
mod schedule;
mod version;

use std::time::Duration;

use syn::{Error, Result};

use crate::attr::Setting;
use crate::input::Input;

pub(crate) use chosen::{Chosen, Sensitive, Unique};
pub(crate) use codec::Codec;
pub(crate) use instances::Instance;
pub(crate) use retry::{DEFAULT_ATTEMPTS, Policy};
pub(crate) use schedule::{Missed, Schedule};
pub(crate) use version::Version;

/// A job whose settings all make sense.
pub(crate) struct Job {
    pub(crate) kinds: Kinds,
    /// `None`: the kind.
    pub(crate) queue: Option<String>,
    pub(crate) priority: i16,
    pub(crate) max_attempts: i16,
    /// `None`: the default of pgq-core.
    pub(crate) retry: Option<Policy>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) transactional: bool,
    pub(crate) codec: Codec,
    pub(crate) chosen: Chosen,
    pub(crate) version: Version,
    pub(crate) schedule: Option<Schedule>,
    /// No handler: this program only enqueues it, or only reads its old payloads.
    pub(crate) enqueue_only: bool,
}

/// What the type is called in the database.
pub(crate) enum Kinds {
    One(String),
    /// A generic type, by its instances.
    Each(Vec<Instance>),
}

/// Judges the whole input and reports every mistake in it.
pub(crate) fn validate(input: &Input) -> std::result::Result<Job, Vec<Error>> {
    let mut errors = input.errors.clone();
    errors.extend(names::repeated(&input.settings));
    let mut read = Read::default();
    for setting in &input.settings {
        errors.extend(read.setting(setting, input).err());
    }
    let given = input.settings.iter().any(|setting| setting.key == "instances");
    match instances::mistake(input, given) {
        Some(mistake) => errors.push(mistake),
        None => errors.extend(fields::mistakes(input, &read.codec)),
    }
    errors.extend(read.chosen.mistake());
    errors.extend(read.schedule.mistake(input.settings.iter().any(|setting| setting.key == "cron")));
    let kinds = read.kinds(input);
    let retry = read.retry.policy();
    let version = read.version.judged();
    match (kinds, retry, version) {
        (Ok(kinds), Ok(retry), Ok(version)) if errors.is_empty() => Ok(read.into_job(kinds, retry, version)),
        (kinds, retry, version) => {
            errors.extend(kinds.err());
            errors.extend(retry.err());
            errors.extend(version.err());
            Err(errors)
        }
    }
}

/// The settings that are given and make sense by themselves.
#[derive(Default)]
struct Read<'a> {
    kind: Option<(String, &'a Setting)>,
    instances: Option<Vec<Instance>>,
    queue: Option<String>,
    priority: i16,
    retry: retry::Read<'a>,
    timeout: Option<Duration>,
    transactional: bool,
    codec: Codec,
    chosen: Chosen,
    version: version::Read<'a>,
    schedule: schedule::Read<'a>,
    enqueue_only: bool,
}

impl<'a> Read<'a> {
    fn setting(&mut self, setting: &'a Setting, input: &Input) -> Result<()> {
        match setting.key.to_string().as_str() {
            "kind" => self.kind = Some((setting.name("kind")?, setting)),
            "instances" => self.instances = Some(instances::read(setting, input)?),
            "queue" => self.queue = Some(setting.name("queue name")?),
            "priority" => self.priority = setting.number()?,
            "retry_waits" | "backoff" | "max_attempts" => self.retry.setting(setting)?,
            "timeout" => self.timeout = Some(timeout(setting)?),
            "transactional" => self.transactional = setting.flag()?,
            "sensitive" | "index" | "unique" => self.chosen.setting(setting, input)?,
            "codec" => self.codec = codec::read(setting)?,
            "version" | "upcast_from" => self.version.setting(setting)?,
            "cron" | "timezone" | "payload" | "missed" | "overlap" | "jitter" => {
                self.schedule.setting(setting)?
            }
            "enqueue_only" => self.enqueue_only = setting.flag()?,
            "state" => drop(setting.ty()?),
            "crate" => drop(setting.path()?),
            _ => return Err(names::unknown(setting)),
        }
        Ok(())
    }

    fn kinds(&self, input: &Input) -> Result<Kinds> {
        match (&self.kind, &self.instances) {
            (Some((_, setting)), Some(_)) => Err(Error::new_spanned(
                &setting.key,
                "each of the `instances` has a kind of its own: remove `kind`",
            )),
            (Some((kind, _)), None) => Ok(Kinds::One(kind.clone())),
            (None, Some(instances)) => Ok(Kinds::Each(instances.clone())),
            (None, None) => names::default_kind(input).map(Kinds::One),
        }
    }

    fn into_job(self, kinds: Kinds, (retry, max_attempts): (Option<Policy>, i16), version: Version) -> Job {
        let Self { queue, priority, timeout, transactional, codec, chosen, schedule, enqueue_only, .. } =
            self;
        Job {
            kinds,
            queue,
            priority,
            max_attempts,
            retry,
            timeout,
            transactional,
            codec,
            chosen,
            version,
            schedule: schedule.schedule(),
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
