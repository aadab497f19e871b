//! Finds the folder of sqlxmq, whose tables come from the migrations in its package.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=Cargo.lock");
    let cargo = std::env::var_os("CARGO").expect("cargo builds this");
    let metadata = Command::new(cargo).args(["metadata", "--format-version", "1", "--locked"]).output();
    let metadata = metadata.expect("cargo metadata runs").stdout;
    let metadata: serde_json::Value = serde_json::from_slice(&metadata).expect("cargo metadata prints JSON");
    let packages = metadata["packages"].as_array().expect("it lists packages");
    let sqlxmq = packages.iter().find(|package| package["name"] == "sqlxmq").expect("sqlxmq is a dependency");
    let manifest = sqlxmq["manifest_path"].as_str().expect("it has a manifest");
    println!("cargo::rustc-env=SQLXMQ={}", manifest.trim_end_matches("Cargo.toml"));
}
