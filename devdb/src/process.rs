//! Which processes live, as far as starting and killing a server needs to know.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::Error;

/// Whether `pid` is the living server of `data`, and not a program that was given its id since.
pub(crate) fn is_server_of(pid: u32, data: &Path) -> bool {
    // A dead process that nobody has collected yet has no command line.
    command_line(pid).is_some_and(|line| line.contains("postgres") && line.contains(&*data.to_string_lossy()))
}

/// The living children of `parent`.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    table().into_iter().filter(|row| row.parent == parent && !row.dead).map(|row| row.pid).collect()
}

/// Whether there is such a process, of whatever program.
pub(crate) fn is_alive(pid: u32) -> bool {
    table().iter().any(|row| row.pid == pid && !row.dead)
}

/// Sends SIGKILL.
pub(crate) fn kill(pid: u32) -> Result<(), Error> {
    // The shell's own `kill`: the program of that name is missing from slim containers.
    let status = Command::new("sh")
        .args(["-c", "kill -9 \"$1\"", "sh", &pid.to_string()])
        .stderr(Stdio::null())
        .status()
        .map_err(|source| Error::Spawn { program: "sh".into(), source })?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Failed {
        program: format!("kill -9 {pid}"),
        status: status.to_string(),
        output: "no such process, or it belongs to another user".into(),
    })
}

/// Linux has `/proc`, but often no `ps`; elsewhere it is the other way round.
fn proc_folder(pid: u32) -> Option<PathBuf> {
    Path::new("/proc/self/stat").exists().then(|| format!("/proc/{pid}").into())
}

fn command_line(pid: u32) -> Option<String> {
    if let Some(folder) = proc_folder(pid) {
        let line = fs::read(folder.join("cmdline")).ok()?;
        return Some(String::from_utf8_lossy(&line).replace('\0', " "));
    }
    let output = Command::new("ps").args(["-ww", "-o", "args=", "-p", &pid.to_string()]).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// One line of the process table.
#[derive(Debug, PartialEq)]
struct Row {
    pid: u32,
    parent: u32,
    /// A zombie: the system still answers to its id.
    dead: bool,
}

fn table() -> Vec<Row> {
    let Some(folder) = proc_folder(1) else { return table_of_ps() };
    let entries = folder.parent().and_then(|proc| fs::read_dir(proc).ok()).into_iter().flatten();
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(|c: char| c.is_ascii_digit()))
        .filter_map(|entry| parse_stat(&fs::read_to_string(entry.path().join("stat")).ok()?))
        .collect()
}

/// `1234 (a name) S 1 ...`; the name may hold spaces and parentheses itself.
fn parse_stat(stat: &str) -> Option<Row> {
    let (pid, rest) = stat.split_once(" (")?;
    let mut fields = rest.rsplit_once(") ")?.1.split(' ');
    let dead = fields.next()?.starts_with('Z');
    Some(Row { pid: pid.parse().ok()?, parent: fields.next()?.parse().ok()?, dead })
}

fn table_of_ps() -> Vec<Row> {
    let output = Command::new("ps").args(["-A", "-o", "pid=,ppid=,stat="]).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().filter_map(parse_ps).collect()
}

fn parse_ps(line: &str) -> Option<Row> {
    let mut fields = line.split_whitespace();
    let (pid, parent) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(Row { pid, parent, dead: fields.next()?.starts_with('Z') })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_tables_of_both_kinds_are_read() {
        assert_eq!(parse_stat("42 (postgres) S 1 42 42 0"), Some(Row { pid: 42, parent: 1, dead: false }));
        assert_eq!(parse_stat("7 (a) b) Z 3 7"), Some(Row { pid: 7, parent: 3, dead: true }));
        assert_eq!(parse_ps("  42     1 Ss"), Some(Row { pid: 42, parent: 1, dead: false }));
        assert_eq!(parse_ps("   7     3 Z+"), Some(Row { pid: 7, parent: 3, dead: true }));
    }

    #[test]
    fn this_process_lives_and_is_no_server() {
        let me = std::process::id();
        assert!(is_alive(me));
        assert!(!is_server_of(me, Path::new("/")));
    }
}
