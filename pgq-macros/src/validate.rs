//! Every rejection: each points at the offending token and says the fix.

mod fields;

use std::collections::HashSet;
use std::time::Duration;

use heck::ToSnakeCase;
use syn::ext::IdentExt;
use syn::{Error, Result};

use crate::attr::Setting;
use crate::input::Input;
use crate::value::{KNOWN, NAME_RULE, bad_name};

/// The attempts of a job that says nothing else; pgq-core's `DEFAULT_WAITS` and one.
const DEFAULT_ATTEMPTS: i16 = 4;

/// A job whose settings all make sense.
pub(crate) struct Job {
    pub(crate) kind: String,
    pub(crate) queue: String,
    pub(crate) priority: i16,
    pub(crate) max_attempts: i16,
    /// `None`: the default of pgq-core.
    pub(crate) retry_waits: Option<Vec<Duration>>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) transactional: bool,
}

/// Judges the whole input and reports every mistake in it.
pub(crate) fn validate(input: &Input) -> std::result::Result<Job, Vec<Error>> {
    let mut errors = input.errors.clone();
    errors.extend(fields::mistakes(input));
    errors.extend(repeated(&input.settings));
    let mut read = Read::default();
    for setting in &input.settings {
        errors.extend(read.setting(setting).err());
    }
    let kind = read.kind.clone().map_or_else(|| default_kind(input), Ok);
    let max_attempts = read.max_attempts();
    match (kind, max_attempts) {
        (Ok(kind), Ok(max_attempts)) if errors.is_empty() => Ok(read.into_job(kind, max_attempts)),
        (kind, max_attempts) => {
            errors.extend(kind.err());
            errors.extend(max_attempts.err());
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
    retry_waits: Option<Vec<Duration>>,
    max_attempts: Option<(i16, &'a Setting)>,
    timeout: Option<Duration>,
    transactional: bool,
}

impl<'a> Read<'a> {
    fn setting(&mut self, setting: &'a Setting) -> Result<()> {
        match setting.key.to_string().as_str() {
            "kind" => self.kind = Some(setting.name("kind")?),
            "queue" => self.queue = Some(setting.name("queue name")?),
            "priority" => self.priority = setting.number()?,
            "retry_waits" => self.retry_waits = Some(setting.durations()?),
            "max_attempts" => self.max_attempts = Some((attempts(setting)?, setting)),
            "timeout" => self.timeout = Some(timeout(setting)?),
            "transactional" => self.transactional = setting.flag()?,
            "state" => drop(setting.ty()?),
            "crate" => drop(setting.path()?),
            _ => return Err(unknown(setting)),
        }
        Ok(())
    }

    fn max_attempts(&self) -> Result<i16> {
        let natural = self.retry_waits.as_ref().map(|waits| waits.len() + 1);
        match (self.max_attempts, natural) {
            (Some((given, setting)), Some(natural)) if usize::try_from(given) != Ok(natural) => {
                let waits = natural - 1;
                let message = format!(
                    "`retry_waits` has {waits} waits, which makes {natural} attempts, not {given}: \
                     remove `max_attempts`, or list {} waits",
                    given - 1
                );
                Err(Error::new_spanned(&setting.value, message))
            }
            (Some((given, _)), _) => Ok(given),
            // A list of over 32766 waits is cut short by the attempts, as a longer wait would be.
            (None, Some(natural)) => Ok(i16::try_from(natural).unwrap_or(i16::MAX)),
            (None, None) => Ok(DEFAULT_ATTEMPTS),
        }
    }

    fn into_job(self, kind: String, max_attempts: i16) -> Job {
        let Self { queue, priority, retry_waits, timeout, transactional, .. } = self;
        let queue = queue.unwrap_or_else(|| kind.clone());
        Job { kind, queue, priority, max_attempts, retry_waits, timeout, transactional }
    }
}

fn attempts(setting: &Setting) -> Result<i16> {
    match setting.number()? {
        number @ 1.. => Ok(number),
        _ => Err(setting.mismatch()),
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

fn unknown(setting: &Setting) -> Error {
    let key = setting.key.to_string();
    let similarity = |known: &str| strsim::jaro_winkler(&key, known);
    let near = KNOWN.iter().map(|known| known.key).max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
    let hint = match near.filter(|near| similarity(near) > 0.8) {
        Some(near) => format!("did you mean `{near}`? "),
        None => String::new(),
    };
    let keys = KNOWN.map(|known| format!("`{}`", known.key)).join(", ");
    Error::new_spanned(&setting.key, format!("unknown setting `{key}`: {hint}the settings are {keys}"))
}

fn repeated(settings: &[Setting]) -> impl Iterator<Item = Error> {
    let mut seen = HashSet::new();
    settings.iter().filter(move |setting| !seen.insert(setting.key.to_string())).map(|setting| {
        Error::new_spanned(&setting.key, format!("`{}` is set twice: remove one of them", setting.key))
    })
}

fn default_kind(input: &Input) -> Result<String> {
    let kind = input.ident.unraw().to_string().to_snake_case();
    if bad_name(&kind) {
        let message = format!(
            "the type's name makes {kind:?}, which is not a valid kind: set `#[job(kind = \"..\")]` and {NAME_RULE}"
        );
        return Err(Error::new_spanned(&input.ident, message));
    }
    Ok(kind)
}
