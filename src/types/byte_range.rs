//! [`ByteRange`]: a non-empty range of bytes.

/// Range of bytes that lies wholly inside its content. Both ends are inclusive, as in HTTP's
/// `Range`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ByteRange {
    /// Offset of the first byte.
    pub first: u64,
    /// Offset of the last byte, `>= first`.
    pub last: u64,
}

impl ByteRange {
    /// Number of bytes, at least 1.
    pub const fn len(&self) -> u64 {
        self.last - self.first + 1
    }
    /// Always false: a range holds at least one byte.
    pub const fn is_empty(&self) -> bool {
        false
    }
}
