//! What the derive writes, compared with the files in `tests/expanded`; `UPDATE_EXPECT=1` writes them anew. What it
//! means is tested in pgq-core.

use expect_test::{ExpectFile, expect_file};
use proc_macro2::TokenStream;
use quote::quote;
use syn::DeriveInput;

use crate::derive;
use crate::shape::shape;
use crate::value::{KNOWN, bad_name};

fn check(input: TokenStream, expected: ExpectFile) {
    let output = derive(input, quote!(::pgq_core));
    expected.assert_eq(&prettyplease::unparse(&syn::parse2(output).unwrap()));
}

#[test]
fn a_bare_struct() {
    let input = quote! {
        pub struct SendWelcome {
            pub user_id: i64,
        }
    };
    check(input, expect_file!["../tests/expanded/struct.rs"]);
}

#[test]
fn every_setting() {
    let input = quote! {
        #[job(kind = "mail/report", queue = "mail", priority = -3, state = Pair<App, u8>)]
        #[job(retry_waits = ["1m", "1h 30m"], timeout = "500ms", crate = crate::jobs)]
        struct Report(#[serde(default)] String, Vec<Self>);
    };
    check(input, expect_file!["../tests/expanded/settings.rs"]);
}

#[test]
fn an_enum_with_serde_attributes() {
    let input = quote! {
        /// Docs stay where they are.
        #[derive(Debug)]
        #[serde(crate = "other_serde", rename_all = "camelCase", default)]
        pub(crate) enum Mail {
            #[serde(rename = "nothing")]
            Nothing = 1,
            To(#[serde(with = "text")] Address, u8),
            /// Docs.
            Batch { first: i64, #[serde(skip)] r#type: u8 },
        }
    };
    check(input, expect_file!["../tests/expanded/enum.rs"]);
}

#[test]
fn a_newer_version_of_a_type() {
    let input = quote! {
        #[job(kind = "send", version = 2, upcast_from = old::Send<u8>)]
        struct Send(i64);
    };
    check(input, expect_file!["../tests/expanded/version.rs"]);
}

#[test]
fn fields_that_are_hidden_found_and_compared() {
    let input = quote! {
        #[job(sensitive(token), index(user_id), unique(user_id, wait, while = queued, period = "1h"))]
        struct Send {
            user_id: i64,
            #[serde(rename = "secret", with = "text")]
            token: Token,
            #[serde(with = "seconds", default)]
            wait: Duration,
        }
    };
    check(input, expect_file!["../tests/expanded/chosen.rs"]);
}

#[cfg(feature = "cron")]
#[test]
fn a_schedule() {
    let input = quote! {
        #[job(cron = "0 9 * * mon-fri", timezone = "Europe/Rome", missed = all(10), overlap = skip, jitter = "90s")]
        struct Report;
    };
    check(input, expect_file!["../tests/expanded/schedule.rs"]);
}

#[test]
fn instances_of_a_generic_type() {
    let input = quote! {
        #[job(instances(Convert<Png> = "png"), codec = Codec<F>, state = <F as Format>::State, enqueue_only)]
        #[serde(bound = "F: Format")]
        struct Convert<F: Format>(Vec<F>, path::F, Box<Self>);
    };
    check(input, expect_file!["../tests/expanded/instances.rs"]);
}

#[test]
fn a_type_without_a_handler() {
    let input = quote! {
        #[job(enqueue_only)]
        struct Send(i64);
    };
    check(input, expect_file!["../tests/expanded/enqueue_only.rs"]);
}

#[test]
fn a_mistake_leaves_an_impl() {
    let input = quote! {
        #[job(state = App, kind = "not valid", retry = 3)]
        struct Borrowed<'a, T: Copy>(&'a T) where T: Clone;
    };
    check(input, expect_file!["../tests/expanded/mistake.rs"]);
}

fn shape_of(input: &str) -> i32 {
    let input = syn::parse_str::<DeriveInput>(input).unwrap();
    shape(&input.ident, &input.attrs, &input.data).own
}

fn parts_of(input: &str) -> Vec<String> {
    let input = syn::parse_str::<DeriveInput>(input).unwrap();
    let parts = shape(&input.ident, &input.attrs, &input.data).parts;
    parts.into_iter().map(|part| part.to_string()).collect()
}

#[test]
fn shapes_ask_the_types_of_fields_that_are_stored_as_they_are() {
    assert_eq!(parts_of("struct A { b: Id, c: Vec<B>, d: my::String }"), ["Id", "Vec < B >", "my :: String"]);
    assert_eq!(parts_of("enum A { B(D), #[serde(skip)] C(B), D { e: C } }"), ["D", "C"]);
    assert_eq!(
        parts_of("struct A(Option<Vec<B>>, HashMap<u8, u8>);"),
        ["Option < Vec < B > >", "HashMap < u8 , u8 >"]
    );
    for none in [
        "struct A { a: Option<Box<A>>, b: Vec<Self> }",
        "struct A { a: u8, b: Vec<Option<String>>, c: Box<str> }",
        "struct A { #[serde(with = \"text\")] a: B, #[serde(skip)] b: B, #[shape(skip)] c: B }",
        "#[serde(from = \"u8\", into = \"u8\")] struct A { a: B }",
    ] {
        assert_eq!(parts_of(none), [""; 0], "{none}");
    }
}

#[test]
fn shapes_tell_layouts_apart_and_nothing_else() {
    let alike = [
        ["struct A { a: u8 }", "pub(crate) struct B { /* c */ pub a : u8, }"],
        ["struct A(Vec<u8>);", "struct A(\n    Vec<\n        u8,\n    >,\n);"],
        ["struct A { r#type: u8 }", "struct A { #[serde(rename = \"kind\")] r#type: u8 }"],
        ["struct A { a: u8 }", "struct A { a: u8, #[serde(skip)] b: u16 }"],
        ["enum A { B, C(u8) }", "enum A { /** d */ B = 4, #[serde(alias = \"c\")] C(u8) }"],
        ["struct A;", "struct B {}"],
    ];
    for [left, right] in alike {
        assert_eq!(shape_of(left), shape_of(right), "{left} and {right}");
    }
    let apart = [
        "struct A;",
        "struct A { a: u8 }",
        "struct A { b: u8 }",
        "struct A { a: u16 }",
        "struct A { a: [u8; 2] }",
        "struct A { a: [u8; 3] }",
        "struct A { a: (u8, u8) }",
        "struct A { a: u8, b: u8 }",
        "struct A { b: u8, a: u8 }",
        "struct A(u8);",
        "struct A { #[serde(with = \"text\")] a: u8 }",
        "#[serde(into = \"u16\", from = \"u16\")] struct A { a: u8 }",
        "enum A { B }",
        "enum A { B, C }",
        "enum A { C, B }",
        "enum A { B(u8) }",
        "enum A { B { a: u8 } }",
    ];
    for (index, left) in apart.iter().enumerate() {
        for right in &apart[..index] {
            assert_ne!(shape_of(left), shape_of(right), "{left} and {right}");
        }
    }
}

#[test]
fn every_setting_is_in_the_reference_and_has_an_example() {
    let (reference, examples) = (include_str!("settings.md"), include_str!("../../docs/jobs.md"));
    for known in KNOWN {
        let in_attribute = |line: &&str| line.trim_start().starts_with("#[job(") && line.contains(known.key);
        assert!(reference.contains(&format!("| `{}", known.key)), "{} in settings.md", known.key);
        assert!(examples.lines().any(|line| in_attribute(&line)), "{} in docs/jobs.md", known.key);
    }
}

/// The same table is held against the rule of pgq-core in its `tests/derive.rs`.
#[test]
fn names_are_judged_as_pgq_core_judges_them() {
    for line in include_str!("../../pgq-core/tests/names.txt").lines() {
        let (verdict, name) = line.split_once(' ').unwrap();
        assert_eq!(bad_name(&name.replace("\\0", "\0")), verdict == "bad", "{name:?}");
    }
}

/// The table stands in the reference of the derive, which is packaged, and in the guide, which is not.
#[test]
fn the_guide_has_the_same_table_of_settings() {
    let guide = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/jobs.md"));
    let Ok(guide) = guide else { return };
    let rows = include_str!("settings.md").lines().filter(|line| line.starts_with('|'));
    rows.for_each(|row| assert!(guide.contains(row), "docs/jobs.md lacks the row {row}"));
}
