//! How often a job runs and how long it waits in between.

use std::time::Duration;

use syn::parse::ParseStream;
use syn::{Error, Ident, LitStr, Result, parenthesized};

use super::names;
use crate::attr::{self, Setting};
use crate::value::duration_of;

/// The attempts of a job that says nothing else; pgq-core's `DEFAULT_WAITS` and one.
pub(crate) const DEFAULT_ATTEMPTS: i16 = 4;

/// How long a job waits after a failed attempt.
#[derive(Debug, Clone)]
pub(crate) enum Policy {
    Waits(Vec<Duration>),
    Fixed(Duration),
    Exponential { base: Duration, factor: f64, max: Duration, jitter: f64 },
}

/// What the settings say, each by itself.
#[derive(Default)]
pub(super) struct Read<'a> {
    waits: Option<Vec<Duration>>,
    backoff: Option<(Policy, &'a Setting)>,
    max_attempts: Option<(i16, &'a Setting)>,
}

impl<'a> Read<'a> {
    pub(super) fn setting(&mut self, setting: &'a Setting) -> Result<()> {
        match setting.key.to_string().as_str() {
            "retry_waits" => self.waits = Some(setting.durations()?),
            "backoff" => self.backoff = Some((backoff(setting)?, setting)),
            _ => self.max_attempts = Some((setting.positive()?, setting)),
        }
        Ok(())
    }

    /// The policy, if one is given, and the attempts in all.
    pub(super) fn policy(&self) -> Result<(Option<Policy>, i16)> {
        match (&self.waits, &self.backoff) {
            (Some(_), Some((_, setting))) => Err(Error::new_spanned(
                &setting.key,
                "`retry_waits` and `backoff` are two answers to one question: remove one of them",
            )),
            (Some(waits), None) => Ok((Some(Policy::Waits(waits.clone())), self.attempts_of(waits.len())?)),
            (None, backoff) => {
                let given = self.max_attempts.map_or(DEFAULT_ATTEMPTS, |(given, _)| given);
                Ok((backoff.as_ref().map(|(policy, _)| policy.clone()), given))
            }
        }
    }

    fn attempts_of(&self, waits: usize) -> Result<i16> {
        let natural = waits + 1;
        match self.max_attempts {
            Some((given, setting)) if usize::try_from(given) != Ok(natural) => {
                let message = format!(
                    "`retry_waits` has {waits} waits, which makes {natural} attempts, not {given}: \
                     remove `max_attempts`, or list {} waits",
                    given - 1
                );
                Err(Error::new_spanned(&setting.value, message))
            }
            // A list of over 32766 waits is cut short by the attempts, as a longer wait would be.
            _ => Ok(i16::try_from(natural).unwrap_or(i16::MAX)),
        }
    }
}

fn backoff(setting: &Setting) -> Result<Policy> {
    let (form, inner) = setting.parse(|input: ParseStream<'_>| {
        let form: Ident = input.parse()?;
        let inner;
        parenthesized!(inner in input);
        Ok((form, inner.parse::<proc_macro2::TokenStream>()?))
    })?;
    if form == "fixed" {
        let wait: LitStr = syn::parse2(inner).map_err(|_| {
            Error::new_spanned(
                &setting.value,
                "`fixed` takes one duration in quotes: `backoff = fixed(\"30s\")`",
            )
        })?;
        Ok(Policy::Fixed(duration_of(&wait)?))
    } else if form == "exponential" {
        exponential(setting, syn::parse::Parser::parse2(attr::read_inner, inner)?)
    } else {
        Err(names::unknown_of("backoff", &form, &["fixed", "exponential"]))
    }
}

fn exponential(setting: &Setting, parts: Vec<Setting>) -> Result<Policy> {
    if let Some(error) = names::repeated(&parts).next() {
        return Err(error);
    }
    let (mut base, mut max, mut factor, mut jitter) = (None, None, 2.0, 0.0);
    for part in &parts {
        match part.key.to_string().as_str() {
            "base" => base = Some(part.duration()?),
            "max" => max = Some(part.duration()?),
            "factor" => factor = part.float(1.0..=f64::MAX)?,
            "jitter" => jitter = part.float(0.0..=1.0)?,
            _ => {
                let known = ["base", "factor", "max", "jitter"];
                return Err(names::unknown_of("exponential", &part.key, &known));
            }
        }
    }
    let (Some(base), Some(max)) = (base, max) else {
        let message = "`exponential` needs a `base`, the first wait, and a `max`, the longest: \
                       `backoff = exponential(base = \"1s\", max = \"10m\")`";
        return Err(Error::new_spanned(&setting.value, message));
    };
    if base.is_zero() {
        let message = "a `base` of zero never grows: write one from \"1ms\" on, or `backoff = fixed(\"0s\")`";
        return Err(Error::new_spanned(&setting.value, message));
    }
    if base > max {
        let message = "`base`, the first wait, is longer than `max`, the longest: swap them, or raise `max`";
        return Err(Error::new_spanned(&setting.value, message));
    }
    Ok(Policy::Exponential { base, factor, max, jitter })
}
