//! As much of Postgres's protocol as it takes to lose a reply.

/// Whether the client's first message asks for TLS or GSS; what follows would be unreadable.
pub(super) fn asks_for_encryption(message: &[u8]) -> bool {
    const TLS: u32 = 80_877_103;
    const GSS: u32 = 80_877_104;
    [TLS, GSS].map(u32::to_be_bytes).iter().any(|request| message == request)
}

/// The name that a session gives itself in the client's first message: after the protocol's version, pairs of
/// texts that end in a zero.
pub(super) fn application_name(message: &[u8]) -> String {
    let texts: Vec<&[u8]> = message.get(4..).unwrap_or_default().split(|byte| *byte == 0).collect();
    let name = texts.chunks_exact(2).find(|pair| pair[0] == b"application_name").map(|pair| pair[1]);
    String::from_utf8_lossy(name.unwrap_or_default()).into_owned()
}

/// What the server says, in messages: a letter, a length that counts itself, and a body. A reply ends when
/// the server is ready for the next query, after its commit.
#[derive(Debug, Default)]
pub(super) struct Replies {
    bytes: Vec<u8>,
    logged_in: bool,
    completed: u64,
}

impl Replies {
    /// Where the server's bytes go.
    pub(super) fn incoming(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// How many statements were completed since the last time this was asked.
    pub(super) fn completed(&mut self) -> u64 {
        std::mem::take(&mut self.completed)
    }

    /// What can be forwarded: whole messages, or only whole replies where one of them is doomed. None if the
    /// doomed one, with that command tag, is there.
    pub(super) fn outgoing(&mut self, doomed: Option<&str>) -> Option<Vec<u8>> {
        let holds_back = doomed.is_some() && self.logged_in;
        let (mut end, mut forwarded, mut is_doomed) = (0, 0, false);
        let mut seen = 0;
        while let Some((letter, body, next)) = message(&self.bytes, end) {
            seen += u64::from(letter == b'C');
            is_doomed |= letter == b'C' && doomed.is_some_and(|tag| body.starts_with(tag.as_bytes()));
            let is_ready = letter == b'Z';
            self.logged_in |= is_ready;
            if is_ready && is_doomed {
                return None;
            }
            if is_ready || !holds_back {
                forwarded = next;
                self.completed += std::mem::take(&mut seen);
            }
            end = next;
        }
        Some(self.bytes.drain(..forwarded).collect())
    }
}

/// The message at that place, and where the next one begins; none if it is not whole yet.
fn message(bytes: &[u8], at: usize) -> Option<(u8, &[u8], usize)> {
    let header = bytes.get(at..at + 5)?;
    let length = u32::from_be_bytes(header[1..].try_into().ok()?);
    let next = at + 1 + usize::try_from(length).ok()?;
    Some((header[0], bytes.get(at + 5..next)?, next))
}
