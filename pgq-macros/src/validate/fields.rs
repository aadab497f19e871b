//! What keeps a type, a variant or a field from being stored in a row.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Data, Error, Field, Meta, Variant};

use super::Codec;
use crate::input::Input;
use crate::nested;
use crate::serde;

pub(super) fn mistakes(input: &Input, codec: &Codec) -> Vec<Error> {
    if let Some(error) = no_struct_or_enum(input) {
        return vec![error];
    }
    let mut errors = serde_mistakes(&input.attrs, codec);
    errors.extend(nested::check_fields(&input.data).err());
    match &input.data {
        Data::Struct(data) => {
            errors.extend(data.fields.iter().flat_map(|field| field_mistakes(field, codec)))
        }
        Data::Enum(data) => {
            for variant in &data.variants {
                errors.extend(misplaced(&variant.attrs));
                errors.extend(serde_mistakes(&variant.attrs, codec));
                errors.extend(variant.fields.iter().flat_map(|field| field_mistakes(field, codec)));
            }
            errors.extend(skipped_too_early(data.variants.iter()).filter(|_| codec.is_nameless()));
        }
        Data::Union(_) => {}
    }
    errors
}

fn no_struct_or_enum(input: &Input) -> Option<Error> {
    match &input.data {
        Data::Union(data) => Some(Error::new_spanned(
            data.union_token,
            "a union cannot be a job, because nothing says which of its fields is stored: make it an enum",
        )),
        Data::Enum(data) if data.variants.is_empty() => Some(Error::new_spanned(
            &input.ident,
            "an enum without variants has no value that could be enqueued: add a variant",
        )),
        _ => None,
    }
}

fn field_mistakes(field: &Field, codec: &Codec) -> Vec<Error> {
    let mut errors = misplaced(&field.attrs);
    errors.extend(serde_mistakes(&field.attrs, codec));
    // With a serde attribute the field may well be stored as something else.
    if serde::of(&field.attrs).next().is_none() && borrows(field.ty.to_token_stream()) {
        errors.push(Error::new_spanned(
            &field.ty,
            "a job outlives the code that enqueues it, so it owns its data: \
             write `String` for `&str`, `Vec<T>` for `&[T]` and `T` for `&T`",
        ));
    }
    errors
}

fn borrows(ty: TokenStream) -> bool {
    ty.into_iter().any(|tree| match tree {
        TokenTree::Punct(punct) => punct.as_char() == '&',
        TokenTree::Group(group) => borrows(group.stream()),
        _ => false,
    })
}

fn misplaced(attrs: &[Attribute]) -> Vec<Error> {
    let misplaced = attrs.iter().filter(|attr| attr.path().is_ident("job"));
    let message = "`#[job(..)]` belongs on the type, next to its `#[derive(Job)]`";
    misplaced.map(|attr| Error::new_spanned(attr, message)).collect()
}

/// Attributes that are malformed, or with which a payload could be written but not read back: in bincode it holds
/// values one after the other, without names, and each is read by the type that wrote it.
fn serde_mistakes(attrs: &[Attribute], codec: &Codec) -> Vec<Error> {
    let mut errors = Vec::new();
    for attr in serde::of(attrs) {
        match serde::parse(attr) {
            Ok(metas) => errors.extend(metas.iter().filter_map(|meta| unreadable(meta, attrs, codec))),
            Err(error) => errors.push(error),
        }
    }
    errors
}

fn unreadable(meta: &Meta, attrs: &[Attribute], codec: &Codec) -> Option<Error> {
    let key = meta.path().get_ident()?.to_string();
    let fix = match key.as_str() {
        "remote" => {
            return Some(Error::new_spanned(meta, "a job has serde code of its own: remove `remote`"));
        }
        _ if !codec.is_nameless() => return None,
        "flatten" => "without it the field is stored just as well",
        "tag" | "untagged" => "without it a variant is stored by its number",
        "skip_serializing_if" => "without it an empty value takes one byte",
        "skip_serializing" | "skip_deserializing" if !serde::skipped(attrs) => "use `skip`, which is both",
        _ => return None,
    };
    let message = format!(
        "a job with `#[serde({key})]` could be enqueued but not read back: {fix}; or write `codec = \"json\"`"
    );
    Some(Error::new_spanned(meta, message))
}

/// serde counts skipped variants when it writes and not when it reads.
fn skipped_too_early<'a>(variants: impl DoubleEndedIterator<Item = &'a Variant>) -> Option<Error> {
    let is_skipped = |variant: &&Variant| serde::skipped(&variant.attrs);
    let skipped = variants.rev().skip_while(is_skipped).find(is_skipped)?;
    Some(Error::new_spanned(
        &skipped.ident,
        "variants are stored by their number, so one that is skipped must not have a number before one that \
         is stored: move it to the end",
    ))
}
