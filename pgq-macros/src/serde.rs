//! The user's `#[serde(...)]` attributes: what the shadow type gets of them, and which change a payload's layout.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::{Attribute, LitStr, Meta, Result, Token, parse_quote};

/// The serde attributes among these. Fields and variants take them as they are.
pub(crate) fn of(attrs: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attrs.iter().filter(|attr| attr.path().is_ident("serde"))
}

/// The attributes of the type, as its shadow needs them.
pub(crate) fn of_type(attrs: &[Attribute], job: &TokenStream) -> impl Iterator<Item = Meta> {
    metas(attrs).filter_map(move |meta| match &meta {
        // The shadow has its own.
        Meta::NameValue(_) if meta.path().is_ident("crate") => None,
        // It speaks of parameters, and the shadow has none.
        _ if meta.path().is_ident("bound") => None,
        // The default of the job, not of its shadow.
        Meta::Path(path) if path.is_ident("default") => {
            let function = format!("<{job} as ::core::default::Default>::default");
            let function = LitStr::new(&function, path.segments[0].ident.span());
            Some(parse_quote!(default = #function))
        }
        _ => Some(meta),
    })
}

/// How a field is written, if not as its type is.
pub(crate) fn form(attrs: &[Attribute]) -> impl Iterator<Item = Meta> {
    metas(attrs).filter(is_form)
}

/// All else that is said of a field.
pub(crate) fn without_form(attrs: &[Attribute]) -> impl Iterator<Item = Meta> {
    metas(attrs).filter(|meta| !is_form(meta))
}

fn is_form(meta: &Meta) -> bool {
    meta.path().is_ident("with") || meta.path().is_ident("serialize_with")
}

/// Whether a payload leaves this field or variant out.
pub(crate) fn skipped(attrs: &[Attribute]) -> bool {
    has(attrs, "skip") || (has(attrs, "skip_serializing") && has(attrs, "skip_deserializing"))
}

/// What changes the layout: the same fields, written otherwise, make another payload.
pub(crate) fn layout(attrs: &[Attribute]) -> impl Iterator<Item = TokenStream> {
    const KEYS: [&str; 6] = ["with", "serialize_with", "deserialize_with", "from", "try_from", "into"];
    let changes = |meta: &Meta| KEYS.iter().any(|key| meta.path().is_ident(key));
    metas(attrs).filter(changes).map(Meta::into_token_stream)
}

pub(crate) fn has(attrs: &[Attribute], key: &str) -> bool {
    metas(attrs).any(|meta| meta.path().is_ident(key))
}

/// What stands in the attributes, without what is malformed: that is refused before anything is made of it.
pub(crate) fn metas(attrs: &[Attribute]) -> impl Iterator<Item = Meta> {
    of(attrs).flat_map(|attr| parse(attr).unwrap_or_default())
}

pub(crate) fn parse(attr: &Attribute) -> Result<Punctuated<Meta, Token![,]>> {
    attr.parse_args_with(Punctuated::parse_terminated)
}
