//! The words of S3 as types: parsed once, at the edge, then trusted everywhere.
//!
//! A value of one of these types is valid by construction, so nothing below the gateway checks
//! again. Each `parse` returns `None` (or a small error) on bad input; which S3 error that becomes
//! is the caller's business.

mod id;
mod layout;

use std::fmt;
use std::sync::Arc;

pub use id::{BlobId, MessageId, UploadId};
pub use layout::Layout;

/// Longest key in bytes of UTF-8 (S3: KeyTooLongError above it).
pub const KEY_BYTES_MAX: usize = 1024;
/// Highest part number (S3 counts 1 to 10,000).
pub const PART_NUMBER_MAX: u16 = 10_000;
/// Largest single PutObject, UploadPart or copy source in bytes: 5 GiB.
pub const PUT_BYTES_MAX: u64 = 5 << 30;
/// Smallest part but the last listed one, in bytes: 5 MiB. The configuration may lower it.
pub const PART_BYTES_MIN: u64 = 5 << 20;
/// Largest object in bytes: 10,000 parts of 5 GiB.
pub const OBJECT_BYTES_MAX: u64 = PUT_BYTES_MAX * PART_NUMBER_MAX as u64;

/// Milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// From milliseconds since 1970-01-01 UTC.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }
    /// Milliseconds since 1970-01-01 UTC.
    pub const fn millis(self) -> u64 {
        self.0
    }
    /// Whole seconds since 1970-01-01 UTC: the precision of HTTP dates.
    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }
    /// This time, later by `millis`.
    pub const fn plus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }
    /// This time, earlier by `millis`, not before 1970.
    pub const fn minus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_sub(millis))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

/// A bucket's name: 3 to 63 characters of `a-z0-9.-`, by S3's rules for general purpose buckets.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketName(Arc<str>);

impl BucketName {
    /// The name, if S3 would allow it: labels begin and end with a letter or digit, no two dots
    /// follow each other, it does not look like an IPv4 address and bears no reserved affix.
    pub fn parse(text: &str) -> Option<Self> {
        let edge = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
        let bytes = text.as_bytes();
        let characters_ok = bytes.iter().all(|&c| edge(c) || c == b'.' || c == b'-');
        if !(3..=63).contains(&bytes.len()) || !characters_ok {
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

/// An object's key: 1 to 1024 bytes of UTF-8, opaque, compared as bytes, never normalised.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(Arc<str>);

/// Why a key was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyError {
    /// More than [`KEY_BYTES_MAX`] bytes.
    TooLong,
    /// Empty, or not UTF-8.
    Invalid,
}

impl ObjectKey {
    /// The key, if it is 1 to [`KEY_BYTES_MAX`] bytes of UTF-8.
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
    /// The key as the bytes that order it.
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

/// A part's number, 1 to 10,000.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PartNumber(u16);

impl PartNumber {
    /// The lowest: 1.
    pub const FIRST: Self = Self(1);

    /// The number, if it is one that S3 allows.
    pub fn new(number: u16) -> Option<Self> {
        (1..=PART_NUMBER_MAX).contains(&number).then_some(Self(number))
    }
    /// From decimal digits, as they stand in `?partNumber=`.
    pub fn parse(text: &str) -> Option<Self> {
        if !text.bytes().all(|c| c.is_ascii_digit()) {
            return None;
        }
        text.parse().ok().and_then(Self::new)
    }
    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for PartNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// An entity tag: the MD5 of the bytes, or, for a multipart object, the MD5 of its parts' MD5s and
/// how many parts there are. `Display` gives the bare form (`hex` or `hex-N`), without quotes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ETag {
    /// The sixteen bytes.
    pub md5: [u8; 16],
    /// The number of parts, for a multipart object.
    pub parts: Option<u16>,
}

impl ETag {
    /// The tag of an object or part that came in one piece.
    pub const fn plain(md5: [u8; 16]) -> Self {
        Self { md5, parts: None }
    }
    /// From `hex` or `hex-N`, with or without double quotes around it.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text);
        let (digest, parts) = match text.split_once('-') {
            Some((digest, parts)) => (digest, Some(PartNumber::parse(parts)?.get())),
            None => (text, None),
        };
        let mut md5 = [0; 16];
        hex::decode_to_slice(digest, &mut md5).ok()?;
        Some(Self { md5, parts })
    }
    /// The form of HTTP headers: in double quotes.
    pub fn quoted(&self) -> String {
        let mut text = String::with_capacity(ETAG_TEXT_BYTES + 2);
        text.push('"');
        // Without a formatter: a list has a thousand of them.
        text.push_str(as_hex(&self.md5, &mut [0; 32]));
        if let Some(parts) = self.parts {
            text.push('-');
            text.push_str(&parts.to_string());
        }
        text.push('"');
        text
    }
}

/// The longest text of a tag: `hex-N`, N of five digits.
const ETAG_TEXT_BYTES: usize = 32 + 1 + 5;

/// An MD5 in hexadecimal digits, which are put into `digits`.
fn as_hex<'d>(md5: &[u8; 16], digits: &'d mut [u8; 32]) -> &'d str {
    hex::encode_to_slice(md5, digits).expect("two digits for each byte");
    std::str::from_utf8(digits).expect("digits are text")
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(as_hex(&self.md5, &mut [0; 32]))?;
        match self.parts {
            Some(parts) => write!(f, "-{parts}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A range of bytes that lies wholly inside its content; both ends are part of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ByteRange {
    /// The first byte.
    pub first: u64,
    /// The last byte, `>= first`.
    pub last: u64,
}

impl ByteRange {
    /// The number of bytes, at least 1.
    pub const fn len(&self) -> u64 {
        self.last - self.first + 1
    }
    /// Never: a range holds at least one byte.
    pub const fn is_empty(&self) -> bool {
        false
    }
}

/// Which ETags a condition names: `*`, or a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ETagMatch {
    /// `*`: whatever is there.
    Any,
    /// The tags, bare (without quotes and without `W/`).
    List(Vec<String>),
}

impl ETagMatch {
    /// Whether the tag of an existing object is one of these.
    pub fn matches(&self, etag: &ETag) -> bool {
        match self {
            Self::Any => true,
            Self::List(tags) => {
                let text = etag.to_string();
                tags.contains(&text)
            }
        }
    }
}

/// The condition of a write, judged in the transaction that publishes it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WriteCondition {
    /// `If-Match`: the current object must exist and bear one of these tags.
    pub if_match: Option<ETagMatch>,
    /// `If-None-Match`: no current object may bear one of these tags.
    pub if_none_match: Option<ETagMatch>,
}

/// Why a [`WriteCondition`] does not hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unmet {
    /// `If-Match` on a key that has no object: NoSuchKey.
    NoObject,
    /// `If-Match` names another tag: PreconditionFailed.
    IfMatch,
    /// `If-None-Match` names the tag that is there: PreconditionFailed.
    IfNoneMatch,
}

impl WriteCondition {
    /// Judges the condition against the tag of the current object, if there is one.
    ///
    /// # Errors
    /// Which part does not hold; `If-Match` is looked at first.
    pub fn judge(&self, current: Option<&ETag>) -> Result<(), Unmet> {
        match (&self.if_match, current) {
            (Some(_), None) => return Err(Unmet::NoObject),
            (Some(wanted), Some(etag)) if !wanted.matches(etag) => return Err(Unmet::IfMatch),
            _ => {}
        }
        match (&self.if_none_match, current) {
            (Some(unwanted), Some(etag)) if unwanted.matches(etag) => Err(Unmet::IfNoneMatch),
            _ => Ok(()),
        }
    }
    /// Whether there is nothing to judge.
    pub fn is_empty(&self) -> bool {
        self.if_match.is_none() && self.if_none_match.is_none()
    }
}

/// What an object carries besides its bytes: the standard headers (`content-type`, `cache-control`,
/// …) and `x-amz-meta-*`, names in lower case, in the order received, values as received.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ObjectHeaders(pub Vec<(String, Vec<u8>)>);

impl ObjectHeaders {
    /// The value of one header, if it was stored.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_slice())
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

    #[test]
    fn ids_grow_and_read_back() {
        let ids: Vec<_> = (0..10_000).map(|_| UploadId::new()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b && a.to_string() < b.to_string()));
        let id = ids[0];
        assert_eq!(UploadId::parse(&id.to_string()), Some(id));
        assert_eq!(UploadId::from_bytes(*id.as_bytes()), id);
        let upper = id.to_string().replace(|c: char| c.is_ascii_lowercase(), "A");
        let short = &id.to_string()[1..];
        for bad in ["", "x", short, &format!("0{id}"), &upper, &"é".repeat(16)] {
            assert_eq!(UploadId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn no_id_tells_the_next() {
        let ids: Vec<_> = (0..10_000).map(|_| UploadId::new()).collect();
        // Also of ids of one millisecond the last 32 bits are drawn anew.
        let low = |id: &UploadId| u32::from_be_bytes(id.as_bytes()[12..].try_into().unwrap());
        for bit in 0..32 {
            let ones = ids.iter().filter(|id| low(id) >> bit & 1 == 1).count();
            assert!((4_500..5_500).contains(&ones), "bit {bit} is set {ones} times");
        }
        let steps = ids.windows(2).map(|pair| low(&pair[1]).wrapping_sub(low(&pair[0])));
        let steps: std::collections::HashSet<u32> = steps.collect();
        assert!(steps.len() > 9_900, "steps repeat: {}", steps.len());
    }

    #[test]
    fn part_numbers_are_1_to_10000() {
        for (text, number) in [
            ("1", Some(1)),
            ("10000", Some(10_000)),
            ("0", None),
            ("10001", None),
            ("65537", None),
            ("99999999999999999999", None),
            ("+1", None),
            ("-1", None),
            ("1.0", None),
            (" 1", None),
            ("", None),
        ] {
            assert_eq!(PartNumber::parse(text).map(PartNumber::get), number, "{text:?}");
        }
    }

    #[test]
    fn tags_are_read_in_and_out_of_quotes() {
        let md5 = "900150983cd24fb0d6963f7d28e17f72";
        let plain = ETag::parse(md5).unwrap();
        assert_eq!(ETag::parse(&format!(" \"{md5}\" ")), Some(plain));
        assert_eq!((plain.to_string(), plain.quoted()), (md5.into(), format!("\"{md5}\"")));
        assert_eq!(plain.parts, None);
        let parts = ETag::parse(&format!("\"{md5}-10000\"")).unwrap();
        assert_eq!((parts.md5, parts.parts), (plain.md5, Some(10_000)));
        assert_eq!(parts.to_string(), format!("{md5}-10000"));
        for tail in ["-", "-0", "-10001", "-+1", "-x", "-1-1", "\"", "0"] {
            assert_eq!(ETag::parse(&format!("{md5}{tail}")), None, "{tail}");
        }
        for bad in ["", "\"\"", "*", "abc", &md5[1..], &"é".repeat(16)] {
            assert_eq!(ETag::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_match_compares_the_whole_tag() {
        let tag = ETag { md5: [7; 16], parts: Some(2) };
        let list = |tags: &[String]| ETagMatch::List(tags.to_vec());
        assert!(ETagMatch::Any.matches(&tag));
        assert!(list(&["x".into(), tag.to_string()]).matches(&tag));
        assert!(!list(&[]).matches(&tag));
        assert!(!list(&[ETag::plain([7; 16]).to_string()]).matches(&tag));
    }

    #[test]
    fn times_do_not_overflow() {
        let time = Timestamp::from_millis(1999);
        assert_eq!((time.seconds(), time.minus_millis(2000).millis()), (1, 0));
        assert_eq!(time.plus_millis(u64::MAX).millis(), u64::MAX);
    }
}
