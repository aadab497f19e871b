//! Goal: a private server can be stopped, crashed and restarted under a test's feet, and loses nothing.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use pgq_devdb::{Error, Server};
use sqlx::{Connection, PgConnection};

mod support;

async fn note(server: &Server, statement: &'static str) {
    let mut connection = PgConnection::connect(&server.url()).await.unwrap();
    sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
}

async fn count(server: &Server) -> i64 {
    let mut connection = PgConnection::connect(&server.url()).await.unwrap();
    sqlx::query_scalar("select count(*) from t").fetch_one(&mut connection).await.unwrap()
}

#[tokio::test]
async fn committed_rows_survive_every_way_to_stop() {
    let folder = support::open_folder();
    let server = Server::start_in(folder.path()).unwrap();
    note(&server, "create table t (n int); insert into t values (1)").await;
    let (url, first) = (server.url(), server.pid().unwrap());

    server.kill().unwrap();
    assert!(matches!(server.pid(), Err(Error::NotRunning { .. })));
    server.restart().unwrap();
    assert_ne!(server.pid().unwrap(), first);
    assert_eq!(count(&server).await, 1);

    server.stop_immediate().unwrap();
    server.restart().unwrap();
    server.stop().unwrap();
    server.stop().unwrap();
    server.restart().unwrap();
    server.restart().unwrap();
    assert_eq!(count(&server).await, 1);
    assert_eq!(server.url(), url, "restarts keep the port");
}

#[tokio::test]
async fn dropping_stops_it_and_keeps_its_files() {
    let folder = support::open_folder();
    let server = Server::start_in(folder.path()).unwrap();
    note(&server, "create table t (n int)").await;
    let (port, pid) = (server.port(), server.pid().unwrap());
    assert!(server.started_here());
    drop(server);
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());

    let again = Server::start_in(folder.path()).unwrap();
    assert_ne!(again.pid().unwrap(), pid);
    assert_eq!(count(&again).await, 0);
}

#[tokio::test]
async fn a_pid_file_left_by_a_reboot_is_no_server() {
    let folder = support::open_folder();
    let server = Server::start_in(folder.path()).unwrap();
    let pid_file = folder.path().join("data/postmaster.pid");
    let content = fs::read_to_string(&pid_file).unwrap();
    let (pid, owner) = (server.pid().unwrap().to_string(), fs::metadata(&pid_file).unwrap());
    server.stop().unwrap();

    // The id now belongs to another program of the same user, which makes Postgres itself give up.
    let mut stranger = sleep_as(owner.uid());
    fs::write(&pid_file, content.replacen(&pid, &stranger.id().to_string(), 1)).unwrap();
    chown(&pid_file, Some(owner.uid()), Some(owner.gid())).unwrap();
    assert!(server.pid().is_err());
    let restarted = server.restart();
    stranger.kill().and_then(|()| stranger.wait()).unwrap();
    restarted.unwrap();

    // And now to nobody.
    server.stop().unwrap();
    fs::write(&pid_file, content.replacen(&pid, &stranger.id().to_string(), 1)).unwrap();
    chown(&pid_file, Some(owner.uid()), Some(owner.gid())).unwrap();
    server.restart().unwrap();
}

fn sleep_as(uid: u32) -> Child {
    let mut command = Command::new("sleep");
    command.arg("60");
    if fs::metadata("/proc/self").is_ok_and(|own| own.uid() != uid) {
        command.uid(uid);
    }
    command.spawn().unwrap()
}

#[tokio::test]
async fn a_taken_port_is_given_up_for_another() {
    let folder = support::open_folder();
    let port = Server::start_in(folder.path()).unwrap().port();
    let _taken = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let server = Server::start_in(folder.path()).unwrap();
    assert_ne!(server.port(), port);
    note(&server, "select 1").await;
}

#[test]
fn a_server_that_cannot_start_shows_its_log() {
    let folder = support::open_folder();
    drop(Server::start_in(folder.path()).unwrap());
    let settings = folder.path().join("data/postgresql.conf");
    let broken = fs::read_to_string(&settings).unwrap() + "\nwork_mem = 'a lot'\n";
    fs::write(&settings, broken).unwrap();
    let message = Server::start_in(folder.path()).unwrap_err().to_string();
    assert!(message.contains("invalid value for parameter \"work_mem\""), "{message}");
}

#[tokio::test]
async fn durability_is_as_postgres_comes() {
    let folder = support::open_folder();
    let server = Server::start_in(folder.path()).unwrap();
    let mut connection = PgConnection::connect(&server.url()).await.unwrap();
    for (name, expected) in [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("listen_addresses", "127.0.0.1"),
        ("server_encoding", "UTF8"),
        ("lc_collate", "C"),
    ] {
        // From 16 on the collation is no setting.
        let setting = "select coalesce(current_setting($1, true), datcollate) from pg_database where datname = current_database()";
        let shown: String = sqlx::query_scalar(setting).bind(name).fetch_one(&mut connection).await.unwrap();
        assert_eq!(shown, expected, "{name}");
    }
    drop(connection);
    let wrong = server.url().replace("pgq:", "pgq:x");
    assert!(PgConnection::connect(&wrong).await.is_err(), "any password is accepted");
}
