//! Queries and pages of lists.

/// A page of keys is asked for like this.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Only keys that begin with this.
    pub prefix: String,
    /// Keys that share what lies between the prefix and this are folded into one common prefix.
    pub delimiter: Option<String>,
    /// Only keys and common prefixes that sort after this one.
    pub after: Option<String>,
    /// At most so many keys and common prefixes together; 0 gives an empty, complete page.
    pub max: usize,
}

/// An entry of a page: things in key order, common prefixes among them.
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
