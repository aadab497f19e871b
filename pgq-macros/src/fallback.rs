//! What is emitted beside the errors: an impl that makes the rest of the user's crate compile, so that one
//! mistake is one error.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Error;

use crate::input::Input;

pub(crate) fn fallback(input: &Input, errors: &[Error]) -> TokenStream {
    let Input { ident, generics, root, state, .. } = input;
    let errors = errors.iter().map(Error::to_compile_error);
    let mut generics = generics.clone();
    generics.make_where_clause().predicates.push(syn::parse_quote! {
        Self: ::core::marker::Send + ::core::marker::Sync + 'static
    });
    let (params, args, bounds) = generics.split_for_impl();
    let debug = input.settings.iter().any(|setting| setting.key == "sensitive").then(|| {
        quote! {
            #[automatically_derived]
            impl #params ::core::fmt::Debug for #ident #args #bounds {
                fn fmt(&self, _: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    ::core::unreachable!()
                }
            }
        }
    });
    quote! {
        #(#errors)*
        const _: () = {
            use #root as __pgq;
            #debug

            #[automatically_derived]
            impl #params __pgq::Shape for #ident #args #bounds {
                const SHAPE: i32 = 0;
            }

            #[automatically_derived]
            impl #params __pgq::Job for #ident #args #bounds {
                type State = #state;
                type Codec = __pgq::__private::DefaultCodec;
                const KIND: &'static str = "";

                fn __pgq_serialize<__PgqS: __pgq::__private::serde::Serializer>(
                    &self,
                    _: __PgqS,
                ) -> ::core::result::Result<__PgqS::Ok, __PgqS::Error> {
                    ::core::unreachable!()
                }

                fn __pgq_deserialize<'__pgq, __PgqD: __pgq::__private::serde::Deserializer<'__pgq>>(
                    _: __PgqD,
                ) -> ::core::result::Result<Self, __PgqD::Error> {
                    ::core::unreachable!()
                }
            }
        };
    }
}
