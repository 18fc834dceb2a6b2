//! Search for a delimiter in a body that arrives in pieces.
//!
//! **Invariant:** the work is linear in the bytes of the body, for pieces of any size, because the
//! client is not authenticated yet. Bytes that a search has passed are not searched again.
//! Undecided bytes are searched again only when a byte arrives that can decide.

use memchr::memmem;

/// Bytes after a delimiter: `--` after the last part, CRLF after others.
pub(super) const END_BYTES: usize = 2;

/// Result of a search.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Search {
    /// No delimiter, and none begins in the last bytes.
    None,
    /// Offset at which a delimiter may begin. More bytes are needed.
    Undecided(usize),
    /// Offset of a delimiter.
    Match(usize),
}

/// First complete delimiter in `data`.
pub(super) fn find(finder: &memmem::Finder<'_>, data: &[u8]) -> Search {
    let (delimiter, data) = (finder.needle(), look(data));
    let mut from = 0;
    while let Some(at) = finder.find(&data[from..]).map(|at| from + at) {
        let end = at + delimiter.len();
        match &data[end..data.len().min(end + END_BYTES)] {
            b"--" | b"\r\n" => return Search::Match(at),
            b"" | b"-" | b"\r" => return Search::Undecided(at),
            // The only CR of a delimiter is its first byte, so none begins inside another.
            _ => from = end,
        }
    }
    // For the same reason only the last CR can begin a delimiter.
    let tail = data.len().saturating_sub(delimiter.len() - 1).max(from);
    match memchr::memrchr(b'\r', look(&data[tail..])).map(|at| tail + at) {
        Some(at) if delimiter.starts_with(&data[at..]) => Search::Undecided(at),
        _ => Search::None,
    }
}

/// True if `piece` decides nothing: it continues a delimiter of which `undecided` bytes were
/// received before.
pub(super) fn continues(finder: &memmem::Finder<'_>, undecided: usize, piece: &[u8]) -> bool {
    finder.needle().get(undecided..).is_some_and(|rest| rest.starts_with(look(piece)))
}

#[cfg(test)]
thread_local! {
    /// Number of bytes that this thread has searched.
    pub(super) static LOOKED_AT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Counts the bytes that are searched or parsed, in tests.
pub(super) fn look(data: &[u8]) -> &[u8] {
    #[cfg(test)]
    LOOKED_AT.set(LOOKED_AT.get() + data.len());
    data
}
