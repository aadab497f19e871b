//! As much of Postgres's protocol as the switchboard reads:
//! <https://www.postgresql.org/docs/current/protocol-message-formats.html>.

use std::io::{self, Read};

/// A message after the first one of a session.
pub(super) struct Message {
    pub(super) tag: u8,
    pub(super) body: Vec<u8>,
}

/// The longest message that is believed; a test's payloads are 1 MiB.
const LONGEST: usize = 256 << 20;

impl Message {
    pub(super) fn read(from: &mut impl Read) -> io::Result<Message> {
        let mut tag = [0];
        from.read_exact(&mut tag)?;
        Ok(Message { tag: tag[0], body: read_body(from)? })
    }

    /// A simple query.
    pub(super) fn query(sql: &str) -> Message {
        Message { tag: b'Q', body: [sql.as_bytes(), &[0]].concat() }
    }

    pub(super) fn write_to(&self, bytes: &mut Vec<u8>) {
        bytes.push(self.tag);
        write_body(&self.body, bytes);
    }

    /// The texts that it begins with.
    pub(super) fn text(&self, index: usize) -> String {
        let text = self.body.split(|byte| *byte == 0).nth(index).unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    }
}

/// The first message of a session, which has no tag.
pub(super) struct Startup {
    pub(super) code: u32,
    body: Vec<u8>,
}

/// Asks for encryption.
pub(super) const ENCRYPT: u32 = 80_877_103;

/// Begins a session, in version 3 of the protocol.
const VERSION_3: u32 = 3;

impl Startup {
    pub(super) fn read(from: &mut impl Read) -> io::Result<Startup> {
        let body = read_body(from)?;
        let code = body.first_chunk().map_or(0, |code| u32::from_be_bytes(*code));
        Ok(Startup { code, body })
    }

    /// The application's name; none if this begins no session.
    pub(super) fn application(&self) -> Option<String> {
        if self.code >> 16 != VERSION_3 {
            return None;
        }
        let texts: Vec<_> = self.body[4..].split(|byte| *byte == 0).collect();
        let name = texts.chunks_exact(2).find(|pair| pair[0] == b"application_name").map(|pair| pair[1]);
        Some(String::from_utf8_lossy(name.unwrap_or_default()).into_owned())
    }

    /// Adds a setting.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.body.pop();
        for text in [name, value] {
            self.body.extend_from_slice(text.as_bytes());
            self.body.push(0);
        }
        self.body.push(0);
    }

    pub(super) fn write_to(&self, bytes: &mut Vec<u8>) {
        write_body(&self.body, bytes);
    }
}

fn read_body(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = (u32::from_be_bytes(length) as usize).checked_sub(4).filter(|length| *length <= LONGEST);
    let mut body = vec![0; length.ok_or(io::ErrorKind::InvalidData)?];
    from.read_exact(&mut body)?;
    Ok(body)
}

fn write_body(body: &[u8], bytes: &mut Vec<u8>) {
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(body);
}
