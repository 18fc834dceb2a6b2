//! [`Delimiter`]: the bytes between the parts of a form (RFC 2046, section 5.1.1).

use super::errors::malformed;
use super::headers;
use crate::wire::error::{Error, ErrorCode, Result};

/// Longest boundary in bytes (RFC 2046).
pub(super) const BOUNDARY_BYTES_MAX: usize = 70;

/// Delimiter of parts: CRLF, `--` and the boundary.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delimiter(pub(super) Vec<u8>);

impl Delimiter {
    /// Delimiter from the value of Content-Type.
    ///
    /// # Errors
    /// PreconditionFailed for another type, as on S3; MalformedPOSTRequest without a valid
    /// boundary.
    pub fn of(content_type: &str) -> Result<Self> {
        let (kind, parameters) = headers::value(content_type).ok_or_else(malformed)?;
        if !kind.eq_ignore_ascii_case("multipart/form-data") {
            let condition = "Bucket POST must be of the enclosure-type multipart/form-data";
            return Err(Error::new(ErrorCode::PreconditionFailed).field("Condition", condition));
        }
        let boundary = parameters.into_iter().find(|(name, _)| name == "boundary");
        let boundary = boundary.map(|(_, value)| value).unwrap_or_default();
        let legal = |c: u8| c.is_ascii_graphic() || c == b' ';
        let lengths = 1..=BOUNDARY_BYTES_MAX;
        if !lengths.contains(&boundary.len()) || !boundary.bytes().all(legal) {
            return Err(malformed());
        }
        Ok(Self([b"\r\n--", boundary.as_bytes()].concat()))
    }
}
