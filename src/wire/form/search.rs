//! The search for a delimiter in bytes that come in pieces.
//!
//! **Invariant:** nobody is known yet when a form is read, so the work must be a small multiple of
//! its bytes, whatever pieces they come in. What a search has passed over is not looked at again,
//! and what it could not decide only once a byte comes that may decide it.

use memchr::memmem;

/// What follows a delimiter: `--` after the last part, a line end after others.
pub(super) const END_BYTES: usize = 2;

/// Where a delimiter stands in some bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found {
    /// There is none, and none begins in the last bytes.
    No,
    /// From here on there may be one, once more bytes are there.
    Perhaps(usize),
    /// Here.
    At(usize),
}

/// The first whole delimiter in `data`.
pub(super) fn find(finder: &memmem::Finder<'_>, data: &[u8]) -> Found {
    let (delimiter, data) = (finder.needle(), look(data));
    let mut from = 0;
    while let Some(at) = finder.find(&data[from..]).map(|at| from + at) {
        let end = at + delimiter.len();
        match &data[end..data.len().min(end + END_BYTES)] {
            b"--" | b"\r\n" => return Found::At(at),
            b"" | b"-" | b"\r" => return Found::Perhaps(at),
            // A delimiter has one carriage return, its first byte: none begins within another.
            _ => from = end,
        }
    }
    // For the same reason the last carriage return there is decides.
    let tail = data.len().saturating_sub(delimiter.len() - 1).max(from);
    match memchr::memrchr(b'\r', look(&data[tail..])).map(|at| tail + at) {
        Some(at) if delimiter.starts_with(&data[at..]) => Found::Perhaps(at),
        _ => Found::No,
    }
}

/// Whether `piece` decides nothing: so many bytes of a delimiter were there before it, and it is
/// more of the same.
pub(super) fn goes_on(finder: &memmem::Finder<'_>, undecided: usize, piece: &[u8]) -> bool {
    finder.needle().get(undecided..).is_some_and(|rest| rest.starts_with(look(piece)))
}

#[cfg(test)]
thread_local! {
    /// How many bytes this thread has looked at.
    pub(super) static LOOKED_AT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// What is searched or parsed passes through here, so that tests can count it.
pub(super) fn look(data: &[u8]) -> &[u8] {
    #[cfg(test)]
    LOOKED_AT.set(LOOKED_AT.get() + data.len());
    data
}
