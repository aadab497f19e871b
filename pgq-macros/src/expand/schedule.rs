//! The schedule of a type.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};

use super::duration;
use crate::validate::{Missed, Schedule};

pub(super) fn schedule(target: &TokenStream, schedule: &Schedule) -> TokenStream {
    let Schedule { cron, timezone, missed, overlap, jitter, payload } = schedule;
    let timezone = timezone.as_ref().map_or_else(|| "UTC".to_owned(), syn::LitStr::value);
    let missed = match missed {
        None => quote!(__pgq::Missed::DEFAULT),
        Some(Missed::Skip) => quote!(__pgq::Missed::Skip),
        Some(Missed::Once) => quote!(__pgq::Missed::Once),
        Some(Missed::All(most)) => quote!(__pgq::Missed::All(#most)),
    };
    let overlap = match overlap.as_deref() {
        None => format_ident!("DEFAULT"),
        Some("skip") => format_ident!("Skip"),
        Some("replace") => format_ident!("Replace"),
        Some(_) => format_ident!("Allow"),
    };
    let jitter = duration(*jitter);
    let payload = match payload {
        Some(payload) => quote!(#payload),
        // A missing `Default` is reported at the expression.
        None => quote_spanned! { cron.span()=>
            <#target as __pgq::__private::DefaultPayload>::default_payload()
        },
    };
    quote! {
        const __PGQ_SCHEDULE: ::core::option::Option<&'static __pgq::__private::Declared> =
            ::core::option::Option::Some(&__pgq::__private::Declared {
                cron: #cron,
                timezone: #timezone,
                missed: #missed,
                overlap: __pgq::Overlap::#overlap,
                jitter: #jitter,
                job: || {
                    let __pgq_job: Self = #payload;
                    __pgq::__private::DeclaredJob::of(&__pgq_job)
                },
            });
    }
}
