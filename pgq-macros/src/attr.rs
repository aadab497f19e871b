//! Reads `#[job(...)]` into settings: keys and what stands after their `=`. Only the form is judged here.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Error, Ident, Meta, Result, Token, Type};

/// One `key = value` or `key(value)` as it was written. The value is empty if there is none.
pub(crate) struct Setting {
    pub(crate) key: Ident,
    pub(crate) value: TokenStream,
    /// It stands in the parentheses of another one.
    pub(crate) is_part: bool,
}

/// The settings of all `#[job(...)]` attributes, in order. What is malformed goes to `errors`.
pub(crate) fn read(attrs: &[Attribute], errors: &mut Vec<Error>) -> Vec<Setting> {
    let mut settings = Vec::new();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("job")) {
        match &attr.meta {
            Meta::List(list) => {
                let parsed = list.parse_args_with(|input: ParseStream<'_>| read_list(input, &mut settings));
                errors.extend(parsed.err());
            }
            _ => errors.push(Error::new_spanned(
                &attr.meta,
                "`job` takes its settings in parentheses: `#[job(kind = \"send_welcome\")]`",
            )),
        }
    }
    settings
}

/// The settings in the parentheses of one, as in `exponential(base = "1s", max = "10m")`.
pub(crate) fn read_inner(input: ParseStream<'_>) -> Result<Vec<Setting>> {
    let mut settings = Vec::new();
    read_list(input, &mut settings)?;
    settings.iter_mut().for_each(|setting| setting.is_part = true);
    Ok(settings)
}

fn read_list(input: ParseStream<'_>, settings: &mut Vec<Setting>) -> Result<()> {
    while !input.is_empty() {
        settings.push(input.parse()?);
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(())
}

impl Parse for Setting {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if !input.peek(Ident::peek_any) {
            return Err(input.error("expected a setting such as `kind = \"send_welcome\"`"));
        }
        let key = input.call(Ident::parse_any)?;
        if input.parse::<Option<Token![=]>>()?.is_none() {
            return Ok(Self { key, value: until_comma(input)?, is_part: false });
        }
        // A type may hold commas of its own: `state = Pair<A, B>`.
        let is_type = ["state", "upcast_from", "codec"].iter().any(|known| key == known);
        let value = if is_type && input.fork().parse::<Type>().is_ok() {
            input.parse::<Type>()?.into_token_stream()
        } else {
            until_comma(input)?
        };
        Ok(Self { key, value, is_part: false })
    }
}

fn until_comma(input: ParseStream<'_>) -> Result<TokenStream> {
    let mut tokens = TokenStream::new();
    while !input.is_empty() && !input.peek(Token![,]) {
        if !tokens.is_empty() && input.peek(Ident::peek_any) && input.peek2(Token![=]) {
            return Err(input.error("expected a comma before the next setting"));
        }
        tokens.extend([input.parse::<TokenTree>()?]);
    }
    Ok(tokens)
}
