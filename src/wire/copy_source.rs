//! `x-amz-copy-source`: `[/]bucket/key[?versionId=…]`, percent-encoded once.
//!
//! **Invariants**
//! - Authorization and copy use the result of the same parser.
//! - The version is split off before decoding, so an encoded `?versionId=` is part of the key.

use percent_encoding::percent_decode_str;

use super::error::{Error, ErrorCode, Result};
use super::request::Head;
use crate::types::{BucketName, KEY_BYTES_MAX, KeyError, ObjectKey};

/// Source of a copy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CopySource {
    /// Bucket of the source.
    pub bucket: BucketName,
    /// Key of the source.
    pub key: ObjectKey,
    /// Version id, if given. `null` is a version id.
    pub version_id: Option<String>,
}

/// Copy source of a request, from the header or the query.
///
/// # Errors
/// InvalidArgument for a malformed value; KeyTooLongError.
pub fn of_request(head: &Head) -> Result<CopySource> {
    parse(head.header_or_query("x-amz-copy-source")?.unwrap_or_default())
}

/// Copy source from the value of the header. The separator may be `%2F`; a leading slash is
/// optional. A raw `+` is a space: s5cmd form-encodes this header, and other clients escape a plus.
///
/// # Errors
/// See [`of_request`].
pub fn parse(header: &str) -> Result<CopySource> {
    let refuse = |message: &str| Error::argument("x-amz-copy-source", header, message);
    // The version id comes last, so an earlier raw `?versionId=` belongs to the key.
    let (path, version_id) = match header.rsplit_once("?versionId=") {
        Some((path, version_id)) => (path, Some(version_id)),
        None => (header, None),
    };
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        let decoded = percent_decode_str(&spaced).decode_utf8();
        decoded
            .map(|decoded| decoded.into_owned())
            .map_err(|_| refuse("Invalid copy source encoding."))
    };
    let version_id = version_id.map(decode).transpose()?;
    if version_id.as_deref() == Some("") {
        return Err(refuse("Version id cannot be the empty string"));
    }
    // A bucket's name has no slash, so the first slash is the separator also after decoding.
    let path = decode(path)?;
    let path = path.strip_prefix('/').unwrap_or(&path);
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    if bucket.is_empty() || key.is_empty() {
        return Err(refuse(
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
        ));
    }
    let bucket =
        BucketName::parse(bucket).ok_or_else(|| refuse("Invalid copy source bucket name"))?;
    let key = ObjectKey::parse(key.as_bytes()).map_err(|error| match error {
        KeyError::TooLong => Error::new(ErrorCode::KeyTooLongError)
            .field("Size", key.len().to_string())
            .field("MaxSizeAllowed", KEY_BYTES_MAX.to_string()),
        KeyError::Invalid => refuse("Invalid copy source object key"),
    })?;
    Ok(CopySource { bucket, key, version_id })
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sources_as_clients_write_them() {
        for (header, bucket, key, version_id) in [
            ("bkt/key", "bkt", "key", None),
            ("/bkt/key", "bkt", "key", None),
            ("bkt%2Fdir%2Fkey", "bkt", "dir/key", None),
            ("%2Fbkt%2Fkey", "bkt", "key", None),
            ("bkt//lead", "bkt", "/lead", None),
            ("bkt/a/../b/", "bkt", "a/../b/", None),
            ("bkt/a%20b%2Bc+d", "bkt", "a b+c d", None),
            ("bkt/%C3%A9", "bkt", "é", None),
            ("bkt/é", "bkt", "é", None),
            ("bkt/%252F", "bkt", "%2F", None),
            ("bkt/100%", "bkt", "100%", None),
            ("bkt/key?versionId=null", "bkt", "key", Some("null")),
            ("/bkt/key?versionId=a%2Fb", "bkt", "key", Some("a/b")),
            ("bkt/%3FversionId", "bkt", "?versionId", None),
            ("bkt/%3FversionId%3Dx?versionId=y", "bkt", "?versionId=x", Some("y")),
            ("bkt/%3FversionId%3Dx", "bkt", "?versionId=x", None),
            ("bkt/key?x", "bkt", "key?x", None),
        ] {
            let got = parse(header).unwrap();
            assert_eq!(got.bucket.as_str(), bucket, "{header}");
            assert_eq!(got.key.as_str(), key, "{header}");
            assert_eq!(got.version_id.as_deref(), version_id, "{header}");
        }
    }

    #[test]
    fn what_is_no_source_is_refused() {
        let long = format!("bkt/{}", "k".repeat(KEY_BYTES_MAX + 1));
        for (header, code) in [
            ("", ErrorCode::InvalidArgument),
            ("/", ErrorCode::InvalidArgument),
            ("bkt", ErrorCode::InvalidArgument),
            ("bkt/", ErrorCode::InvalidArgument),
            ("/bkt/", ErrorCode::InvalidArgument),
            ("//key", ErrorCode::InvalidArgument),
            ("?versionId=x", ErrorCode::InvalidArgument),
            ("bkt/key?versionId=", ErrorCode::InvalidArgument),
            ("BKT_/key", ErrorCode::InvalidArgument),
            ("arn:aws:s3:us-east-1:1:accesspoint/x", ErrorCode::InvalidArgument),
            ("bkt/%ff", ErrorCode::InvalidArgument),
            ("bkt/key?versionId=%ff", ErrorCode::InvalidArgument),
            (&long, ErrorCode::KeyTooLongError),
        ] {
            assert_eq!(parse(header).unwrap_err().code, code, "{header}");
        }
    }

    proptest! {
        #[test]
        fn an_encoded_key_is_read_back(key in "\\PC{1,60}") {
            let encoded = utf8_percent_encode(&key, NON_ALPHANUMERIC);
            let got = parse(&format!("bkt/{encoded}?versionId=v")).unwrap();
            prop_assert_eq!(got.key.as_str(), key);
        }

        #[test]
        fn any_text_is_read_without_panic(text in "[/?%a-fA-F0-9é]{0,20}(\\?versionId=)?.{0,9}") {
            let _ = parse(&text);
        }
    }
}
