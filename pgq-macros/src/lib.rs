//! `#[derive(Job)]` of pgq. Not used directly: `pgq-core` and `pgq-postgres` re-export it.
//!
//! One file a stage: `attr` reads the attributes, `input` gathers what the user wrote, `validate` judges it, `expand`
//! writes the code, `fallback` writes what keeps the rest of the user's crate quiet after a mistake.

mod attr;
mod expand;
mod fallback;
mod input;
mod instance;
mod nested;
mod serde;
mod shape;
#[cfg(test)]
mod tests;
mod validate;
mod value;

use proc_macro2::TokenStream;
use quote::quote;
use syn::DeriveInput;

use crate::input::Input;

/// Makes a type a job.
///
#[doc = include_str!("settings.md")]
#[proc_macro_derive(Job, attributes(job, serde, shape))]
pub fn job(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    derive(input.into(), quote!(::pgq_core)).into()
}

/// Makes a type a job: the derive [`Job`](macro@Job) for crates that depend on `pgq-postgres`, which re-exports it
/// under that name.
#[proc_macro_derive(PostgresJob, attributes(job, serde, shape))]
pub fn postgres_job(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    derive(input.into(), quote!(::pgq_postgres)).into()
}

/// Gives the structs and enums inside of jobs a number for their layout, so that a job notices when it changes.
///
/// Type parameters must have one too. Two types that hold each other need `#[shape(skip)]` on one of the fields, which
/// leaves the number of that field's type out. `#[shape(crate = my_pgq)]` on the type is the path to pgq.
#[proc_macro_derive(Shape, attributes(shape, serde))]
pub fn derive_shape(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    nested::derive(input.into(), quote!(::pgq_core)).into()
}

/// The derive [`Shape`](macro@Shape) for crates that depend on `pgq-postgres`, which re-exports it under that name.
#[proc_macro_derive(PostgresShape, attributes(shape, serde))]
pub fn derive_postgres_shape(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    nested::derive(input.into(), quote!(::pgq_postgres)).into()
}

/// The whole pipeline. `default_root` is the crate that the emitted code names unless the user says otherwise.
fn derive(input: TokenStream, default_root: TokenStream) -> TokenStream {
    let input = match syn::parse2::<DeriveInput>(input) {
        Ok(input) => Input::new(input, default_root),
        Err(error) => return error.into_compile_error(),
    };
    match validate::validate(&input) {
        Ok(job) => expand::expand(&input, &job),
        Err(errors) => fallback::fallback(&input, &errors),
    }
}
