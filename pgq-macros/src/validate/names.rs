//! The names that settings have and those that jobs get.

use std::collections::HashSet;

use heck::ToSnakeCase;
use syn::ext::IdentExt;
use syn::{Error, Ident, Result};

use crate::attr::Setting;
use crate::input::Input;
use crate::value::{KNOWN, NAME_RULE, bad_name};

pub(super) fn unknown(setting: &Setting) -> Error {
    let key = setting.key.to_string();
    let hint = did_you_mean(&key, KNOWN.iter().map(|known| known.key));
    let keys = KNOWN.map(|known| format!("`{}`", known.key)).join(", ");
    Error::new_spanned(&setting.key, format!("unknown setting `{key}`: {hint}the settings are {keys}"))
}

/// The error of a word that is none of those that a setting has.
pub(super) fn unknown_of(setting: &str, word: &Ident, known: &[&str]) -> Error {
    let hint = did_you_mean(&word.to_string(), known.iter().copied());
    let names = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    Error::new_spanned(word, format!("`{setting}` has no `{word}`: {hint}it has {names}"))
}

/// The error of a name that no field has.
pub(super) fn unknown_field(name: &Ident, known: &[&Ident]) -> Error {
    let known: Vec<_> = known.iter().map(|field| field.unraw().to_string()).collect();
    let hint = did_you_mean(&name.unraw().to_string(), known.iter().map(String::as_str));
    let fields = known.iter().map(|field| format!("`{field}`")).collect::<Vec<_>>().join(", ");
    Error::new_spanned(name, format!("the type has no field `{name}`: {hint}it has {fields}"))
}

fn did_you_mean<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let similarity = |known: &str| strsim::jaro_winkler(word, known);
    let near = known.max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
    match near.filter(|near| similarity(near) > 0.8) {
        Some(near) => format!("did you mean `{near}`? "),
        None => String::new(),
    }
}

pub(super) fn repeated(settings: &[Setting]) -> impl Iterator<Item = Error> {
    let mut seen = HashSet::new();
    settings.iter().filter(move |setting| !seen.insert(setting.key.to_string())).map(|setting| {
        Error::new_spanned(&setting.key, format!("`{}` is set twice: remove one of them", setting.key))
    })
}

pub(super) fn default_kind(input: &Input) -> Result<String> {
    let kind = input.ident.unraw().to_string().to_snake_case();
    if bad_name(&kind) {
        let message = format!(
            "the type's name makes {kind:?}, which is not a valid kind: set `#[job(kind = \"..\")]` and {NAME_RULE}"
        );
        return Err(Error::new_spanned(&input.ident, message));
    }
    Ok(kind)
}
