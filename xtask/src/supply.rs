//! What a crate of this workspace must not have: code that runs when it is compiled, and unsafe code.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cargo::root;

/// The folders of all crates of the workspace, as its manifest lists them.
fn members() -> Vec<PathBuf> {
    let manifest = read(root());
    let list = manifest.split_once("members = [").expect("a list of members").1;
    let list = list.split_once(']').expect("its end").0;
    list.split(',')
        .map(|name| name.trim().trim_matches('"'))
        .filter(|name| !name.is_empty())
        .map(|n| root().join(n))
        .collect()
}

fn read(folder: &Path) -> String {
    let path = folder.join("Cargo.toml");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn no_crate_runs_code_when_it_is_built() {
    let members = members();
    assert!(members.len() >= 9, "{members:?}");
    for folder in members {
        let manifest = read(&folder);
        assert!(!folder.join("build.rs").exists(), "{} has a build.rs", folder.display());
        let sets_one = manifest.lines().any(|line| line.trim_start().starts_with("build ="));
        assert!(
            !sets_one && !manifest.contains("[build-dependencies]"),
            "{} has a build script",
            folder.display()
        );
    }
}

#[test]
fn every_crate_forbids_unsafe_code() {
    assert!(read(root()).contains("\nunsafe_code = \"forbid\"\n"));
    for folder in members() {
        let manifest = read(&folder);
        assert!(manifest.contains("[lints]\nworkspace = true"), "{} has lints of its own", folder.display());
    }
}
