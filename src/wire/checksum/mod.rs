//! Checksums in headers and trailers: the parsing of `Content-MD5` and `x-amz-checksum-*`, and
//! their verification.
//!
//! Source: AWS, "Checking object integrity in Amazon S3".
//!
//! `x-amz-checksum-*` and `x-amz-sdk-checksum-algorithm` in the query of a presigned URL are
//! ignored, apart from their signature. The JavaScript SDK puts the CRC of an empty body there,
//! which no upload through the URL could match. A `content-md5` in the query counts, and so do
//! options such as `x-amz-checksum-algorithm`.

#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

use super::error::{Error, ErrorCode, Result};
use super::request::Head;
use crate::digest::{Checksum, ChecksumAlgorithm, ChecksumType, Digests};
use crate::types::decimal;

/// Prefix of headers with a checksum, except those in [`OPTIONS`].
const PREFIX: &str = "x-amz-checksum-";
/// Headers with the prefix that are not checksums.
const OPTIONS: [&str; 3] =
    ["x-amz-checksum-algorithm", "x-amz-checksum-mode", "x-amz-checksum-type"];
/// Header in which SDKs announce the algorithm of their checksum.
const SDK_ALGORITHM: &str = "x-amz-sdk-checksum-algorithm";

const ONE_VALUE: &str =
    "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";

/// Digests that the client gave before the body.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ExpectedDigests {
    /// `Content-MD5`.
    pub content_md5: Option<[u8; 16]>,
    /// Value of an `x-amz-checksum-*` header.
    pub checksum: Option<Checksum>,
    /// Algorithm of the checksum in the trailer. Never set together with `checksum`.
    pub trailer: Option<ChecksumAlgorithm>,
    /// Algorithm to compute while the body streams: that of the header or trailer, otherwise the
    /// one in `x-amz-checksum-algorithm`.
    pub algorithm: Option<ChecksumAlgorithm>,
}

/// Digests that the headers of a request give. `announced_trailer` are the names in
/// `x-amz-trailer`, if the body has a trailer.
///
/// # Errors
/// InvalidRequest for an invalid value, for more than one checksum, and for headers that contradict
/// each other; InvalidDigest for `Content-MD5`; BadDigest for a checksum of the wrong length.
pub fn expected(head: &Head, announced_trailer: Option<&[String]>) -> Result<ExpectedDigests> {
    let checksum = value(head, false)?;
    let trailer = trailer_algorithm(announced_trailer.unwrap_or_default())?;
    if checksum.is_some() && trailer.is_some() {
        return Err(invalid(ONE_VALUE));
    }
    let sent = trailer.or(checksum.as_ref().map(|c| c.algorithm));
    if let Some(name) = one_line(head, SDK_ALGORITHM)? {
        let refused = || invalid(format!("Value for {SDK_ALGORITHM} header is invalid."));
        let hint = ChecksumAlgorithm::parse(name).ok_or_else(refused)?;
        match sent {
            None => {
                return Err(invalid(format!(
                    "{SDK_ALGORITHM} specified, but no corresponding x-amz-checksum-* or \
                     x-amz-trailer headers were found."
                )));
            }
            Some(sent) if sent != hint => return Err(refused()),
            Some(_) => {}
        }
    }
    let asked = algorithm(head)?;
    if let (Some(asked), Some(sent)) = (asked, sent)
        && asked != sent
    {
        return Err(invalid("Value for x-amz-checksum-algorithm header is invalid."));
    }
    Ok(ExpectedDigests {
        content_md5: content_md5(head)?,
        checksum,
        trailer,
        algorithm: sent.or(asked),
    })
}

/// Digest of the document of CompleteMultipartUpload: `Content-MD5` only. The `x-amz-checksum-*`
/// headers of that request are the object's.
///
/// # Errors
/// InvalidDigest.
pub fn expected_md5(head: &Head) -> Result<ExpectedDigests> {
    Ok(ExpectedDigests { content_md5: content_md5(head)?, ..ExpectedDigests::default() })
}

/// Compares the expected digests with the computed ones. `trailer_value` is the name and value of
/// the checksum in the trailer. `digests` must include `expected.algorithm`.
///
/// Gives the checksum to store, in the client's algorithm, if it named one.
///
/// # Errors
/// BadDigest; MalformedTrailerError; InvalidRequest for an invalid value in the trailer.
pub fn verify(
    expected: &ExpectedDigests,
    trailer_value: Option<(&str, &str)>,
    digests: &Digests,
) -> Result<Option<Checksum>> {
    if let Some(md5) = expected.content_md5
        && md5 != digests.md5
    {
        let message = "The Content-MD5 you specified did not match what we received.";
        return Err(Error::because(ErrorCode::BadDigest, message)
            .field("ExpectedDigest", STANDARD.encode(md5))
            .field("CalculatedDigest", STANDARD.encode(digests.md5)));
    }
    let from_trailer = match (expected.trailer, trailer_value) {
        (None, None) => None,
        (Some(algorithm), Some((name, value)))
            if ChecksumAlgorithm::from_header(name) == Some(algorithm) =>
        {
            let header = algorithm.header();
            Some(Checksum::parse(algorithm, value.trim()).ok_or_else(|| {
                invalid(format!("Value for {header} trailing header is invalid."))
            })?)
        }
        // Missing, not announced, or another one than announced.
        _ => return Err(ErrorCode::MalformedTrailerError.into()),
    };
    let Some(algorithm) = expected.algorithm else { return Ok(None) };
    let computed = digests.checksum_for(algorithm).ok_or_else(|| {
        Error::new(ErrorCode::InternalError).caused_by("the expected checksum was not computed")
    })?;
    match from_trailer.as_ref().or(expected.checksum.as_ref()) {
        Some(claimed) if *claimed != computed => Err(bad_digest(algorithm)),
        _ => Ok(Some(computed)),
    }
}

/// BadDigest: the checksum of the client differs from the computed one.
pub fn bad_digest(algorithm: ChecksumAlgorithm) -> Error {
    let name = algorithm.name();
    let message = format!("The {name} you specified did not match the calculated checksum.");
    Error::because(ErrorCode::BadDigest, message)
}

/// Checksum algorithm and type that CreateMultipartUpload declares.
///
/// # Errors
/// InvalidRequest for unknown values and for a type that the algorithm does not allow.
pub fn declared(head: &Head) -> Result<Option<(ChecksumAlgorithm, ChecksumType)>> {
    let kind = object_type(head)?;
    let Some(algorithm) = algorithm(head)? else {
        return match kind {
            None => Ok(None),
            Some(_) => Err(invalid(
                "The x-amz-checksum-type header can only be used with the \
                 x-amz-checksum-algorithm header.",
            )),
        };
    };
    let kind = kind.unwrap_or(algorithm.default_type());
    if !algorithm.allows(kind) {
        return Err(invalid(format!(
            "The {} checksum type cannot be used with the {} checksum algorithm.",
            kind.name(),
            algorithm.name().to_ascii_lowercase()
        )));
    }
    Ok(Some((algorithm, kind)))
}

/// True if a read asks for checksums: `x-amz-checksum-mode: ENABLED`, in any case.
pub fn mode_enabled(head: &Head) -> bool {
    let mode = head.header_or_query("x-amz-checksum-mode").ok().flatten();
    mode.is_some_and(|mode| mode.eq_ignore_ascii_case("enabled"))
}

/// True if a header or field with this lower-case name is a checksum.
pub fn is_value(name: &str) -> bool {
    ChecksumAlgorithm::from_header(name).is_some()
}

/// Checksum of the object in a header of CompleteMultipartUpload, with or without `-N`.
///
/// # Errors
/// InvalidRequest, BadDigest.
pub fn object_checksum(head: &Head) -> Result<Option<Checksum>> {
    value(head, true)
}

/// `x-amz-checksum-type`: in CompleteMultipartUpload the type of the existing upload.
///
/// # Errors
/// InvalidRequest for an unknown type.
pub fn object_type(head: &Head) -> Result<Option<ChecksumType>> {
    let Some(name) = head.header_or_query("x-amz-checksum-type")?.filter(|n| !n.is_empty()) else {
        return Ok(None);
    };
    let refused = || invalid("Value for x-amz-checksum-type header is invalid.");
    ChecksumType::parse(name).map(Some).ok_or_else(refused)
}

/// `x-amz-checksum-algorithm` in a header or in the query. An empty value counts as absent.
fn algorithm(head: &Head) -> Result<Option<ChecksumAlgorithm>> {
    let Some(name) = head.header_or_query(OPTIONS[0])?.filter(|n| !n.is_empty()) else {
        return Ok(None);
    };
    ChecksumAlgorithm::parse(name).map(Some).ok_or_else(|| {
        let names: Vec<_> = ChecksumAlgorithm::ALL.iter().map(|a| a.name()).collect();
        invalid(format!(
            "Checksum algorithm provided is unsupported. Please try again with any of the valid \
             types: [{}]",
            names.join(", ")
        ))
    })
}

/// The `x-amz-checksum-*` header of a request, of which there is at most one.
fn value(head: &Head, with_parts: bool) -> Result<Option<Checksum>> {
    let mut found = None;
    for (name, value) in &head.headers {
        let name = name.as_str();
        if !name.starts_with(PREFIX) || OPTIONS.contains(&name) {
            continue;
        }
        if found.is_some() {
            return Err(invalid(ONE_VALUE));
        }
        let algorithm = ChecksumAlgorithm::from_header(name).ok_or_else(|| {
            invalid("The algorithm type you specified in x-amz-checksum- header is invalid.")
        })?;
        let checksum = text(value).and_then(|text| {
            let base64 = if with_parts { without_parts(text) } else { text };
            Checksum::parse(algorithm, base64)
        });
        // As on S3, a value of the wrong form is a digest that no body matches.
        found = Some(checksum.ok_or_else(|| {
            let message = format!("Value for {name} header is invalid.");
            Error::because(ErrorCode::BadDigest, message)
        })?);
    }
    Ok(found)
}

/// The base64 of `base64-N`.
fn without_parts(text: &str) -> &str {
    match text.rsplit_once('-') {
        Some((base64, parts)) if decimal::parse::<u16>(parts).is_some() => base64,
        _ => text,
    }
}

/// Algorithm of the announced trailer. S3 allows one trailer, which is a checksum.
fn trailer_algorithm(announced: &[String]) -> Result<Option<ChecksumAlgorithm>> {
    let mut found = None;
    for name in announced {
        let refused =
            || invalid("The value specified in the x-amz-trailer header is not supported");
        let algorithm = ChecksumAlgorithm::from_header(name.trim()).ok_or_else(refused)?;
        if found.replace(algorithm).is_some() {
            return Err(invalid(ONE_VALUE));
        }
    }
    Ok(found)
}

fn content_md5(head: &Head) -> Result<Option<[u8; 16]>> {
    let refused = || Error::new(ErrorCode::InvalidDigest);
    let base64 = match one_line(head, "content-md5").map_err(|_| refused())? {
        Some(base64) => base64,
        None => match head.header_or_query("content-md5")? {
            Some(base64) => base64,
            None => return Ok(None),
        },
    };
    let checksum = Checksum::parse(ChecksumAlgorithm::Md5, base64).ok_or_else(refused)?;
    checksum.value.try_into().map(Some).map_err(|_| refused())
}

/// Value of a header that may be given once.
fn one_line<'a>(head: &'a Head, name: &str) -> Result<Option<&'a str>> {
    let mut lines = head.headers.get_all(name).iter();
    let Some(line) = lines.next() else { return Ok(None) };
    match (text(line), lines.next()) {
        (Some(text), None) => Ok(Some(text)),
        _ => Err(invalid(format!("Value for {name} header is invalid."))),
    }
}

fn text(value: &HeaderValue) -> Option<&str> {
    std::str::from_utf8(value.as_bytes()).ok().map(str::trim)
}

fn invalid(message: impl Into<String>) -> Error {
    Error::because(ErrorCode::InvalidRequest, message)
}
