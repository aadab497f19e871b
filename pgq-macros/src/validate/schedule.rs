//! When jobs of a type come by themselves.

use std::time::Duration;

use syn::parse::ParseStream;
use syn::{Error, Expr, Ident, LitInt, LitStr, Result, Token, parenthesized};

use super::names;
use crate::attr::Setting;

/// The most missed ticks that are made up for; pgq-core's `MAX_MISSED`.
const MAX_MISSED: u16 = 1000;

/// The schedule of a type.
pub(crate) struct Schedule {
    pub(crate) cron: LitStr,
    /// `None`: UTC.
    pub(crate) timezone: Option<LitStr>,
    /// `None`: as pgq-core has it.
    pub(crate) missed: Option<Missed>,
    pub(crate) overlap: Option<String>,
    pub(crate) jitter: Duration,
    /// `None`: by `Default`.
    pub(crate) payload: Option<Expr>,
}

/// What becomes of missed ticks.
pub(crate) enum Missed {
    Skip,
    Once,
    All(u16),
}

/// What the settings say, each by itself.
#[derive(Default)]
pub(super) struct Read<'a> {
    cron: Option<LitStr>,
    timezone: Option<LitStr>,
    missed: Option<Missed>,
    overlap: Option<String>,
    jitter: Duration,
    payload: Option<Expr>,
    /// What only a schedule has.
    last: Option<&'a Setting>,
}

impl<'a> Read<'a> {
    pub(super) fn setting(&mut self, setting: &'a Setting) -> Result<()> {
        let key = setting.key.to_string();
        if key == "cron" {
            let text = setting.parse(|input: ParseStream<'_>| input.parse())?;
            check(&text, "UTC", &text)?;
            self.cron = Some(text);
            return Ok(());
        }
        self.last = Some(setting);
        match key.as_str() {
            "timezone" => {
                let name: LitStr = setting.parse(|input: ParseStream<'_>| input.parse())?;
                check(&name, &name.value(), &LitStr::new("* * * * *", name.span()))?;
                self.timezone = Some(name);
            }
            "missed" => self.missed = Some(missed(setting)?),
            "overlap" => self.overlap = Some(setting.word(&["allow", "skip", "replace"])?),
            "jitter" => self.jitter = setting.duration()?,
            _ => self.payload = Some(setting.parse(|input: ParseStream<'_>| input.parse())?),
        }
        Ok(())
    }

    /// The error of a setting that says something of a schedule where there is none. `cron` may be there and wrong.
    pub(super) fn mistake(&self, has_cron: bool) -> Option<Error> {
        let setting = self.last.filter(|_| !has_cron)?;
        let message = format!(
            "`{}` is said of a schedule, and there is none: add `cron = \"0 9 * * mon-fri\"`, or remove it",
            setting.key
        );
        Some(Error::new_spanned(&setting.key, message))
    }

    pub(super) fn schedule(self) -> Option<Schedule> {
        let Self { cron, timezone, missed, overlap, jitter, payload, last: _ } = self;
        Some(Schedule { cron: cron?, timezone, missed, overlap, jitter, payload })
    }
}

fn missed(setting: &Setting) -> Result<Missed> {
    let (policy, most) = setting.parse(|input: ParseStream<'_>| {
        let policy: Ident = input.parse()?;
        if input.is_empty() {
            return Ok((policy, None));
        }
        let inner;
        parenthesized!(inner in input);
        let most: LitInt = inner.parse()?;
        inner.parse::<Option<Token![,]>>()?;
        Ok((policy, Some(most)))
    })?;
    match (policy.to_string().as_str(), most) {
        ("skip", None) => Ok(Missed::Skip),
        ("once", None) => Ok(Missed::Once),
        ("all", Some(most)) => match most.base10_parse() {
            Ok(number @ 1..=MAX_MISSED) => Ok(Missed::All(number)),
            _ => {
                Err(Error::new(most.span(), format!("`all` takes how many at most, from 1 to {MAX_MISSED}")))
            }
        },
        ("skip" | "once" | "all", _) => Err(setting.mismatch()),
        _ => Err(names::unknown_of("missed", &policy, &["skip", "once", "all"])),
    }
}

/// Whether there can be such a schedule; the error is of `at`.
#[cfg(feature = "cron")]
fn check(at: &LitStr, timezone: &str, cron: &LitStr) -> Result<()> {
    pgq_cron::Cron::parse(&cron.value(), timezone).map(drop).map_err(|error| Error::new(at.span(), error))
}

#[cfg(not(feature = "cron"))]
fn check(at: &LitStr, _: &str, _: &LitStr) -> Result<()> {
    let message =
        "schedules need the feature `cron` of pgq-core, or of pgq-postgres, where it is on by default";
    Err(Error::new(at.span(), message))
}
