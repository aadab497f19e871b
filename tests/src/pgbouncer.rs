use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Once;

use pgq_devdb::Database;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};

/// Sessions of the server that all of a test's clients share: fewer than a runner has parts.
const SERVER_SESSIONS: u32 = 3;

/// The first version that knows prepared statements in transaction mode.
const PREPARES_FROM: (u32, u32) = (1, 21);

/// A PgBouncer in transaction mode before a test's server, as long as this is kept.
#[derive(Debug)]
pub struct PgBouncer {
    child: Child,
    url: String,
    version: (u32, u32),
    _folder: tempfile::TempDir,
}

impl PgBouncer {
    /// Starts one, as it comes: nothing is set but what must be. None, and a line that says so, where it is not
    /// installed.
    pub async fn start(database: &Database) -> Option<PgBouncer> {
        Self::start_with(database, "").await
    }

    /// Starts one as applications that prepare statements need it, which depends on its version.
    pub async fn start_for_applications(database: &Database) -> Option<PgBouncer> {
        let (_, version) = installed()?;
        let setting = if version < PREPARES_FROM {
            "server_reset_query_always = 1"
        } else {
            "max_prepared_statements = 100"
        };
        Self::start_with(database, setting).await
    }

    async fn start_with(database: &Database, setting: &str) -> Option<PgBouncer> {
        let (program, version) = installed()?;
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let server: PgConnectOptions = database.url().parse().unwrap();
        // Somebody else may take the port meanwhile; then it ends at once.
        loop {
            let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
            let place = format!("{}:{}", server.get_host(), server.get_port());
            let url = database.url().replacen(&place, &format!("127.0.0.1:{port}"), 1);
            assert_ne!(url, database.url(), "the server is at a host and port");
            let child = spawn(program, folder.path(), &configuration(&server, port, setting), database.url());
            let mut pooler = PgBouncer { child, url, version, _folder: tempfile::tempdir().unwrap() };
            if pooler.is_up().await {
                pooler._folder = folder;
                return Some(pooler);
            }
        }
    }

    /// The database's address behind the pooler.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether clients may prepare statements and use them in later transactions.
    #[must_use]
    pub fn prepares(&self) -> bool {
        self.version >= PREPARES_FROM
    }

    /// An application's pool through it.
    #[must_use]
    pub fn pool(&self) -> PgPool {
        PgPoolOptions::new().max_connections(10).connect_lazy_with(self.options())
    }

    fn options(&self) -> PgConnectOptions {
        let options: PgConnectOptions = self.url.parse().unwrap();
        let options = options.extra_float_digits(None);
        if self.prepares() { options } else { options.statement_cache_capacity(0) }
    }

    /// Waits until it lets somebody through; false if it ended instead.
    async fn is_up(&mut self) -> bool {
        loop {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            if let Ok(connection) = PgConnection::connect_with(&self.options()).await {
                connection.close().await.unwrap();
                return true;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program and its version. None, and a line that says so, where there is none, or where this test cannot use it.
fn installed() -> Option<(&'static str, (u32, u32))> {
    if std::env::var_os("PGQ_TEST_ROLES").is_some() {
        skipped("a pooler hides from whom a session is, which the roles are given by");
        return None;
    }
    // Debian puts it where only root looks.
    let found = ["pgbouncer", "/usr/sbin/pgbouncer"].into_iter().find_map(|program| {
        let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let mut numbers = text.strip_prefix("PgBouncer ")?.split('.').map(|number| number.trim().parse());
        Some((program, (numbers.next()?.ok()?, numbers.next()?.ok()?)))
    });
    if found.is_none() {
        skipped("pgbouncer is not installed");
    }
    found
}

/// Says once in a process why tests were skipped. Not with a macro, whose lines are kept from whoever runs tests that pass.
fn skipped(why: &str) {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        writeln!(std::io::stderr().lock(), "\ntests with a pooler were skipped: {why}").unwrap()
    });
}

fn configuration(server: &PgConnectOptions, port: u16, setting: &str) -> String {
    format!(
        "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
         unix_socket_dir =\nauth_type = trust\nauth_file = users.txt\npool_mode = transaction\n\
         default_pool_size = {SERVER_SESSIONS}\nmax_client_conn = 200\n{setting}\n",
        server.get_host(),
        server.get_port(),
    )
}

fn spawn(program: &str, folder: &Path, configuration: &str, url: &str) -> Child {
    let user = url.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')).map_or("", |(user, _)| user);
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    std::fs::write(folder.join("users.txt"), format!("\"{name}\" \"{password}\"\n")).unwrap();
    std::fs::write(folder.join("pgbouncer.ini"), configuration).unwrap();
    let mut log = std::fs::File::create(folder.join("log")).unwrap();
    writeln!(log, "{configuration}").unwrap();
    let mut command = Command::new(program);
    if std::fs::metadata(folder).unwrap().uid() == 0 {
        command.args(["-u", "nobody"]);
    }
    command.arg("pgbouncer.ini").current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    command.spawn().expect("it told its version")
}
