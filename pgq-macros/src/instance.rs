//! One instance of a generic type, as if it had been written without parameters.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Data, Field, GenericParam, Generics, Ident, Type};

use crate::input::Input;
use crate::validate::Instance;

/// What stands for each parameter.
pub(crate) struct Arguments(Vec<(Ident, TokenStream)>);

impl Arguments {
    pub(crate) fn of(input: &Input, instance: &Instance) -> Self {
        let parameters = input.generics.params.iter().filter_map(|param| match param {
            GenericParam::Type(param) => Some(param.ident.clone()),
            GenericParam::Const(param) => Some(param.ident.clone()),
            GenericParam::Lifetime(_) => None,
        });
        Self(parameters.zip(instance.arguments.iter().map(ToTokens::to_token_stream)).collect())
    }

    /// The input with all parameters filled in.
    pub(crate) fn fill_in(&self, input: &Input, instance: &Instance) -> Input {
        let mut data = input.data.clone();
        fields(&mut data).for_each(|field| field.ty = self.ty(&field.ty));
        Input {
            ident: input.ident.clone(),
            generics: Generics::default(),
            data,
            attrs: input.attrs.clone(),
            settings: Vec::new(),
            errors: Vec::new(),
            target: instance.ty.to_token_stream(),
            root: input.root.clone(),
            state: self.tokens(input.state.clone()),
        }
    }

    /// A type with all parameters filled in.
    pub(crate) fn ty(&self, ty: &Type) -> Type {
        // Whatever was a type is one again.
        syn::parse2(self.tokens(ty.to_token_stream())).unwrap_or_else(|_| ty.clone())
    }

    fn tokens(&self, stream: TokenStream) -> TokenStream {
        let mut within_path = false;
        let filled = stream.into_iter().map(|tree| {
            let is_part = std::mem::replace(&mut within_path, is_colon(&tree));
            match tree {
                TokenTree::Ident(ident) if !is_part => match self.0.iter().find(|(name, _)| *name == ident) {
                    Some((_, argument)) => argument.clone(),
                    None => ident.into_token_stream(),
                },
                TokenTree::Group(group) => {
                    let mut inner = Group::new(group.delimiter(), self.tokens(group.stream()));
                    inner.set_span(group.span());
                    inner.into_token_stream()
                }
                other => other.into_token_stream(),
            }
        });
        filled.collect()
    }
}

fn is_colon(tree: &TokenTree) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == ':')
}

fn fields(data: &mut Data) -> Box<dyn Iterator<Item = &mut Field> + '_> {
    match data {
        Data::Struct(data) => Box::new(data.fields.iter_mut()),
        Data::Enum(data) => Box::new(data.variants.iter_mut().flat_map(|variant| variant.fields.iter_mut())),
        Data::Union(data) => Box::new(data.fields.named.iter_mut()),
    }
}
