//! Fetches a build of Postgres. The only code that is behind the feature `download`.

use std::fs;
use std::path::Path;

use postgresql_embedded::blocking::PostgreSQL;
use postgresql_embedded::{Settings, VersionReq};

use crate::error::Error;

/// Downloads Postgres into `folder`, as `<version>/bin`, and checks it against the published hash.
///
/// # Errors
///
/// If it cannot be fetched or unpacked.
pub fn download(folder: &Path) -> Result<(), Error> {
    let settings = Settings {
        installation_dir: folder.into(),
        data_dir: looks_initialised(folder)?,
        version: VersionReq::parse("=17").map_err(|e| Error::Download { source: e.into() })?,
        // Five seconds would be the default, too short for a slow network.
        timeout: None,
        ..Settings::new()
    };
    PostgreSQL::new(settings).setup().map_err(|source| Error::Download { source })
}

/// `setup` also runs `initdb`, which root may not; a folder with a configuration makes it skip that.
fn looks_initialised(folder: &Path) -> Result<std::path::PathBuf, Error> {
    let data = folder.join("no-data");
    let marker = data.join("postgresql.conf");
    fs::create_dir_all(&data).and_then(|()| fs::write(&marker, "")).map_err(Error::file("write", marker))?;
    Ok(data)
}
