//! Errors and the limit of fields.

use crate::wire::error::{Error, ErrorCode};

/// Most bytes before the content of the file, with delimiters and headers, as on S3. Also the most
/// bytes of all fields after the file name was inserted.
pub const FIELDS_BYTES_MAX: usize = 20 << 10;

pub(super) fn malformed() -> Error {
    ErrorCode::MalformedPOSTRequest.into()
}

pub(super) fn too_long() -> Error {
    Error::new(ErrorCode::MaxPostPreDataLengthExceededError)
        .field("MaxSizeAllowed", FIELDS_BYTES_MAX.to_string())
}

pub(super) fn one_file() -> Error {
    let message = "POST requires exactly one file upload per request.";
    Error::argument("file", "0", message)
}
