//! [`BucketName`] and [`ObjectKey`]: the two names in an address.

use std::fmt;
use std::sync::Arc;

use super::s3_limits::{BUCKET_NAME_BYTES, KEY_BYTES_MAX};

/// Name of a bucket: 3 to 63 characters of `a-z0-9.-`. Source: AWS, "General purpose bucket naming
/// rules".
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketName(Arc<str>);

impl BucketName {
    /// Name, if S3 allows it. Labels begin and end with a letter or digit; a name does not look
    /// like an IPv4 address and has no reserved prefix or suffix.
    pub fn parse(text: &str) -> Option<Self> {
        let edge = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
        let bytes = text.as_bytes();
        let characters_ok = bytes.iter().all(|&c| edge(c) || c == b'.' || c == b'-');
        if !BUCKET_NAME_BYTES.contains(&bytes.len()) || !characters_ok {
            return None;
        }
        let labels_ok = text.split('.').all(|label| {
            let label = label.as_bytes();
            label.first().is_some_and(|&c| edge(c)) && label.last().is_some_and(|&c| edge(c))
        });
        let reserved = text.starts_with("xn--")
            || text.starts_with("sthree-")
            || text.starts_with("amzn-s3-demo-")
            || text.ends_with("-s3alias")
            || text.ends_with("--ol-s3")
            || text.ends_with(".mrap")
            || text.ends_with("--x-s3")
            || text.ends_with("--table-s3");
        let like_an_address = text.parse::<std::net::Ipv4Addr>().is_ok();
        (labels_ok && !reserved && !like_an_address).then(|| Self(text.into()))
    }
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// Key of an object: 1 to 1024 bytes of UTF-8. Opaque, compared as bytes, never normalized.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(Arc<str>);

/// Reason why a key is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyError {
    /// Longer than [`KEY_BYTES_MAX`].
    TooLong,
    /// Empty or not UTF-8.
    Invalid,
}

impl ObjectKey {
    /// Key from 1 to [`KEY_BYTES_MAX`] bytes of UTF-8.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, KeyError> {
        if bytes.len() > KEY_BYTES_MAX {
            return Err(KeyError::TooLong);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| KeyError::Invalid)?;
        if text.is_empty() {
            return Err(KeyError::Invalid);
        }
        Ok(Self(text.into()))
    }
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// The key as bytes, in which keys are ordered.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_names_by_the_rules_of_s3() {
        let long = "a".repeat(63);
        for good in ["abc", "a-b", "a.b", "1bc", "my.bucket-2", "a--b", "1.2.3", "1.2.3.4.5", &long]
        {
            assert_eq!(BucketName::parse(good).expect(good).as_str(), good);
        }
        let too_long = "a".repeat(64);
        for bad in [
            "",
            "ab",
            &too_long,
            "Abc",
            "a_b",
            "a b",
            "a/b",
            "é23",
            "abc\0",
            "-abc",
            "abc-",
            ".abc",
            "abc.",
            "a..b",
            "a-.b",
            "a.-b",
            "192.168.5.4",
            "xn--abc",
            "sthree-abc",
            "amzn-s3-demo-abc",
            "abc-s3alias",
            "abc--ol-s3",
            "abc.mrap",
            "abc--x-s3",
            "abc--table-s3",
            "..",
            "...",
        ] {
            assert_eq!(BucketName::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn keys_are_opaque_bytes_of_utf_8() {
        let longest = "é".repeat(KEY_BYTES_MAX / 2);
        for good in ["k", "/", "a//b", "../x", "e\u{301}", "\0", " ", &longest] {
            let key = ObjectKey::parse(good.as_bytes()).unwrap();
            assert_eq!((key.as_str(), key.as_bytes()), (good, good.as_bytes()));
        }
        assert_eq!(ObjectKey::parse(b""), Err(KeyError::Invalid));
        assert_eq!(ObjectKey::parse(b"\xff"), Err(KeyError::Invalid));
        assert_eq!(ObjectKey::parse(&[b'k'; KEY_BYTES_MAX + 1]), Err(KeyError::TooLong));
        assert_eq!(ObjectKey::parse(&[0xff; KEY_BYTES_MAX + 1]), Err(KeyError::TooLong));
        let key = |text: &str| ObjectKey::parse(text.as_bytes()).unwrap();
        assert!(key("Z") < key("a") && key("a") < key("a\0") && key("z") < key("é"));
    }
}
