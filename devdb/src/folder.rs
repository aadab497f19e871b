//! Where servers keep their files.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::user::Account;

/// Longer socket paths are refused by the system; 17 bytes more go to the name of the socket itself.
const LONGEST_SOCKET_FOLDER: usize = 90;

/// The folder of one server: its data, password, settings and log.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    pub(crate) account: Account,
}

impl Folder {
    /// The folder at `path`, made if need be, for the user that the server will run as.
    pub(crate) fn open(path: &Path) -> Result<Folder, Error> {
        fs::create_dir_all(path).map_err(Error::file("create", path))?;
        let path = path.canonicalize().map_err(Error::file("open", path))?;
        let account = Account::choose(&path.join("data"))?;
        account.own(&path)?;
        if !account.can_reach(&path) {
            return Err(Error::Unreachable { folder: path, user: account.name().into() });
        }
        Ok(Folder { path, account })
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.path.join("server.log")
    }

    pub(crate) fn password_file(&self) -> PathBuf {
        self.path.join("password")
    }

    /// Where the Unix socket goes, unless the path is too long for one.
    pub(crate) fn socket(&self) -> Option<PathBuf> {
        let socket = self.path.join("socket");
        (socket.as_os_str().len() <= LONGEST_SOCKET_FOLDER).then_some(socket)
    }

    /// Makes a subfolder that only the server's user may enter.
    pub(crate) fn make(&self, path: &Path) -> Result<(), Error> {
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(Error::file("create", path))?;
        self.account.own(path)
    }

    /// Writes a file that only the server's user, and we, may read.
    pub(crate) fn write(&self, path: &Path, content: &str) -> Result<(), Error> {
        let failed = Error::file("write", path);
        let open = || OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
        open().and_then(|mut file| file.write_all(content.as_bytes())).map_err(failed)?;
        self.account.own(path)
    }

    /// The part of the server's log from byte `from` on, its last lines only.
    pub(crate) fn log_tail(&self, from: u64) -> String {
        let log = fs::read(self.log()).unwrap_or_default();
        last_lines(log.get(from as usize..).unwrap_or_default())
    }
}

/// Enough of a log or of a program's output to see what went wrong.
pub(crate) fn last_lines(bytes: &[u8]) -> String {
    const LINES: usize = 20;
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

/// Held while a server is looked up, started or stopped, so that many processes start one together.
pub(crate) struct Lock(#[expect(dead_code, reason = "dropping it unlocks")] File);

impl Lock {
    pub(crate) fn of(folder: &Path) -> Result<Lock, Error> {
        let path = folder.join("lock");
        let failed = Error::file("lock", &path);
        let open = || OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = open().and_then(|file| file.lock().map(|()| file)).map_err(failed)?;
        Ok(Lock(file))
    }
}

/// The folder that holds the shared server's folders, one for each major version.
///
/// It is the wanted one, unless root works where the server's unprivileged user cannot go.
pub(crate) fn base() -> Result<PathBuf, Error> {
    let wanted = wanted_base()?;
    fs::create_dir_all(&wanted).map_err(Error::file("create", &wanted))?;
    if Account::choose(Path::new(""))?.can_reach(&wanted) {
        return Ok(wanted);
    }
    let hash = fnv1a(wanted.as_os_str().as_encoded_bytes());
    let fallback = std::env::temp_dir().join(format!("pgq-devdb-{hash:016x}"));
    private_to_us(&fallback)?;
    Ok(fallback)
}

/// `PGQ_DEVDB_DIR`, or else a folder of the project.
pub(crate) fn wanted_base() -> Result<PathBuf, Error> {
    match std::env::var_os("PGQ_DEVDB_DIR") {
        Some(dir) if !dir.is_empty() => std::path::absolute(&dir).map_err(Error::file("find", &dir)),
        _ => Ok(workspace().join("target/postgres")),
    }
}

/// Where downloaded binaries go: beside the server's folder, so that its user can reach them too.
pub(crate) fn downloads(base: &Path) -> PathBuf {
    let mut name = base.file_name().unwrap_or_default().to_owned();
    name.push("-download");
    base.with_file_name(name)
}

/// The root of this workspace.
pub(crate) fn workspace() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}

/// Makes `folder`, or checks that an existing one is ours: anybody can write to the temporary directory.
fn private_to_us(folder: &Path) -> Result<(), Error> {
    let _ = DirBuilder::new().mode(0o755).create(folder);
    let found = fs::symlink_metadata(folder).map_err(Error::file("create", folder))?;
    // Only root gets here.
    if found.is_dir() && found.uid() == 0 { Ok(()) } else { Err(Error::Foreign { folder: folder.into() }) }
}

/// A hash that is the same in every build: names of folders and databases depend on it.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn long_paths_get_no_socket() {
        let short = Folder { path: "/tmp/x".into(), account: Account::Own };
        let long = Folder { path: Path::new("/").join("x".repeat(90)), account: Account::Own };
        assert_eq!(short.socket(), Some("/tmp/x/socket".into()));
        assert_eq!(long.socket(), None);
    }

    #[test]
    fn downloads_lie_beside_the_servers() {
        assert_eq!(downloads(Path::new("/w/target/postgres")), Path::new("/w/target/postgres-download"));
    }
}
