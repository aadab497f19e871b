//! `#[derive(Shape)]`, for the types inside of jobs.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::punctuated::Punctuated;
use syn::{Attribute, Data, DeriveInput, Error, GenericParam, Meta, Path, Result, Token, parse_quote};

use crate::shape::shape;

pub(crate) fn derive(input: TokenStream, default_root: TokenStream) -> TokenStream {
    syn::parse2(input)
        .and_then(|input: DeriveInput| expand(input, default_root))
        .unwrap_or_else(Error::into_compile_error)
}

fn expand(input: DeriveInput, default_root: TokenStream) -> Result<TokenStream> {
    let root = root(&input.attrs)?.map_or(default_root, Path::into_token_stream);
    check_fields(&input.data)?;
    let DeriveInput { ident, attrs, data, mut generics, .. } = input;
    for parameter in &mut generics.params {
        if let GenericParam::Type(parameter) = parameter {
            parameter.bounds.push(parse_quote!(__pgq::Shape));
        }
    }
    let (params, args, bounds) = generics.split_for_impl();
    let shape = shape(&ident, &attrs, &data).expression();
    Ok(quote! {
        const _: () = {
            use #root as __pgq;
            #[automatically_derived]
            impl #params __pgq::Shape for #ident #args #bounds {
                const SHAPE: i32 = #shape;
            }
        };
    })
}

/// The crate of `#[shape(crate = ..)]`.
fn root(attrs: &[Attribute]) -> Result<Option<Path>> {
    let mut root = None;
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("shape")) {
        let message =
            "on a type, `shape` takes the path under which this crate knows pgq: `#[shape(crate = my_pgq)]`";
        let mistake = || Error::new_spanned(attr, message);
        let parsed = attr.parse_args_with(|input: syn::parse::ParseStream<'_>| {
            input.parse::<Token![crate]>()?;
            input.parse::<Token![=]>()?;
            input.call(Path::parse_mod_style)
        });
        root = Some(parsed.map_err(|_| mistake())?);
    }
    Ok(root)
}

/// Judges `#[shape(..)]` on the fields.
pub(crate) fn check_fields(data: &Data) -> Result<()> {
    let fields: Vec<_> = match data {
        Data::Struct(data) => data.fields.iter().collect(),
        Data::Enum(data) => data.variants.iter().flat_map(|variant| &variant.fields).collect(),
        Data::Union(data) => {
            let message =
                "a union cannot be stored, because nothing says which of its fields is: make it an enum";
            return Err(Error::new_spanned(data.union_token, message));
        }
    };
    let attrs = fields.into_iter().flat_map(|field| &field.attrs);
    for attr in attrs.filter(|attr| attr.path().is_ident("shape")) {
        let metas = attr.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
        if !metas.is_ok_and(|metas| metas.len() == 1 && metas[0].path().is_ident("skip")) {
            let message = "on a field, `shape` takes `skip`, which leaves the field's type out of the number: \
                           `#[shape(skip)]`";
            return Err(Error::new_spanned(attr, message));
        }
    }
    Ok(())
}
