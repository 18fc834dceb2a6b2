//! Page sizes, url-encoding, entries and owners of the list operations.

use std::borrow::Cow;

use crate::access::Owner;
use crate::digest::{ChecksumAlgorithm, ChecksumType};
use crate::store::{Listed, ListedObject};
use crate::types::decimal;
use crate::wire::encoding::EncodingType;
use crate::wire::xml::{self, Writer};
use crate::wire::{Error, Head, Result, date};

/// Most entries in one page (S3: 1,000); a client that asks for more gets so many.
pub const ENTRIES_MAX: usize = 1000;

/// `max-keys`, `max-parts`, `max-uploads`: 0 is legal, more than [`ENTRIES_MAX`] means that many.
///
/// # Errors
/// InvalidArgument unless it is a number from 0 to 2^31 − 1.
pub fn page_size(head: &Head, name: &str) -> Result<usize> {
    page_size_of(name, head.query.non_empty(name))
}

/// Page size in a text from elsewhere than the query.
///
/// # Errors
/// As [`page_size`].
pub fn page_size_of(name: &str, text: Option<&str>) -> Result<usize> {
    let Some(text) = text else { return Ok(ENTRIES_MAX) };
    match text.parse::<i64>() {
        Ok(n) if n < 0 => {
            let message = format!("Argument {name} must be an integer between 0 and 2147483647");
            Err(Error::argument(name, text, message))
        }
        Ok(n) if n <= i64::from(i32::MAX) => {
            Ok(usize::try_from(n).unwrap_or(ENTRIES_MAX).min(ENTRIES_MAX))
        }
        _ => {
            let message = format!("Provided {name} not an integer or within integer range");
            Err(Error::argument(name, text, message))
        }
    }
}

/// Encoding of keys in an answer: none, or url-encoding.
#[derive(Clone, Copy)]
pub struct Keys {
    encoding: EncodingType,
}

impl Keys {
    /// The encoding that `encoding-type` names.
    ///
    /// # Errors
    /// InvalidArgument for a value other than `url`.
    pub fn of_request(head: &Head) -> Result<Self> {
        Ok(Self { encoding: EncodingType::read(head)? })
    }
    /// A key, prefix, delimiter or marker in the encoding of the answer.
    pub fn text(self, key: &str) -> Cow<'_, str> {
        self.encoding.apply(key)
    }
    /// The prefix as version 1 of the list echoes it: the SDKs do not decode it there. One that
    /// XML cannot bear is encoded all the same.
    pub fn echo(self, prefix: &str) -> Cow<'_, str> {
        if prefix.contains(xml::is_control) { self.text(prefix) } else { prefix.into() }
    }
    /// `<EncodingType>`, which tells the client to decode.
    pub fn note(self, xml: &mut Writer) {
        if self.encoding == EncodingType::Url {
            xml.text("EncodingType", "url");
        }
    }
}

/// A parameter of the query; empty if it is absent.
pub fn text<'a>(head: &'a Head, name: &str) -> &'a str {
    head.query.get(name).unwrap_or_default()
}

/// The last entry of a page: what the next page begins after.
pub fn last_of(entries: &[Listed<ListedObject>]) -> Option<&str> {
    entries.last().map(|entry| match entry {
        Listed::Item(object) => object.key.as_str(),
        Listed::Prefix(prefix) => prefix.as_str(),
    })
}

/// `<Owner>` or `<Initiator>`.
pub fn owner(xml: &mut Writer, element: &str, owner: &Owner) {
    xml.element(element, |xml| {
        xml.text("ID", &owner.id);
        xml.text("DisplayName", &owner.display_name);
    });
}

/// `<ChecksumAlgorithm>` and `<ChecksumType>`.
pub fn checksum(xml: &mut Writer, checksum: Option<(ChecksumAlgorithm, ChecksumType)>) {
    if let Some((algorithm, kind)) = checksum {
        xml.word("ChecksumAlgorithm", algorithm.name());
        xml.word("ChecksumType", kind.name());
    }
}

/// Elements of an object in a list.
pub fn object(xml: &mut Writer, keys: Keys, object: &ListedObject, with_owner: bool) {
    xml.text("Key", keys.text(&object.key));
    xml.word("LastModified", date::iso8601(object.modified));
    xml.quoted("ETag", object.etag);
    checksum(xml, object.checksum);
    xml.word("Size", object.size);
    if with_owner {
        owner(xml, "Owner", &object.owner);
    }
    xml.word("StorageClass", "STANDARD");
}

/// `<Contents>` and `<CommonPrefixes>` of a page, in key order.
pub fn entries(xml: &mut Writer, keys: Keys, page: &[Listed<ListedObject>], with_owner: bool) {
    for entry in page {
        if let Listed::Item(item) = entry {
            xml.element("Contents", |xml| object(xml, keys, item, with_owner));
        }
    }
    for entry in page {
        if let Listed::Prefix(prefix) = entry {
            xml.element("CommonPrefixes", |xml| {
                xml.text("Prefix", keys.text(prefix));
            });
        }
    }
}

/// `part-number-marker`: the parts behind this number; any number is past some part.
///
/// # Errors
/// InvalidArgument unless it is a number from 0 to 2^31 − 1.
pub fn part_number_marker(text: &str) -> Result<u16> {
    let number: Option<u32> = decimal::parse(text).filter(|n| *n <= i32::MAX as u32);
    let number = number.ok_or_else(|| {
        let message = "Argument part-number-marker must be an integer between 0 and 2147483647";
        Error::argument("part-number-marker", text, message)
    })?;
    Ok(u16::try_from(number).unwrap_or(u16::MAX))
}

/// An opaque, URL-safe continuation token for the page after `last`.
pub fn token(last: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(last)
}

/// The entry that [`token`] encodes.
///
/// # Errors
/// InvalidArgument for anything else.
pub fn parse_token(token: &str) -> Result<String> {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token).ok();
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(|| {
        let message = "The continuation token provided is incorrect";
        Error::argument("continuation-token", token, message)
    })
}
