use std::cmp::Ordering;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::codec::{BoxError, self_describing};
use super::{PayloadError, decode};
use crate::Job;

/// A payload as its row holds it: the bytes, and which version of the type in which shape has written them.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Stored<'a> {
    /// [`Job::VERSION`] of the type that wrote it.
    pub version: i16,
    /// Its [`Shape::SHAPE`](crate::Shape::SHAPE).
    pub shape: i32,
    /// What [`encode`](crate::encode) made.
    pub bytes: &'a [u8],
}

impl<'a> Stored<'a> {
    /// The columns of a row.
    pub fn new(version: i16, shape: i32, bytes: &'a [u8]) -> Self {
        Self { version, shape, bytes }
    }

    /// What this program itself has just encoded.
    pub fn by<J: Job>(bytes: &'a [u8]) -> Self {
        Self::new(J::VERSION, J::SHAPE, bytes)
    }

    /// Decodes a payload of this version of the type, or of an older one that its chain of `upcast_from` reaches.
    ///
    /// # Errors
    /// As [`decode`]; besides a version that the type does not read, another shape of a version that it does, and a
    /// conversion that fails.
    pub fn decode<J: Job>(self) -> Result<J, PayloadError> {
        match self.version.cmp(&J::VERSION) {
            Ordering::Equal if self.shape == J::SHAPE || self.is_self_describing::<J>() => decode(self.bytes),
            Ordering::Equal => Err(PayloadError::Shape {
                kind: J::KIND,
                version: self.version,
                stored: self.shape,
                expected: J::SHAPE,
            }),
            Ordering::Less => match J::__PGQ_OLDER {
                Some(older) => (older.decode)(self),
                None => Err(unread::<J>(self.version)),
            },
            Ordering::Greater => Err(unread::<J>(self.version)),
        }
    }

    fn is_self_describing<J: Job>(&self) -> bool {
        self.bytes.first().is_some_and(|tag| self_describing::<J::Codec>(*tag))
    }
}

/// The versions and shapes that a type reads, its own first.
pub(crate) fn layouts<J: Job>() -> Vec<(i16, i32)> {
    let mut layouts = vec![(J::VERSION, J::SHAPE)];
    if let Some(older) = J::__PGQ_OLDER {
        layouts.extend((older.layouts)());
    }
    layouts
}

fn unread<J: Job>(version: i16) -> PayloadError {
    let reads = layouts::<J>().into_iter().map(|(version, _)| version).collect();
    PayloadError::Version { kind: J::KIND, version, reads }
}

/// A type that can be made of an older version of itself: it has `From<Old>` or `TryFrom<Old>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be made of the older `{Old}`",
    label = "no conversion from `{Old}`",
    note = "write `impl From<{Old}> for {Self}`, or `TryFrom` where it can fail, with an error that is `Send + Sync`"
)]
pub trait UpcastFrom<Old>: Sized {
    /// Converts.
    fn upcast_from(old: Old) -> Result<Self, BoxError>;
}

#[diagnostic::do_not_recommend]
impl<Old, J: TryFrom<Old>> UpcastFrom<Old> for J
where
    J::Error: Into<BoxError>,
{
    fn upcast_from(old: Old) -> Result<Self, BoxError> {
        old.try_into().map_err(Into::into)
    }
}

/// How a type reads the version before its own, and all that one reads.
pub struct Older<J> {
    kind: &'static str,
    version: i16,
    layouts: fn() -> Vec<(i16, i32)>,
    decode: fn(Stored<'_>) -> Result<J, PayloadError>,
}

impl<J: Job> Older<J> {
    /// By way of that type.
    pub const fn of<Old: Job>() -> Self
    where
        J: UpcastFrom<Old>,
    {
        Self { kind: Old::KIND, version: Old::VERSION, layouts: layouts::<Old>, decode: upcast::<Old, J> }
    }

    /// Whether both types have one kind, or the older has a mistake, which is reported there.
    pub const fn is_of_one_kind(&self) -> bool {
        self.kind.is_empty() || same(self.kind, J::KIND)
    }

    /// Whether it is older indeed.
    pub const fn is_older(&self) -> bool {
        self.kind.is_empty() || self.version < J::VERSION
    }
}

/// Whether two names are the same, at compile time.
const fn same(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut byte = 0;
    while byte < left.len() && byte < right.len() && left[byte] == right[byte] {
        byte += 1;
    }
    left.len() == right.len() && byte == left.len()
}

/// Decodes the older type and makes the newer of it.
fn upcast<Old: Job, J: Job + UpcastFrom<Old>>(stored: Stored<'_>) -> Result<J, PayloadError> {
    let old: Old = stored.decode().map_err(|error| match error {
        // The newest type knows the whole chain.
        PayloadError::Version { version, .. } => unread::<J>(version),
        error => error,
    })?;
    let failed = |source| PayloadError::Upcast { kind: J::KIND, from: Old::VERSION, to: J::VERSION, source };
    catch_unwind(AssertUnwindSafe(|| J::upcast_from(old)))
        .unwrap_or_else(|_| Err("the conversion panicked".into()))
        .map_err(failed)
}
