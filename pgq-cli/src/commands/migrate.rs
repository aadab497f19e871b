use std::process::ExitCode;

use pgq_postgres::migrate_schema;
use serde_json::json;

use crate::connect::Database;
use crate::failure::Failure;
use crate::output::{say, say_json};

pub(crate) async fn run(database: &Database, json: bool) -> Result<ExitCode, Failure> {
    migrate_schema(&database.pool, &database.schema).await?;
    database.admin.check().await?;
    let schema = database.schema.name();
    if json {
        say_json(&json!({ "schema": schema, "migrated": true }))?;
    } else {
        say(&format!("the schema {schema} is up to date"))?;
    }
    Ok(ExitCode::SUCCESS)
}
