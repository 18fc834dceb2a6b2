//! Paths of the management interface and of its rows.

use percent_encoding::percent_decode_str;

/// Prefix of every path of this interface. In path-style requests no bucket can have this name.
pub const PREFIX: &str = "/_partita/v1/";

/// True if a path belongs to this interface.
pub fn matches(path: &str) -> bool {
    path.starts_with(PREFIX)
}

/// Matches a path without [`PREFIX`] against the path of a row. Gives the decoded segment that `{}`
/// stands for, `Some(None)` if the row has no `{}`, and `None` if the path does not match.
pub(super) fn captured(pattern: &str, path: &str) -> Option<Option<String>> {
    let mut name = None;
    let mut segments = path.split('/');
    for expected in pattern.split('/') {
        let segment = segments.next()?;
        if expected == "{}" {
            let decoded = percent_decode_str(segment).decode_utf8().ok()?;
            name = Some(decoded.into_owned()).filter(|name| !name.is_empty());
            name.as_ref()?;
        } else if expected != segment {
            return None;
        }
    }
    segments.next().is_none().then_some(name)
}
