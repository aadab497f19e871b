//! Generic types, of which every instance that is a job is listed with its kind.

use std::collections::HashSet;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::{
    Error, GenericArgument, GenericParam, Generics, LitStr, Path, PathArguments, Result, Token, Type,
    parenthesized,
};

use crate::attr::Setting;
use crate::input::Input;
use crate::value::name_of;

/// One instance of a generic type.
#[derive(Clone)]
pub(crate) struct Instance {
    pub(crate) ty: Type,
    pub(crate) kind: String,
    /// In the order of the type's parameters.
    pub(crate) arguments: Vec<GenericArgument>,
}

pub(super) fn read(setting: &Setting, input: &Input) -> Result<Vec<Instance>> {
    if input.generics.params.is_empty() {
        let message = format!(
            "`{}` has no parameters, so there is one of it: write `kind = \"..\"` in place of `instances`",
            input.ident
        );
        return Err(Error::new_spanned(&setting.key, message));
    }
    let listed = setting.parse(|input: ParseStream<'_>| {
        let inner;
        parenthesized!(inner in input);
        Punctuated::<Listed, Token![,]>::parse_terminated(&inner)
    })?;
    if listed.is_empty() {
        return Err(setting.mismatch());
    }
    let mut kinds = HashSet::new();
    let mut instances = Vec::new();
    for Listed { path, kind } in listed {
        let arguments = arguments(&path, input)?;
        let name = name_of(&kind, "kind")?;
        if !kinds.insert(name.clone()) {
            let message =
                "two instances have this kind, and a row could not say which it is: give each its own";
            return Err(Error::new_spanned(&kind, message));
        }
        instances.push(Instance {
            ty: Type::Path(syn::TypePath { qself: None, path, attrs: Vec::new() }),
            kind: name,
            arguments,
        });
    }
    Ok(instances)
}

/// The error of parameters that no instance fills in.
pub(super) fn mistake(input: &Input, given: bool) -> Option<Error> {
    if let Some(lifetime) = input.generics.lifetimes().next() {
        let message = "a job outlives the code that enqueues it, so it owns its data: remove the lifetime, and write \
                       `String` for `&str`, `Vec<T>` for `&[T]` and `T` for `&T`";
        return Some(Error::new_spanned(lifetime, message));
    }
    if given {
        let types = input.data_fields().map(|field| field.ty.to_token_stream());
        return types.chain([input.state.clone()]).find_map(|ty| part_of_parameter(ty, &input.generics));
    }
    if input.generics.params.is_empty() {
        return None;
    }
    let parameters = input.generics.params.iter().map(|_| "..").collect::<Vec<_>>().join(", ");
    let message = format!(
        "a generic type is many, and a row names one: list those that are jobs with their kinds, as in \
         `#[job(instances({}<{parameters}> = \"..\"))]`",
        input.ident
    );
    Some(Error::new_spanned(&input.generics, message))
}

/// The error of `T::Part`, which is clear only as long as `T` is a parameter.
fn part_of_parameter(ty: TokenStream, generics: &Generics) -> Option<Error> {
    let trees: Vec<_> = ty.into_iter().collect();
    let is_colon =
        |at: usize| matches!(trees.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
    trees.iter().enumerate().find_map(|(at, tree)| match tree {
        TokenTree::Group(group) => part_of_parameter(group.stream(), generics),
        TokenTree::Ident(ident) if is_colon(at + 1) && !(at > 0 && is_colon(at - 1)) => {
            let parameter = generics.type_params().find(|parameter| parameter.ident == *ident)?;
            let message = format!(
                "an instance has to say of which trait this is a part: write `<{} as Trait>::..`",
                parameter.ident
            );
            Some(Error::new_spanned(ident, message))
        }
        _ => None,
    })
}

struct Listed {
    path: Path,
    kind: LitStr,
}

impl syn::parse::Parse for Listed {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let path = input.parse()?;
        input.parse::<Token![=]>()?;
        Ok(Self { path, kind: input.parse()? })
    }
}

fn arguments(path: &Path, input: &Input) -> Result<Vec<GenericArgument>> {
    let parameters = input.generics.params.iter().filter(|param| !matches!(param, GenericParam::Lifetime(_)));
    let count = parameters.count();
    let arguments: Vec<_> = match path.segments.last() {
        Some(last) if last.ident == input.ident => match &last.arguments {
            PathArguments::AngleBracketed(arguments) => arguments.args.iter().cloned().collect(),
            _ => Vec::new(),
        },
        _ => {
            let message = format!("this is no instance of `{}`, which the attribute stands on", input.ident);
            return Err(Error::new_spanned(path, message));
        }
    };
    if arguments.len() != count {
        let message =
            format!("`{}` has {count} parameters, and all of them are written in an instance", input.ident);
        return Err(Error::new_spanned(path, message));
    }
    Ok(arguments)
}
