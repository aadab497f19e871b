//! What people see of a payload, and by what they and the enqueue statement find it.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{Data, Field, Fields, Ident};

use super::duration;
use super::shadow::{masked, without_self};
use crate::input::Input;
use crate::serde;
use crate::validate::{Sensitive, Unique};

/// How the payload is shown, where it is not as it is stored: the type of its shadow, its method, and `Debug`.
pub(super) struct Shown {
    pub(super) shadow: TokenStream,
    pub(super) method: TokenStream,
    pub(super) debug: TokenStream,
}

pub(super) fn shown(input: &Input, sensitive: &Sensitive) -> Option<Shown> {
    let (shadow, body) = match sensitive {
        Sensitive::Nothing => return None,
        Sensitive::Whole => (
            TokenStream::new(),
            quote!(__pgq::__private::serde::Serializer::serialize_str(__pgq_serializer, "***")),
        ),
        Sensitive::Fields(_) => {
            (masked(input, sensitive), quote!(__PgqMasked::serialize(self, __pgq_serializer)))
        }
    };
    let method = quote! {
        const __PGQ_SENSITIVE: bool = true;

        fn __pgq_show<__PgqS: __pgq::__private::serde::Serializer>(
            &self,
            __pgq_serializer: __PgqS,
        ) -> ::core::result::Result<__PgqS::Ok, __PgqS::Error> {
            #body
        }
    };
    Some(Shown { shadow, method, debug: debug(input, sensitive) })
}

fn debug(input: &Input, sensitive: &Sensitive) -> TokenStream {
    let target = &input.target;
    let name = input.ident.unraw().to_string();
    let fields = match (&input.data, sensitive) {
        (Data::Struct(data), Sensitive::Fields(_)) => Some(data.fields.iter().map(|field| {
            let Some(ident) = &field.ident else { return TokenStream::new() };
            let name = ident.unraw().to_string();
            if sensitive.hides(field) {
                quote!(.field(#name, &::core::format_args!("***")))
            } else {
                quote!(.field(#name, &self.#ident))
            }
        })),
        _ => None,
    };
    let body = match fields {
        Some(fields) => quote!(__pgq_f.debug_struct(#name) #(#fields)* .finish()),
        None => {
            let hidden = format!("{name}(***)");
            quote!(__pgq_f.write_str(#hidden))
        }
    };
    quote! {
        #[automatically_derived]
        impl ::core::fmt::Debug for #target {
            fn fmt(&self, __pgq_f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                #body
            }
        }
    }
}

/// The method that gives the chosen fields.
pub(super) fn index(input: &Input, chosen: &[Ident]) -> Option<TokenStream> {
    if chosen.is_empty() {
        return None;
    }
    let (view, value) = view(input, chosen);
    Some(quote! {
        fn __pgq_index(
            &self,
        ) -> ::core::result::Result<
            ::core::option::Option<__pgq::__private::serde_json::Map<
                ::std::string::String,
                __pgq::__private::serde_json::Value,
            >>,
            __pgq::PayloadError,
        > {
            #view
            __pgq::__private::index::<Self, _>(&#value)
        }
    })
}

/// The policy and the method that gives the key.
pub(super) fn unique(input: &Input, unique: &Unique) -> TokenStream {
    let held_while = &unique.held_while;
    let on_conflict = &unique.on_conflict;
    let period = unique.period.map(duration).map(|period| quote!(.period(#period)));
    let key = if unique.fields.is_empty() {
        quote!(__pgq::__private::whole_unique_key(self))
    } else {
        let (view, value) = view(input, &unique.fields);
        quote! {
            #view
            __pgq::__private::unique_key::<Self, _>(&#value)
        }
    };
    quote! {
        const UNIQUE: ::core::option::Option<__pgq::Unique> = ::core::option::Option::Some(
            __pgq::Unique::#held_while() #period .on_conflict(__pgq::OnConflict::#on_conflict)
        );

        fn __pgq_unique_key(
            &self,
        ) -> ::core::result::Result<::core::option::Option<__pgq::UniqueKey>, __pgq::PayloadError> {
            #key
        }
    }
}

/// A type that borrows the chosen fields under their names in Rust, and the value of it.
fn view(input: &Input, chosen: &[Ident]) -> (TokenStream, TokenStream) {
    let fields = chosen.iter().filter_map(|name| field(input, name));
    let declared = fields.map(|Field { attrs, ident, ty, .. }| {
        let form = serde::form(attrs);
        let ty = without_self(ty.to_token_stream(), &input.target);
        quote!(#(#[serde(#form)])* #ident: &'__pgq #ty)
    });
    let view = quote! {
        #[derive(__pgq::__private::serde::Serialize)]
        #[serde(crate = "__pgq::__private::serde")]
        struct __PgqFields<'__pgq> {
            #(#declared),*
        }
    };
    (view, quote!(__PgqFields { #(#chosen: &self.#chosen),* }))
}

fn field<'a>(input: &'a Input, name: &Ident) -> Option<&'a Field> {
    let Data::Struct(data) = &input.data else { return None };
    let Fields::Named(fields) = &data.fields else { return None };
    fields.named.iter().find(|field| field.ident.as_ref() == Some(name))
}
