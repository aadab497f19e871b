use sqlx::{Row, query};

use super::finding::Finding;
use crate::Error;
use crate::admin::Admin;

/// The role of this session, and what it may do.
pub(super) struct Role {
    /// As SQL writes it.
    pub(super) name: String,
    /// Whether it sees what sessions of other roles do. Postgres hides that from most.
    pub(super) sees_sessions: bool,
    superuser: bool,
    allowed: Vec<&'static str>,
}

impl Admin {
    pub(super) async fn role(&self) -> Result<Role, Error> {
        let row = query(self.schema.statements().doctor_roles.clone()).fetch_one(&self.pool).await?;
        let mut allowed = Vec::new();
        for what in ["enqueue", "claim", "operate"] {
            if row.try_get(what)? {
                allowed.push(what);
            }
        }
        Ok(Role {
            name: row.try_get("role")?,
            sees_sessions: row.try_get("sees_sessions")?,
            superuser: row.try_get("superuser")?,
            allowed,
        })
    }
}

impl Role {
    pub(super) fn finding(&self) -> Finding {
        const CHECK: &str = "role";
        let name = &self.name;
        if self.superuser {
            let text = format!("this session is {name}, who may do everything in every database");
            return Finding::warning(CHECK, text, "connect programs as a role of their own");
        }
        if self.allowed.is_empty() {
            let text = format!("{name} may neither enqueue, claim nor operate");
            return Finding::warning(CHECK, text, "fine for looking; else ask the schema's owner for grants");
        }
        Finding::fine(CHECK, format!("{name} may {}", self.allowed.join(", ")))
    }
}
