//! Settings that choose fields by their names.

use std::time::Duration;

use quote::format_ident;
use syn::parse::{ParseStream, Parser};
use syn::{Data, Error, Field, Fields, Ident, Result, parenthesized};

use super::names;
use crate::attr::{self, Setting};
use crate::input::Input;
use crate::serde;

/// What the settings choose.
#[derive(Default)]
pub(crate) struct Chosen {
    pub(crate) sensitive: Sensitive,
    pub(crate) index: Vec<Ident>,
    pub(crate) unique: Option<Unique>,
}

/// What people must not see.
#[derive(Default)]
pub(crate) enum Sensitive {
    #[default]
    Nothing,
    Whole,
    Fields(Vec<Ident>),
}

impl Sensitive {
    pub(crate) fn hides(&self, field: &Field) -> bool {
        match self {
            Self::Fields(hidden) => field.ident.as_ref().is_some_and(|ident| hidden.contains(ident)),
            _ => false,
        }
    }
}

/// That there is one job at a time whose chosen fields are the same; all fields if none is chosen.
pub(crate) struct Unique {
    pub(crate) fields: Vec<Ident>,
    /// The constructor of pgq-core's.
    pub(crate) held_while: Ident,
    pub(crate) period: Option<Duration>,
    /// The variant of pgq-core's.
    pub(crate) on_conflict: Ident,
}

impl Chosen {
    pub(super) fn setting(&mut self, setting: &Setting, input: &Input) -> Result<()> {
        match setting.key.to_string().as_str() {
            "sensitive" => self.sensitive = sensitive(setting, input)?,
            "index" => self.index = fields(setting, input)?,
            _ => self.unique = Some(unique(setting, input)?),
        }
        Ok(())
    }

    /// The error of a field that is to be both found and hidden.
    pub(super) fn mistake(&self) -> Option<Error> {
        let field = match &self.sensitive {
            Sensitive::Nothing => None,
            Sensitive::Whole => self.index.first(),
            Sensitive::Fields(hidden) => self.index.iter().find(|field| hidden.contains(field)),
        }?;
        let message = format!(
            "`{field}` is sensitive, and what `index` names is stored for people to find it: \
             remove it from one of them"
        );
        Some(Error::new_spanned(field, message))
    }
}

fn sensitive(setting: &Setting, input: &Input) -> Result<Sensitive> {
    if setting.value.is_empty() {
        return Ok(Sensitive::Whole);
    }
    if let Some(into) = serde::metas(&input.attrs).find(|meta| meta.path().is_ident("into")) {
        let message = "a type that is stored `into` another has no fields in its payload: write `sensitive` alone, \
                       which hides the whole payload";
        return Err(Error::new_spanned(into, message));
    }
    let hidden = fields(setting, input)?;
    for field in
        input.data_fields().filter(|field| field.ident.as_ref().is_some_and(|name| hidden.contains(name)))
    {
        if let Some(flatten) = serde::metas(&field.attrs).find(|meta| meta.path().is_ident("flatten")) {
            let message = "a field that is flattened is many in the payload: write `sensitive` alone, which hides the \
                           whole payload, or remove `flatten`";
            return Err(Error::new_spanned(flatten, message));
        }
    }
    Ok(Sensitive::Fields(hidden))
}

fn unique(setting: &Setting, input: &Input) -> Result<Unique> {
    let (mut chosen, mut period) = (Vec::new(), None);
    let (mut held_while, mut on_conflict) = ("unfinished".to_owned(), "keep".to_owned());
    let parts = if setting.value.is_empty() { Vec::new() } else { parts(setting)? };
    if let Some(error) = names::repeated(&parts).next() {
        return Err(error);
    }
    for part in &parts {
        match part.key.to_string().as_str() {
            _ if part.value.is_empty() => chosen.push(part.key.clone()),
            "while" => held_while = part.word(&["queued", "unfinished"])?,
            "period" => period = Some(self::period(part)?),
            "on_conflict" => on_conflict = part.word(&["keep", "replace", "debounce", "error"])?,
            _ => return Err(names::unknown_of("unique", &part.key, &["while", "period", "on_conflict"])),
        }
    }
    judge(setting, &chosen, input)?;
    Ok(Unique {
        fields: chosen,
        held_while: format_ident!("while_{held_while}"),
        period,
        on_conflict: format_ident!("{}", heck::ToUpperCamelCase::to_upper_camel_case(on_conflict.as_str())),
    })
}

fn period(part: &Setting) -> Result<Duration> {
    let period = part.duration()?;
    if period.is_zero() {
        let message = "a period of zero would keep nothing unique: remove it, or write a longer one";
        return Err(Error::new_spanned(&part.value, message));
    }
    Ok(period)
}

/// The fields that stand in the parentheses of a setting, and nothing else.
fn fields(setting: &Setting, input: &Input) -> Result<Vec<Ident>> {
    let parts = parts(setting)?;
    if let Some(error) = names::repeated(&parts).next() {
        return Err(error);
    }
    if parts.is_empty() || parts.iter().any(|part| !part.value.is_empty()) {
        return Err(setting.mismatch());
    }
    let chosen: Vec<_> = parts.into_iter().map(|part| part.key).collect();
    judge(setting, &chosen, input)?;
    Ok(chosen)
}

fn parts(setting: &Setting) -> Result<Vec<Setting>> {
    let inner = setting.parse(|input: ParseStream<'_>| {
        let inner;
        parenthesized!(inner in input);
        inner.parse::<proc_macro2::TokenStream>()
    })?;
    if inner.is_empty() {
        return Err(setting.mismatch());
    }
    attr::read_inner.parse2(inner).map_err(|_| setting.mismatch())
}

fn judge(setting: &Setting, chosen: &[Ident], input: &Input) -> Result<()> {
    let Some(first) = chosen.first() else { return Ok(()) };
    let known: Vec<_> = match &input.data {
        Data::Struct(data) if matches!(data.fields, Fields::Named(_)) => {
            data.fields.iter().filter_map(|field| field.ident.as_ref()).collect()
        }
        _ => {
            let key = &setting.key;
            let alone = if key == "index" {
                String::new()
            } else {
                format!(", or write `{key}` alone for all of it")
            };
            let message = format!(
                "`{key}({first})` names a field of a struct, and this type has no such fields: make it a struct with \
                 named fields{alone}"
            );
            return Err(Error::new_spanned(&setting.value, message));
        }
    };
    match chosen.iter().find(|field| !known.contains(field)) {
        Some(unknown) => Err(names::unknown_field(unknown, &known)),
        None => Ok(()),
    }
}
