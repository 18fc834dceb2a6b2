//! Queries and pages of lists.

/// Query for a page of keys.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Prefix of the keys.
    pub prefix: String,
    /// Delimiter: keys with the same text between the prefix and it are folded into one common
    /// prefix.
    pub delimiter: Option<String>,
    /// Marker: only keys and common prefixes after it.
    pub after: Option<String>,
    /// Most keys and common prefixes together; 0 gives an empty, complete page.
    pub max: usize,
}

/// An entry of a page, in key order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed<T> {
    /// A key of its own.
    Item(T),
    /// A common prefix, the delimiter included.
    Prefix(String),
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries.
    pub entries: Vec<Listed<T>>,
    /// True if more follow after the last entry.
    pub truncated: bool,
}
