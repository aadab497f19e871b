//! Limits that hold for a value while serde walks through it, whichever way it goes.
//!
//! serde recurses as deep as a value nests and loops as long as a sequence claims to be, so bytes that lie could
//! overflow the stack, which no program survives, or keep a thread busy for ever. Encoding has the same limits,
//! so that what cannot run is refused at enqueue.

mod decoding;
mod encoding;

use std::cell::Cell;

use thiserror::Error;

/// How deep a value may nest. A level of a plain type takes about 1 KiB of stack without optimisation, and a
/// thread has 2 MiB; serde_json has the same limit.
pub(super) const MAX_DEPTH: u8 = 128;

/// How many elements of sequences and maps may take no bytes, as those of a `Vec<()>` do. Every other element
/// takes one at least, so the payload's length limits those.
pub(super) const MAX_EMPTY_ELEMENTS: usize = 4096;

/// Why a value is refused.
#[derive(Debug, Error)]
pub(super) enum Excess {
    #[error("it nests deeper than {MAX_DEPTH} levels")]
    Depth,
    #[error("it claims {0} elements, more than its bytes can hold")]
    Claim(usize),
    #[error("it holds a number that is not finite, for which JSON has no form")]
    NotFinite,
    #[error("it has more than {MAX_EMPTY_ELEMENTS} elements that take no bytes")]
    Empty,
}

/// How many elements a value may still have, for the whole value: each of its bytes allows one.
pub(super) struct Elements(Cell<usize>);

impl Elements {
    /// The elements that this many bytes can hold.
    #[inline]
    pub(super) fn of_bytes(bytes: usize) -> Self {
        Self(Cell::new(MAX_EMPTY_ELEMENTS.saturating_add(bytes)))
    }

    /// Allows the elements of this many further bytes.
    #[inline]
    pub(super) fn add_bytes(&self, bytes: usize) {
        self.0.set(self.0.get().saturating_add(bytes));
    }

    #[inline]
    fn take(&self, count: usize) -> Option<()> {
        self.0.set(self.0.get().checked_sub(count)?);
        Some(())
    }
}

/// What is left to a part of a value.
#[derive(Clone, Copy)]
pub(super) struct Limits<'a> {
    levels: u8,
    elements: &'a Elements,
    finite: bool,
}

impl<'a> Limits<'a> {
    #[inline]
    pub(super) fn new(elements: &'a Elements) -> Self {
        Self { levels: MAX_DEPTH, elements, finite: false }
    }

    /// Without numbers that JSON has no form for.
    pub(super) fn finite(self) -> Self {
        Self { finite: true, ..self }
    }

    #[inline]
    fn number(self, is_finite: bool) -> Result<(), Excess> {
        if is_finite || !self.finite { Ok(()) } else { Err(Excess::NotFinite) }
    }

    #[inline]
    fn deeper(self) -> Result<Self, Excess> {
        let levels = self.levels.checked_sub(1).ok_or(Excess::Depth)?;
        Ok(Self { levels, ..self })
    }

    /// One element that is there.
    #[inline]
    fn element(self) -> Result<(), Excess> {
        self.elements.take(1).ok_or(Excess::Empty)
    }

    /// As many elements as the bytes claim, before anything is made of them.
    #[inline]
    fn claim(self, count: usize) -> Result<(), Excess> {
        self.elements.take(count).ok_or(Excess::Claim(count))
    }
}

/// Something of serde's, a value or what walks through one, that hands the limits on to all that is inside.
pub(super) struct Guarded<'a, T> {
    pub(super) inner: T,
    pub(super) limits: Limits<'a>,
}
