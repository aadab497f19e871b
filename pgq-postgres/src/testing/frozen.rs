use std::fs;
use std::path::{Path, PathBuf};

use pgq_core::{Job, Shape, Stored, encode};
use serde::{Deserialize, Serialize};

/// A payload as it was encoded when its version was new.
#[derive(Debug, Serialize, Deserialize, PartialEq)]
struct Frozen {
    kind: String,
    version: i16,
    shape: i32,
    /// In hexadecimal.
    payload: String,
}

/// Compares a job's encoded bytes with those in a file of the folder, one for each version; a file that is not there is
/// written. What [`assert_frozen!`](crate::assert_frozen) calls.
///
/// # Panics
/// If the layout has changed without a new version, if a frozen payload of an older version can no longer be decoded,
/// or if a file is missing where `CI` is set.
pub fn assert_frozen_in<J: Job + Shape>(job: &J, folder: &Path) {
    let bytes = encode(job).unwrap_or_else(|error| panic!("{error}"));
    let now = Frozen {
        kind: J::KIND.to_owned(),
        version: J::VERSION,
        shape: J::SHAPE,
        payload: bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    let path = file::<J>(folder, J::VERSION);
    match read(&path) {
        Some(then) => assert_unchanged(&path, &then, &now),
        None => freeze(&path, &now),
    }
    for version in 1..J::VERSION {
        let path = file::<J>(folder, version);
        if let Some(old) = read(&path) {
            let bytes = bytes_of(&path, &old);
            if let Err(error) = Stored::new(old.version, old.shape, &bytes).decode::<J>() {
                panic!("{}: jobs of version {version} may still wait, and {error}", path.display());
            }
        }
    }
}

fn file<J: Job>(folder: &Path, version: i16) -> PathBuf {
    let kind = J::KIND.replace(['/', ':'], "-");
    folder.join(format!("{kind}.v{version}.json"))
}

fn read(path: &Path) -> Option<Frozen> {
    let text = fs::read_to_string(path).ok()?;
    Some(
        serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{} is not readable: {error}", path.display())),
    )
}

fn bytes_of(path: &Path, frozen: &Frozen) -> Vec<u8> {
    let digits = frozen.payload.as_bytes();
    let byte =
        |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
    bytes.unwrap_or_else(|| panic!("{}: the payload is not hexadecimal", path.display()))
}

fn freeze(path: &Path, now: &Frozen) {
    assert!(
        std::env::var_os("CI").is_none(),
        "{} is missing: run this test where CI is not set, and commit the file that it writes",
        path.display()
    );
    let text = serde_json::to_string_pretty(now).expect("texts and numbers have a JSON form") + "\n";
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, text));
    written.unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
}

fn assert_unchanged(path: &Path, then: &Frozen, now: &Frozen) {
    let (kind, version, next) = (&now.kind, now.version, i32::from(now.version) + 1);
    assert!(
        then.shape == now.shape,
        "the layout of {kind} has changed and its version is still {version}: jobs that wait in a database could not be \
         read. Keep a copy of the old type for `upcast_from` and set `version = {next}`; or, if no job of version {version} \
         was ever enqueued, delete {}",
        path.display()
    );
    assert!(
        then.payload == now.payload,
        "version {version} of {kind} is encoded otherwise than in {}: \n  then {}\n  now  {}\nIf only the value in the \
         test has changed, delete the file; otherwise set `version = {next}`",
        path.display(),
        then.payload,
        now.payload
    );
}

/// Fails when the layout of a type's payload changes without a new version. Takes a job whose fields should be filled;
/// its bytes are kept in `tests/frozen/` of the crate that calls this, one file for each version, to be committed.
///
/// ```
/// # use pgq_postgres::{Context, Job, JobResult, Perform, assert_frozen};
/// # #[derive(Job)] struct SendWelcome { user_id: i64 }
/// # impl Perform for SendWelcome { async fn perform(&self, _: &Context) -> JobResult { Ok(()) } }
/// # let test = || {
/// assert_frozen!(SendWelcome { user_id: 7 });
/// # };
/// ```
///
/// # Panics
/// If the layout has changed without a new version, or a payload of an older version can no longer be decoded.
#[macro_export]
macro_rules! assert_frozen {
    ($job:expr) => {
        $crate::testing::assert_frozen_in(
            &$job,
            ::std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/frozen")),
        )
    };
}
