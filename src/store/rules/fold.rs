//! Folding of a list: common prefixes, and the place where a page begins.

use crate::types::UploadId;

/// Above every key: no byte of UTF-8 is 0xFF.
const END: &[u8] = &[0xff];

/// Prefix, delimiter and marker of a page.
pub(crate) struct Fold<'a> {
    pub(crate) prefix: &'a [u8],
    pub(crate) delimiter: Option<&'a [u8]>,
    pub(crate) after: Option<&'a [u8]>,
}

/// Lower bound of a scan: a key, and an id within that key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Lower {
    pub(crate) key: Vec<u8>,
    pub(crate) id: [u8; 16],
}

impl Lower {
    pub(crate) fn at(key: Vec<u8>) -> Self {
        Self { key, id: [0; 16] }
    }
}

impl<'a> Fold<'a> {
    pub(crate) fn new(prefix: &'a str, delimiter: Option<&'a str>, after: Option<&'a str>) -> Self {
        let delimiter = delimiter.filter(|delimiter| !delimiter.is_empty());
        Self {
            prefix: prefix.as_bytes(),
            delimiter: delimiter.map(str::as_bytes),
            after: after.map(str::as_bytes),
        }
    }

    /// The common prefix that `key` folds into. Keys that do not begin with the prefix fold into
    /// none.
    pub(crate) fn common_prefix<'k>(&self, key: &'k [u8]) -> Option<&'k [u8]> {
        let delimiter = self.delimiter?;
        let rest = key.strip_prefix(self.prefix)?;
        let at = rest.windows(delimiter.len()).position(|window| window == delimiter)?;
        Some(&key[..self.prefix.len() + at + delimiter.len()])
    }

    /// The first place that can hold an entry. Everything that shares a common prefix with `after`
    /// was folded into an entry before it.
    pub(crate) fn first(&self, id_after: Option<UploadId>) -> Lower {
        let first = Lower::at(self.prefix.to_vec());
        let Some(after) = self.after else { return first };
        let behind = match (self.common_prefix(after), id_after) {
            (Some(prefix), _) => Lower::at(successor(prefix)),
            (None, Some(id)) => behind_id(after, id),
            (None, None) => Lower::at([after, &[0]].concat()),
        };
        first.max(behind)
    }
}

/// The least string above everything that begins with `prefix`.
pub(crate) fn successor(prefix: &[u8]) -> Vec<u8> {
    let mut successor = prefix.to_vec();
    while let Some(last) = successor.pop() {
        if last < 0xff {
            successor.push(last + 1);
            return successor;
        }
    }
    END.to_vec()
}

/// The place right behind one upload of a key.
fn behind_id(key: &[u8], id: UploadId) -> Lower {
    match u128::from_be_bytes(*id.as_bytes()).checked_add(1) {
        Some(next) => Lower { key: key.to_vec(), id: next.to_be_bytes() },
        None => Lower::at([key, &[0]].concat()),
    }
}

/// A common prefix as text. A delimiter is text, so a prefix ends between two characters.
pub(crate) fn text(prefix: &[u8]) -> String {
    String::from_utf8_lossy(prefix).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_successor_is_the_least_string_above_all_with_the_prefix() {
        for (prefix, wanted) in [
            (&b"a/"[..], &b"a0"[..]),
            (b"", &[0xff]),
            (&[b'a', 0xff], b"b"),
            (&[0xff, 0xff], &[0xff]),
            ("ä".as_bytes(), &[0xc3, 0xa5]),
        ] {
            assert_eq!(successor(prefix), wanted, "{prefix:?}");
        }
    }

    #[test]
    fn a_key_folds_at_the_first_delimiter_behind_the_prefix() {
        for (prefix, delimiter, key, wanted) in [
            ("", Some("/"), "a/b/c", Some("a/")),
            ("a/", Some("/"), "a/b/c", Some("a/b/")),
            ("a/", Some("/"), "a/b", None),
            ("a/b/", Some("/"), "a/b/", None),
            ("", Some("--"), "x-y--z--", Some("x-y--")),
            ("", Some("--"), "x-y-z", None),
            ("", Some(""), "a/b", None),
            ("", None, "a/b", None),
            ("b", Some("/"), "a/b", None),
            ("a", Some("a"), "aab", Some("aa")),
        ] {
            let fold = Fold::new(prefix, delimiter, None);
            let folded = fold.common_prefix(key.as_bytes()).map(text);
            assert_eq!(folded.as_deref(), wanted, "{prefix:?} {delimiter:?} {key:?}");
        }
    }
}
