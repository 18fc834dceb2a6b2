//! [`ETag`] and [`ETagMatch`]: entity tags (RFC 9110, section 8.8.3) in the two forms of S3.

use std::fmt;

use super::part_number::PartNumber;

/// Entity tag: the MD5 of the bytes or, for a multipart object, the MD5 of the concatenated MD5s of
/// its parts and the number of parts. `Display` gives the bare form (`hex` or `hex-N`), without
/// quotes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ETag {
    /// MD5, 16 bytes.
    pub md5: [u8; 16],
    /// Number of parts of a multipart object.
    pub parts: Option<u16>,
}

impl ETag {
    /// Tag of an object or part that was stored in one piece.
    pub const fn plain(md5: [u8; 16]) -> Self {
        Self { md5, parts: None }
    }
    /// Tag from `hex` or `hex-N`, with or without double quotes and white space around it.
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
    /// Tag in double quotes, as in HTTP headers and XML.
    pub fn quoted(&self) -> String {
        let mut text = String::with_capacity(ETAG_TEXT_BYTES + 2);
        text.push('"');
        // Written without a formatter: a page of a listing has a thousand tags.
        text.push_str(as_hex(&self.md5, &mut [0; 32]));
        if let Some(parts) = self.parts {
            text.push('-');
            text.push_str(&parts.to_string());
        }
        text.push('"');
        text
    }
}

/// Longest text of a tag in bytes: `hex-N`, N of five digits.
const ETAG_TEXT_BYTES: usize = 32 + 1 + 5;

/// Hexadecimal digits of an MD5, written into `digits`.
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

/// List of tags in `If-Match` or `If-None-Match`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ETagMatch {
    /// `*`: any existing object.
    Any,
    /// Bare tags, without quotes and without `W/`.
    List(Vec<String>),
}

impl ETagMatch {
    /// True if the tag of an existing object is in the list.
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
