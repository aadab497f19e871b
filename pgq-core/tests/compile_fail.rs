//! Mistakes of newcomers, and what the compiler tells them.
//!
//! The messages are those of Rust 1.95; `TRYBUILD=overwrite` writes them anew.

#![cfg(feature = "bincode")]

#[test]
fn every_mistake_says_its_fix() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/compile_fail/*.rs");
    #[cfg(feature = "cron")]
    cases.compile_fail("tests/compile_fail_cron/*.rs");
}
