//! What the operations on an open upload share: its id and part number, parsed from the query.

use super::Call;
use crate::types::{PartNumber, UploadId};
use crate::wire::{Error, ErrorCode, Result};

/// The upload that the request names.
///
/// # Errors
/// NoSuchUpload: an id that was never given out names no upload.
pub fn upload_id(call: &Call) -> Result<UploadId> {
    let text = call.head.query.get("uploadId").unwrap_or_default();
    UploadId::parse(text).ok_or_else(|| Error::new(ErrorCode::NoSuchUpload).field("UploadId", text))
}

/// The part number that the request names.
///
/// # Errors
/// InvalidArgument unless it is 1 to 10,000.
pub fn part_number(call: &Call) -> Result<PartNumber> {
    let text = call.head.query.get("partNumber").unwrap_or_default();
    PartNumber::parse(text).ok_or_else(|| {
        let message = "Part number must be an integer between 1 and 10000, inclusive";
        Error::argument("partNumber", text, message)
    })
}
