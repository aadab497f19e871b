use std::process::ExitCode;

use pgq_postgres::Error;

/// Why a command did not do what it should: a sentence that says what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    text: String,
    code: u8,
}

impl Failure {
    /// The command line cannot be understood.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self { text: text.into(), code: 2 }
    }

    /// It was understood, and did not work out.
    pub(crate) fn failed(text: impl Into<String>) -> Self {
        Self { text: text.into(), code: 1 }
    }

    pub(crate) fn no_job(id: i64) -> Self {
        Self::failed(format!(
            "there is no job {id}: it completed and is gone, or never was; `pgq jobs` lists what there is"
        ))
    }

    pub(crate) fn no_schedule(name: &str) -> Self {
        Self::failed(format!("there is no schedule {name:?}: `pgq schedules` lists what there is"))
    }

    pub(crate) fn print(&self) -> ExitCode {
        eprintln!("error: {}", self.text);
        ExitCode::from(self.code)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match &error {
            Error::NotMigrated { schema, found: 0, .. } => Self::failed(format!(
                "the schema {schema:?} of this database has no pgq tables: run `pgq migrate`, or name another with \
                 --schema or --database-url"
            )),
            Error::NotMigrated { schema, found, needed } => Self::failed(format!(
                "the schema {schema:?} has migration {found} and this program needs {needed}: run `pgq migrate`"
            )),
            Error::NoSchedule(name) => Self::no_schedule(name),
            Error::Name(_) | Error::Setting(_) | Error::RunAtTooLate => Self::usage(error.to_string()),
            Error::Database(source) => Self::failed(database(source)),
            _ => Self::failed(error.to_string()),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::failed(format!("the terminal failed: {error}"))
    }
}

/// What the database said, and what to do about what is known.
fn database(error: &sqlx::Error) -> String {
    let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default();
    match &*code {
        "42501" => format!("{error}: connect as a role that may, or ask the owner of the schema to grant it"),
        "26000" | "42P05" => format!(
            "{error}: a pooler in transaction mode is in between, as `pgq doctor` tells; give the server's own address"
        ),
        "57014" => format!("{error}: the server's statement_timeout ended it; narrow the filter"),
        _ => format!("the database failed: {error}"),
    }
}
