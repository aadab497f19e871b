//! Who the server runs as: ourselves, unless we are root, which Postgres refuses.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::Error;

/// The users that root hands the server to, in order of preference.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// Who runs Postgres's programs and owns its files.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Account {
    /// The user of this process.
    Own,
    /// Another one, taken on by root.
    Other { name: String, uid: u32, gid: u32 },
}

impl Account {
    /// Chooses one. The owner of existing `data` stays its owner, whatever users exist by now.
    pub(crate) fn choose(data: &Path) -> Result<Account, Error> {
        if id(&["-u"]) != Some(0) {
            return Ok(Account::Own);
        }
        if let Ok(found) = fs::metadata(data)
            && found.uid() != 0
        {
            return Ok(Account::Other {
                name: format!("with id {}", found.uid()),
                uid: found.uid(),
                gid: found.gid(),
            });
        }
        UNPRIVILEGED.into_iter().find_map(Account::named).ok_or(Error::NoUser)
    }

    fn named(name: &str) -> Option<Account> {
        Some(Account::Other { name: name.into(), uid: id(&["-u", name])?, gid: id(&["-g", name])? })
    }

    /// A command that runs as this user in `folder`, away from our terminal and from libpq's variables.
    pub(crate) fn command(&self, program: &Path, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(folder).env("HOME", folder).env("LC_ALL", "C").stdin(Stdio::null());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        if let Account::Other { uid, gid, .. } = self {
            command.uid(*uid).gid(*gid);
        }
        command
    }

    /// Gives a file or folder to this user.
    pub(crate) fn own(&self, path: &Path) -> Result<(), Error> {
        match self {
            Account::Own => Ok(()),
            Account::Other { uid, gid, .. } => {
                chown(path, Some(*uid), Some(*gid)).map_err(Error::file("change the owner of", path))
            }
        }
    }

    /// Whether this user can go to `folder`. Asked by going there: modes do not tell the whole story.
    pub(crate) fn can_reach(&self, folder: &Path) -> bool {
        *self == Account::Own || self.probe("cd \"$1\"", folder)
    }

    /// Whether this user can run the program at `path`.
    pub(crate) fn can_run(&self, path: &Path) -> bool {
        *self == Account::Own || self.probe("test -x \"$1\"", path)
    }

    fn probe(&self, script: &str, path: &Path) -> bool {
        let mut command = self.command(Path::new("/bin/sh"), Path::new("/"));
        command.args(["-c", script, "sh"]).arg(path).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    /// For messages.
    pub(crate) fn name(&self) -> &str {
        match self {
            Account::Own => "running this",
            Account::Other { name, .. } => name,
        }
    }
}

/// Asks the `id` program: the standard library does not tell, and other crates would need more code.
fn id(args: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(args).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().parse().ok())?
}
