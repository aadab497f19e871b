//! Finds the text files of a folder.

use std::path::{Path, PathBuf};

use ignore::{DirEntry, WalkBuilder};
use tokio::sync::mpsc::Sender;

use crate::text::{self, NoText};

/// Files are handed on so many at a time.
const CHUNK: usize = 500;

/// So many complaints are kept word for word.
const MAX_COMPLAINTS: usize = 10;

/// Longer paths do not fit into an index of Postgres.
const MAX_PATH_BYTES: usize = 2000;

/// A text file; both paths are relative to the folder that is indexed.
pub(crate) struct Found {
    pub(crate) folder: String,
    pub(crate) path: String,
}

/// What was left out.
#[derive(Debug, Default, serde::Serialize)]
pub(crate) struct Skipped {
    pub(crate) binary: u64,
    pub(crate) not_utf8: u64,
    pub(crate) too_large: u64,
    pub(crate) unreadable: u64,
    /// What the first unreadable ones said.
    #[serde(skip)]
    pub(crate) complaints: Vec<String>,
}

/// Hands on every text file below `root` that git would not ignore, without `.git` and folders named `target`.
/// Ends early when nobody listens any more.
pub(crate) fn walk(root: &Path, found: &Sender<Vec<Found>>) -> Skipped {
    let mut skipped = Skipped::default();
    let mut chunk = Vec::with_capacity(CHUNK);
    let entries = WalkBuilder::new(root).hidden(false).require_git(false).filter_entry(is_wanted).build();
    for entry in entries {
        match entry.map_err(|error| error.to_string()) {
            Ok(entry) if !entry.file_type().is_some_and(|kind| kind.is_file()) => continue,
            Ok(entry) => chunk.extend(skipped.look(root, entry.into_path())),
            Err(complaint) => skipped.complain(complaint),
        }
        if chunk.len() == CHUNK && found.blocking_send(std::mem::take(&mut chunk)).is_err() {
            return skipped;
        }
    }
    // If nobody listens, nobody misses the last ones either.
    let _ = found.blocking_send(chunk);
    skipped
}

fn is_wanted(entry: &DirEntry) -> bool {
    let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
    entry.depth() == 0 || !is_folder || (entry.file_name() != ".git" && entry.file_name() != "target")
}

impl Skipped {
    fn look(&mut self, root: &Path, path: PathBuf) -> Option<Found> {
        match text::read(&path) {
            Ok(_) => {}
            Err(NoText::Unreadable(error)) => {
                self.complain(format!("{}: {error}", path.display()));
                return None;
            }
            Err(other) => {
                *self.counter(&other) += 1;
                return None;
            }
        }
        let relative = path.strip_prefix(root).unwrap_or(&path);
        let storable = relative.to_str().filter(|path| path.len() <= MAX_PATH_BYTES);
        let Some(path) = storable else {
            self.complain(format!("{}: its name is too long or not UTF-8", path.display()));
            return None;
        };
        let folder = path.rsplit_once('/').map_or(".", |(folder, _)| folder);
        Some(Found { folder: folder.to_owned(), path: path.to_owned() })
    }

    fn counter(&mut self, reason: &NoText) -> &mut u64 {
        match reason {
            NoText::Binary => &mut self.binary,
            NoText::NotUtf8 => &mut self.not_utf8,
            NoText::TooLarge => &mut self.too_large,
            NoText::Unreadable(_) => &mut self.unreadable,
        }
    }

    fn complain(&mut self, complaint: String) {
        self.unreadable += 1;
        if self.complaints.len() < MAX_COMPLAINTS {
            self.complaints.push(complaint);
        }
    }
}
