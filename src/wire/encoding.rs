//! Percent-encoding in answers: `encoding-type=url` in listings, and URLs in `<Location>`.
//!
//! Only `A-Za-z0-9-._~` and `/` stay unencoded. Some clients decode a raw `+` as a space and others
//! do not, so a plus becomes `%2B` and a space `%20`.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::error::{Error, Result};
use super::request::Head;

/// Characters to encode: all but the unreserved ones of RFC 3986 and the slash.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Key, prefix or marker, encoded for a listing with `encoding-type=url`.
pub fn url(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// Key as the path of a URL without a leading slash, for `<Location>` and redirects.
pub fn object_path(key: &str) -> String {
    url(key)
}

/// URL of an object in the addressed bucket, path-style or virtual-host style as the request.
pub fn object_url(head: &Head, bucket: &str, key: &str) -> String {
    let scheme = if head.secure { "https" } else { "http" };
    let path = object_path(key);
    match head.virtual_host {
        true => format!("{scheme}://{}/{path}", head.host),
        false => format!("{scheme}://{}/{bucket}/{path}", head.host),
    }
}

/// Text from a percent-encoded one. `None` for a `%` without two hexadecimal digits, or if the
/// result is not UTF-8.
pub fn decode(text: &str) -> Option<String> {
    let mut escapes = text.split('%');
    escapes.next();
    let digits = |rest: &str| {
        rest.as_bytes().get(..2).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit))
    };
    if !escapes.all(digits) {
        return None;
    }
    let decoded = percent_decode_str(text).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

/// Encoding of keys in a listing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EncodingType {
    /// Not encoded.
    Raw,
    /// Percent-encoded: `encoding-type=url`.
    Url,
}

impl EncodingType {
    /// Encoding that the request asks for.
    ///
    /// # Errors
    /// InvalidArgument for a value other than `url`.
    pub fn read(head: &Head) -> Result<Self> {
        match head.query.non_empty("encoding-type") {
            None => Ok(Self::Raw),
            Some("url") => Ok(Self::Url),
            Some(other) => Err(Error::argument(
                "encoding-type",
                other,
                "Invalid Encoding Method specified in Request",
            )),
        }
    }
    /// Text in this encoding.
    pub fn apply(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::Raw => Cow::Borrowed(text),
            Self::Url => Cow::Owned(url(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::request::tests::head;

    #[test]
    fn keys_are_encoded_for_every_client() {
        for (raw, encoded) in [
            ("", ""),
            ("plain-._~/key", "plain-._~/key"),
            ("a b+c/é~%$&@=;:.txt", "a%20b%2Bc/%C3%A9~%25%24%26%40%3D%3B%3A.txt"),
            ("\u{1}\n*'()!", "%01%0A%2A%27%28%29%21"),
        ] {
            assert_eq!(url(raw), encoded);
            assert_eq!(object_path(raw), encoded);
            assert_eq!(EncodingType::Url.apply(raw), encoded);
            assert_eq!(EncodingType::Raw.apply(raw), raw);
        }
    }

    #[test]
    fn only_url_is_an_encoding() {
        for (query, expected) in [
            ("", Some(false)),
            ("encoding-type=", Some(false)),
            ("encoding-type=url", Some(true)),
            ("encoding-type=URL", None),
            ("encoding-type=base64", None),
        ] {
            let got = EncodingType::read(&head("GET", "/bkt", query, &[]))
                .map(|encoding| encoding == EncodingType::Url);
            match expected {
                Some(expected) => assert_eq!(got.unwrap(), expected, "{query}"),
                None => assert_eq!(
                    got.unwrap_err().to_string(),
                    "InvalidArgument: Invalid Encoding Method specified in Request"
                ),
            }
        }
    }

    proptest! {
        #[test]
        fn encoding_is_reversible(text in any::<String>()) {
            let encoded = url(&text);
            let decoded = percent_encoding::percent_decode_str(&encoded).decode_utf8_lossy();
            prop_assert_eq!(decoded, text);
        }
    }
}
