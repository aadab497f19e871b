//! Writes the code of a job that has been found valid.

mod people;
mod schedule;
mod shadow;

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::Type;
use syn::spanned::Spanned;

use self::people::Shown;
use crate::input::Input;
use crate::instance::Arguments;
use crate::shape::shape;
use crate::validate::{Codec, DEFAULT_ATTEMPTS, Instance, Job, Kinds, Policy};

pub(crate) fn expand(input: &Input, job: &Job) -> TokenStream {
    match &job.kinds {
        Kinds::One(kind) => concrete(input, &Concrete::of(job, kind)),
        Kinds::Each(instances) => {
            instances.iter().map(|instance| expand_instance(input, job, instance)).collect()
        }
    }
}

fn expand_instance(input: &Input, job: &Job, instance: &Instance) -> TokenStream {
    let arguments = Arguments::of(input, instance);
    let mut types = Concrete::of(job, &instance.kind);
    types.upcast_from = types.upcast_from.map(|old| arguments.ty(&old));
    types.codec = match types.codec {
        Codec::Custom(codec) => Codec::Custom(Box::new(arguments.ty(&codec))),
        codec => codec,
    };
    concrete(&arguments.fill_in(input, instance), &types)
}

/// A job without parameters.
struct Concrete<'a> {
    job: &'a Job,
    kind: &'a str,
    codec: Codec,
    upcast_from: Option<Type>,
}

impl<'a> Concrete<'a> {
    fn of(job: &'a Job, kind: &'a str) -> Self {
        Self { job, kind, codec: job.codec.clone(), upcast_from: job.version.upcast_from.clone() }
    }
}

fn concrete(input: &Input, types: &Concrete<'_>) -> TokenStream {
    let (root, target, job) = (&input.root, &input.target, types.job);
    let shadow = shadow::shadow(input);
    let shape_impl = shape_impl(input);
    let shown = people::shown(input, &job.chosen.sensitive);
    let job_impl = job_impl(input, types, shown.as_ref());
    let (masked, debug) = shown.map(|shown| (shown.shadow, shown.debug)).unzip();
    let upcast_checks = types.upcast_from.as_ref().map(|old| upcast_checks(target, old));
    let codec_check = codec_check(target, &types.codec);
    let registration = (!job.enqueue_only).then(|| registration(target));
    quote! {
        const _: () = {
            // One name for the crate: if it cannot be found, that is one error and not ten.
            use #root as __pgq;
            #shadow
            #masked
            #shape_impl
            #job_impl
            #debug
            #upcast_checks
            #codec_check
            #registration
        };
    }
}

fn registration(target: &TokenStream) -> TokenStream {
    quote! {
        __pgq::__private::inventory::submit! {
            // A missing `impl Perform` is reported here, with the span of the type's name.
            __pgq::__private::Registration::of::<#target>().at(__pgq::__private::SourceLine {
                file: ::core::file!(),
                line: ::core::line!(),
            })
        }
    }
}

fn shape_impl(input: &Input) -> TokenStream {
    let target = &input.target;
    let shape = shape(&input.ident, &input.attrs, &input.data).expression();
    quote! {
        #[automatically_derived]
        impl __pgq::Shape for #target {
            const SHAPE: i32 = #shape;
        }
    }
}

/// What only the compiler can tell of the older type.
fn upcast_checks(target: &TokenStream, old: &Type) -> TokenStream {
    let span = old.span();
    let (name, ident) = (words(old), words(target));
    let kind = format!(
        "`upcast_from = {name}`: that type has another kind, so its payloads are not those of `{ident}`; \
         set the same `kind` on both"
    );
    let version = format!(
        "`upcast_from = {name}`: that type must have a lower version than `{ident}`; set `version` one higher here"
    );
    quote_spanned! { span=>
        const _: () = if let ::core::option::Option::Some(older) = <#target as __pgq::Job>::__PGQ_OLDER {
            ::core::assert!(older.is_of_one_kind(), #kind);
            ::core::assert!(older.is_older(), #version);
        };
    }
}

/// A type as people write it.
fn words(ty: &impl ToTokens) -> String {
    let text = ty.to_token_stream().to_string();
    [(" :: ", "::"), (" < ", "<"), (" >", ">"), (" ,", ",")]
        .iter()
        .fold(text, |text, (from, to)| text.replace(from, to))
        .replace('{', "{{")
        .replace('}', "}}")
}

fn codec(codec: &Codec) -> TokenStream {
    match codec {
        Codec::Default => quote!(__pgq::__private::DefaultCodec),
        Codec::Bincode => quote!(__pgq::__private::Bincode),
        Codec::Json => quote!(__pgq::__private::Json),
        Codec::Custom(codec) => codec.to_token_stream(),
    }
}

/// What only the compiler can tell of a user's codec.
fn codec_check(target: &TokenStream, codec: &Codec) -> Option<TokenStream> {
    let Codec::Custom(codec) = codec else { return None };
    let message = format!(
        "`codec = {}`: its `TAG` must be 128 or more, the lower ones are the library's; the library's own codecs are \
         `codec = \"bincode\"` and `codec = \"json\"`",
        words(codec)
    );
    Some(quote_spanned! { codec.span()=>
        const _: () = ::core::assert!(__pgq::__private::has_custom_tag::<#target>(), #message);
    })
}

fn older(old: &Type) -> TokenStream {
    quote! {
        const __PGQ_OLDER: ::core::option::Option<__pgq::__private::Older<Self>> =
            ::core::option::Option::Some(__pgq::__private::Older::<Self>::of::<#old>());
    }
}

fn job_impl(input: &Input, types: &Concrete<'_>, shown: Option<&Shown>) -> TokenStream {
    let Concrete { job, kind, codec, upcast_from } = types;
    let show = shown.map(|shown| &shown.method);
    let index = people::index(input, &job.chosen.index);
    let unique = job.chosen.unique.as_ref().map(|unique| people::unique(input, unique));
    let Input { target, state, .. } = input;
    let schedule = job.schedule.as_ref().map(|schedule| schedule::schedule(target, schedule));
    let Job { queue, priority, max_attempts, retry, timeout, transactional, version, .. } = job;
    let older = upcast_from.as_ref().map(older);
    let codec = self::codec(codec);
    // The trait has the defaults: what is not written need not be compiled.
    let queue = queue.as_ref().map(|queue| quote!(const QUEUE: &'static str = #queue;));
    let priority = (*priority != 0).then(|| quote!(const PRIORITY: i16 = #priority;));
    let number = version.number;
    let version = (number != 1).then(|| quote!(const VERSION: i16 = #number;));
    let max_attempts =
        (*max_attempts != DEFAULT_ATTEMPTS).then(|| quote!(const MAX_ATTEMPTS: i16 = #max_attempts;));
    let retry = retry.as_ref().map(self::retry).map(|retry| quote!(const RETRY: __pgq::Retry = #retry;));
    let timeout = timeout.map(duration).map(|timeout| {
        quote! {
            const TIMEOUT: ::core::option::Option<::core::time::Duration> = ::core::option::Option::Some(#timeout);
        }
    });
    let transactional = transactional.then(|| {
        quote!(
            const TRANSACTIONAL: bool = true;
        )
    });
    quote! {
        #[automatically_derived]
        impl __pgq::Job for #target {
            type State = #state;
            type Codec = #codec;
            const KIND: &'static str = #kind;
            #queue
            #priority
            #version
            #max_attempts
            #retry
            #timeout
            #transactional
            #older
            #unique
            #schedule

            fn __pgq_serialize<__PgqS: __pgq::__private::serde::Serializer>(
                &self,
                __pgq_serializer: __PgqS,
            ) -> ::core::result::Result<__PgqS::Ok, __PgqS::Error> {
                __PgqShadow::serialize(self, __pgq_serializer)
            }

            fn __pgq_deserialize<'__pgq, __PgqD: __pgq::__private::serde::Deserializer<'__pgq>>(
                __pgq_deserializer: __PgqD,
            ) -> ::core::result::Result<Self, __PgqD::Error> {
                __PgqShadow::deserialize(__pgq_deserializer)
            }

            #show
            #index
        }
    }
}

fn retry(policy: &Policy) -> TokenStream {
    match policy {
        Policy::Waits(waits) => {
            let count = waits.len();
            let waits = waits.iter().copied().map(duration);
            quote! {{
                const __PGQ_WAITS: [::core::time::Duration; #count] = [#(#waits),*];
                __pgq::Retry::Waits(::std::borrow::Cow::Borrowed(&__PGQ_WAITS))
            }}
        }
        Policy::Fixed(wait) => {
            let wait = duration(*wait);
            quote!(__pgq::Retry::Fixed(#wait))
        }
        Policy::Exponential { base, factor, max, jitter } => {
            let (base, max) = (duration(*base), duration(*max));
            quote!(__pgq::Retry::Exponential { base: #base, factor: #factor, max: #max, jitter: #jitter })
        }
    }
}

fn duration(duration: Duration) -> TokenStream {
    let (seconds, nanoseconds) = (duration.as_secs(), duration.subsec_nanos());
    quote!(::core::time::Duration::new(#seconds, #nanoseconds))
}
