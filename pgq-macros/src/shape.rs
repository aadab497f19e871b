//! A number for the layout of a type: two with the same fields have the same one.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{Attribute, Data, Field, Fields, GenericArgument, Ident, Path, PathArguments, Type};

use crate::serde;

/// Types whose names say how they are laid out.
const PLAIN: [&str; 18] = [
    "bool", "char", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize",
    "f32", "f64", "str", "String",
];
/// Types that are laid out as their one parameter says.
const HOLDERS: [&str; 3] = ["Vec", "Option", "Box"];

/// What the emitted code makes a type's number of.
pub(crate) struct Shape {
    /// The hash of what stands in the type itself.
    pub(crate) own: i32,
    /// The types of the fields, whose numbers are mixed into it.
    pub(crate) parts: Vec<TokenStream>,
}

impl Shape {
    /// The value of the constant. `__pgq` is the crate.
    pub(crate) fn expression(&self) -> TokenStream {
        let Self { own, parts } = self;
        if parts.is_empty() {
            return quote!(#own);
        }
        quote! {{
            #[allow(unused_imports)]
            use __pgq::__private::NoShape as _;
            __pgq::__private::mix(#own, &[#(__pgq::__private::Probe::<#parts>::SHAPE),*])
        }}
    }
}

/// Hashes the names and types of all fields, variants included.
///
/// White space, trailing commas, raw-identifier marks and the grouping of macro arguments do not count: they
/// depend on the formatter and the compiler, and a changed number would make waiting jobs unreadable.
///
/// `#[serde(..)]` attributes that write the same fields otherwise do count, and the field is then not what its type
/// says. A type that holds itself is not asked for its number while that is made, and neither are those of the language
/// and its prelude: each question takes the compiler time.
pub(crate) fn shape(ident: &Ident, attrs: &[Attribute], data: &Data) -> Shape {
    let mut text = String::new();
    let mut parts = Vec::new();
    layout(attrs, &mut text);
    let mut add = |fields: &Fields, text: &mut String| {
        self::fields(fields, text);
        let asked = fields.iter().filter(|field| is_asked(field, ident));
        parts.extend(asked.map(|field| field.ty.to_token_stream()));
    };
    match data {
        Data::Struct(data) => add(&data.fields, &mut text),
        Data::Enum(data) => {
            for variant in data.variants.iter().filter(|variant| !serde::skipped(&variant.attrs)) {
                layout(&variant.attrs, &mut text);
                text.push_str(&variant.ident.unraw().to_string());
                add(&variant.fields, &mut text);
            }
        }
        Data::Union(_) => {}
    }
    // A type that is written as another is none of its fields.
    if serde::layout(attrs).next().is_some() {
        parts.clear();
    }
    Shape { own: fnv1a(text.as_bytes()).cast_signed(), parts }
}

fn is_asked(field: &Field, ident: &Ident) -> bool {
    !serde::skipped(&field.attrs)
        && serde::layout(&field.attrs).next().is_none()
        && !opaque(&field.attrs)
        && !is_plain(&field.ty)
        && !names(field.ty.to_token_stream(), ident)
}

/// Whether the name, which is hashed anyway, says all: those of the language and of its prelude.
fn is_plain(ty: &Type) -> bool {
    match ty {
        Type::Group(group) => is_plain(&group.elem),
        Type::Paren(paren) => is_plain(&paren.elem),
        Type::Path(path) if path.qself.is_none() => path.path.get_ident().map_or_else(
            || plain_argument(&path.path).is_some_and(is_plain),
            |name| PLAIN.iter().any(|plain| name == plain),
        ),
        _ => false,
    }
}

/// The `A` of `Option<A>` and its like.
fn plain_argument(path: &Path) -> Option<&Type> {
    let segment =
        path.segments.first().filter(|_| path.segments.len() == 1 && path.leading_colon.is_none())?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    let Some(GenericArgument::Type(argument)) = arguments.args.first() else { return None };
    let is_holder = HOLDERS.iter().any(|holder| segment.ident == holder);
    (is_holder && arguments.args.len() == 1).then_some(argument)
}

/// `#[shape(skip)]`
fn opaque(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|attr| attr.path().is_ident("shape"))
}

/// Whether a type names the one it is a field of.
fn names(ty: TokenStream, ident: &Ident) -> bool {
    ty.into_iter().any(|tree| match tree {
        TokenTree::Ident(word) => word == "Self" || word == *ident,
        TokenTree::Group(group) => names(group.stream(), ident),
        _ => false,
    })
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
