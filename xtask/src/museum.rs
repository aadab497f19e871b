//! `cargo xtask museum`: each patch in `museum/` takes one guard away; the test that it names must then fail.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::cargo::{cargo, root, succeed};
use crate::postgres::Postgres;
use crate::screen;
use crate::tally::Tally;

/// What a test says that waited for what never came. Of a mutant it proves nothing: a busy machine does the same.
const WAITED: &str = "the test waited for";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only mutants whose names contain this.
    filter: Option<String>,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// A patch that takes one guard away.
struct Mutant {
    name: String,
    patch: PathBuf,
    guard: String,
    mutation: String,
    package: String,
    test: String,
}

/// What became of a mutant.
struct Verdict {
    mutant: Mutant,
    /// What the test said against it; none if it passed, or only waited.
    said: Option<String>,
    seconds: f64,
}

/// How a test went.
struct Outcome {
    tally: Tally,
    /// Of a panic in the test's own thread.
    said: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let mut mutants = mutants()?;
    mutants.retain(|mutant| arguments.filter.as_ref().is_none_or(|part| mutant.name.contains(part)));
    ensure!(!mutants.is_empty(), "no mutant is called so: look into museum/");
    let tree = export()?;
    let postgres = Postgres::open(None)?;
    let verdicts = try_all(&tree, &postgres, mutants);
    postgres.close()?;
    let verdicts = verdicts?;
    let caught = verdicts.iter().filter(|verdict| verdict.said.is_some()).count();
    if arguments.json {
        println!("{}", json(&verdicts, caught));
    } else {
        println!("caught {caught} of {}", verdicts.len());
    }
    Ok(if caught == verdicts.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// First without any mutation, since a test that fails anyway catches nothing.
fn try_all(tree: &Path, postgres: &Postgres, mutants: Vec<Mutant>) -> Result<Vec<Verdict>> {
    let begin = Instant::now();
    for mutant in &mutants {
        let Outcome { tally, said } = test(tree, postgres, mutant)?;
        ensure!(tally.is_good(), "without any mutation {} is not green: {said:?}", mutant.test);
    }
    eprintln!("without a mutant all is green, in {:.0} s", begin.elapsed().as_secs_f64());
    mutants.into_iter().map(|mutant| try_one(tree, postgres, mutant)).collect()
}

fn try_one(tree: &Path, postgres: &Postgres, mutant: Mutant) -> Result<Verdict> {
    let begin = Instant::now();
    apply(tree, &mutant, &[])?;
    let outcome = test(tree, postgres, &mutant);
    apply(tree, &mutant, &["--reverse"])?;
    let said = outcome?.said.filter(|said| !said.contains(WAITED));
    let verdict = Verdict { mutant, said, seconds: begin.elapsed().as_secs_f64() };
    show(&verdict);
    Ok(verdict)
}

/// All patches, in the order of their names.
fn mutants() -> Result<Vec<Mutant>> {
    let folder = root().join("museum");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "patch"));
    paths.sort();
    paths.into_iter().map(Mutant::read).collect()
}

impl Mutant {
    fn read(patch: PathBuf) -> Result<Self> {
        let text = fs::read_to_string(&patch)?;
        let header = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
            line.map(str::to_owned).with_context(|| format!("{} says no {key}", patch.display()))
        };
        Ok(Self {
            name: patch.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            guard: header("guard")?,
            mutation: header("mutation")?,
            package: header("package")?,
            test: header("test")?,
            patch,
        })
    }
}

/// The files that git knows, in a folder of their own, so that no mutant is ever in the product.
fn export() -> Result<PathBuf> {
    let tree = root().join("target/museum/tree");
    if tree.exists() {
        fs::remove_dir_all(&tree)?;
    }
    fs::create_dir_all(&tree)?;
    let prefix = format!("--prefix={}/", tree.display());
    succeed(Command::new("git").current_dir(root()).args(["checkout-index", "--all", "--force", &prefix]))?;
    Ok(tree)
}

/// Outside of any repository, as git sees it: inside of one it would skip files that the repository ignores.
fn apply(tree: &Path, mutant: &Mutant, args: &[&str]) -> Result<()> {
    let mut git = Command::new("git");
    git.current_dir(tree)
        .env("GIT_CEILING_DIRECTORIES", root().join("target/museum"))
        .arg("apply")
        .args(args);
    let applied = git.arg(&mutant.patch).status().context("cannot run git")?;
    ensure!(
        applied.success(),
        "{} does not apply: write it anew for the code as it is",
        mutant.patch.display()
    );
    Ok(())
}

/// Builds, and runs the one test. What does not compile is no mutant but a mistake.
fn test(tree: &Path, postgres: &Postgres, mutant: &Mutant) -> Result<Outcome> {
    let target = if mutant.package == "pgq-tests" { ["--test", "suite"].as_slice() } else { &["--lib"] };
    let command = || {
        let mut command = cargo();
        // A target folder of their own: cargo would take what it built of a mutant for what it built of the product.
        command.current_dir(tree).env("CARGO_TARGET_DIR", root().join("target/museum/build"));
        command.args(["test", "--quiet", "--package", &mutant.package]).args(target);
        command
    };
    let mut build = command();
    build.arg("--no-run").stdout(Stdio::null()).stderr(Stdio::piped());
    let built = build.output().context("cannot run cargo")?;
    if !built.status.success() {
        bail!("{} does not compile: write it anew\n{}", mutant.name, String::from_utf8_lossy(&built.stderr));
    }
    let mut run = command();
    run.args(["--", "--exact", &mutant.test]).stderr(Stdio::null());
    postgres.give_to(&mut run);
    let output = run.output().context("cannot run cargo test")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut tally = Tally::default();
    text.lines().filter_map(Tally::of_line).for_each(|counts| tally += counts);
    if tally.passed + tally.failed != 1 {
        bail!("{} names a test that is not there: {}", mutant.name, mutant.test);
    }
    Ok(Outcome { tally, said: (tally.failed > 0).then(|| said(&text, &mutant.test)).flatten() })
}

/// The words of the test's panic, its log left out.
fn said(text: &str, test: &str) -> Option<String> {
    let begin = format!("thread '{test}'");
    let mut lines =
        text.lines().skip_while(|line| !(line.starts_with(&begin) && line.contains("panicked at")));
    lines.next()?;
    let words = lines.take_while(|line| !line.starts_with("note: ") && !line.is_empty()).take(4);
    Some(words.map(str::trim).collect::<Vec<_>>().join(" "))
}

fn show(verdict: &Verdict) {
    let Verdict { mutant, said, seconds } = verdict;
    let mark = if said.is_some() { screen::green("caught") } else { screen::red("not caught") };
    eprintln!("{mark} {} in {seconds:.0} s by {}", mutant.name, mutant.test);
    eprintln!("       {}", said.as_deref().unwrap_or(&mutant.mutation));
}

fn json(verdicts: &[Verdict], caught: usize) -> serde_json::Value {
    let each = verdicts.iter().map(|verdict| {
        serde_json::json!({
            "name": verdict.mutant.name, "guard": verdict.mutant.guard, "mutation": verdict.mutant.mutation,
            "test": verdict.mutant.test, "said": verdict.said, "seconds": verdict.seconds,
        })
    });
    serde_json::json!({ "caught": caught, "of": verdicts.len(), "mutants": each.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assertion_is_told_from_a_wait() {
        let text = "---- a::b stdout ----\n\nthread 'a::b' (7) panicked at tests/a.rs:1:2:\nassertion `left == right` failed\n  \
                    left: 1\n right: 2\nnote: run with `RUST_BACKTRACE=1`\n";
        assert_eq!(said(text, "a::b").unwrap(), "assertion `left == right` failed left: 1 right: 2");
        assert_eq!(said(text, "a::c"), None);
    }

    /// The quick half of the museum: that its patches still fit the code.
    #[test]
    fn all_patches_apply() {
        let mutants = mutants().unwrap();
        assert_eq!(mutants.len(), 8);
        for mutant in mutants {
            let mut git = Command::new("git");
            let checked =
                git.current_dir(root()).args(["apply", "--check"]).arg(&mutant.patch).status().unwrap();
            assert!(checked.success(), "{} does not apply: write it anew", mutant.name);
        }
    }
}
