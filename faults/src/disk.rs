//! A disk that is small, and full when it should be.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use sqlx::{Connection, Executor, PgConnection};

use crate::site::Site;

/// Enough for the jobs of a run, and soon filled.
const MEGABYTES: u32 = 256;

/// A file system in memory, with the tables on it.
#[derive(Debug)]
pub struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounts one in that folder. None, and why, where that is not allowed.
    pub fn mount(folder: &Path) -> Result<Self, String> {
        let folder = folder.join("small");
        fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let size = format!("size={MEGABYTES}m");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(&folder)
            .stderr(Stdio::null())
            .status();
        match mounted {
            Ok(status) if status.success() => Ok(Self { folder }),
            Ok(_) => Err("only root may mount a small disk, and not in every container".into()),
            Err(error) => Err(format!("cannot run mount: {error}")),
        }
    }

    /// Moves the database there; nobody may be connected to it.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn take(&self, site: &Site) -> Result<()> {
        let server = site.server().await;
        let owner = fs::metadata(server.folder().join("data"))?;
        let place = self.folder.join("tables");
        fs::create_dir(&place)?;
        chown(&place, Some(owner.uid()), Some(owner.gid()))?;
        let mut connection = PgConnection::connect(&server.url_for("postgres")).await?;
        let place = place.display().to_string().replace('\'', "''");
        let statement = format!("create tablespace small location '{place}'");
        connection.execute(sqlx::AssertSqlSafe(statement)).await.context("the small disk cannot be used")?;
        connection.execute("alter database pgq set tablespace small").await?;
        Ok(())
    }

    /// Takes all the space that is left.
    ///
    /// # Errors
    /// If nothing can be written at all.
    pub fn fill(&self) -> Result<()> {
        let mut ballast = File::create(self.ballast())?;
        let block = vec![1; 64 << 10];
        for size in [block.len(), 512] {
            while ballast.write_all(&block[..size]).is_ok() {}
        }
        Ok(())
    }

    /// Gives it back.
    ///
    /// # Errors
    /// If the file cannot be removed.
    pub fn empty(&self) -> Result<()> {
        Ok(fs::remove_file(self.ballast())?)
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // At once for us, and for the server when it has closed its files. Nobody is left to hear of a failure.
        let _ = Command::new("umount").arg("-l").arg(&self.folder).stderr(Stdio::null()).status();
    }
}
