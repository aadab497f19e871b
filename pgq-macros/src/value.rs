//! What each setting takes, and the reading of one value.

use std::ops::RangeInclusive;
use std::time::Duration;

use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Error, Ident, Lit, LitInt, LitStr, Path, Result, Token, Type, bracketed};

use crate::attr::Setting;

/// A setting as messages speak of it.
pub(crate) struct Known {
    pub(crate) key: &'static str,
    takes: &'static str,
    example: &'static str,
}

const fn known(key: &'static str, takes: &'static str, example: &'static str) -> Known {
    Known { key, takes, example }
}

/// Every setting there is.
pub(crate) const KNOWN: [Known; 24] = [
    known("kind", "a name in quotes", "kind = \"send_welcome\""),
    known("queue", "a name in quotes", "queue = \"mail\""),
    known("priority", "a whole number from -32768 to 32767", "priority = -3"),
    known("state", "a type, without quotes", "state = App"),
    known("retry_waits", "durations in quotes, in square brackets", "retry_waits = [\"1m\", \"1h 30m\"]"),
    known(
        "backoff",
        "`fixed(..)` or `exponential(..)`",
        "backoff = exponential(base = \"1s\", factor = 2, max = \"10m\", jitter = 0.1)",
    ),
    known("max_attempts", "a whole number from 1 to 32767", "max_attempts = 4"),
    known("timeout", "a duration in quotes", "timeout = \"30s\""),
    known("transactional", "no value", "transactional"),
    known("codec", "a codec's name in quotes, or a type that is one", "codec = \"json\""),
    known("sensitive", "no value, or names of fields in parentheses", "sensitive(token, card)"),
    known("index", "names of fields in parentheses", "index(user_id, plan)"),
    known(
        "unique",
        "no value, or names of fields and options in parentheses",
        "unique(user_id, while = queued, period = \"1h\", on_conflict = replace)",
    ),
    known("version", "a whole number from 1 to 32767", "version = 2"),
    known("upcast_from", "the type of the version before, without quotes", "upcast_from = SendWelcomeV1"),
    known("cron", "a cron expression in quotes", "cron = \"0 9 * * mon-fri\""),
    known("timezone", "the name of a time zone in quotes", "timezone = \"Europe/Rome\""),
    known("payload", "an expression, the job of the schedule", "payload = Self { user_id: 7 }"),
    known("missed", "`skip`, `once`, or `all(..)` with how many at most", "missed = all(10)"),
    known("overlap", "`allow`, `skip` or `replace`", "overlap = skip"),
    known("jitter", "a duration in quotes", "jitter = \"5m\""),
    known("enqueue_only", "no value", "enqueue_only"),
    known(
        "instances",
        "instances of the generic type with their kinds, in parentheses",
        "instances(Convert<Png> = \"convert_png\", Convert<Jpeg> = \"convert_jpeg\")",
    ),
    known("crate", "the path under which this crate knows pgq, without quotes", "crate = my_pgq"),
];

/// What stands in the parentheses of a setting.
const PARTS: [Known; 7] = [
    known("base", "a duration in quotes", "base = \"1s\""),
    known("factor", "a number from 1 on", "factor = 2"),
    known("max", "a duration in quotes", "max = \"10m\""),
    known("jitter", "a number from 0 to 1", "jitter = 0.1"),
    known("while", "`queued` or `unfinished`", "while = queued"),
    known("period", "a duration in quotes", "period = \"1h\""),
    known("on_conflict", "`keep`, `replace`, `debounce` or `error`", "on_conflict = replace"),
];

/// The longest name, in bytes; pgq-core's `MAX_NAME_BYTES`.
const MAX_NAME_BYTES: usize = 100;

/// The longest wait or timeout: 100 years, which every clock involved can add to its now.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

impl Setting {
    /// The error of a value that is missing or of the wrong type.
    pub(crate) fn mismatch(&self) -> Error {
        let known: &[Known] = if self.is_part { &PARTS } else { &KNOWN };
        let known = known.iter().find(|known| self.key == known.key);
        let Some(Known { key, takes, example }) = known else {
            return Error::new_spanned(&self.key, "unknown setting");
        };
        let message = format!("`{key}` takes {takes}: `{example}`");
        if self.value.is_empty() {
            return Error::new_spanned(&self.key, message);
        }
        Error::new_spanned(&self.value, message)
    }

    pub(crate) fn parse<T>(&self, parser: impl Parser<Output = T>) -> Result<T> {
        parser.parse2(self.value.clone()).map_err(|_| self.mismatch())
    }

    pub(crate) fn name(&self, what: &str) -> Result<String> {
        name_of(&self.parse(|input: ParseStream<'_>| input.parse())?, what)
    }

    pub(crate) fn number(&self) -> Result<i16> {
        self.parse(|input: ParseStream<'_>| {
            let minus = if input.parse::<Option<Token![-]>>()?.is_some() { "-" } else { "" };
            let digits = input.parse::<LitInt>()?;
            format!("{minus}{}", digits.base10_digits()).parse().map_err(|e| Error::new_spanned(&digits, e))
        })
    }

    /// A number from 1 on.
    pub(crate) fn positive(&self) -> Result<i16> {
        match self.number()? {
            number @ 1.. => Ok(number),
            _ => Err(self.mismatch()),
        }
    }

    /// One of these words.
    pub(crate) fn word(&self, known: &[&str]) -> Result<String> {
        let word: Ident = self.parse(|input: ParseStream<'_>| input.parse())?;
        let word = word.to_string();
        if known.contains(&word.as_str()) { Ok(word) } else { Err(self.mismatch()) }
    }

    /// A number in these limits; written whole or with a point.
    pub(crate) fn float(&self, limits: RangeInclusive<f64>) -> Result<f64> {
        let literal: Lit = self.parse(|input: ParseStream<'_>| input.parse())?;
        let number = match &literal {
            Lit::Int(digits) => digits.base10_parse(),
            Lit::Float(digits) => digits.base10_parse(),
            _ => return Err(self.mismatch()),
        };
        number.ok().filter(|number| limits.contains(number)).ok_or_else(|| self.mismatch())
    }

    /// A setting that is on by being there.
    pub(crate) fn flag(&self) -> Result<bool> {
        if self.value.is_empty() { Ok(true) } else { Err(self.mismatch()) }
    }

    pub(crate) fn duration(&self) -> Result<Duration> {
        duration_of(&self.parse(|input: ParseStream<'_>| input.parse())?)
    }

    pub(crate) fn durations(&self) -> Result<Vec<Duration>> {
        let texts = self.parse(|input: ParseStream<'_>| {
            let list;
            bracketed!(list in input);
            Punctuated::<LitStr, Token![,]>::parse_terminated(&list)
        })?;
        texts.iter().map(duration_of).collect()
    }

    pub(crate) fn path(&self) -> Result<Path> {
        self.parse(Path::parse_mod_style)
    }

    pub(crate) fn ty(&self) -> Result<Type> {
        self.parse(|input: ParseStream<'_>| input.parse())
    }
}

/// What a kind or queue may be; the words of pgq-core's `NameError`.
pub(crate) const NAME_RULE: &str = "use 1 to 100 of a-z, A-Z, 0-9, '_', '-', '.', ':' and '/'";

pub(crate) fn name_of(text: &LitStr, what: &str) -> Result<String> {
    let name = text.value();
    if bad_name(&name) {
        return Err(Error::new_spanned(text, format!("{name:?} is not a valid {what}: {NAME_RULE}")));
    }
    Ok(name)
}

pub(crate) fn bad_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:/".contains(&byte);
    !(1..=MAX_NAME_BYTES).contains(&name.len()) || !name.bytes().all(allowed)
}

pub(crate) fn duration_of(text: &LitStr) -> Result<Duration> {
    let value = text.value();
    match humantime::parse_duration(&value) {
        Ok(duration) if duration <= LONGEST => Ok(duration),
        Ok(_) => Err(Error::new_spanned(text, format!("{value:?} is longer than 100 years"))),
        Err(_) => Err(Error::new_spanned(
            text,
            format!(
                "{value:?} is no duration: write numbers with units, such as \"90s\", \"10m\" or \"1h 30m\""
            ),
        )),
    }
}
