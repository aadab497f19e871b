//! Rows in the binary format of `COPY`:
//! <https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.4>.

use sqlx::PgConnection;
use sqlx::postgres::PgCopyIn;

use super::whole::Whole;

/// What every stream begins with: a signature, flags, and the length of an extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// What every stream ends with: a row of -1 columns.
const TRAILER: &[u8] = &[0xff, 0xff];

/// A `COPY` under way.
type Copy<'a> = PgCopyIn<&'a mut PgConnection>;

/// Rows of one table on their way to it.
#[derive(Default)]
pub(super) struct Rows {
    bytes: Vec<u8>,
    /// Whether the header is written.
    begun: bool,
}

impl Rows {
    /// Begins a row of that many columns.
    pub(super) fn row(&mut self, columns: i16) {
        if !self.begun {
            self.bytes.extend_from_slice(HEADER);
            self.begun = true;
        }
        self.bytes.extend_from_slice(&columns.to_be_bytes());
    }

    pub(super) fn int2(&mut self, value: i16) {
        self.column(&value.to_be_bytes());
    }

    pub(super) fn int4(&mut self, value: i32) {
        self.column(&value.to_be_bytes());
    }

    /// Also a timestamp, in microseconds after 2000-01-01 UTC.
    pub(super) fn int8(&mut self, value: i64) {
        self.column(&value.to_be_bytes());
    }

    /// Text or bytes.
    pub(super) fn column(&mut self, value: &[u8]) {
        // No payload, name or text of ours comes near 2 GiB; the server would refuse the length.
        let length = i32::try_from(value.len()).unwrap_or(i32::MAX);
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(value);
    }

    /// JSON for a `jsonb` column: version 1 of that format.
    pub(super) fn jsonb(&mut self, text: &[u8]) {
        let length = i32::try_from(text.len() + 1).unwrap_or(i32::MAX);
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.push(1);
        self.bytes.extend_from_slice(text);
    }

    pub(super) fn null(&mut self) {
        self.bytes.extend_from_slice(&(-1_i32).to_be_bytes());
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Sends what is there to a copy that goes on.
    pub(super) async fn pass_to(&mut self, copy: &mut Copy<'_>) -> Result<(), sqlx::Error> {
        copy.send(self.bytes.as_slice()).await?;
        self.bytes.clear();
        Ok(())
    }

    /// Sends the rest, and ends the copy.
    pub(super) async fn finish(&mut self, mut copy: Copy<'_>) -> Result<(), sqlx::Error> {
        if !self.begun {
            self.bytes.extend_from_slice(HEADER);
        }
        self.bytes.extend_from_slice(TRAILER);
        self.pass_to(&mut copy).await?;
        copy.finish().await?;
        self.begun = false;
        Ok(())
    }

    /// Sends all rows in a copy of their own.
    pub(super) async fn send(&mut self, to: &mut Whole<'_>, statement: &str) -> Result<(), sqlx::Error> {
        if self.begun {
            let copy = to.copy(statement).await?;
            self.finish(copy).await?;
            to.copied();
        }
        Ok(())
    }
}
