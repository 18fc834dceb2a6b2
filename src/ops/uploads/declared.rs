//! Declared uploads: size and digests of the file in `x-partita-*` headers, and the check that a
//! part fits the file.
//!
//! **Invariants**
//! - A header is understood or refused, never ignored (see
//!   [`crate::wire::own_headers`]); presigned URLs may carry it in their query.
//! - A part that cannot fit is refused before its body is read; one of unknown length, no
//!   later than at its first byte too many.

use crate::access::UploadHandle;
use crate::access::WriteObject;
use crate::config::Config;
use crate::ops::uploads::missing_parts;
use crate::request::Call;
use crate::store::{self, Declaration, OpenUpload, WholeDigests};
use crate::types::{Layout, OBJECT_BYTES_MAX, PartNumber, decimal};
use crate::wire::own_headers::{CONTENT_MD5, CONTENT_SHA256, OBJECT_SIZE, PART_SIZE};
use crate::wire::{Error, ErrorCode, Head, Response, Result};

/// The number of parts that a declared upload has.
const PART_COUNT: &str = "x-partita-part-count";
/// Origin of the upload that Create answers with: `created`, `resumed`, `challenge` or `instant`.
const UPLOAD: &str = "x-partita-upload";
/// The lowest part number that is missing.
const NEXT_PART: &str = "x-partita-next-part";

/// Declaration of a Create; `None` for an upload of plain S3.
///
/// # Errors
/// InvalidArgument, naming the header.
pub fn of_create(head: &Head, config: &Config) -> Result<Option<Declaration>> {
    let declaration = Declaration { layout: layout(head, config)?, digests: digests(head)? };
    Ok((declaration != Declaration::default()).then_some(declaration))
}

fn layout(head: &Head, config: &Config) -> Result<Option<Layout>> {
    let size = number(head, OBJECT_SIZE)?;
    let part_size = number(head, PART_SIZE)?;
    let Some(size) = size else {
        return match part_size {
            None => Ok(None),
            Some(part_size) => {
                let message = format!("{PART_SIZE} has a meaning only with {OBJECT_SIZE}.");
                Err(Error::argument(PART_SIZE, &part_size.to_string(), message))
            }
        };
    };
    let too_large = || {
        let message = "The object would be larger than the largest that S3 allows.";
        Error::argument(OBJECT_SIZE, &size.to_string(), message)
    };
    let proposed = Layout::proposed(size).ok_or_else(too_large)?;
    let Some(part_size) = part_size else { return Ok(Some(proposed)) };
    let refused = |message: String| Error::argument(PART_SIZE, &part_size.to_string(), message);
    let layout = Layout::new(size, part_size).ok_or_else(|| {
        refused("Parts must have 1 byte to 5 GiB, and there can be 10,000 of them.".into())
    })?;
    let least = config.part_bytes_min;
    if layout.count() > 1 && part_size < least {
        return Err(refused(format!("All parts but the last must have {least} bytes or more.")));
    }
    Ok(Some(layout))
}

/// The digests of the whole file that a request names.
///
/// # Errors
/// InvalidArgument, naming the header.
pub fn digests(head: &Head) -> Result<WholeDigests> {
    Ok(WholeDigests { md5: digest(head, CONTENT_MD5)?, sha256: digest(head, CONTENT_SHA256)? })
}

/// The size of the whole file that Complete names.
///
/// # Errors
/// InvalidArgument, naming the header.
pub fn object_size(head: &Head) -> Result<Option<u64>> {
    number(head, OBJECT_SIZE)
}

fn number(head: &Head, name: &str) -> Result<Option<u64>> {
    head.decimal(name, "Expected a number of bytes in decimal digits.")
}

fn digest<const N: usize>(head: &Head, name: &str) -> Result<Option<[u8; N]>> {
    let Some(text) = head.header_or_query(name)? else { return Ok(None) };
    let mut bytes = [0; N];
    match hex::decode_to_slice(text, &mut bytes) {
        Ok(()) => Ok(Some(bytes)),
        Err(_) => {
            let message = format!("Expected {} hexadecimal digits.", N * 2);
            Err(Error::argument(name, text, message))
        }
    }
}

/// Headers of a Create answer for a declared upload.
pub fn announce(response: &mut Response, declaration: &Declaration, how: &str) {
    if let Some(layout) = declaration.layout {
        response.set(PART_SIZE, layout.part_size().to_string());
        response.set(PART_COUNT, layout.count().to_string());
    }
    response.set(UPLOAD, how);
}

/// Header of a part's answer: the part that a sequential client sends next.
pub fn announce_next(response: &mut Response, next: Option<PartNumber>) {
    if let Some(next) = next {
        response.set(NEXT_PART, next.to_string());
    }
}

/// Checks a part by its number and length, if that is known, before its body is read.
///
/// # Errors
/// InvalidRequest with the missing ranges when it cannot be a part of the declared file;
/// InvalidRange when its Content-Range says another place or length; InvalidArgument when that is
/// malformed.
pub async fn check_part(
    call: &Call,
    upload: &UploadHandle<WriteObject>,
    open: &OpenUpload,
    number: PartNumber,
    length: Option<u64>,
) -> Result<()> {
    let layout = open.declaration.and_then(|declaration| declaration.layout);
    if let Some(layout) = layout {
        let expected = layout.bytes_of(number);
        if expected.is_none() || length.is_some_and(|length| Some(length) != expected) {
            let size = length.unwrap_or(0);
            let error = store::Error::PartMisfit { number, size, expected };
            return Err(missing_parts::with_missing(call, upload, error.into()).await);
        }
    }
    let Some(text) = call.head.header("content-range")? else { return Ok(()) };
    match check_range(text, number, length, layout)? {
        Ok(()) => Ok(()),
        Err(message) => {
            let error = Error::because(ErrorCode::InvalidRange, message)
                .field("ContentRange", text)
                .field("PartNumber", number.to_string());
            Err(match layout {
                Some(_) => missing_parts::with_missing(call, upload, error).await,
                None => error,
            })
        }
    }
}

/// Length of a part's body when the client did not tell it.
#[derive(Clone, Copy)]
pub enum Bound {
    /// Bytes of the part in the declared file.
    Part(u64),
    /// Bytes of the Content-Range.
    Range(u64),
}

impl Bound {
    /// The bound for this part, after [`check_part`]; `None` when neither declaration nor header
    /// has one.
    ///
    /// # Errors
    /// Those of the header.
    pub fn of(head: &Head, open: &OpenUpload, number: PartNumber) -> Result<Option<Self>> {
        let layout = open.declaration.and_then(|declaration| declaration.layout);
        if let Some(bytes) = layout.and_then(|layout| layout.bytes_of(number)) {
            return Ok(Some(Self::Part(bytes)));
        }
        let range = head.header("content-range")?.and_then(parse_range);
        Ok(range.map(|(first, last, _)| Self::Range(last - first + 1)))
    }

    /// The least and the most bytes that are read. That a part of a declared file is too short is
    /// for the store to say, which knows what is missing.
    pub fn limits(self) -> (u64, u64) {
        match self {
            Self::Part(bytes) => (0, bytes),
            Self::Range(bytes) => (bytes, bytes),
        }
    }

    /// The error for a body that has broken its limits; any other as it is.
    pub async fn explain(
        self,
        call: &Call,
        upload: &UploadHandle<WriteObject>,
        number: PartNumber,
        error: Error,
    ) -> Error {
        match (self, error.code) {
            (Self::Part(bytes), ErrorCode::EntityTooLarge) => {
                // The full length of the body is unknown.
                let message =
                    format!("Part {number} of the declared file has {bytes} bytes; more came.");
                let error = Error::because(ErrorCode::InvalidRequest, message)
                    .field("PartNumber", number.to_string())
                    .field("ExpectedSize", bytes.to_string());
                missing_parts::with_missing(call, upload, error).await
            }
            (Self::Range(bytes), ErrorCode::EntityTooLarge | ErrorCode::EntityTooSmall) => {
                let message =
                    format!("The range has {bytes} bytes, but the body has more or less.");
                Error::because(ErrorCode::InvalidRange, message)
                    .field("PartNumber", number.to_string())
            }
            _ => error,
        }
    }
}

/// Compares `Content-Range: bytes a-b/total` with the part. The inner error is the reason why it
/// does not name the part.
fn check_range(
    text: &str,
    number: PartNumber,
    length: Option<u64>,
    layout: Option<Layout>,
) -> Result<std::result::Result<(), String>> {
    let parsed = parse_range(text).ok_or_else(|| {
        Error::argument("Content-Range", text, "Expected `bytes first-last/total`.")
    })?;
    let (first, last, total) = parsed;
    if last < first || total.is_some_and(|total| last >= total) {
        return Ok(Err("The range does not lie inside of its total.".into()));
    }
    let bytes = last - first + 1;
    if let Some(length) = length.filter(|length| *length != bytes) {
        return Ok(Err(format!("The range has {bytes} bytes, but the body has {length}.")));
    }
    let Some(layout) = layout else { return Ok(Ok(())) };
    if total.is_some_and(|total| total != layout.size()) {
        return Ok(Err(format!("The upload was declared with {} bytes.", layout.size())));
    }
    if first != layout.first_byte(number) || Some(bytes) != layout.bytes_of(number) {
        let begin = layout.first_byte(number);
        return Ok(Err(format!("Part {number} begins at byte {begin} of the file.")));
    }
    Ok(Ok(()))
}

fn parse_range(text: &str) -> Option<(u64, u64, Option<u64>)> {
    let number = |text: &str| -> Option<u64> {
        decimal::parse(text).filter(|number| *number <= OBJECT_BYTES_MAX)
    };
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let total = if total == "*" { None } else { Some(number(total)?) };
    Some((number(first)?, number(last)?, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_range_names_a_part_or_says_why_not() {
        let layout = Layout::new(25, 10);
        let part = |number| PartNumber::new(number).unwrap();
        for (text, number, length, layout, verdict) in [
            ("bytes 0-9/25", 1, Some(10), layout, Some(true)),
            ("bytes 0-9/*", 1, Some(10), layout, Some(true)),
            ("bytes 20-24/25", 3, Some(5), layout, Some(true)),
            ("bytes 20-24/25", 3, None, layout, Some(true)),
            ("bytes 20-24/25", 2, Some(5), layout, Some(false)),
            ("bytes 1-10/25", 1, Some(10), layout, Some(false)),
            ("bytes 0-9/26", 1, Some(10), layout, Some(false)),
            ("bytes 0-8/25", 1, Some(9), layout, Some(false)),
            ("bytes 0-9/25", 1, Some(9), layout, Some(false)),
            ("bytes 9-0/25", 1, Some(10), layout, Some(false)),
            ("bytes 7-16/99", 4, Some(10), None, Some(true)),
            ("bytes 7-16/99", 4, Some(11), None, Some(false)),
            ("bytes 7-16/16", 4, Some(10), None, Some(false)),
            ("bytes 0-18446744073709551615/*", 1, None, None, None),
            ("bytes */25", 1, Some(10), layout, None),
            ("bytes=0-9/25", 1, Some(10), layout, None),
            ("bytes 0-9", 1, Some(10), layout, None),
            ("bytes -9/25", 1, Some(10), layout, None),
            ("bytes 0-+9/25", 1, Some(10), layout, None),
            ("", 1, Some(10), layout, None),
        ] {
            let checked = check_range(text, part(number), length, layout);
            let got = checked.ok().map(|verdict| verdict.is_ok());
            assert_eq!(got, verdict, "{text} for part {number}");
        }
    }
}
