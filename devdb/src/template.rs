//! A database that is prepared once and cloned for every test.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use tokio::sync::OnceCell;

use crate::admin::Admin;
use crate::database::{replace_database, server_url};
use crate::error::Error;
use crate::folder::fnv1a;

/// Any number that nobody else locks.
const LOCK_KEY: i64 = 0x7067_715f_6465_7664;

/// The templates that this process has seen to already.
static READY: LazyLock<Mutex<HashMap<String, Arc<OnceCell<()>>>>> = LazyLock::new(Mutex::default);

/// A database that others are cloned from.
#[derive(Clone, Debug)]
pub struct Template {
    name: String,
}

impl Template {
    /// The template for `fingerprint`, prepared by `prepare` unless that was done before, by this process
    /// or an earlier one.
    ///
    /// The fingerprint must change whenever `prepare` would do something else: the text of all
    /// migrations is a good one. `prepare` gets the URL of an empty database. What it leaves half-done
    /// is thrown away.
    ///
    /// # Errors
    ///
    /// If there is no server, or `prepare` fails.
    pub async fn prepare<P, E>(fingerprint: &str, prepare: P) -> Result<Template, Error>
    where
        P: AsyncFnOnce(&str) -> Result<(), E>,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let name = format!("pgq_template_{:016x}", fnv1a(fingerprint.as_bytes()));
        let ready = {
            let mut all = READY.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(name.clone()).or_default())
        };
        ready.get_or_try_init(|| make(&name, prepare)).await?;
        Ok(Template { name })
    }

    /// Its name on the server.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

async fn make<P, E>(name: &str, prepare: P) -> Result<(), Error>
where
    P: AsyncFnOnce(&str) -> Result<(), E>,
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    let url = server_url()?;
    let mut admin = Admin::connect(url).await?;
    admin.lock(LOCK_KEY).await?;
    admin.sweep().await?;
    if !admin.exists(name).await? {
        build(&mut admin, url, name, prepare).await?;
    }
    admin.touch(name).await?;
    admin.close().await
}

/// Builds it under another name, so that nobody ever clones half a template.
async fn build<P, E>(admin: &mut Admin, url: &str, name: &str, prepare: P) -> Result<(), Error>
where
    P: AsyncFnOnce(&str) -> Result<(), E>,
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    let unfinished = admin.fresh_name("pgq_unfinished_").await?;
    admin.create(&unfinished, "template0").await?;
    let prepared = prepare(&replace_database(url, &unfinished)?).await;
    if let Err(error) = prepared {
        admin.drop(&unfinished).await?;
        return Err(Error::Prepare { source: error.into() });
    }
    admin.seal(&unfinished).await?;
    if !admin.rename(&unfinished, name).await? {
        admin.drop(&unfinished).await?;
    }
    Ok(())
}
