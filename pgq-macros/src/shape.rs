//! A number for the layout of a payload: two types with the same fields have the same one.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Attribute, Data, Fields};

use crate::input::Input;
use crate::serde;

/// Hashes the names and types of all fields, variants included.
///
/// White space, trailing commas, raw-identifier marks and the grouping of macro arguments do not count: they
/// depend on the formatter and the compiler, and a changed number would make waiting jobs unreadable.
///
/// `#[serde(..)]` attributes that write the same fields otherwise do count. What the hash cannot see is a change
/// inside a type that a field names.
pub(crate) fn shape(input: &Input) -> i32 {
    let mut text = String::new();
    layout(&input.attrs, &mut text);
    match &input.data {
        Data::Struct(data) => fields(&data.fields, &mut text),
        Data::Enum(data) => {
            for variant in data.variants.iter().filter(|variant| !serde::skipped(&variant.attrs)) {
                layout(&variant.attrs, &mut text);
                text.push_str(&variant.ident.unraw().to_string());
                fields(&variant.fields, &mut text);
            }
        }
        Data::Union(_) => {}
    }
    i32::from_ne_bytes(fnv1a(text.as_bytes()).to_ne_bytes())
}

fn fields(fields: &Fields, text: &mut String) {
    text.push('{');
    for (index, field) in fields.iter().enumerate().filter(|(_, field)| !serde::skipped(&field.attrs)) {
        layout(&field.attrs, text);
        match &field.ident {
            Some(name) => text.push_str(&name.unraw().to_string()),
            None => text.push_str(&index.to_string()),
        }
        text.push(':');
        tokens(field.ty.to_token_stream(), text);
        text.push(';');
    }
    text.push('}');
}

fn layout(attrs: &[Attribute], text: &mut String) {
    for meta in serde::layout(attrs) {
        text.push('#');
        tokens(meta, text);
    }
}

fn tokens(stream: TokenStream, text: &mut String) {
    for tree in stream {
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                text.push_str(open);
                tokens(group.stream(), text);
                if !close.is_empty() {
                    trim_comma(text);
                }
                text.push_str(close);
            }
            TokenTree::Ident(ident) => text.push_str(&ident.unraw().to_string()),
            TokenTree::Punct(punct) => {
                if punct.as_char() == '>' {
                    trim_comma(text);
                }
                text.push(punct.as_char());
            }
            TokenTree::Literal(literal) => text.push_str(&literal.to_string()),
        }
    }
}

fn trim_comma(text: &mut String) {
    if text.ends_with(',') {
        text.pop();
    }
}

/// The 32-bit FNV-1a hash.
fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}
