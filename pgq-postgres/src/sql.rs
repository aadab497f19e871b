use std::sync::Arc;

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

/// Names every statement once: the field, the file `sql/<name>.sql` and the function that runs it agree.
macro_rules! statements {
    ($($name:ident),* $(,)?) => {
        /// Every statement, written for one schema.
        #[derive(Debug)]
        pub(crate) struct Statements {
            $(pub(crate) $name: SqlStr,)*
        }

        impl Statements {
            pub(crate) fn for_schema(schema: &str) -> Self {
                Self { $($name: render(include_str!(concat!("sql/", stringify!($name), ".sql")), schema),)* }
            }

            #[cfg(test)]
            pub(crate) fn all(&self) -> Vec<(&'static str, SqlStr)> {
                vec![$((stringify!($name), self.$name.clone()),)*]
            }
        }
    };
}

statements! {
    cancel_asked,
    cancel_running,
    cancel_waiting,
    claim,
    complete,
    complete_in,
    dead_runners,
    end_rescue,
    enqueue,
    enqueue_many,
    heartbeat,
    job_state,
    leased_positions,
    leases_of,
    lock_runner,
    migrations_table,
    pause,
    payloads,
    ping,
    poll,
    prune,
    register_runner,
    rescue,
    resume,
    schema_version,
    settle,
    slow_queue,
    start_suspect,
    try_rescue_lock,
    unregister_runner,
    unserved_kinds,
    wake,
}

/// The text with every word `pgq` replaced by the quoted schema. The schema's name was validated, so quoting
/// it is enough.
pub(crate) fn render(text: &str, schema: &str) -> SqlStr {
    let quoted = format!("\"{schema}\"");
    let in_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut rendered = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some(at) = rest.find("pgq") {
        let (before, found) = rest.split_at(at);
        let after = &found[3..];
        rendered.push_str(before);
        let whole_word = !rendered.ends_with(in_word) && !after.starts_with(in_word);
        rendered.push_str(if whole_word { &quoted } else { "pgq" });
        rest = after;
    }
    rendered.push_str(rest);
    AssertSqlSafe(Arc::<str>::from(rendered)).into_sql_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_statement_prepares() {
        let migrate = async |url: &str| -> Result<(), crate::Error> {
            let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect(url).await?;
            crate::migrate(&mut connection).await
        };
        let fingerprint = include_str!("../migrations/0001_initial.sql");
        pgq_devdb::test_database(fingerprint, migrate, async |db| {
            let mut connection = db.connect().await.unwrap();
            for (name, statement) in Statements::for_schema("pgq").all() {
                let prepared = sqlx::Executor::prepare(&mut connection, statement).await;
                prepared.map(drop).unwrap_or_else(|error| panic!("{name}.sql: {error}"));
            }
        })
        .await;
    }

    #[test]
    fn every_file_is_a_statement() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sql");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().file_name().to_string_lossy().trim_end_matches(".sql").to_owned())
            .collect();
        files.sort();
        let names: Vec<_> = Statements::for_schema("pgq").all().into_iter().map(|(name, _)| name).collect();
        assert_eq!(files, names);
    }

    #[test]
    fn only_the_word_is_replaced() {
        let text = "-- pgq_core\nselect nextval('pgq.job_ids'), pgqx from pgq.ready, my_pgq.t";
        let expected = "-- pgq_core\nselect nextval('\"my\".job_ids'), pgqx from \"my\".ready, my_pgq.t";
        assert_eq!(render(text, "my").as_str(), expected);
    }
}
