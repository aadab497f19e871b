//! The live view in a terminal: what it shows, and what its keys do.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use pgq_devdb::Database;
use pgq_postgres::Enqueue;
use pgq_tests::{Action, Running, Step, until_state, with_database};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

const SIZE: Winsize = Winsize { ws_row: 40, ws_col: 140, ws_xpixel: 0, ws_ypixel: 0 };

/// `pgq top` in a terminal of its own.
struct Top {
    terminal: vt100::Parser,
    output: Receiver<Vec<u8>>,
    keyboard: File,
    child: Child,
}

impl Top {
    fn start(database: &Database) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        tcsetwinsize(&ours, SIZE).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
        let theirs = File::options().read(true).write(true).open(name).unwrap();
        // In a session of its own it cannot take this test's terminal, if there is one, for its own.
        let mut command = Command::new("setsid");
        command.arg(env!("CARGO_BIN_EXE_pgq")).args(["top", "--every", "500ms"]);
        command.env("DATABASE_URL", database.url()).env("TERM", "xterm-256color");
        command.stdin(theirs.try_clone().unwrap()).stdout(theirs.try_clone().unwrap()).stderr(theirs);
        let child = command.spawn().unwrap();
        drop(command);
        let keyboard = File::from(ours);
        let mut reader = keyboard.try_clone().unwrap();
        let (told, output) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 8192];
            while let Ok(read @ 1..) = reader.read(&mut bytes) {
                if told.send(bytes[..read].to_vec()).is_err() {
                    break;
                }
            }
        });
        let cells = |count| NonZero::new(count).unwrap();
        let terminal = vt100::Parser::new(cells(SIZE.ws_row), cells(SIZE.ws_col), 0);
        Self { terminal, output, keyboard, child }
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    /// Waits until the screen is as it should be.
    fn until(&mut self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + Duration::from_secs(40);
        loop {
            let screen = self.terminal.screen().contents();
            if wanted(&screen) {
                return screen;
            }
            assert!(Instant::now() < deadline, "never {what}:\n{screen}");
            if let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(100)) {
                self.terminal.process(&bytes);
            }
        }
    }

    fn ended(mut self) -> Option<i32> {
        let deadline = Instant::now() + Duration::from_secs(40);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "top does not end");
            // What it writes must go somewhere, or it waits for that.
            let _ = self.output.recv_timeout(Duration::from_millis(20));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn top_shows_what_happens_and_its_keys_act() {
    with_database(async |db| {
        let pool = db.pool();
        let mut running =
            Running::start_with(db, |runner| runner.heartbeat_interval(Duration::from_millis(200)));
        let failed = Step::of(1, Action::Fail("the disk is full".into()));
        let failed = failed.to_enqueue().max_attempts(1).enqueue(&pool).await.unwrap().id();
        until_state(&pool, failed, "discarded").await;
        let hangs = Step::of(2, Action::Gate).enqueue(&pool).await.unwrap().id();
        running.ran_many(2).await;
        let mut top = Top::start(db);
        tokio::task::block_in_place(|| {
            top.until("everything", |screen| {
                screen.contains("1 runner  1 job in hand, 20 slots")
                    && screen.contains("step")
                    && screen.contains(&hangs.to_string())
                    && screen.contains("the disk is full")
            });
            top.press("p");
            top.until("paused", |screen| {
                screen.contains("queue step is paused") && screen.contains("  paused")
            });
            top.press("p");
            top.until("resumed", |screen| screen.contains("queue step goes on"));
            top.press("r");
            top.until("asked to choose", |screen| screen.contains("choose a job first"));
            top.press("\t\t\r");
            top.until("looked into", |screen| {
                screen.contains(&format!("job {failed}: step in queue step, discarded"))
                    && screen.contains("attempt 1 failed on")
            });
            top.press("r");
            top.until("retried", |screen| screen.contains(&format!("job {failed} runs again")));
            top.press("\x1b");
            top.until("closed", |screen| !screen.contains("in queue step, discarded"));
            top.press("q");
        });
        assert_eq!(tokio::task::block_in_place(|| top.ended()), Some(0));
        running.probe.open_gate(1);
        running.until(|counts| counts.completed == 1 && counts.discarded == 2).await;
        running.stop().await;
    })
    .await;
}
