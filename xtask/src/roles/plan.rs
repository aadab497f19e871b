//! Which statement is whose.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, ensure};

use crate::cargo::root;

/// Who runs a statement of the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Producer,
    Runner,
    Operator,
}

/// What programs do that enqueue.
const OF_PRODUCERS: [&str; 8] = [
    "copy_payloads",
    "copy_ready",
    "copy_scheduled",
    "enqueue",
    "enqueue_many",
    "enqueue_unique",
    "reserve_ids",
    "wake_queues",
];

/// What handlers do on their own sessions.
const OF_HANDLERS: [&str; 1] = ["complete_in"];

/// What migrating does, and pruning the audit. All else that a session says which is not a runner's is an operator's.
const OF_OWNERS: [&str; 3] = ["migrations_table", "prune_audit", "schema_version"];

/// The first words of the first migration.
const MIGRATION: &str = "-- pgq's tables.";

impl Role {
    pub(super) fn name(self) -> &'static str {
        match self {
            Role::Producer => "pgq_producer",
            Role::Runner => "pgq_runner",
            Role::Operator => "pgq_operator",
        }
    }
}

/// What the switchboard knows, and what it counts.
pub(super) struct Plan {
    statements: HashMap<String, Role>,
    grants: String,
    counts: [AtomicU64; 3],
    sessions: AtomicU64,
}

impl Plan {
    /// From the library's files.
    pub(super) fn read() -> Result<Plan> {
        let mut statements = HashMap::new();
        let folder = root().join("pgq-postgres/src/sql");
        for file in fs::read_dir(&folder).context("cannot read the library's statements")? {
            let path = file?.path();
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if !OF_OWNERS.contains(&name.as_str()) {
                statements.insert(plain(&fs::read_to_string(&path)?), role_of(&name));
            }
        }
        ensure!(statements.len() > OF_PRODUCERS.len(), "there are no statements in {}", folder.display());
        let grants = fs::read_to_string(root().join("migrations/grants.sql"))?;
        Ok(Plan { statements, grants, counts: Default::default(), sessions: AtomicU64::new(0) })
    }

    /// Who should run this, if it is the library's.
    pub(super) fn role(&self, sql: &str) -> Option<Role> {
        let role = *self.statements.get(&plain(sql))?;
        self.counts[role as usize].fetch_add(1, Ordering::Relaxed);
        Some(role)
    }

    /// What makes the roles, wherever they are missing: the first statement of the grants.
    pub(super) fn roles(&self) -> &str {
        let end = self.grants.match_indices("\ndo $$").nth(1);
        end.map_or(&self.grants, |(end, _)| &self.grants[..end])
    }

    /// What follows a migration: the grants, for the schema that it made.
    pub(super) fn after(&self, sql: &str) -> Option<String> {
        let schema = sql.split_once("create schema if not exists \"")?.1.split_once('"')?.0;
        let is_ours = sql.replace(&format!("\"{schema}\""), "pgq").starts_with(MIGRATION);
        is_ours.then(|| in_schema(&self.grants, schema))
    }

    /// A session of a runner begins.
    pub(super) fn session(&self) {
        self.sessions.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether anything was the library's: if not, its statements were not known, and nothing was tried.
    pub(super) fn knew_something(&self) -> bool {
        self.counts.iter().any(|count| count.load(Ordering::Relaxed) > 0)
    }

    pub(super) fn report(&self) -> String {
        let mut text = String::from("prepared or sent as its role:");
        for role in [Role::Producer, Role::Runner, Role::Operator] {
            let _ = write!(text, " {} {},", role.name(), self.counts[role as usize].load(Ordering::Relaxed));
        }
        let sessions = self.sessions.load(Ordering::Relaxed);
        let _ = write!(text, " and {sessions} sessions of runners as {}", Role::Runner.name());
        text
    }
}

fn role_of(name: &str) -> Role {
    match name {
        _ if OF_PRODUCERS.contains(&name) => Role::Producer,
        _ if OF_HANDLERS.contains(&name) => Role::Runner,
        _ => Role::Operator,
    }
}

/// A statement without its comments, and with every schema called pgq.
fn plain(sql: &str) -> String {
    let lines = sql.lines().filter(|line| !line.trim_start().starts_with("--"));
    let mut rest = lines.collect::<Vec<_>>().join("\n");
    let mut plain = String::with_capacity(rest.len());
    while let Some((before, after)) = rest.split_once('"') {
        plain.push_str(before);
        let Some((quoted, after)) = after.split_once('"') else { break };
        let name = if after.starts_with('.') { "pgq".to_owned() } else { format!("\"{quoted}\"") };
        plain.push_str(&name);
        rest = after.to_owned();
    }
    plain.push_str(&rest);
    plain
}

/// As the library writes its statements for a schema: the word pgq is replaced.
fn in_schema(text: &str, schema: &str) -> String {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("pgq") {
        written.push_str(&rest[..at]);
        rest = &rest[at + 3..];
        let is_word = !written.ends_with(is_name) && !rest.starts_with(is_name);
        written.push_str(&if is_word { format!("\"{schema}\"") } else { "pgq".to_owned() });
    }
    written + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_known_in_every_schema() {
        let plan = Plan::read().unwrap();
        let enqueue = fs::read_to_string(root().join("pgq-postgres/src/sql/enqueue.sql")).unwrap();
        for schema in ["pgq", "user"] {
            assert_eq!(plan.role(&in_schema(&enqueue, schema)), Some(Role::Producer));
        }
        let poll = fs::read_to_string(root().join("pgq-postgres/src/sql/poll.sql")).unwrap();
        assert_eq!(plan.role(&in_schema(&poll, "user")), Some(Role::Operator));
        assert_eq!(plan.role("select 1 from t"), None);
    }

    #[test]
    fn a_migration_is_followed_by_the_grants_of_its_schema() {
        let plan = Plan::read().unwrap();
        let migration = fs::read_to_string(root().join("migrations/0001_initial.sql")).unwrap();
        let grants = plan.after(&in_schema(&migration, "user")).unwrap();
        assert!(grants.contains("alter schema \"user\" owner to pgq_owner"), "{grants}");
        assert!(plan.after("create schema if not exists \"x\"").is_none());
    }

    #[test]
    fn roles_are_made_by_the_first_statement() {
        let plan = Plan::read().unwrap();
        assert!(plan.roles().contains("create role") && !plan.roles().contains("grant "), "{}", plan.roles());
    }

    #[test]
    fn the_lists_name_files_that_are_there() {
        for name in OF_PRODUCERS.iter().chain(&OF_HANDLERS).chain(&OF_OWNERS) {
            let file = root().join(format!("pgq-postgres/src/sql/{name}.sql"));
            assert!(file.exists(), "there is no {}", file.display());
        }
    }
}
