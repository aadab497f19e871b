//! What the user wrote, gathered and not yet judged.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Attribute, Data, DeriveInput, Error, Field, Generics, Ident, Path, Type};

use crate::attr::{self, Setting};

pub(crate) struct Input {
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    pub(crate) data: Data,
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) settings: Vec<Setting>,
    /// What is malformed in the attributes.
    pub(crate) errors: Vec<Error>,
    /// The type itself: its name, or an instance of it.
    pub(crate) target: TokenStream,
    /// The crate that the emitted code names.
    pub(crate) root: TokenStream,
    /// The type of the job's state.
    pub(crate) state: TokenStream,
}

impl Input {
    pub(crate) fn new(input: DeriveInput, default_root: TokenStream) -> Self {
        let mut errors = Vec::new();
        let settings = attr::read(&input.attrs, &mut errors);
        let find = |key| settings.iter().find(|setting| setting.key == key);
        let root = find("crate").and_then(|setting| setting.path().ok());
        let root = root.map_or(default_root, Path::into_token_stream);
        let state = find("state").and_then(|setting| setting.ty().ok());
        let state = state.map_or_else(|| quote!(()), Type::into_token_stream);
        let DeriveInput { attrs, ident, generics, data, .. } = input;
        let target = ident.to_token_stream();
        Self { ident, generics, data, attrs, settings, errors, target, root, state }
    }

    /// All fields, those of variants included.
    pub(crate) fn data_fields(&self) -> Box<dyn Iterator<Item = &Field> + '_> {
        match &self.data {
            Data::Struct(data) => Box::new(data.fields.iter()),
            Data::Enum(data) => Box::new(data.variants.iter().flat_map(|variant| &variant.fields)),
            Data::Union(data) => Box::new(data.fields.named.iter()),
        }
    }
}
