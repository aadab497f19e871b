//! Jobs of crates that the program depends on.

use pgq_core::Registry;
// Without this line the linker leaves the crate out, and its jobs with it.
use pgq_test_dependency as _;

#[test]
fn the_registry_finds_the_jobs_of_dependencies() {
    let registry = Registry::linked().unwrap();
    let found: Vec<_> = registry.iter().map(|registration| registration.described()).collect();
    let [found] = found.as_slice() else { panic!("{found:?}") };
    assert!(found.starts_with("pgq_test_dependency::FromDependency at "), "{found}");
}
