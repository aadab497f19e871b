//! Goal: the demo tells what it did as people and programs expect of a command, and its own checks hold.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

fn demo(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
    command.args(arguments).arg(folder).env("DATABASE_URL", pgq_devdb::url().unwrap());
    command.output().unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Two text files, an empty one in a folder below, one that is ignored, and two that are no text.
fn fill(root: &Path) {
    fs::create_dir(root.join("below")).unwrap();
    fs::create_dir(root.join("target")).unwrap();
    let files: [(&str, &[u8]); 8] = [
        ("a.txt", b"the cat and the dog\nThe end\n"),
        ("below/b.txt", "größer\n".as_bytes()),
        ("below/empty", b""),
        ("binary", b"a\0b"),
        ("latin1", b"caf\xe9"),
        (".gitignore", b"ignored\n"),
        ("ignored", b"not to be seen\n"),
        ("target/built", b"not to be seen\n"),
    ];
    for (path, content) in files {
        fs::write(root.join(path), content).unwrap();
    }
}

#[test]
fn indexes_text_files_and_reports_as_json() {
    let root = tempfile::tempdir().unwrap();
    fill(root.path());
    let output = demo(&["--json"], root.path());
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(errors(&output), "", "no progress bar where there is no terminal");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (key, expected) in [
        ("files", json!(4)),
        ("folders", json!(2)),
        ("lines", json!(4)),
        ("words", json!(9)),
        ("skipped", json!({"binary": 1, "not_utf8": 1, "too_large": 0, "unreadable": 0})),
        ("jobs", json!(4 + 2 + 10)),
        ("attempts", json!(4 + 2 + 2 * 10)),
        ("ok", json!(true)),
    ] {
        assert_eq!(report[key], expected, "{key} in {report}");
    }
    let largest = &report["largest"][0];
    assert_eq!(
        (&largest["path"], &largest["lines"], &largest["words"]),
        (&json!("a.txt"), &json!(2), &json!(7))
    );
    assert_eq!(largest["top_words"][0], json!(["the", 3]));
    assert!(report["pickup_p99_ms"].as_f64().unwrap() >= report["pickup_p50_ms"].as_f64().unwrap());
}

#[test]
fn prints_tables_without_colour_where_there_is_no_terminal() {
    let root = tempfile::tempdir().unwrap();
    fill(root.path());
    let output = demo(&[], root.path());
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    assert!(
        text.contains("index_file") && text.contains("below/b.txt") && !text.contains('\u{1b}'),
        "{text}"
    );
    assert_eq!(text.matches("┆ ok ").count(), 5, "{text}");
}

#[test]
fn refuses_what_is_no_folder_of_text_files() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("binary");
    fs::write(&file, b"\0").unwrap();
    for (path, code, message) in [
        (root.path().join("missing"), 2, "No such file or directory"),
        (file, 2, "it is a file"),
        (root.path().to_owned(), 1, "there is no text file in"),
    ] {
        let output = demo(&[], &path);
        assert_eq!(output.status.code(), Some(code), "{}", errors(&output));
        assert!(errors(&output).contains(message), "{}", errors(&output));
    }
}
