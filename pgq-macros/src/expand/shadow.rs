//! Types of the same fields that serde derives for in place of the user's, whose own serde impls, if any, stay as they
//! are.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::{Attribute, Data, Field, Fields, Ident, LitStr, Variant};

use crate::input::Input;
use crate::serde;
use crate::validate::Sensitive;

/// What writes and reads payloads.
pub(super) fn shadow(input: &Input) -> TokenStream {
    let derives = quote!(__pgq::__private::serde::Serialize, __pgq::__private::serde::Deserialize);
    of(input, &format_ident!("__PgqShadow"), &derives, |field| {
        serde::of(&field.attrs).map(Attribute::to_token_stream).collect()
    })
}

/// What writes payloads for people, without what is sensitive.
pub(super) fn masked(input: &Input, sensitive: &Sensitive) -> TokenStream {
    of(input, &format_ident!("__PgqMasked"), &quote!(__pgq::__private::serde::Serialize), |field| {
        if sensitive.hides(field) {
            let metas = serde::without_form(&field.attrs);
            quote!(#[serde(serialize_with = "__pgq::__private::mask" #(, #metas)*)])
        } else {
            serde::of(&field.attrs).map(Attribute::to_token_stream).collect()
        }
    })
}

fn of(
    input: &Input,
    name: &Ident,
    derives: &TokenStream,
    attrs: impl Fn(&Field) -> TokenStream,
) -> TokenStream {
    let target = &input.target;
    let metas = serde::of_type(&input.attrs, target);
    let remote = LitStr::new(&target.to_string(), input.ident.span());
    let body = match &input.data {
        Data::Struct(data) => {
            let fields = fields(&data.fields, target, &attrs);
            let end = (!matches!(data.fields, Fields::Named(_))).then(|| quote!(;));
            quote!(struct #name #fields #end)
        }
        Data::Enum(data) => {
            let variants = data.variants.iter().map(|variant| self::variant(variant, target, &attrs));
            quote!(enum #name { #(#variants),* })
        }
        Data::Union(_) => TokenStream::new(),
    };
    quote! {
        #[allow(dead_code, non_camel_case_types, non_snake_case, clippy::all)]
        #[derive(#derives)]
        #[serde(crate = "__pgq::__private::serde", remote = #remote #(, #metas)*)]
        #body

        // Unused unless serde's derive reports a mistake; its functions of the same names come first.
        #[allow(unused_imports)]
        use __pgq::__private::SerdeMistake as _;
    }
}

fn variant(
    variant: &Variant,
    job: &TokenStream,
    field_attrs: &impl Fn(&Field) -> TokenStream,
) -> TokenStream {
    let Variant { attrs, ident, fields, .. } = variant;
    let attrs = serde::of(attrs);
    let fields = self::fields(fields, job, field_attrs);
    quote!(#(#attrs)* #ident #fields)
}

fn fields(fields: &Fields, job: &TokenStream, attrs: &impl Fn(&Field) -> TokenStream) -> TokenStream {
    let each = fields.iter().map(|field| {
        let (attrs, ident) = (attrs(field), &field.ident);
        let colon = ident.as_ref().map(|_| quote!(:));
        let ty = without_self(field.ty.to_token_stream(), job);
        quote!(#attrs #ident #colon #ty)
    });
    match fields {
        Fields::Named(_) => quote!({ #(#each),* }),
        Fields::Unnamed(_) => quote!((#(#each),*)),
        Fields::Unit => TokenStream::new(),
    }
}

/// `Self` in a field of the user's type is that type, also where the field is copied to another.
pub(super) fn without_self(tokens: TokenStream, job: &TokenStream) -> TokenStream {
    let replaced = tokens.into_iter().map(|tree| match tree {
        TokenTree::Ident(ident) if ident == "Self" => respanned(job, ident.span()),
        TokenTree::Group(group) => {
            let mut inner = Group::new(group.delimiter(), without_self(group.stream(), job));
            inner.set_span(group.span());
            TokenTree::Group(inner).into()
        }
        other => other.into(),
    });
    replaced.collect()
}

fn respanned(tokens: &TokenStream, span: Span) -> TokenStream {
    let respan = |mut tree: TokenTree| {
        tree.set_span(span);
        tree
    };
    tokens.clone().into_iter().map(respan).collect()
}
