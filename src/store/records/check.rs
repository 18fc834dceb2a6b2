//! Depth of a check.

/// Depth to which a check reads files and inline bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Existence, length and trailer.
    Trailers,
    /// Every block.
    Blocks,
}
