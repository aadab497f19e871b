//! What happened in one process, one line an event and one `write(2)` a line: a SIGKILL loses none.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::time::UNIX_EPOCH;

use uuid::Uuid;

/// Microseconds after the Unix epoch. All processes and the server are on one machine, so their clocks are one.
pub type Micros = u64;

/// Which job of the load: the number in its payload.
pub type Number = i64;

/// The id that the database gave a job.
pub type Id = i64;

/// The time.
#[expect(
    clippy::disallowed_methods,
    reason = "the checker compares it with the clock of a server on this machine"
)]
pub fn now() -> Micros {
    std::time::SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// How a handler's run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It completed.
    Complete,
    /// It failed as it was told to, to be tried again.
    Retry,
    /// It snoozed as it was told to.
    Snooze,
    /// It could not reach the database, or had lost its lease.
    Error,
    /// It was dropped before its end.
    Dropped,
}

/// One event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// An enqueue began.
    Invoked {
        /// Of which job.
        n: Number,
    },
    /// It was acknowledged.
    Acknowledged {
        /// Of which job.
        n: Number,
        /// Its id.
        id: Id,
    },
    /// It was refused or rolled back: the job must never run.
    Failed {
        /// Of which job.
        n: Number,
    },
    /// Nobody knows whether it was committed.
    Unknown {
        /// Of which job.
        n: Number,
    },
    /// A handler began.
    Started {
        /// Of which job.
        n: Number,
        /// Its id.
        id: Id,
        /// Which attempt it is.
        attempt: i16,
        /// How long the job had waited since it was due, where that is known.
        waited: Option<Micros>,
    },
    /// It had its effect.
    Effect {
        /// Of which job.
        n: Number,
        /// Its id.
        id: Id,
    },
    /// It ended.
    Ended {
        /// Of which job.
        n: Number,
        /// Its id.
        id: Id,
        /// How.
        end: End,
    },
    /// Outcomes were refused, since their lease had been taken away.
    Stale {
        /// Which lease.
        lease: Uuid,
        /// How many outcomes.
        outcomes: u64,
    },
    /// What the runner has counted since it started.
    Counts {
        /// Jobs it took back from dead runners.
        rescued: u64,
    },
}

/// Where a process writes its events.
#[derive(Debug)]
pub struct History(File);

impl History {
    /// A file that is there or is made.
    ///
    /// # Errors
    /// If it cannot be written to.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(OpenOptions::new().create(true).append(true).open(path)?))
    }

    /// Writes what happens now.
    ///
    /// # Panics
    /// If the disk is full: without a history nothing can be checked.
    pub fn note(&self, event: Event) {
        let line = format!("{} {}\n", now(), event.text());
        let written = (&self.0).write(line.as_bytes()).expect("the history can be written");
        assert_eq!(written, line.len(), "a line of the history was cut: is the disk full?");
    }
}

/// Reads what a process wrote, in its order. A line that was cut by the end of the process counts as not written.
///
/// # Errors
/// If the file cannot be read, or something else than a history is in it.
pub fn read(path: &Path, mut each: impl FnMut(Micros, Event)) -> io::Result<()> {
    let mut lines = BufReader::new(File::open(path)?);
    let mut line = String::new();
    while lines.read_line(&mut line)? > 0 {
        if line.ends_with('\n') {
            let (at, event) = parse(&line).ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("{}: {line:?} is no event", path.display()),
                )
            })?;
            each(at, event);
        }
        line.clear();
    }
    Ok(())
}

impl End {
    const ALL: [(Self, &str); 5] = [
        (Self::Complete, "complete"),
        (Self::Retry, "retry"),
        (Self::Snooze, "snooze"),
        (Self::Error, "error"),
        (Self::Dropped, "dropped"),
    ];

    fn text(self) -> &'static str {
        Self::ALL.iter().find(|(end, _)| *end == self).map_or("", |(_, text)| text)
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, text)| *text == word).map(|(end, _)| *end)
    }
}

impl Event {
    fn text(self) -> String {
        match self {
            Self::Invoked { n } => format!("invoked {n}"),
            Self::Acknowledged { n, id } => format!("acknowledged {n} {id}"),
            Self::Failed { n } => format!("failed {n}"),
            Self::Unknown { n } => format!("unknown {n}"),
            Self::Started { n, id, attempt, waited: None } => format!("started {n} {id} {attempt} -"),
            Self::Started { n, id, attempt, waited: Some(waited) } => {
                format!("started {n} {id} {attempt} {waited}")
            }
            Self::Effect { n, id } => format!("effect {n} {id}"),
            Self::Ended { n, id, end } => format!("ended {n} {id} {}", end.text()),
            Self::Stale { lease, outcomes } => format!("stale {lease} {outcomes}"),
            Self::Counts { rescued } => format!("counts {rescued}"),
        }
    }
}

fn parse(line: &str) -> Option<(Micros, Event)> {
    let mut words = line.split_ascii_whitespace();
    let at = words.next()?.parse().ok()?;
    let word = words.next()?;
    if word == "counts" {
        return Some((at, Event::Counts { rescued: words.next()?.parse().ok()? }));
    }
    if word == "stale" {
        let (lease, outcomes) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        return Some((at, Event::Stale { lease, outcomes }));
    }
    let n = words.next()?.parse().ok()?;
    let mut id = || words.next()?.parse().ok();
    let event = match word {
        "invoked" => Event::Invoked { n },
        "acknowledged" => Event::Acknowledged { n, id: id()? },
        "failed" => Event::Failed { n },
        "unknown" => Event::Unknown { n },
        "effect" => Event::Effect { n, id: id()? },
        "ended" => Event::Ended { n, id: id()?, end: End::parse(words.next()?)? },
        "started" => Event::Started {
            n,
            id: id()?,
            attempt: words.next()?.parse().ok()?,
            waited: words.next()?.parse().ok(),
        },
        _ => return None,
    };
    Some((at, event))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let events = [
            Event::Invoked { n: 1 },
            Event::Acknowledged { n: 1, id: 7 },
            Event::Failed { n: 2 },
            Event::Unknown { n: 3 },
            Event::Started { n: 1, id: 7, attempt: 2, waited: None },
            Event::Started { n: 1, id: 7, attempt: 1, waited: Some(1500) },
            Event::Effect { n: 1, id: 7 },
            Event::Ended { n: 1, id: 7, end: End::Dropped },
            Event::Stale { lease: Uuid::from_u128(6), outcomes: 3 },
            Event::Counts { rescued: 5 },
        ];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history");
        let history = History::open(&path).unwrap();
        events.into_iter().for_each(|event| history.note(event));
        // The process was killed in the middle of a line.
        (&history.0).write_all(b"17000 started 1 ").unwrap();
        let mut found = Vec::new();
        read(&path, |_, event| found.push(event)).unwrap();
        assert_eq!(found, events);
        (&history.0).write_all(b"nonsense\n").unwrap();
        assert!(read(&path, |_, _| ()).is_err());
    }
}
