//! What the demo calls a text file, and how it counts one.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Larger files are skipped.
pub(crate) const MAX_BYTES: u64 = 16 << 20;

/// A NUL within so many first bytes makes a file binary, as for git.
const BINARY_BYTES: usize = 8 << 10;

/// How many of its most frequent words a file is remembered by.
const TOP_WORDS: usize = 10;

/// What is longer than that is data, not a word.
const MAX_WORD_BYTES: usize = 64;

/// Why a file is not indexed.
#[derive(Debug)]
pub(crate) enum NoText {
    Binary,
    NotUtf8,
    TooLarge,
    Unreadable(io::Error),
}

/// What the demo wants to know of a text; lines and words as `wc` counts them.
#[derive(Debug, PartialEq)]
pub(crate) struct Counts {
    pub(crate) bytes: usize,
    pub(crate) lines: usize,
    pub(crate) words: usize,
    pub(crate) top_words: Vec<(String, u64)>,
}

/// The text of a file. Holds no more of it than [`MAX_BYTES`].
pub(crate) fn read(path: &Path) -> Result<String, NoText> {
    let file = File::open(path).map_err(NoText::Unreadable)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(NoText::Unreadable)?;
    if bytes[..bytes.len().min(BINARY_BYTES)].contains(&0) {
        return Err(NoText::Binary);
    }
    if bytes.len() as u64 > MAX_BYTES {
        return Err(NoText::TooLarge);
    }
    String::from_utf8(bytes).map_err(|_| NoText::NotUtf8)
}

pub(crate) fn count(text: &str) -> Counts {
    Counts {
        bytes: text.len(),
        lines: text.bytes().filter(|byte| *byte == b'\n').count(),
        words: text.split_whitespace().count(),
        top_words: top_words(text),
    }
}

/// The most frequent words of at least two letters, in lower case; equally frequent ones in alphabetical order.
fn top_words(text: &str) -> Vec<(String, u64)> {
    let mut seen: HashMap<&str, u64> = HashMap::new();
    for word in text.split(|c: char| !c.is_alphabetic()) {
        if (2..=MAX_WORD_BYTES).contains(&word.len()) {
            *seen.entry(word).or_default() += 1;
        }
    }
    // Lower case only now: the text is split without a copy, and there are far fewer different words.
    let mut lower: HashMap<String, u64> = HashMap::with_capacity(seen.len());
    for (word, count) in seen {
        *lower.entry(word.to_lowercase()).or_default() += count;
    }
    let mut words: Vec<_> = lower.into_iter().collect();
    words.sort_unstable_by(|(a, many), (b, more)| more.cmp(many).then_with(|| a.cmp(b)));
    words.truncate(TOP_WORDS);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn top(text: &str) -> Vec<(String, u64)> {
        count(text).top_words
    }

    #[test]
    fn counts_as_wc_does() {
        for (text, lines, words) in
            [("", 0, 0), ("one", 0, 1), ("one\n", 1, 1), ("a b\n\n c\td\r\n", 3, 4), ("ü\u{2003}ß", 0, 2)]
        {
            let counts = count(text);
            assert_eq!((counts.bytes, counts.lines, counts.words), (text.len(), lines, words), "{text:?}");
        }
    }

    #[test]
    fn the_most_frequent_words_come_first_and_case_does_not_matter() {
        let expected = [("the", 3), ("ant", 1), ("bee", 1)].map(|(word, n)| (word.to_owned(), n));
        assert_eq!(top("The bee, THE ant; the_ a 42"), expected);
        let many: String = ('a'..='z').map(|c| format!("{c}{c} ")).collect();
        assert_eq!(top(&many).len(), TOP_WORDS);
        assert_eq!(top(&"x".repeat(MAX_WORD_BYTES + 1)), []);
    }

    #[test]
    fn only_utf8_without_nul_at_its_beginning_is_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            read(&path)
        };
        assert_eq!(read(b"").unwrap(), "");
        assert!(matches!(read(b"a\0b"), Err(NoText::Binary)));
        assert!(matches!(read(b"caf\xe9"), Err(NoText::NotUtf8)));
        let mut late = vec![b'a'; BINARY_BYTES];
        late.push(0);
        assert_eq!(read(&late).unwrap().len(), BINARY_BYTES + 1);
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(super::read(&path), Err(NoText::Unreadable(_))));
    }
}
